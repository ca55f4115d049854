"""Requests of ours that are not answered yet, and which stanza answers which (RFC 6120 8.2.3)."""

import asyncio
import itertools
import secrets
from collections.abc import Callable
from typing import NamedTuple
from xml.etree import ElementTree as ET

from jidget.errors import LinkError, RequestTimeout, StanzaError
from jidget.xmpp.xml import CLIENT, STANZAS

OVERDUE = 60.0
"""Seconds after which an answer does not come any more, although the server answers other things."""
_ERROR = f"{{{CLIENT}}}error"


class Request(NamedTuple):
    """A request under way.

    Attributes:
        id: of the stanza.
        senders: from whom an answer counts.
        answer: the result or error; fails with the link.
        arrived: when the server had it at the latest, by the loop's clock.
        on_answer: called as soon as the answer is there, before whoever waits for it goes on.
    """

    id: str
    senders: frozenset[str | None]
    answer: asyncio.Future[ET.Element]
    arrived: float
    on_answer: Callable[[], None] | None


class Pending:
    """The requests of one link, by their ids.

    Attributes:
        answered: when the last answer came, by the loop's clock.
    """

    def __init__(self) -> None:
        self.answered = 0.0
        self._requests: dict[str, Request] = {}
        self._ids = itertools.count(1)
        self._prefix = secrets.token_hex(4)

    def add(
        self, key: str, senders: frozenset[str | None], delay: float, on_answer: Callable[[], None] | None = None
    ) -> Request:
        """Note a request that takes `delay` seconds to the server; its id is `key` if that is given."""
        stanza_id = key or f"{self._prefix}{next(self._ids)}"
        loop = asyncio.get_running_loop()
        request = Request(stanza_id, senders, loop.create_future(), loop.time() + delay, on_answer)
        self._requests[stanza_id] = request
        return request

    def remove(self, request: Request) -> None:
        """Forget a request."""
        self._requests.pop(request.id, None)

    def settle(self, stanza: ET.Element) -> None:
        """Take a result or error: an answer, or what nobody asked for."""
        request = self._requests.get(stanza.get("id", ""))
        if request is not None and stanza.get("from") in request.senders and not request.answer.done():
            del self._requests[request.id]
            self.answered = asyncio.get_running_loop().time()
            request.answer.set_result(stanza)
            if request.on_answer is not None:
                request.on_answer()

    def fail(self) -> None:
        """Let go of all: no answer will come."""
        for request in self._requests.values():
            if not request.answer.done():
                request.answer.set_exception(LinkError("the link was lost before the answer came"))
        self._requests.clear()

    def fail_overdue(self, since: float) -> None:
        """Let go of what the server answers no more, `since` being when the connection was made."""
        before = asyncio.get_running_loop().time() - OVERDUE
        if since > before:
            return
        for request in self._requests.values():
            if request.arrived < before and not request.answer.done():
                request.answer.set_exception(RequestTimeout(f"the server did not answer within {OVERDUE:.0f} s"))


def stanza_error(stanza: ET.Element) -> StanzaError:
    """Return the error that a stanza of type error carries (RFC 6120 8.3)."""
    condition, text, application = "undefined-condition", "", ""
    error = stanza.find(_ERROR)
    for child in error if error is not None else ():
        namespace, _, name = child.tag[1:].partition("}")
        if namespace != STANZAS:
            application = name
        elif name == "text":
            text = child.text or ""
        else:
            condition = name
    return StanzaError(condition, text, application)
