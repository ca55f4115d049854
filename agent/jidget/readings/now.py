"""The current values, for late joiners: written on change at most once a minute, and when connecting and leaving."""

import asyncio
import logging
from collections.abc import Sequence

from jidget.errors import LinkError, PublishRefused
from jidget.ports import Uplink
from jidget.reading import Reading
from jidget.things.directory import Directory

log = logging.getLogger(__name__)

LEAST_INTERVAL = 60.0
RETRY = 30.0


class NowWriter:
    """Keeps the state node up to date."""

    def __init__(self, directory: Directory, uplink: Uplink, *, interval: float = LEAST_INTERVAL) -> None:
        self._directory = directory
        self._uplink = uplink
        self._interval = interval
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Say that a value was reported."""
        self._changed.set()

    async def run(self) -> None:
        """Write on change until cancelled; the write after connecting is the session's."""
        while True:
            await self._changed.wait()
            await self._uplink.ready()
            pause = self._interval if await self.write() else RETRY
            await asyncio.sleep(pause)

    async def write(self) -> bool:
        """Write all current values; return whether the server took them."""
        self._changed.clear()
        try:
            await self._uplink.publish_now(self.snapshot())
        except LinkError as error:
            log.debug("the current values were not written: %s", error)
        except PublishRefused as error:
            log.warning("the server refuses the current values: %s", error)
        else:
            return True
        self._changed.set()
        return False

    def snapshot(self) -> Sequence[Reading]:
        """Return the current value of every property of every Thing that can be reached."""
        return [
            Reading(thing.id, thing.properties[name], observed.value, observed.time)
            for thing in self._directory
            if thing.availability.available
            for name, observed in thing.values.items()
        ]
