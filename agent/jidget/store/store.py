"""The store: the agent's outbox and history, kept across crashes."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from jidget.reading import Batch, Reading
from jidget.store.command_log import CommandLog
from jidget.store.faults import StoreBroken
from jidget.store.file import OpenBatches
from jidget.store.keeper import TRY_AGAIN, Keeper
from jidget.store.readings_log import ReadingsLog
from jidget.store.upkeep import Retention

GATHER = 0.005
"""Seconds that readings wait for others of the same moment, and for the batch that takes them, to share a commit."""
MOST_GATHERED = 1000
"""Readings that no longer wait for others."""


class Store(Keeper):
    """The agent's `Outbox` and `History`, and what its journal writes to: enter it, `run` it, leave it."""

    def __init__(
        self,
        path: Path,
        retention: Retention | None = None,
        *,
        full: bool = False,
        now: Callable[[], float] = time.time,
        try_again: float = TRY_AGAIN,
    ) -> None:
        """See `Keeper`."""
        super().__init__(path, retention, full=full, now=now, try_again=try_again)
        self._gathered: list[Reading] = []
        self._gathering: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """Write what was gathered and close the file."""
        self.flush()
        await super().close()

    # ---- the outbox --------------------------------------------------------------------------------------------

    @property
    def gen(self) -> str:
        """Return the generation of the batch numbers."""
        return self._memory.gen if self._file is None else self._file.readings.gen

    @property
    def waiting(self) -> int:
        """Return how many readings are in no batch yet."""
        outbox = self._memory if self._file is None else self._file.readings
        return outbox.waiting + len(self._gathered)

    @property
    def oldest_waiting(self) -> int | None:
        """Return the time of the oldest reading that is in no batch yet, in UTC milliseconds."""
        oldest = self._either(lambda readings: readings.oldest_waiting, lambda: self._memory.oldest_waiting)
        return self._gathered[0].time if oldest is None and self._gathered else oldest

    @property
    def dropped(self) -> int:
        """Return how many readings had to be dropped unsent, as far as the file knows also before this start."""
        return self._left.dropped + self._memory.dropped if self._file is None else self._file.readings.dropped

    def append(self, readings: Sequence[Reading]) -> None:
        """Keep readings; a moment later, and before they are sent, they are in the file."""
        self._gathered.extend(readings)
        if len(self._gathered) >= MOST_GATHERED:
            self.flush()
        elif self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(GATHER, self.flush)

    def flush(self) -> None:
        """Write what was gathered."""
        readings = self._take_gathered()
        if readings:
            self._either(lambda file: file.append(readings), lambda: self._memory.append(readings))
            self._written()

    def cut(self, most: int, *, backlog: bool) -> Batch | None:
        """Fix the next batch of at most `most` readings; it is in the file when this returns."""
        return next(iter(self.cut_several(most, 1, backlog=backlog)), None)

    def cut_several(self, most: int, count: int, *, backlog: bool) -> Sequence[Batch]:
        """Fix the next batches, up to `count`, of at most `most` readings each; they are in the file in one commit."""
        if not self.waiting:
            return ()
        fresh = self._take_gathered()

        def in_memory() -> Sequence[Batch]:
            self._memory.append(fresh)
            return self._memory.cut_several(most, count, backlog=backlog)

        cut = self._either(lambda file: file.cut_several(most, count, backlog=backlog, fresh=fresh), in_memory)
        if cut:  # where this fails they are still the file's batches, and sent under their ids
            self._either(lambda file: file.note_cut(), lambda: None)
        self._written()
        return cut

    async def secured(self) -> None:
        """Wait until all that was kept is on the disk, where `store.durability` is full: before a batch is sent."""
        file = self._file
        if self._full and file is not None:
            try:
                await file.database.durable()
            except StoreBroken as error:
                self._fall_back(file, error)

    def unacknowledged(self) -> Sequence[Batch]:
        """Return the batches that were cut and not acknowledged, oldest first."""
        if self._file is None:
            return (*self._left.in_flight.values(), *self._memory.unacknowledged())
        return OpenBatches(self._file.readings.unacknowledged, self._load)

    def acknowledge(self, batch: Batch) -> None:
        """Note that the server has this batch."""
        if self._file is not None:
            self._file.readings.acknowledge(batch.gen, batch.seq)
        elif self._memory.knows(batch):
            self._memory.acknowledge(batch)
        else:  # it is one of the file's, perhaps since a moment ago
            self._left.in_flight.pop(batch.id, None)
            self._left.arrived.append(batch)

    def renew(self) -> None:
        """Begin a new generation: the server knows of batch numbers that this file does not."""
        self._either(lambda readings: readings.renew(), lambda: None)

    # ---- what was ----------------------------------------------------------------------------------------------

    def batches(self, gen: str, first: int, last: int, most: int) -> Sequence[Batch]:
        """Return batches of a generation by number, at most `most`, as far as they are kept."""

        def in_memory() -> Sequence[Batch]:
            kept = (*self._left.in_flight.values(), *self._memory.batches)
            return [batch for batch in kept if batch.gen == gen and first <= batch.seq <= last][:most]

        return self._either(lambda readings: readings.batches(gen, first, last, most), in_memory)

    def extent(self, gen: str) -> tuple[int, str | None] | None:
        """Return a generation's last SEQ and the generation after it, if any; None for one that is not known."""
        return self._either(lambda readings: readings.extent(gen), lambda: None)

    def history(self, first: int, last: int, most: int) -> Sequence[Reading]:
        """Return the readings from `first` to `last` (UTC milliseconds, both included), the oldest `most`, in order.

        Those of one instant come together. Nothing while the file cannot be used.
        """
        self.flush()
        return self._either(lambda readings: readings.history(first, last, most), list)

    # ---- what is known for good ------------------------------------------------------------------------------------

    def fact(self, name: str) -> str | None:
        """Return a fact that was kept; None if there is none, or while the file cannot be used."""
        return self._either(lambda readings: readings.facts.text(f"fact {name}"), lambda: None)

    def facts(self, prefix: str) -> dict[str, str]:
        """Return all facts whose names begin with `prefix`, by the rest of their names; none without a file."""
        return self._either(lambda readings: readings.facts.texts(f"fact {prefix}"), dict)

    def keep_fact(self, name: str, text: str) -> bool:
        """Keep a fact under a name of its own; return whether it is in the file."""

        def in_file(readings: ReadingsLog) -> bool:
            readings.facts.keep(f"fact {name}", text)
            return True

        return self._either(in_file, lambda: False)

    def drop_fact(self, name: str) -> None:
        """Keep a fact no longer; nothing happens while the file cannot be used."""
        self._either(lambda readings: readings.facts.drop(f"fact {name}"), lambda: None)

    # ---- the journal's part --------------------------------------------------------------------------------------

    @property
    def commands(self) -> CommandLog | None:
        """Return the journal's table; None while the file cannot be used."""
        return None if self._file is None else self._file.commands

    def failed(self, commands: CommandLog, error: StoreBroken) -> None:
        """Note that the file failed when the journal used it."""
        if self._file is not None and self._file.commands is commands:
            self._fall_back(self._file, error)

    def _load(self, number: int) -> Batch | None:
        return self._either(lambda readings: readings.batch(number), lambda: None)

    def _take_gathered(self) -> list[Reading]:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        readings, self._gathered = self._gathered, []
        return readings

    def _written(self) -> None:
        if self._file is not None and (self._full or self._file.database.wants_checkpoint):
            self._work.set()
