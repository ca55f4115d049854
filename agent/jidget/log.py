"""Logging to stderr: coloured on a terminal, with priorities under journald, without secrets anywhere."""

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import TextIO

OURS = ("jidget", "jidget_drivers")
_HIDDEN = "***"
_SHORTEST_SECRET = 4
"""Characters: hiding shorter ones would make every line unreadable and hide nothing."""
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG_PRIORITY = 7
_COLOURS = ((logging.ERROR, "31"), (logging.WARNING, "33"), (logging.INFO, "32"))
_DIM = "2"

# What would carry a password through a dump of the stream: SASL (RFC 6120 6.4.2, XEP-0388) and registration (XEP-0077).
_SASL = re.compile(
    r"(<(?P<tag>auth|response|challenge|success|initial-response|additional-data|password)\b[^<>]*(?<!/)>)[^<]*(?=</(?P=tag)>)"
)
_ASSIGNED = re.compile(
    r"""(?i)\b([\w-]*(?:password|passwd|secret|token)["']?\s*[=:]\s*)(?!\*\*\*)("[^"]*"|'[^']*'|[^\s,;)}\]]+)"""
)

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a peer's text must not bring to a terminal: everything but tab and newline."""

_secrets: set[str] = set()


def conceal(secret: str) -> None:
    """Never let `secret` appear in a log line from now on."""
    if len(secret) >= _SHORTEST_SECRET:
        _secrets.update((secret, _escaped(secret), repr(secret)[1:-1]))


def _escaped(text: str) -> str:
    """Return what a text looks like in XML; `html.escape` would do, but costs half a megabyte."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def redact(text: str) -> str:
    """Return `text` without known secrets and without what looks like one."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    text = _SASL.sub(rf"\1{_HIDDEN}", text)
    return _ASSIGNED.sub(rf"\1{_HIDDEN}", text)


def configure(level: int = logging.INFO, stream: TextIO | None = None, *, libraries: int = logging.WARNING) -> None:
    """Send the log to `stream`, stderr if left out.

    Args:
        level: least level of our own messages.
        stream: where to.
        libraries: least level of everybody else's; slixmpp's DEBUG shows every stanza.
    """
    stream = sys.stderr if stream is None else stream
    handler = _OurHandler(stream)
    handler.setFormatter(_formatter(stream, named=level <= logging.DEBUG))
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _OurHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(libraries)
    for name in OURS:
        logging.getLogger(name).setLevel(level)


def under_journald(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Whether `stream` is connected to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    environ = os.environ if environ is None else environ
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def use_colour(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Whether to colour what goes to `stream`: on a terminal, unless NO_COLOR; anywhere with FORCE_COLOR."""
    environ = os.environ if environ is None else environ
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") != "0":
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


def priority(level: int) -> int:
    """Return the syslog priority of a logging level (sd-daemon(3))."""
    return next((value for least, value in _PRIORITIES if level >= least), _DEBUG_PRIORITY)


def _formatter(stream: TextIO, *, named: bool) -> logging.Formatter:
    if under_journald(stream):
        return _JournalFormatter(named=named)
    if stream.isatty():
        return _TerminalFormatter(named=named, coloured=use_colour(stream))
    return _PlainFormatter(named=named)


class _OurHandler(logging.StreamHandler[TextIO]):
    """The handler that `configure` put up, so that the next call finds and replaces it and no other."""


class _PlainFormatter(logging.Formatter):
    """Date, time, zone, level, message; for files and pipes. Takes secrets out of all that comes, tracebacks too."""

    def __init__(self, *, named: bool) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%S%z")
        self._named = named

    def format(self, record: logging.LogRecord) -> str:
        return self.decorate(record, _CONTROLS.sub("\ufffd", redact(super().format(record))))

    def formatMessage(self, record: logging.LogRecord) -> str:
        ours = record.name.partition(".")[0] in OURS
        return record.message if ours and not self._named else f"{record.name}: {record.message}"

    def decorate(self, record: logging.LogRecord, text: str) -> str:
        return f"{self.formatTime(record, self.datefmt)} {record.levelname} {text}"


class _TerminalFormatter(_PlainFormatter):
    """Time of day, coloured level, message."""

    def __init__(self, *, named: bool, coloured: bool) -> None:
        super().__init__(named=named)
        self._coloured = coloured

    def decorate(self, record: logging.LogRecord, text: str) -> str:
        clock, level = self.formatTime(record, "%H:%M:%S"), f"{record.levelname:<7}"
        if not self._coloured:
            return f"{clock} {level} {text}"
        colour = next((code for least, code in _COLOURS if record.levelno >= least), _DIM)
        return f"\x1b[{_DIM}m{clock}\x1b[0m \x1b[{colour}m{level}\x1b[0m {text}"


class _JournalFormatter(_PlainFormatter):
    """A priority before every line; the journal knows the time itself."""

    def decorate(self, record: logging.LogRecord, text: str) -> str:
        prefix = f"<{priority(record.levelno)}>"
        return "\n".join(prefix + line for line in text.splitlines() or [""])
