"""The store's file while it can be used, memory with a bound while it cannot, and the way back by itself.

A full, read-only or damaged disk costs durability, which is said in presence and `status`; it never costs the process,
a command, or a reading that there is room for.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from jidget.store.database import Database
from jidget.store.faults import StoreBroken, StoreDamaged, StoreError, StoreFull, has_room
from jidget.store.file import Aftermath, StoreFile, enter
from jidget.store.outbox import MemoryOutbox
from jidget.store.readings_log import ReadingsLog
from jidget.store.upkeep import INTERVAL, Retention, Upkeep

log = logging.getLogger(__name__)
T = TypeVar("T")

TRY_AGAIN = 30.0
"""Seconds between attempts to use a file that failed."""


class Keeper:
    """Keeps readings, and knows where.

    Attributes:
        path: the file.
        trouble: why readings are not on the disk, for people; empty while they are.
        on_change: called when `trouble` or `overflows` changed. When trouble is over, batches may be unacknowledged
            that the file has from before.
    """

    def __init__(
        self,
        path: Path,
        retention: Retention | None = None,
        *,
        full: bool = False,
        now: Callable[[], float] = time.time,
        try_again: float = TRY_AGAIN,
    ) -> None:
        """`full`: every commit is written to the disk at once, and a batch is there before it is sent."""
        self.path = path
        self.trouble = ""
        self.on_change: Callable[[], None] = lambda: None
        self._full = full
        self._now = now
        self._try_again = try_again
        self._next_try = 0.0
        self._file: StoreFile | None = None
        self._memory = MemoryOutbox()
        self._left = Aftermath()
        self._failed: list[Database] = []
        self._no_room: StoreFull | None = None
        self._upkeep = Upkeep(retention or Retention(), now, self._changed)
        self._work = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def overflows(self) -> bool:
        """Whether readings are dropped unsent because `max_size` is reached."""
        return self._upkeep.overflows

    async def open(self) -> None:
        """Open the file, or begin in memory where it cannot be used now.

        Raises:
            StoreUnusable: it is not ours to use; a person must decide.
        """
        try:
            await self._enter()
        except StoreBroken as error:
            self._without_file(error)

    async def run(self) -> None:
        """Keep the file small and short, and come back to it after it failed, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            if self._file is not None:
                await self._care(self._file)
            elif loop.time() >= self._next_try:
                await self._come_back()
            pause = INTERVAL if self._file is not None else max(0.0, self._next_try - loop.time())
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._work.wait()
            self._work.clear()

    async def close(self) -> None:
        """Close the file."""
        file = self._file
        if file is not None:
            self._either(lambda readings: readings.flush(), lambda: None)
        if file is not None and self._file is file:
            self._file = None
            await file.database.close(in_order=True)
        await self._close_failed()
        lost = self._memory.waiting + sum(len(batch.readings) for batch in self._memory.unacknowledged())
        if lost:
            log.error("%d readings that were kept in memory only are lost: %s", lost, self.trouble or "it was closed")

    async def _enter(self) -> None:
        await self._close_failed()
        self._file = await enter(self.path, self._memory, self._left, self._now)
        self._memory, self._left = MemoryOutbox(), Aftermath()
        self._no_room = None
        self._tell("")

    async def _come_back(self) -> None:
        try:
            await self._close_failed()  # which gives its log's room back
            if self._no_room is not None and not has_room(self.path):
                raise self._no_room  # in the same words as the first time: it is no news
            await self._enter()
        except StoreError as error:
            self._without_file(error)

    def _without_file(self, error: StoreError) -> None:
        self._no_room = error if isinstance(error, StoreFull) else None
        self._next_try = asyncio.get_running_loop().time() + self._try_again
        if isinstance(error, StoreDamaged):  # it is put aside, and a new one begun at once
            self._left.damage, self._next_try = error, 0.0
        self._tell(f"readings are kept in memory only: {error}")

    async def _care(self, file: StoreFile) -> None:
        try:
            if self._full:
                await file.database.durable()
            await self._upkeep.look(file)
        except StoreBroken as error:
            self._fall_back(file, error)

    def _fall_back(self, file: StoreFile, error: StoreBroken) -> None:
        """Go on in memory. Readings that wait in the file stay there and are sent when it is back."""
        if self._file is not file:
            return
        self._file = None
        self._failed.append(file.database)
        self._left = Aftermath(
            damage=error if isinstance(error, StoreDamaged) else None,
            in_doubt=True,
            in_flight={batch.id: batch for batch in file.readings.held},
            dropped=file.readings.dropped,
        )
        self._without_file(error)
        self._work.set()

    async def _close_failed(self) -> None:
        while self._failed:
            await self._failed[0].close(in_order=False)
            self._failed.pop(0)

    def _either(self, in_file: Callable[[ReadingsLog], T], in_memory: Callable[[], T]) -> T:
        """Do it in the file; where that fails, or there is none, in memory."""
        file = self._file
        if file is not None:
            try:
                return in_file(file.readings)
            except StoreBroken as error:
                self._fall_back(file, error)
        return in_memory()

    def _tell(self, trouble: str) -> None:
        if trouble == self.trouble:
            return
        self.trouble = trouble
        if trouble:
            log.error("%s", trouble)
        else:
            log.warning("readings are kept in the store %s again", self.path)
        self._changed()

    def _changed(self) -> None:
        self.on_change()
