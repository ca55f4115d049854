"""A consumer as DESIGN 4.3 wants it: keeps each reading once, notices what is missing, asks for it, and judges."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from tests.support.accounts import Account
from tests.support.asking import CLIENT, Refused
from tests.support.sensor_data import NODE
from tests.support.signals import Signal
from tests.support.soak.ledger import Ledger
from tests.support.soak.payload import JIDGET, Page, items_of, page_of
from tests.support.soak.resident import NoAnswer, Resident
from tests.support.soak.sequences import Gap, Sequences

PATIENCE = 1.0
"""Seconds before a question that the agent did not answer, or not yet, is asked again."""
_NOT_HERE = frozenset(("service-unavailable", "recipient-unavailable", "item-not-found", "remote-server-timeout"))


class Consumer(Resident):
    """Follows one agent.

    Attributes:
        ledger: what came.
        news: wakes whoever waits for it.
        repeated: how many readings the stream brought again, as Prosody and an agent in doubt may have them.
        fetched: how many readings came because they were asked for.
        refusals: why the agent would not repeat something.
    """

    def __init__(self, account: Account, agent: str, counters: Iterable[str]) -> None:
        super().__init__(account, agent, "consumer")
        self.ledger = Ledger(counters)
        self.news = Signal()
        self.repeated = 0
        self.fetched = 0
        self.refusals: list[str] = []
        self._latest = ""
        self._newest = ""
        self._sequences = Sequences()
        self._gen = ""
        self._spans: list[str] = []
        self._hopeless: set[Gap] = set()

    def hear(self, stanza: ET.Element) -> None:
        """Take what the stream brings."""
        sender = (stanza.get("from") or "").partition("/")[0]
        if stanza.tag != f"{CLIENT}message" or sender != self.agent.partition("/")[0]:
            return
        for gen, seq, readings in items_of(stanza):
            if gen not in self._sequences and self._gen:  # how the former one ended cannot be seen by its numbers
                self._spans.append(self._latest)
            self._gen = gen
            self._sequences.take(gen, seq)
            for reading in readings:
                self.repeated += not self.ledger.take(reading)
                self._latest = reading.key.time
                self._newest = max(self._newest, reading.key.time)
        self.news()

    async def fresh(self, since: datetime) -> None:
        """Wait for a reading that was made at `since`, which is now, or later."""
        wanted, self._newest = written(since), ""
        await self.news.until(lambda: self._newest >= wanted)

    @property
    def complete(self) -> bool:
        """Whether it knows of nothing that it could ask for."""
        return not self._spans and not self._gaps()

    @property
    def wanting(self) -> str:
        """Return what it still has to ask for, for people."""
        gaps = [f"{gap.gen}-{gap.first}…{gap.last}" for gap in self._gaps()]
        return ", ".join(gaps + [f"all since {since}" for since in self._spans])

    async def fill(self) -> None:
        """Ask for what is missing until cancelled."""
        while True:
            await self.news.until(lambda: not self.complete)
            try:
                await self._fill_once()
                self.news()
            except NoAnswer:
                await asyncio.sleep(PATIENCE)
            except Refused as refusal:
                if refusal.condition not in _NOT_HERE and refusal.type != "wait":
                    self._give_up(refusal)
                await asyncio.sleep(PATIENCE)

    async def fetch(self, since: str) -> None:
        """Ask for all that was from a time on, page by page.

        Raises:
            Refused: the agent says no.
            NoAnswer: it does not say anything.
        """
        more = True
        while more:
            page = await self._request(f"from='{since}' h='true'", "")
            more = page.more
            if page.readings:
                last = max(reading.key.time for reading in page.readings)
                since = written(datetime.fromisoformat(last) + timedelta(milliseconds=1))

    def _gaps(self) -> list[Gap]:
        return [gap for gap in self._sequences.gaps() if gap not in self._hopeless]

    async def _fill_once(self) -> None:
        for gap in self._gaps():
            first = gap.first
            more = True
            while more:
                wanted = f"<batch xmlns='{JIDGET}' gen='{gap.gen}' from='{first}' to='{gap.last}'/>"
                page = await self._request("", wanted)
                for gen, begin, end in page.batches:
                    for seq in range(begin, end + 1):
                        self._sequences.take(gen, seq)
                    first = end + 1
                more = page.more and bool(page.batches)
            if gap in self._sequences.gaps():
                self.refusals.append(f"{gap.gen}-{gap.first}…{gap.last} is not repeated")
                self._hopeless.add(gap)
        while self._spans:
            await self.fetch(self._spans[0])
            self._spans.pop(0)

    async def _request(self, attributes: str, inner: str) -> Page:
        payload = f"<req xmlns='{NODE}' id='again' {attributes}>{inner}</req>"
        page = page_of(await self.ask("get", payload))
        self.fetched += sum(self.ledger.take(reading) for reading in page.readings)
        return page

    def _give_up(self, refusal: Refused) -> None:
        self.refusals.append(str(refusal))
        self._hopeless.update(self._sequences.gaps())
        self._spans.clear()


def written(time: datetime) -> str:
    """Write a time as it is in sensor data, so that texts compare as times do."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
