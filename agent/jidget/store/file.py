"""A store file in use: how it is entered, with what memory kept meanwhile, and left again."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import overload

from jidget.reading import Batch
from jidget.store.command_log import CommandLog
from jidget.store.database import Database
from jidget.store.faults import StoreBroken, StoreDamaged
from jidget.store.opening import open_store
from jidget.store.outbox import MemoryOutbox
from jidget.store.readings_log import ReadingsLog
from jidget.store.salvage import salvage

CUT = 50
"""Readings in a batch."""
AT_ONCE = 2000
"""Readings moved in one go, some milliseconds of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFile:
    """A file in use, and what reads and writes it."""

    database: Database
    readings: ReadingsLog
    commands: CommandLog


@dataclass(slots=True, kw_only=True)
class Aftermath:
    """What is left of a file that failed while it was used.

    Attributes:
        damage: why it must be put aside, if it must.
        aside: where it was put, until what can be read in it was taken over.
        in_doubt: whether it may lack batch numbers that were used.
        in_flight: batches of it that were sent and not acknowledged, by id; they are sent again from here.
        arrived: those that the server acknowledged since.
        dropped: how many readings it knew to have been dropped.
    """

    damage: StoreDamaged | None = None
    aside: Path | None = None
    in_doubt: bool = False
    in_flight: dict[str, Batch] = field(default_factory=dict)
    arrived: list[Batch] = field(default_factory=list)
    dropped: int = 0

    def put_aside(self, aside: Path) -> None:
        """Note that the damaged file is out of the way."""
        self.damage, self.aside = None, aside


async def enter(path: Path, memory: MemoryOutbox, left: Aftermath, now: Callable[[], float]) -> StoreFile:
    """Open a store file and move into it what memory kept. What it cannot take stays in memory.

    Raises:
        StoreUnusable: it is not ours to use.
        StoreBroken: it cannot be used now.
    """
    database = await _opened(path, left)
    try:
        readings = ReadingsLog(database, keep_gen=database.nothing_lost)
        if left.aside is not None:
            await database.in_thread(salvage, left.aside, readings)
            left.aside = None
        for batch in left.in_flight.values():
            if readings.find(batch.gen, batch.seq) is None:  # another file than the one that it was cut from
                readings.append(batch.readings)
        await _adopt(readings, memory)
        while kept := memory.take(AT_ONCE):
            try:
                readings.append(kept)
            except StoreBroken:
                memory.put_back(kept)
                raise
            await asyncio.sleep(0)
        readings.count_dropped(memory.dropped)
        for batch in left.arrived:
            readings.acknowledge(batch.gen, batch.seq)
    except BaseException:
        await database.close(in_order=False)
        raise
    return StoreFile(database=database, readings=readings, commands=CommandLog(database, now=now))


async def _adopt(readings: ReadingsLog, memory: MemoryOutbox) -> None:
    """Have the log take over what memory cut; what waits in the log is older, and is cut before."""
    batches = memory.batches
    if batches and readings.extent(memory.gen) is None:
        while readings.waiting:
            readings.cut(CUT, backlog=True)
            await asyncio.sleep(0)
        readings.adopt(batches, memory.last, {batch.seq for batch in memory.unacknowledged()})
    memory.forget_batches()


async def _opened(path: Path, left: Aftermath) -> Database:
    """Open in a thread. A thread cannot be stopped: who is cancelled waits for it, and closes what it opened."""
    threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
    opening = partial(open_store, path, in_doubt=left.in_doubt, damage=left.damage, on_aside=left.put_aside)
    job = asyncio.get_running_loop().run_in_executor(threads, opening)
    threads.shutdown(wait=False)
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        await asyncio.wait((job,))
        if not job.exception():
            await job.result().close(in_order=False)
        raise


class OpenBatches(Sequence[Batch]):
    """What is unacknowledged at one time, read one by one: there may be very many. Those gone since are passed over."""

    def __init__(self, numbers: Sequence[int], load: Callable[[int], Batch | None]) -> None:
        self._numbers = numbers
        self._load = load

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Batch]:
        return (batch for number in self._numbers if (batch := self._load(number)) is not None)

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | Sequence[Batch]:
        if isinstance(index, slice):
            return OpenBatches(self._numbers[index], self._load)
        batch = self._load(self._numbers[index])
        if batch is None:
            raise IndexError(index)
        return batch
