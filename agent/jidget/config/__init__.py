"""Configuration: the file, its model and the errors that explain it."""

from jidget.config.loader import load

__all__ = ["load"]
