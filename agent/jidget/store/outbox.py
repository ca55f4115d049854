"""The outbox in memory: readings that wait, batches that were cut, bounded."""

import logging
import secrets
from collections import deque
from collections.abc import Iterable, Sequence

from jidget.reading import Batch, Reading, weight_of

log = logging.getLogger(__name__)

MOST_KEPT = 100_000
"""Readings kept while the server does not take them, about 20 MB; beyond it the oldest go."""
MOST_BYTES = 8 * 1024
"""Of a batch: one at a time of these is nothing that a throttled server would take long over (DESIGN 4.3)."""
LARGEST = 64 * 1024
"""Bytes at which an instant of a Thing is split after all: servers end the stream over a stanza of 256 KiB."""


class MemoryOutbox:
    """See `jidget.ports.Outbox`. Its GEN is new with every start, as its SEQ begins anew."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self.gen = secrets.token_hex(4)
        self.dropped = 0
        self._most = most
        self._seq = 0
        self._waiting: deque[Reading] = deque()
        self._cut: dict[int, Batch] = {}
        self._had: dict[int, Batch] = {}
        self._in_batches = self._in_had = 0
        self._overflows = False

    @property
    def waiting(self) -> int:
        """Return how many readings are in no batch yet."""
        return len(self._waiting)

    @property
    def oldest_waiting(self) -> int | None:
        """Return the time of the oldest reading that is in no batch yet, in UTC milliseconds."""
        return self._waiting[0].time if self._waiting else None

    def append(self, readings: Sequence[Reading]) -> None:
        """Keep readings, oldest first; beyond the bound the oldest go, what the server has first, what waits last."""
        self._waiting.extend(readings)
        while self._had and len(self._waiting) + self._in_batches + self._in_had > self._most:
            self._in_had -= len(self._had.pop(next(iter(self._had))).readings)
        while self._cut and len(self._waiting) + self._in_batches > self._most:
            batch = self._cut.pop(next(iter(self._cut)))
            self._in_batches -= len(batch.readings)
            self._drop(len(batch.readings))
        while len(self._waiting) > self._most:
            self._waiting.popleft()
            self._drop(1)

    def cut(self, most: int, *, backlog: bool) -> Batch | None:
        """Fix the next batch of at most `most` waiting readings; an instant of a Thing is split only if it is huge."""
        count = whole_batch(self._waiting, most)
        if not count:
            return None
        readings = [self._waiting.popleft() for _ in range(count)]
        self._seq += 1
        batch = Batch(gen=self.gen, seq=self._seq, readings=tuple(readings), backlog=backlog)
        self._cut[batch.seq] = batch
        self._in_batches += len(readings)
        return batch

    async def secured(self) -> None:
        """Return at once: memory is as safe as it will ever be."""

    def take(self, most: int) -> Sequence[Reading]:
        """Take up to `most` waiting readings out, oldest first."""
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def put_back(self, readings: Sequence[Reading]) -> None:
        """Put back what was taken out last."""
        self._waiting.extendleft(reversed(readings))

    def unacknowledged(self) -> Sequence[Batch]:
        """Return the batches that were cut and not acknowledged, oldest first."""
        return tuple(self._cut.values())

    @property
    def last(self) -> int:
        """Return the last SEQ."""
        return self._seq

    @property
    def batches(self) -> Sequence[Batch]:
        """Return the batches that are kept, by SEQ: also such as the server has, for consumers that missed them."""
        return sorted((*self._had.values(), *self._cut.values()), key=lambda batch: batch.seq)

    def forget_batches(self) -> None:
        """Forget all batches: somebody else keeps them."""
        self._cut, self._had = {}, {}
        self._in_batches = self._in_had = 0

    def acknowledge(self, batch: Batch) -> None:
        """Note that the server has a batch."""
        if batch.gen == self.gen and self._cut.pop(batch.seq, None) is not None:
            self._in_batches -= len(batch.readings)
            self._had[batch.seq] = batch
            self._in_had += len(batch.readings)
        if self._overflows:
            self._overflows = False
            log.warning("the server takes readings again; %d were dropped before it did, in all", self.dropped)

    def _drop(self, count: int) -> None:
        self.dropped += count
        if not self._overflows:
            self._overflows = True
            log.warning("%d readings wait for the server, more are not kept: the oldest are dropped", self._most)


def whole_batch(waiting: Iterable[Reading], most: int) -> int:
    """Return how many of the first waiting readings make a batch of at most `most`; reads one more at most.

    An instant of a Thing is split only if it is huge; otherwise there may be more.
    """
    count = size = 0
    last: Reading | None = None
    for reading in waiting:
        weight = weight_of(reading)
        if last is not None and (count >= most or size + weight > MOST_BYTES):
            same_instant = (reading.thing, reading.time) == (last.thing, last.time)
            if not same_instant or size + weight > LARGEST:
                break
        count += 1
        size += weight
        last = reading
    return count
