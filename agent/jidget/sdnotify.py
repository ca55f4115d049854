"""Telling systemd how we are: sd_notify(3) and sd_watchdog_enabled(3), without the library."""

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)

_PATIENCE = 1.0
"""Seconds that a full queue of the service manager may hold us up."""


def notify(state: str, environ: Mapping[str, str] | None = None) -> bool:
    """Tell the service manager `state`, such as `READY=1` or `STATUS=…`; newlines separate several.

    Returns:
        Whether it was told. Without a service manager there is nobody to tell; what goes wrong is logged.
    """
    environ = os.environ if environ is None else environ
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address[0] not in "/@":
        log.warning("NOTIFY_SOCKET %r is not a Unix socket: systemd is not told %s", address, state)
        return False
    if address[0] == "@":
        address = "\0" + address[1:]  # unix(7): an abstract address begins with NUL
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(_PATIENCE)
            sock.sendto(state.encode(), address)
    except OSError as error:
        log.warning("systemd could not be told %s: %s", state, error)
        return False
    return True


def watchdog_interval(environ: Mapping[str, str] | None = None) -> float | None:
    """Return the seconds within which the service manager wants to hear `WATCHDOG=1`; None if it does not.

    sd_watchdog_enabled(3): tell it twice as often.
    """
    environ = os.environ if environ is None else environ
    text = environ.get("WATCHDOG_USEC", "")
    if not text or environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        log.warning("WATCHDOG_USEC %r is not a number of microseconds: the watchdog is not fed", text)
        return None
    return int(text) / 1e6
