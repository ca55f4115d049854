"""Stanzas as they arrive, for tests of the rooms behind the router."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from xml.etree import ElementTree as ET

import pytest
from slixmpp import JID

from jidget.errors import StanzaError
from jidget.xmpp.link import Link
from jidget.xmpp.login import Login
from jidget.xmpp.router import Admission, Incoming, IqHandler, Router

CLIENT = "{jabber:client}"
ALICE = "alice@example.org/phone"


def link() -> Link:
    """Return a link that was never connected."""
    return Link(Login(jid="pi@example.org", resource="agent", password="secret"), lambda _: None)


def incoming(
    payload: str,
    sender: str = ALICE,
    *,
    kind: str = "set",
    id: str = "1",
    age: float | None = 0.0,
) -> Incoming:
    """Return an IQ with this payload as the router hands it on."""
    stanza = ET.fromstring(f"<iq xmlns='jabber:client' type='{kind}' from='{sender}' id='{id}'>{payload}</iq>")
    return Incoming(stanza=stanza, payload=stanza[0], sender=JID(sender), admission=Admission.KNOWN, age=age)


class Table(Router):
    """A router without a gate: `ask` hands an IQ to whoever registered for its payload."""

    def __init__(self) -> None:
        super().__init__(lambda _: Admission.KNOWN)
        self.handlers: dict[tuple[str, str], IqHandler] = {}

    def on_iq(
        self,
        kind: str,
        payload: str,
        handler: Callable[[Incoming], Awaitable[tuple[ET.Element, ...]]],
        *,
        public: bool = False,
    ) -> None:
        self.handlers[kind, payload] = handler

    async def ask(self, incoming: Incoming) -> ET.Element:
        """Return the payload of the answer; a refusal is raised as `StanzaError`."""
        (answer,) = await self.handlers[incoming.kind, incoming.payload.tag](incoming)
        return answer


@contextmanager
def refuses(condition: str, application: str = "", says: str = "") -> Iterator[pytest.ExceptionInfo[StanzaError]]:
    """What is done inside is answered by an error with just these conditions and a text that says so."""
    with pytest.raises(StanzaError) as raised:
        yield raised
    error = raised.value
    assert (error.condition, error.application) == (condition, application)
    assert says in error.text
