"""Jidget: the agent that gives a device a Jabber ID."""

from jidget.lazily import load_lazily

__all__ = ["__version__"]

__version__ = "0.1.0.dev0"

load_lazily("aiodns")  # slixmpp imports it wherever it is; it is needed only where a server is looked up by SRV
for _name in ("bz2", "csv", "locale", "lzma"):  # imported by shutil, importlib.metadata and subprocess: over a megabyte
    load_lazily(_name)
