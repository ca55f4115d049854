"""A long time offline: a store full of readings that nobody has, and somebody who checks each of them as it comes."""

import asyncio
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil
from slixmpp.xmlstream import StanzaBase
from tests.support.accounts import Account
from tests.support.people import Person
from tests.support.sensor_data import NODE, batch_of

from jidget.reading import Reading
from jidget.store.store import Store
from jidget_drivers import Kind, Property

QUIET = """
[things.idle]
driver = "simulated"
interval = "1h"
[things.idle.options.properties]
level = { type = "number" }
"""
"""A Thing that adds next to nothing."""
THING = "probe"
COUNT = Property(name="count", kind=Kind.INTEGER)
STEP = 100
"""Milliseconds from one reading to the next: ten a second, each a commit of its own instant."""
_AT_ONCE = 1000
_EVENT = "{http://jabber.org/protocol/pubsub#event}"
_SPACE = f"{{{NODE}}}"


async def fill(path: Path, rows: int) -> int:
    """Write what an agent that counts ten times a second leaves behind offline; return the first time (ms)."""
    start = int(time.time() * 1000) - (rows + 3000) * STEP
    async with Store(path) as store, asyncio.TaskGroup() as tasks:
        upkeep = tasks.create_task(store.run(), name="store")
        for first in range(0, rows, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, rows))
            store.append([Reading(THING, COUNT, number, start + STEP * number) for number in numbers])
            await asyncio.sleep(0)  # for the upkeep
        upkeep.cancel()
    return start


class Checker(Person):
    """A client that follows the probe and keeps nothing: what comes is checked against what must come next.

    Attributes:
        next: the count that must come next; all before it came, in order.
        repeated: readings that came again.
        wrong: what came that must not, the first of it.
    """

    def __init__(self, account: Account, agent: str, start: int) -> None:
        super().__init__(account, agent, "checker", follows=True)
        self.next = 0
        self.repeated = 0
        self.wrong = ""
        self._start = start
        self._seen: set[str] = set()
        self._arrived = asyncio.Event()

    def _keep(self, stanza: StanzaBase) -> StanzaBase:
        for item in stanza.xml.iterfind(f"{_EVENT}event/{_EVENT}items[@node='{NODE}']/{_EVENT}item"):
            if item.get("id", "") in self._seen:
                self.repeated += 1
                continue
            self._seen.add(item.get("id", ""))
            batch_of(item.get("id", ""))
            for instant in item.iterfind(f"{_SPACE}resp/{_SPACE}nd[@id='{THING}']/{_SPACE}ts"):
                self._check(instant)
        self._arrived.set()
        return super()._keep(stanza) if stanza.xml.tag != "{jabber:client}message" else stanza

    def _check(self, instant: ET.Element) -> None:
        (field,) = instant
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime((self._start + STEP * self.next) // 1000))
        expected = f"{at}.{(self._start + STEP * self.next) % 1000:03d}Z"
        if (field.get("v"), instant.get("v"), field.get("h")) != (str(self.next), expected, "true") and not self.wrong:
            self.wrong = f"{ET.tostring(instant, 'unicode')} came, not {self.next} of {expected}, flagged h"
        self.next += 1

    async def has(self, rows: int, *, within: float) -> None:
        """Wait until so many came, in order."""
        async with asyncio.timeout(within):
            while self.next < rows and not self.wrong:
                self._arrived.clear()
                await self._arrived.wait()
        assert not self.wrong, self.wrong


def resident(pid: int) -> float:
    """Return how much memory a process has for itself, in MB."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6
