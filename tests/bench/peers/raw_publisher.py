"""The floor: readings written into a TLS socket as text, as fast as the server takes them. Nothing is kept or parsed.

Job: the account, `readings`, `warm_up`, `batch`, `start` (UTC milliseconds).
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby

from tests.bench.peers.handshake import read_job, say, wait_for_go
from tests.bench.peers.meter import Meter
from tests.bench.peers.raw_xmpp import Job, RawClient, connect
from tests.bench.peers.workload import PROPERTIES, THING, Plain, plain_readings, whole_instants

NODE = "urn:nf:iot:sd:1.0"
BYTES_IN_FLIGHT = 4096
"""What Prosody reads at once: with more it rests after each read (see jidget.xmpp.pace)."""
_RESULT = b"type='result'"
_UNITS = {name: unit for name, _, unit in PROPERTIES}
_SETTINGS = {
    "FORM_TYPE": "http://jabber.org/protocol/pubsub#node_config",
    "pubsub#persist_items": "0",
    "pubsub#access_model": "presence",
}


class Writer:
    """Publishes items with a few in flight, and counts results without looking at them."""

    def __init__(self, client: RawClient) -> None:
        self._client = client
        self._open: deque[int] = deque()
        self._tail = b""
        self._room = asyncio.Event()
        client.receive = self._take

    async def publish(self, items: Iterable[str]) -> None:
        """Publish items and wait for the last result."""
        for item in items:
            data = item.encode()
            while self._open and sum(self._open) + len(data) > BYTES_IN_FLIGHT:
                await self._wait()
            self._open.append(len(data))
            self._client.transport.write(data)
        while self._open:
            await self._wait()

    async def _wait(self) -> None:
        self._room.clear()
        await self._room.wait()

    def _take(self, data: bytes) -> None:
        data = self._tail + data
        results = data.count(_RESULT)
        self._tail = data[-(len(_RESULT) - 1) :]
        for _ in range(results):
            self._open.popleft()
        self._room.set()


def write_item(number: int, readings: list[Plain]) -> str:
    """Write one publish of readings, as an IQ."""
    instants = []
    for at, group in groupby(readings, key=lambda reading: reading[2]):
        seconds, rest = divmod(at, 1000)
        moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
        fields = "".join(f"<q n='{name}' v='{value}' u='{_UNITS[name]}'/>" for name, value, _ in group)
        instants.append(f"<ts v='{moment}.{rest:03d}Z'>{fields}</ts>")
    return (
        f"<iq type='set' id='{number}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{NODE}'>"
        f"<item id='r-{number}'><resp xmlns='{NODE}' id='r-{number}'><nd id='{THING}' src='raw'>"
        f"{''.join(instants)}</nd></resp></item></publish></pubsub></iq>"
    )


async def _make_node(client: RawClient) -> None:
    fields = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in _SETTINGS.items())
    await client.ask(
        "<iq type='set' id='make'><pubsub xmlns='http://jabber.org/protocol/pubsub'>"
        f"<create node='{NODE}'/><configure><x xmlns='jabber:x:data' type='submit'>{fields}</x></configure>"
        "</pubsub></iq>",
        "id='make'",  # a result, or the error that it exists
    )


async def run(job: Job) -> None:
    """Warm up, wait for the subscriber, publish."""
    client = await connect(job, "raw", presence=False)
    await _make_node(client)
    say(ready=True)
    await asyncio.to_thread(wait_for_go)
    writer = Writer(client)
    batch, warm_up = whole_instants(job["batch"]), job["warm_up"]
    count = warm_up + job["readings"]
    plain = list(plain_readings(0, count, job["start"], together=batch > 1))
    await writer.publish(write_item(first, plain[first : first + batch]) for first in range(0, warm_up, batch))
    meter = Meter(client.socket)
    await writer.publish(write_item(first, plain[first : first + batch]) for first in range(warm_up, count, batch))
    say(**meter.read())
    client.transport.close()


if __name__ == "__main__":
    asyncio.run(run(read_job()))
