"""Keeping the store's file small and its log short: what is too old or too much goes, what the server has first."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from jidget.store.command_log import CLOCK_UNSET
from jidget.store.database import MOST_LOG_BYTES, Database
from jidget.store.file import StoreFile
from jidget.store.wal import LOG_BYTES

log = logging.getLogger(__name__)

INTERVAL = 3600.0
"""Seconds between looks at what is too old."""
AT_ONCE = 500
"""Readings dropped in one go, some milliseconds of work."""
SHRUNK_AT_ONCE = 128 * 1024
PAUSE = 0.01
"""Seconds that others have the event loop between two goes."""
RESERVE = MOST_LOG_BYTES + LOG_BYTES
"""Bytes of the file's bound that are for the log, and for what comes until the next look."""
LEAST_SIZE = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is kept: `keep` seconds of readings, in a file and log of at most `most_bytes`, `LEAST_SIZE` or more."""

    keep: float = 30 * 86400.0
    most_bytes: int = 200_000_000


class Upkeep:
    """Looks after a file.

    Attributes:
        overflows: whether readings that the server does not have are dropped, as there is no room for them.
    """

    def __init__(self, retention: Retention, now: Callable[[], float], on_change: Callable[[], None]) -> None:
        """Take what is kept, the wall clock, and what to call when `overflows` changes."""
        self.overflows = False
        self._retention = retention
        self._now = now
        self._on_change = on_change
        self._next = 0.0

    async def look(self, file: StoreFile) -> None:
        """Tidy up, if it is time to or the log is long.

        Raises:
            StoreBroken: the file or its disk failed.
        """
        loop = asyncio.get_running_loop()
        due = loop.time() >= self._next
        if not due and not file.database.wants_checkpoint:
            return
        await file.database.checkpoint()
        file.readings.flush()
        if due:
            file.commands.forget()
            await self._forget_old(file)
            self._next = loop.time() + INTERVAL
        self._say(await self._make_room(file), file)

    async def _forget_old(self, file: StoreFile) -> None:
        """Drop what is too old; nothing while the clock is unset."""
        now = self._now()
        before = int((now - self._retention.keep) * 1000)
        while now >= CLOCK_UNSET and file.readings.forget(AT_ONCE, before=before):
            await _let_others(file.database)

    async def _make_room(self, file: StoreFile) -> int:
        """Drop what is too much, and return how many readings of that had not been sent."""
        database, readings = file.database, file.readings
        dropped = 0
        most = max(self._retention.most_bytes, LEAST_SIZE) - RESERVE
        while database.size - database.free > most:
            if not readings.forget(AT_ONCE):
                unsent = readings.drop(AT_ONCE)
                if not unsent:
                    break
                dropped += unsent
            await _let_others(database)
        if database.size > most + LOG_BYTES:  # it was allowed more once; what is freed is used again otherwise
            while database.size > most and database.free:
                database.shrink(SHRUNK_AT_ONCE)
                await _let_others(database)
        return dropped

    def _say(self, dropped: int, file: StoreFile) -> None:
        if dropped and not self.overflows:
            log.error("store.max_size is reached: readings that were not sent are dropped, the oldest first")
        elif self.overflows and not dropped and file.readings.forgettable:  # else there is room for a moment only
            log.warning("the server takes readings again; %d were dropped before it did, ever", file.readings.dropped)
        else:
            return
        self.overflows = bool(dropped)
        self._on_change()


async def _let_others(database: Database) -> None:
    if database.wants_checkpoint:
        await database.checkpoint()
    await asyncio.sleep(PAUSE)
