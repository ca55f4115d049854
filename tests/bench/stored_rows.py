"""Fills a store with readings that the server has, as months of use leave it.

Job: `store` (path), `rows`.
"""

import asyncio
import time
from pathlib import Path

from tests.bench.peers.handshake import read_job, say
from tests.bench.peers.raw_xmpp import Job
from tests.bench.peers.workload import PROPERTIES, THING, plain_readings

from jidget.reading import Reading
from jidget.store.store import Store
from jidget.store.upkeep import Retention
from jidget_drivers import Property, Unit

_AT_ONCE = 51
_MONTH = 30 * 86400.0


async def run(job: Job) -> None:
    """Append, cut and acknowledge in batches."""
    properties = {name: Property(name=name, unit=Unit(symbol)) for name, symbol, _ in PROPERTIES}
    start = int((time.time() - _MONTH / 2) * 1000)
    async with Store(Path(job["store"]), Retention(keep=_MONTH)) as store, asyncio.TaskGroup() as tasks:
        upkeep = tasks.create_task(store.run(), name="store")
        for first in range(0, job["rows"], _AT_ONCE):
            plain = plain_readings(first, min(_AT_ONCE, job["rows"] - first), start)
            store.append([Reading(THING, properties[name], value, at) for name, value, at in plain])
            while (batch := store.cut(_AT_ONCE, backlog=False)) is not None:
                store.acknowledge(batch)
            if first % (_AT_ONCE * 100) == 0:
                await asyncio.sleep(0.001)  # for the upkeep's threads
        upkeep.cancel()
    say(done=True)


if __name__ == "__main__":
    asyncio.run(run(read_job()))
