"""The soak: an agent, a server and a bad network between them; a consumer and commanders who judge from outside.

Nothing here knows the agent's own code: what it does is seen in what it publishes, in what it answers, in what its
make-believe actuator recorded and, after the end, in what is in its store.
"""
