"""The current values, for late joiners: written on change at most once a minute, and when connecting and leaving."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from jidget.errors import LinkError, PublishRefused
from jidget.ports import Uplink
from jidget.reading import Reading
from jidget.things.directory import Directory
from jidget.things.running import NOT_YET

log = logging.getLogger(__name__)

LEAST_INTERVAL = 60.0
RETRY = 30.0
FIRST_LOOK = 1.0
"""Seconds that the first writing waits for Things that are just being opened."""
SETTLE = 5.0
"""Seconds after which values that were written while some Things had not told theirs yet may be written again."""


class NowWriter:
    """Keeps the state node up to date."""

    def __init__(self, directory: Directory, uplink: Uplink, *, interval: float | None = None) -> None:
        self._directory = directory
        self._uplink = uplink
        self._interval = LEAST_INTERVAL if interval is None else interval
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()
        self._written: frozenset[tuple[str, str]] = frozenset()
        self._due = 0.0
        self._refusal = ""
        self._first_look_left = FIRST_LOOK

    def notify(self) -> None:
        """Say that a value was reported."""
        self._changed.set()

    async def run(self) -> None:
        """Write on change until cancelled; the write after connecting is the session's."""
        loop = asyncio.get_running_loop()
        while True:
            await self._worth_writing()
            await self._uplink.ready()
            if self._due > loop.time():
                await asyncio.sleep(self._due - loop.time())
            elif self._outdated():  # the session may have written meanwhile
                await self.write()

    async def write(self) -> bool:
        """Write all current values; return whether the server took them."""
        async with self._writing:
            await self._first_look()
            self._changed.clear()
            values = self.snapshot()
            try:
                await self._uplink.publish_now(values)
            except LinkError as error:
                log.debug("the current values were not written: %s", error)
            except PublishRefused as error:
                if str(error) != self._refusal:
                    log.warning("the server refuses the current values: %s", error)
                self._refusal = str(error)
            else:
                self._written, self._refusal = _names(values), ""
                self._pause(self._interval if self._complete() else min(SETTLE, self._interval))
                return True
            self._changed.set()
            self._pause(min(RETRY, self._interval))
            return False

    def snapshot(self) -> Sequence[Reading]:
        """Return the current value of every property of every Thing that can be reached."""
        return [
            Reading(thing.id, thing.properties[name], observed.value, observed.time)
            for thing in self._directory
            if thing.availability.available
            for name, observed in thing.values.items()
        ]

    async def _first_look(self) -> None:
        """Give Things that are just being opened a moment: whoever comes first should find more than nothing."""
        wait, self._first_look_left = self._first_look_left, 0.0
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while wait and not self._complete():  # noqa: ASYNC110  # of a Thing that fails nobody tells us
                    await asyncio.sleep(0.02)

    async def _worth_writing(self) -> None:
        """Wait until a value was reported, or until a look now and then shows that some are there no more."""
        while not self._outdated():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._changed.wait()

    def _outdated(self) -> bool:
        return self._changed.is_set() or _names(self.snapshot()) != self._written

    def _complete(self) -> bool:
        """Whether every Thing has told its values, or was found not to."""
        return all(thing.availability.available or thing.availability.reason != NOT_YET for thing in self._directory)

    def _pause(self, seconds: float) -> None:
        self._due = asyncio.get_running_loop().time() + seconds


def _names(values: Sequence[Reading]) -> frozenset[tuple[str, str]]:
    return frozenset((reading.thing, reading.property.name) for reading in values)
