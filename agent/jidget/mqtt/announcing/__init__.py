"""The other way: this agent's own Things, announced to the broker as Home Assistant discovers devices."""
