"""Sets of whole numbers that are nearly without gaps, such as the batches that a consumer has."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """A set of numbers, held as the stretches of which it is made."""

    def __init__(self, stretches: Iterable[tuple[int, int]] = ()) -> None:
        """Take stretches by their first and last number."""
        self._stretches: list[tuple[int, int]] = []
        for first, last in stretches:
            self.add(first, last)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._stretches)

    def __len__(self) -> int:
        """Return how many stretches there are."""
        return len(self._stretches)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._stretches, number, key=_first)
        return place > 0 and number <= self._stretches[place - 1][1]

    @property
    def highest(self) -> int | None:
        """Return the greatest number; None if there is none."""
        return self._stretches[-1][1] if self._stretches else None

    def add(self, first: int, last: int) -> None:
        """Add the numbers from `first` to `last`, both included; none if `last` is less."""
        if last < first:
            return
        low = bisect_right(self._stretches, first - 1, key=_first)
        if low and self._stretches[low - 1][1] >= first - 1:
            low -= 1
        high = bisect_right(self._stretches, last + 1, key=_first)
        joined = self._stretches[low:high]
        if joined:
            first, last = min(first, joined[0][0]), max(last, joined[-1][1])
        self._stretches[low:high] = [(first, last)]

    def missing(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the stretches from `first` to `last` that are not in the set, in order."""
        found: list[tuple[int, int]] = []
        for begin, end in self._stretches[max(0, bisect_right(self._stretches, first, key=_first) - 1) :]:
            if first > last or begin > last:
                break
            if begin > first:
                found.append((first, begin - 1))
            first = max(first, end + 1)
        if first <= last:
            found.append((first, last))
        return found

    def forget_lowest(self) -> None:
        """Take the lowest stretch out."""
        del self._stretches[:1]


def _first(stretch: tuple[int, int]) -> int:
    return stretch[0]
