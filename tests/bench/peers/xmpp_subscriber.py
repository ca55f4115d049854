"""A subscriber to a stream of readings that parses every one of them: expat, then name, value and time of each field.

Job: the account, `publisher` (whose node), `expect` readings of which `warm_up` are not measured.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from tests.bench.peers.handshake import read_job, say
from tests.bench.peers.raw_xmpp import Job, connect
from tests.bench.peers.workload import THING

NODE = "urn:nf:iot:sd:1.0"
_HEADER = b"<stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
_MESSAGE, _STANZAS = "{jabber:client}message", {f"{{jabber:client}}{name}" for name in ("message", "presence", "iq")}
_ITEM = "{http://jabber.org/protocol/pubsub#event}item"
_ND, _TS = f"{{{NODE}}}nd", f"{{{NODE}}}ts"


class Subscriber:
    """Parses what arrives. Attribute `finished`: done when everything has."""

    def __init__(self, expect: int, warm_up: int) -> None:
        self._expect = expect
        self._warm_up = warm_up
        self._parser: Any = ET.XMLPullParser(("end",))
        self._parser.feed(_HEADER)
        self._items: set[str] = set()
        self.finished = asyncio.Event()
        self.readings = 0
        self.repeated = 0
        self.total = 0.0
        self.cpu = time.process_time()
        self.ended = 0

    def take(self, data: bytes) -> None:
        """Take bytes from the stream."""
        self._parser.feed(data)
        for _, stanza in self._parser.read_events():
            if stanza.tag in _STANZAS:
                if stanza.tag == _MESSAGE:
                    self._take(stanza)
                stanza.clear()

    def _take(self, message: ET.Element) -> None:
        for item in message.iter(_ITEM):
            item_id = item.get("id", "")
            if item_id in self._items:
                self.repeated += 1
                continue
            self._items.add(item_id)
            before = self.readings
            for _, value, _ in fields_of(item):
                self.readings += 1
                self.total += value
            if before < self._warm_up <= self.readings:
                self.cpu = time.process_time()
            if before < self._expect <= self.readings:
                self.ended = time.monotonic_ns()
                self.cpu = time.process_time() - self.cpu
                self.finished.set()


def fields_of(item: ET.Element) -> Iterator[tuple[str, float, int]]:
    """Yield property, value and UTC milliseconds of what the Thing of this benchmark sent."""
    for node in item.iter(_ND):
        if node.get("id") == THING:
            for instant in node.iterfind(_TS):
                at = round(datetime.fromisoformat(instant.get("v", "")).timestamp() * 1000)
                for field in instant:
                    yield field.get("n", ""), float(field.get("v", "nan")), at


async def run(job: Job) -> None:
    """Subscribe and report when everything was parsed."""
    client = await connect(job, "subscriber")
    await client.request(
        "subscribe",
        f"<iq type='set' id='subscribe' to='{job['publisher']}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>"
        f"<subscribe node='{NODE}' jid='{job['jid']}/subscriber'/></pubsub></iq>",
    )
    subscriber = Subscriber(job["expect"], job["warm_up"])
    client.receive = subscriber.take
    say(ready=True)
    async with asyncio.timeout(job["limit"]):
        await subscriber.finished.wait()
    say(ended=subscriber.ended, cpu=subscriber.cpu, total=subscriber.total, repeated=subscriber.repeated)
    client.transport.close()


if __name__ == "__main__":
    asyncio.run(run(read_job()))
