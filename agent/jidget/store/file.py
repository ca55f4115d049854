"""A store file in use: how it is entered, with what memory kept meanwhile, and left again."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import overload

from jidget.reading import READINGS_IN_BATCH, Batch
from jidget.store.command_log import CommandLog
from jidget.store.database import Database
from jidget.store.faults import StoreBroken, StoreDamaged
from jidget.store.opening import open_store
from jidget.store.outbox import MemoryOutbox
from jidget.store.readings_log import ReadingsLog
from jidget.store.salvage import salvage

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
        arrived: batches of it that the server acknowledged since.
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

    Others go on meanwhile: they append to `memory`, cut, acknowledge. When this returns all of it is in the file, if
    whoever awaits it (no task between) uses the file before the event loop goes on.

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
        for batch in list(left.in_flight.values()):
            if readings.find(batch.gen, batch.seq) is None:  # another file than the one that it was cut from
                readings.append(batch.readings)
                del left.in_flight[batch.id]  # from here on it is the file that sends them: also if entering fails
        await _move(memory, readings)
        readings.count_dropped(memory.dropped)
        for batch in left.arrived:
            readings.acknowledge(batch.gen, batch.seq)
    except BaseException:
        await database.close(in_order=False)
        raise
    return StoreFile(database=database, readings=readings, commands=CommandLog(database, now=now))


async def _move(memory: MemoryOutbox, readings: ReadingsLog) -> None:
    """Move all that memory has: also what comes while others have the loop. They do not have it after the last look."""
    while memory.batches or memory.waiting:
        if memory.batches:
            while readings.waiting:  # it is older than what memory cut
                readings.cut(READINGS_IN_BATCH, backlog=True)
                await asyncio.sleep(0)
            readings.note_cut()
            _adopt(memory, readings)
        _take(memory, readings)
        while memory.waiting:
            await asyncio.sleep(0)
            _take(memory, readings)


def _adopt(memory: MemoryOutbox, readings: ReadingsLog) -> None:
    """Have the log take over what memory cut, a generation at a time; nothing waits in the log.

    What is cut afterwards belongs to another generation. So one that the log knows is there as a whole, also where the
    commit that brought it seemed to fail.
    """
    memory.end_generation()
    for generation in memory.ended:
        if readings.extent(generation.gen) is None:
            if generation.batches:
                readings.adopt(generation)
        else:
            for batch in generation.batches:
                if batch.seq not in generation.unacknowledged:
                    readings.acknowledge(batch.gen, batch.seq)
        memory.forget(generation.gen)


def _take(memory: MemoryOutbox, readings: ReadingsLog) -> None:
    """Have the log take over some of what waits in memory."""
    kept = memory.take(AT_ONCE)
    try:
        readings.append(kept)
    except StoreBroken:
        memory.put_back(kept)
        raise


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
