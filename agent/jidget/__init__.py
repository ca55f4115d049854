"""Jidget: the agent that gives a device a Jabber ID."""

__all__ = ["__version__"]

__version__ = "0.1.0.dev0"
