"""Jidget's own way of a reading, from where the sampler hands it over to the server's result, as `jidget run` has it.

Job: the account, `directory` (its own), `store` (path), `subscriber` (JID), `case`, `batch`, `readings`, `warm_up`,
`start`; for the case "queued" also `queued`.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tests.bench.peers.handshake import read_job, say, wait_for_go
from tests.bench.peers.meter import Meter, bytes_written
from tests.bench.peers.raw_xmpp import Job
from tests.bench.peers.workload import PROPERTIES, THING, plain_readings

from jidget.app import App
from jidget.config import load
from jidget.reading import Batch, Reading
from jidget.readings.publisher import MOST_IN_FLIGHT
from jidget_drivers import Property, Unit

LIMIT = 120.0
_CONFIG = """\
[xmpp]
jid = "{jid}"
password_file = "password"
host = "{host}"
port = {port}
security = "starttls"
ca_file = "{ca_file}"
[access]
"{subscriber}" = "owner"
[store]
path = "{store}"
[things.idle]
driver = "simulated"
interval = "24h"
[things.idle.options.properties]
nothing = {{ type = "boolean" }}
"""
_PROPERTIES = {name: Property(name=name, unit=Unit(symbol)) for name, symbol, _ in PROPERTIES}


def readings_of(job: Job) -> list[list[Reading]]:
    """Return the job's readings, those of an instant together, as a driver would bring them."""
    together = job["batch"] > 1
    plain = plain_readings(0, job["warm_up"] + job["readings"], job["start"], together=together)
    readings = [Reading(THING, _PROPERTIES[name], value, at) for name, value, at in plain]
    step = len(PROPERTIES) if together else 1
    return [readings[first : first + step] for first in range(0, len(readings), step)]


class Feeder:
    """Hands readings to an agent, as many as it can use."""

    def __init__(self, app: App, batch: int) -> None:
        self._app = app
        self._batch = batch
        self._acknowledged = asyncio.Event()
        acknowledge = app.store.acknowledge

        def noted(batch: Batch) -> None:
            acknowledge(batch)
            self._acknowledged.set()

        app.store.acknowledge = noted  # type: ignore[method-assign]

    async def feed(self, instants: Sequence[list[Reading]]) -> None:
        """Give readings while there is room, wait where there is not, and until the server has all of them."""
        most = MOST_IN_FLIGHT * self._batch
        for instant in instants:
            self._app._take(instant)
            while self._app.store.waiting >= most:
                self._acknowledged.clear()
                await self._acknowledged.wait()
        await self.drain()

    def queue(self, instants: Sequence[list[Reading]], commit: int) -> None:
        """Have readings wait in the store, so many a commit: nothing is sent before the event loop turns again."""
        kept = 0
        for instant in instants:
            self._app._take(instant)
            kept += len(instant)
            if kept >= commit:
                self._app.store.flush()
                kept = 0

    async def drain(self) -> None:
        """Wait until the server has everything.

        Raises:
            TimeoutError: it does not take it.
        """
        if not await self._app.publisher.drained(LIMIT):
            raise TimeoutError("the server did not take everything")


async def publish_live(feeder: Feeder, job: Job, connection: object) -> dict[str, float]:
    """Publish readings as they come."""
    instants = readings_of(job)
    first = sum(1 for _ in _until(instants, job["warm_up"]))
    await feeder.feed(instants[:first])
    meter = Meter(connection)
    await feeder.feed(instants[first:])
    return meter.read()


async def publish_queued(feeder: Feeder, job: Job, connection: object) -> dict[str, float]:
    """Publish what waited, in rounds of `queued` readings; only the sending is measured."""
    instants = readings_of(job)
    first = sum(1 for _ in _until(instants, job["warm_up"]))
    await feeder.feed(instants[:first])
    total = dict.fromkeys(("seconds", "cpu", "up"), 0.0)
    step = -(-job["queued"] // len(PROPERTIES))
    for at in range(first, len(instants), step):
        feeder.queue(instants[at : at + step], commit=10)
        meter = Meter(connection)
        await feeder.drain()
        figures = meter.read()
        for name in total:
            total[name] += figures[name]
    return total


def _until(instants: Sequence[list[Reading]], count: int) -> Sequence[list[Reading]]:
    """Return the first instants that hold `count` readings."""
    return instants[: -(-count // len(instants[0]))]


CASES = {"live": publish_live, "queued": publish_queued}


async def run(job: Job) -> None:
    """Run an agent, publish, stop it in order, and report: all bytes written to its store are in the report."""
    directory = Path(job["directory"])
    (directory / "password").touch(mode=0o600)
    (directory / "password").write_text(job["password"])
    config = directory / "jidget.toml"
    config.write_text(_CONFIG.format_map(job))
    stop = asyncio.Event()
    app = App(load(config))
    app.publisher.most_readings = job["batch"]
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(app.run(stop), name="agent")
        async with asyncio.timeout(LIMIT):
            await app.pep.ready()
        say(ready=True)
        await asyncio.to_thread(wait_for_go)
        written = bytes_written()
        feeder = Feeder(app, job["batch"])
        stream = app.link._wire.stream
        assert stream is not None
        assert stream.transport is not None
        report = await CASES[job["case"]](feeder, job, stream.transport.get_extra_info("socket"))
        stop.set()
        await running
    say(**report | {"written": bytes_written() - written})


if __name__ == "__main__":
    asyncio.run(run(read_job()))
