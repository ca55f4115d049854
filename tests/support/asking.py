"""A plain client that asks an agent by IQ, in XML as the test writes it."""

import asyncio
from typing import Literal
from xml.etree import ElementTree as ET

from slixmpp import Presence
from slixmpp.exceptions import IqError
from slixmpp.xmlstream.handler import Waiter
from slixmpp.xmlstream.matcher import MatcherId
from tests.support.accounts import Account
from tests.support.client import Client

LIMIT = 20.0
CLIENT = "{jabber:client}"
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"


class Refused(Exception):
    """An error stanza: its conditions by name, the type and the text."""

    def __init__(self, error: ET.Element) -> None:
        self.type = error.get("type", "")
        self.text = error.findtext(f"{STANZAS}text", "")
        conditions = [child.tag for child in error if child.tag != f"{STANZAS}text"]
        self.condition = next(tag.removeprefix(STANZAS) for tag in conditions if tag.startswith(STANZAS))
        self.application = next((tag for tag in conditions if not tag.startswith(STANZAS)), "")
        super().__init__(f"{self.condition} {self.application}: {self.text}")


class Asker(Client):
    """A client that asks one agent.

    Args:
        account: who.
        agent: the full JID of the agent.
        resource: as which resource.
    """

    def __init__(self, account: Account, agent: str, resource: str = "phone") -> None:
        super().__init__(account, resource)
        self.account = account
        self.agent = agent
        self._there = asyncio.Event()
        for event in ("presence_available", "presence_away"):  # slixmpp names them by their <show/>
            self.xmpp.add_event_handler(event, self._on_presence)

    def _on_presence(self, presence: Presence) -> None:
        if presence["from"] == self.agent:
            self._there.set()

    async def meet(self) -> None:
        """Become available, and wait until the agent is."""
        self.xmpp.send_presence()
        async with asyncio.timeout(LIMIT):
            await self._there.wait()

    async def ask(
        self, kind: Literal["get", "set"], payload: str | ET.Element, *, id: str = "", to: str = ""
    ) -> ET.Element | None:
        """Send an IQ and return its answer's payload.

        Raises:
            Refused: the answer is an error.
        """
        iq = self.xmpp.make_iq(id or self.xmpp.new_id(), ito=to or self.agent, itype=kind)
        iq.append(ET.fromstring(payload) if isinstance(payload, str) else payload)
        try:
            answer = await iq.send(timeout=LIMIT)  # type: ignore[no-untyped-call]  # slixmpp's own
        except IqError as error:
            answer = error.iq
        return _payload(answer.xml)

    async def ask_raw(self, kind: Literal["get", "set"], payload: str) -> ET.Element | None:
        """Do as `ask` does with what slixmpp itself would not write."""
        id = self.xmpp.new_id()
        waiter = Waiter(f"answer to {id}", MatcherId(id))
        self.xmpp.register_handler(waiter)
        self.xmpp.send_raw(f"<iq type='{kind}' id='{id}' to='{self.agent}'>{payload}</iq>")
        answer = await waiter.wait(timeout=int(LIMIT))
        assert answer is not None, "no answer"
        return _payload(answer.xml)


def _payload(answer: ET.Element) -> ET.Element | None:
    if answer.get("type") == "error":
        found = answer.find(f"{CLIENT}error")
        assert found is not None
        raise Refused(found)
    return next(iter(answer), None)
