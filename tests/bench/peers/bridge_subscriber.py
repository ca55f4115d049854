"""A subscriber to what a bridge publishes: it parses every reading and waits for the last one of each device.

Job: the account, `publisher` (whose node), `property`, and for each round `devices` last values of `last`.
"""

import asyncio
import time
from typing import Any
from xml.etree import ElementTree as ET

from tests.bench.peers.handshake import read_job, say, wait_for_go
from tests.bench.peers.raw_xmpp import Job, connect

NODE = "urn:nf:iot:sd:1.0"
_HEADER = b"<stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
_MESSAGE, _STANZAS = "{jabber:client}message", {f"{{jabber:client}}{name}" for name in ("message", "presence", "iq")}
_ND, _TS = f"{{{NODE}}}nd", f"{{{NODE}}}ts"


class Subscriber:
    """Parses what arrives.

    Attributes:
        values: how many values of the property have come since `wait` began.
        ended: when each device's last one had.
    """

    def __init__(self, name: str, last: float) -> None:
        self.values = 0
        self.ended = 0
        self._name, self._last = name, last
        self._done: set[str] = set()
        self._news = asyncio.Event()
        self._parser: Any = ET.XMLPullParser(("end",))
        self._parser.feed(_HEADER)

    def take(self, data: bytes) -> None:
        """Take bytes from the stream."""
        self._parser.feed(data)
        for _, stanza in self._parser.read_events():
            if stanza.tag in _STANZAS:
                if stanza.tag == _MESSAGE:
                    self._take(stanza)
                stanza.clear()

    def _take(self, message: ET.Element) -> None:
        for node in message.iter(_ND):
            for field in (field for instant in node.iterfind(_TS) for field in instant):
                if field.get("n") != self._name:
                    continue
                self.values += 1
                if float(field.get("v", "nan")) == self._last:
                    self._done.add(node.get("id", ""))
                    self.ended = time.monotonic_ns()
                    self._news.set()

    async def wait(self, devices: int, limit: float) -> None:
        """Wait until the last value of so many devices has come."""
        async with asyncio.timeout(limit):
            while len(self._done) < devices:
                self._news.clear()
                await self._news.wait()


async def run(job: Job) -> None:
    """Subscribe, and report for each round when everything has come."""
    client = await connect(job, "subscriber")
    await client.request(
        "subscribe",
        f"<iq type='set' id='subscribe' to='{job['publisher']}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>"
        f"<subscribe node='{NODE}' jid='{job['jid']}/subscriber'/></pubsub></iq>",
    )
    subscriber = Subscriber(job["property"], job["last"])
    client.receive = subscriber.take
    say(ready=True)
    await asyncio.to_thread(wait_for_go)
    subscriber.values = 0
    say(ready=True)
    await subscriber.wait(job["devices"], job["limit"])
    say(ended=subscriber.ended, values=subscriber.values)
    client.transport.close()


if __name__ == "__main__":
    asyncio.run(run(read_job()))
