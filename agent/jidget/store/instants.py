"""No two values of a property at one time: consumers would take the second for a repetition of the first (DESIGN 4.3).

Times rise, so this costs a look into a dictionary, until a clock is set back: a Pi without a battery wakes up with the
time at which it last noted it, and lives some minutes again. Then the log is asked, and a time that is taken gets the
next free millisecond.
"""

from collections.abc import Iterable

from jidget.store.spans import Spans
from jidget_drivers import Scalar

Row = tuple[int, int, Scalar]
"""Series, time (UTC milliseconds), value."""


class Instants:
    """Places rows in time. To be told of every row that is appended to the log, before it is."""

    def __init__(self, spans: Spans) -> None:
        """Take the index of the log's times."""
        self._spans = spans
        self._before = spans.newest
        self._newest: dict[int, int] = {}

    def place(self, rows: Iterable[Row]) -> list[Row]:
        """Return the rows that are to be appended, each at a time of its own.

        Raises:
            StoreBroken: the file or its disk failed.
        """
        placed = list(rows)
        newest, known, before = self._newest, self._newest.get, self._before
        for index, (series, time, _) in enumerate(placed):
            if time > known(series, before):
                newest[series] = time
            else:
                placed[index] = self._placed(placed[index], placed[:index])
        return placed

    def _placed(self, row: Row, others: list[Row]) -> Row:
        series, time, value = row
        while True:
            taken = [*self._spans.values_at(series, time), *(o[2] for o in others if o[:2] == (series, time))]
            if not taken or value in taken:  # the very same reading again is a repetition, and stays one
                break
            time += 1
        self._newest[series] = max(time, self._newest.get(series, self._before))
        return series, time, value
