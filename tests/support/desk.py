"""The ad-hoc responder over a house of Things, and a register of who answers which IQ."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from xml.etree import ElementTree as ET

from tests.support.adhoc import COMMANDS, NODE, command
from tests.support.fakes import Clock, Gate, House, relay, tank, thing
from tests.support.stanzas import ALICE, Table, incoming, link, refuses

from jidget.things.rules import Rules
from jidget.xmpp.adhoc import AdHoc
from jidget.xmpp.disco import Disco


class Desk:
    """The responder over a house with a pump, a tank and a gate."""

    def __init__(
        self, rules: Mapping[str, Mapping[str, Rules]] | None = None, *, position_can_be_set: bool = False
    ) -> None:
        """Build it, with safety rules by Thing and property."""
        self.pump, self.tank, self.gate = relay(), tank(), Gate()
        if position_can_be_set:
            self.gate.properties = tuple(replace(prop, writable=True) for prop in self.gate.properties)
        boards = {"pump": self.pump, "tank": self.tank, "gate": self.gate}
        self.things = [thing(name, board, rules=(rules or {}).get(name)) for name, board in boards.items()]
        self.house = House(*self.things)
        self.clock = Clock(0.0)
        self.table = Table()
        self.adhoc = AdHoc(link(), self.house.commands, clock=self.clock)
        self.disco = Disco(("client", "bot", "Jidget agent"), self.adhoc.features)
        self.disco.attach(self.table)
        self.adhoc.attach(self.table, self.disco)
        self._ids = 0

    async def send(
        self,
        node: str,
        inner: str = "",
        sender: str = ALICE,
        *,
        id: str = "",
        age: float | None = 0.0,
        sessionid: str | None = None,
        action: str | None = None,
    ) -> ET.Element:
        self._ids += 1
        payload = command(node, inner, sessionid=sessionid, action=action)
        return await self.table.ask(incoming(payload, sender, id=id or f"auto{self._ids}", age=age))

    async def ask_disco(self, what: str, sender: str, node: str = NODE) -> ET.Element:
        payload = f"<query xmlns='{what.strip('{}')}' node='{node}'/>"
        return await self.table.ask(incoming(payload, sender, kind="get"))


@contextmanager
def refuses_session() -> Iterator[None]:
    """The session is unknown, over, or somebody else's."""
    with refuses("bad-request", f"{COMMANDS}bad-sessionid"):
        yield
