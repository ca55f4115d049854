"""The batch numbers that a consumer has seen, by generation, and so the ones that it has not. Pure."""

from typing import NamedTuple


class Gap(NamedTuple):
    """Batches of one generation that did not come, first and last."""

    gen: str
    first: int
    last: int


class Sequences:
    """SEQ counts from 1 in each GEN without gaps: whoever sees 7 and has no 6 knows that it exists (DESIGN 4.3)."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}
        self._beyond: dict[str, set[int]] = {}

    def __contains__(self, gen: str) -> bool:
        return gen in self._next

    def take(self, gen: str, seq: int) -> None:
        """Note that a batch is there."""
        expected = self._next.setdefault(gen, 1)
        beyond = self._beyond.setdefault(gen, set())
        if seq >= expected:
            beyond.add(seq)
        while expected in beyond:
            beyond.remove(expected)
            expected += 1
        self._next[gen] = expected

    def gaps(self) -> list[Gap]:
        """Return what is missing below the highest number of each generation."""
        found = []
        for gen, beyond in self._beyond.items():
            expected = self._next[gen]
            for seq in sorted(beyond):
                if seq > expected:
                    found.append(Gap(gen, expected, seq - 1))
                expected = seq + 1
        return found
