"""What goes wrong on the way to a session, told so that a person knows what to check."""

import logging
import os
import socket

from jidget.errors import JidgetError, LinkError, ReplacedError
from jidget.xmpp.login import Login


class SaidByUs(logging.Filter):
    """Keeps back what slixmpp reports besides raising or telling it: we say it once, with the remedy."""

    _TEXTS = ("CERT: Invalid certificate trust chain.", "No appropriate login method.", "Parse error: %r")

    def filter(self, record: logging.LogRecord) -> bool:
        """Let through all but these few texts."""
        return record.msg not in self._TEXTS


for _name in ("xmlstream.xmlstream", "features.feature_mechanisms.mechanisms"):
    logging.getLogger(f"slixmpp.{_name}").addFilter(SaidByUs())


class StreamEnded(LinkError):
    """The server ended the stream with an error, and the session with it."""


def unreachable(login: Login, error: OSError, patience: float) -> LinkError:
    """Return the error of a connection that did not come about."""
    if isinstance(error, socket.gaierror):
        why = "the DNS knows no such host, or cannot be asked. Check the name and this machine's network"
    elif isinstance(error, TimeoutError):
        why = f"no answer within {patience:.2g} s"
    else:
        why = os.strerror(error.errno) if error.errno else str(error)
    return LinkError(f"{login.address} cannot be reached: {why}")


def other_way(problem: str, *, direct: bool) -> LinkError:
    """Return the error of a port that does not speak as we do; `direct` is how we spoke."""
    other = "starttls" if direct else "direct-tls"
    return LinkError(f'{problem}. Is this the right port? It may want xmpp.security = "{other}"')


def in_use(login: Login, consequence: str) -> LinkError:
    """Return the error of a resource we do not get. It may be our own last stream, not noticed to be dead."""
    return LinkError(
        f"{login.jid}/{login.resource} is in use and {consequence}. If another program has this resource, give one of "
        "the two another one in xmpp.jid"
    )


def stream_ended(login: Login, condition: str, text: str) -> JidgetError:
    """Return what a stream error means (RFC 6120 4.9.3)."""
    if condition == "conflict":
        return ReplacedError(f"another client logged in as {login.jid}/{login.resource} and replaced us")
    if condition == "host-unknown":
        return StreamEnded(f"{login.address} does not serve {login.domain}: check xmpp.jid")
    return StreamEnded(f"the server ended the stream: {condition}{': ' + text if text else ''}")
