"""People with an ordinary client: they chat, they see who is there, and they follow readings."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple
from xml.etree import ElementTree as ET

from slixmpp.xmlstream import StanzaBase
from tests.support.accounts import Account
from tests.support.asking import Asker

LIMIT = 20.0
CLIENT = "{jabber:client}"
NODE = "urn:nf:iot:sd:1.0"
_EVENT = "{http://jabber.org/protocol/pubsub#event}"
_DATA = f"{{{NODE}}}"
_PLUGINS = ("xep_0030", "xep_0060", "xep_0115", "xep_0163")


class Seen(NamedTuple):
    """A reading as it arrived."""

    name: str
    value: str
    time: datetime


class Person(Asker):
    """Somebody with a client that accepts every subscription and keeps all stanzas that come in.

    Args:
        account: who.
        agent: the full JID of the agent they deal with.
        resource: of their client.
        follows: whether the client wants to be told of readings (+notify).
    """

    def __init__(self, account: Account, agent: str, resource: str = "phone", *, follows: bool = False) -> None:
        super().__init__(account, agent, resource)
        self.jid = account.jid
        self.stanzas: list[ET.Element] = []
        self._more = asyncio.Event()
        self._follows = follows
        if follows:
            for plugin in _PLUGINS:
                self.xmpp.register_plugin(plugin)
        self.xmpp.add_filter("in", self._keep)

    def _keep(self, stanza: StanzaBase) -> StanzaBase:
        if stanza.xml.tag in (f"{CLIENT}message", f"{CLIENT}presence"):
            self.stanzas.append(stanza.xml)
            self._more.set()
        return stanza

    async def appear(self, *, priority: int = 0) -> None:
        """Become available as clients do: the roster first, then with what it wants to be told of."""
        await self.xmpp.get_roster(timeout=LIMIT)
        if self._follows:
            await self.xmpp.plugin["xep_0030"].add_feature(f"{NODE}+notify")
            # before the presence: ejabberd tells nothing to whom whose caps hash does not cover the feature
            await self.xmpp.plugin["xep_0115"].update_caps(broadcast=False)
        self.xmpp.send_presence(ppriority=priority)

    async def meet(self) -> None:
        """Become available, and wait until the agent is."""
        await self.appear()
        await self.sees()

    # ---- what comes in ------------------------------------------------------------------------------------------

    async def until(self, match: Callable[[ET.Element], bool], *, after: int = 0) -> ET.Element:
        """Wait for a stanza that matches, among all but the first `after`, and return it."""
        try:
            async with asyncio.timeout(LIMIT):
                while True:
                    found = next((stanza for stanza in self.stanzas[after:] if match(stanza)), None)
                    if found is not None:
                        return found
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            seen = "\n".join(ET.tostring(stanza, "unicode")[:300] for stanza in self.stanzas[after:][-12:])
            raise AssertionError(f"what was waited for did not come; the last that came:\n{seen}") from None

    def presences(self, jid: str = "") -> list[ET.Element]:
        """Return the presence stanzas of a full JID, the agent's if left out, that tell whether it is there."""
        return [
            stanza
            for stanza in self.stanzas
            if stanza.tag == f"{CLIENT}presence"
            and stanza.get("from") == (jid or self.agent)
            and stanza.get("type") in (None, "unavailable")
        ]

    async def sees(self, kind: str | None = None, *, after: int = 0) -> ET.Element:
        """Wait for the agent's presence of a type (None: available)."""
        tag = f"{CLIENT}presence"
        return await self.until(
            lambda s: s.tag == tag and s.get("from") == self.agent and s.get("type") == kind, after=after
        )

    def replies(self) -> list[str]:
        """Return what the agent said in chat until now; a server's errors, which repeat our own words, are left out."""
        bodies = (
            stanza.findtext(f"{CLIENT}body")
            for stanza in self.stanzas
            if stanza.tag == f"{CLIENT}message"
            and stanza.get("type") != "error"
            and (stanza.get("from") or "").partition("/")[0] == self._agent_bare
        )
        return [body for body in bodies if body is not None]

    @property
    def _agent_bare(self) -> str:
        return self.agent.partition("/")[0]

    def readings(self) -> list[Seen]:
        """Return the readings that arrived, in the order of their first arrival; each once."""
        seen: dict[Seen, None] = {}
        for stanza in self.stanzas:
            if (stanza.get("from") or "").partition("/")[0] != self._agent_bare:
                continue
            for items in stanza.iterfind(f"{_EVENT}event/{_EVENT}items"):
                if items.get("node") == NODE:
                    seen.update(dict.fromkeys(_readings(items)))
        return list(seen)

    async def reads(self, name: str, wanted: Callable[[str], bool] = lambda _: True, *, after: int = 0) -> Seen:
        """Wait for a reading of `THING.PROPERTY` whose value is as wanted."""
        found: list[Seen] = []

        def match(_: ET.Element) -> bool:
            found[:] = [seen for seen in self.readings()[after:] if seen.name == name and wanted(seen.value)]
            return bool(found)

        await self.until(match)
        return found[0]

    # ---- what goes out ------------------------------------------------------------------------------------------

    def says(self, line: str, *, id: str | None = None, to: str = "", kind: str | None = "chat", more: str = "") -> str:
        """Send a message to the agent's bare JID, or to `to`, with `more` XML in it; return its id."""
        message = ET.Element(f"{CLIENT}message", {"to": to or self._agent_bare})
        if kind is not None:
            message.set("type", kind)
        message.set("id", id or self.xmpp.new_id())
        if line:
            ET.SubElement(message, f"{CLIENT}body").text = line
        message.extend(ET.fromstring(f"<x xmlns='jabber:client'>{more}</x>"))
        self.xmpp.send_xml(message)
        return message.get("id", "")

    async def answer(self, *, after: int) -> str:
        """Wait for the agent's chat reply that comes after the first `after` of them."""
        await self.until(lambda _: len(self.replies()) > after)
        return self.replies()[after]

    async def asks(
        self, line: str, *, id: str | None = None, to: str = "", kind: str | None = "chat", more: str = ""
    ) -> str:
        """Say a line to the agent and return its answer."""
        before = len(self.replies())
        self.says(line, id=id, to=to, kind=kind, more=more)
        return await self.answer(after=before)


def _readings(items: ET.Element) -> list[Seen]:
    return [
        Seen(f"{nd.get('id')}.{field.get('n')}", field.get("v", ""), datetime.fromisoformat(ts.get("v", "")))
        for nd in items.iterfind(f"{_EVENT}item/{_DATA}resp/{_DATA}nd")
        for ts in nd.iterfind(f"{_DATA}ts")
        for field in ts
    ]


@asynccontextmanager
async def friends(*people: Person) -> AsyncIterator[None]:
    """Log people in, have each meet the agent, and log them out after the context."""
    async with asyncio.TaskGroup() as group:
        for person in people:
            group.create_task(person.__aenter__())
    try:
        async with asyncio.TaskGroup() as group:
            for person in people:
                group.create_task(person.meet())
        yield
    finally:
        for person in people:
            await person.__aexit__(None, None, None)
