"""The outbox in memory: readings that wait, batches that were cut, bounded."""

import logging
import secrets
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jidget.reading import Batch, Reading, weight_of

log = logging.getLogger(__name__)

MOST_KEPT = 100_000
"""Readings kept while the server does not take them, about 20 MB; beyond it the oldest go."""
MOST_BYTES = 8 * 1024
"""Of a batch: one at a time of these is nothing that a throttled server would take long over (DESIGN 4.3)."""
LARGEST = 64 * 1024
"""Bytes at which an instant of a Thing is split after all: servers end the stream over a stanza of 256 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """The batches of a generation that is complete.

    Attributes:
        gen: its name.
        last: its last SEQ.
        batches: those that are kept, by SEQ.
        unacknowledged: the SEQ of those among them that the server is not known to have.
    """

    gen: str
    last: int
    batches: Sequence[Batch]
    unacknowledged: frozenset[int]


class MemoryOutbox:
    """See `jidget.ports.Outbox`. Its GEN is new with every start, as its SEQ begins anew.

    Attributes:
        gen: the present one.
        dropped: readings that had to go before the server had them.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self.gen = secrets.token_hex(4)
        self.dropped = 0
        self._most = most
        self._seq = 0
        self._waiting: deque[Reading] = deque()
        self._ended: dict[str, int] = {}
        self._cut: dict[str, Batch] = {}
        self._had: dict[str, Batch] = {}
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
        self._cut[batch.id] = batch
        self._in_batches += len(readings)
        return batch

    def cut_several(self, most: int, count: int, *, backlog: bool) -> Sequence[Batch]:
        """Fix the next batches, up to `count`."""
        cut: list[Batch] = []
        while len(cut) < count and (batch := self.cut(most, backlog=backlog)) is not None:
            cut.append(batch)
        return cut

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

    def knows(self, batch: Batch) -> bool:
        """Whether a batch is kept here, and unacknowledged."""
        return batch.id in self._cut

    @property
    def batches(self) -> Sequence[Batch]:
        """Return the batches that are kept, by number: also such as the server has, for consumers that missed them."""
        order = {gen: number for number, gen in enumerate((*self._ended, self.gen))}
        return sorted((*self._had.values(), *self._cut.values()), key=lambda batch: (order[batch.gen], batch.seq))

    # ---- when somebody else is to keep them ------------------------------------------------------------------------

    def end_generation(self) -> None:
        """Cut under another GEN from now on, if any batch has this one: it is complete. What was cut stays as it is."""
        if self._seq:
            self._ended[self.gen] = self._seq
            self.gen, self._seq = secrets.token_hex(4), 0

    @property
    def ended(self) -> Sequence[Generation]:
        """Return the generations that are complete, oldest first."""
        kept = self.batches
        return [
            Generation(
                gen=gen,
                last=last,
                batches=tuple(batch for batch in kept if batch.gen == gen),
                unacknowledged=frozenset(batch.seq for batch in self._cut.values() if batch.gen == gen),
            )
            for gen, last in self._ended.items()
        ]

    def forget(self, gen: str) -> None:
        """Forget a generation that is complete: somebody else keeps it."""
        del self._ended[gen]
        self._cut = {batch.id: batch for batch in self._cut.values() if batch.gen != gen}
        self._had = {batch.id: batch for batch in self._had.values() if batch.gen != gen}
        self._in_batches = sum(len(batch.readings) for batch in self._cut.values())
        self._in_had = sum(len(batch.readings) for batch in self._had.values())

    # ---- the server ------------------------------------------------------------------------------------------------

    def acknowledge(self, batch: Batch) -> None:
        """Note that the server has a batch."""
        known = self._cut.pop(batch.id, None)
        if known is not None:
            self._in_batches -= len(known.readings)
            self._had[known.id] = known
            self._in_had += len(known.readings)
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
