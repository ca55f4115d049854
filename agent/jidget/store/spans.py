"""Which stretch of the readings log holds which times, so that history is found without an index on every reading.

Readings lie in the order in which they came, which is nearly but not surely that of their times: some were held back,
some clocks were set. Of each stretch of row ids its oldest and newest time is kept, one small row for hundreds of
readings; what a query asks for is then looked up in the few stretches that can have it, exactly, in any disorder.
"""

from collections.abc import Sequence
from typing import Any

from jidget.reading import Reading
from jidget.store.database import Database
from jidget.store.faults import StoreDamaged
from jidget.store.series import Series
from jidget_drivers import Scalar

SPAN = 512
"""Row ids in a stretch."""
_AT_ONCE = 8
_END = 1 << 62


class Spans:
    """The stretches of one readings log. The last, unfinished one is kept in memory only."""

    def __init__(self, database: Database, series: Series, last: int) -> None:
        """Take the log's last row id."""
        self._database = database
        self._series = series
        self._current = last // SPAN
        row = database.execute(
            "SELECT coalesce(min(time), ?), coalesce(max(time), ?) FROM reading WHERE id >= ?",
            *(_END, -_END, self._current * SPAN),
        ).fetchone()
        self._oldest, self._newest = self._times(row)

    @property
    def newest(self) -> int:
        """Return the newest time of all; before every time if there is none."""
        (newest,) = self._database.execute("SELECT max(newest) FROM span").fetchone()
        return self._newest if newest is None else max(self._newest, *self._times((newest,)))

    def _times(self, found: Sequence[object]) -> tuple[int, ...]:
        """Return what must be times.

        Raises:
            StoreDamaged: some are none.
        """
        times = tuple(time for time in found if isinstance(time, int))
        if len(times) != len(found):
            raise StoreDamaged(f"the store {self._database.path} is damaged (a time in it is none)")
        return times

    def add(self, first: int, times: Sequence[int]) -> None:
        """Note the times of readings that are appended from row id `first` on, in the same transaction."""
        done = 0
        while done < len(times):
            span = (first + done) // SPAN
            if span != self._current:
                self._database.execute(
                    "INSERT OR REPLACE INTO span (id, oldest, newest) VALUES (?, ?, ?)",
                    *(self._current, self._oldest, self._newest),
                )
                self._current, self._oldest, self._newest = span, _END, -_END
            here = times[done : (span + 1) * SPAN - first]
            self._oldest = min(self._oldest, *here)
            self._newest = max(self._newest, *here)
            done += len(here)

    def forget(self, first: int) -> None:
        """Forget the stretches that end before row id `first`, in a transaction."""
        self._database.execute("DELETE FROM span WHERE id < ?", first // SPAN)

    def history(self, first: int, last: int, most: int) -> list[Reading]:
        """Return the readings from `first` to `last` (UTC milliseconds, both included), the oldest `most`, in order.

        Those of one instant come together, so there may be more: "from the last one's time on" misses none.
        """
        found: list[tuple[Any, ...]] = []
        candidates = self._candidates(first, last, 0)
        passed = 0
        while passed < len(candidates):
            low = candidates[passed][1] * SPAN
            found += self._database.rows(
                "SELECT time, id, series, value FROM reading WHERE id BETWEEN ? AND ? AND time BETWEEN ? AND ?",
                *(low, low + SPAN - 1, first, last),
            )
            passed += 1
            if passed == len(candidates):
                candidates += self._candidates(first, last, passed)
            following = candidates[passed][0] if passed < len(candidates) else _END
            if len(found) >= most:
                found.sort()
                if found[most - 1][0] < following:
                    break
        found.sort()
        end = min(most, len(found))
        while 0 < end < len(found) and found[end][0] == found[end - 1][0]:
            end += 1
        return [self._series.reading(series, time, value) for time, _, series, value in found[:end]]

    def values_at(self, series: int, time: int) -> list[Scalar]:
        """Return the values that a series has at one time (UTC milliseconds)."""
        found: list[Scalar] = []
        passed = 0
        while candidates := self._candidates(time, time, passed):
            for _, span in candidates:
                rows = self._database.rows(
                    "SELECT value FROM reading WHERE id BETWEEN ? AND ? AND time = ? AND series = ?",
                    *(span * SPAN, span * SPAN + SPAN - 1, time, series),
                )
                found += [value for (value,) in rows]
            passed += len(candidates)
        return found

    def _candidates(self, first: int, last: int, passed: int) -> list[tuple[int, int]]:
        """Return the oldest time and number of stretches that may have something, by oldest time, some at a time."""
        rows = self._database.execute(
            "SELECT oldest, id FROM (SELECT id, oldest, newest FROM span UNION ALL SELECT ?, ?, ?)"
            " WHERE newest >= ? AND oldest <= ? ORDER BY oldest, id LIMIT ? OFFSET ?",
            *(self._current, self._oldest, self._newest, first, last, _AT_ONCE, passed),
        )
        return rows.fetchall()
