"""The outbox in memory: readings that wait, batches that were cut, bounded."""

import secrets
from collections import deque
from collections.abc import Sequence

from jidget.reading import Batch, Reading

MOST_WAITING = 100_000
"""Readings kept while there is no link, about 20 MB; beyond it the oldest go."""


class MemoryOutbox:
    """See `jidget.ports.Outbox`. Its GEN is new with every start, as its SEQ begins anew."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self.gen = secrets.token_hex(4)
        self.dropped = 0
        self._most = most
        self._seq = 0
        self._waiting: deque[Reading] = deque()
        self._cut: dict[int, Batch] = {}

    @property
    def waiting(self) -> int:
        """Return how many readings are in no batch yet."""
        return len(self._waiting)

    @property
    def oldest_waiting(self) -> int | None:
        """Return the time of the oldest reading that is in no batch yet, in UTC milliseconds."""
        return self._waiting[0].time if self._waiting else None

    def append(self, readings: Sequence[Reading]) -> None:
        """Keep readings, oldest first; drop the oldest waiting ones beyond the bound."""
        self._waiting.extend(readings)
        while len(self._waiting) > self._most:
            self._waiting.popleft()
            self.dropped += 1

    def cut(self, most: int, *, backlog: bool) -> Batch | None:
        """Fix the next batch of at most `most` waiting readings; an instant of a Thing is not split."""
        if not self._waiting:
            return None
        readings: list[Reading] = []
        while self._waiting:
            following = self._waiting[0]
            same_instant = readings and (following.thing, following.time) == (readings[-1].thing, readings[-1].time)
            if len(readings) >= most and not same_instant:
                break
            readings.append(self._waiting.popleft())
        self._seq += 1
        batch = Batch(gen=self.gen, seq=self._seq, readings=tuple(readings), backlog=backlog)
        self._cut[batch.seq] = batch
        return batch

    def unacknowledged(self) -> Sequence[Batch]:
        """Return the batches that were cut and not acknowledged, oldest first."""
        return tuple(self._cut.values())

    def acknowledge(self, batch: Batch) -> None:
        """Forget a batch that the server has."""
        self._cut.pop(batch.seq, None)
