"""Commands: one registry, one way of running them, and the faces' shared vocabulary."""
