"""The readings log: every reading is a row before it is sent; a batch is a row that names its readings (DESIGN 4.3)."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from jidget.reading import Batch, Reading
from jidget.store.database import Database
from jidget.store.facts import Facts
from jidget.store.generations import Generations
from jidget.store.instants import Instants
from jidget.store.outbox import Generation, whole_batch
from jidget.store.series import Series
from jidget.store.spans import Spans

MOST_FRESH = 512
"""Readings just written that are held in memory until they are cut: while the link is up none is read again."""
MOST_IN_BATCH = 1000
"""Readings of one instant, more than a batch may have bytes for."""
MOST_HELD = 64
"""Unacknowledged batches held in memory: more than are ever in flight. If there are more, they are read when needed."""
_LOOKED_AT = 500
"""Batches looked at when some are to be forgotten: enough to pass by a few with times that lie ahead."""
_READING = "INSERT INTO reading (id, series, time, value) VALUES (?, ?, ?, ?)"
_BATCH = "SELECT g.gen, b.id - g.base, b.first, b.last, b.backlog FROM batch b JOIN generation g ON g.id = b.generation"


class ReadingsLog:
    """See `jidget.ports.Outbox`: the same promises, kept across a crash. Every method may raise `StoreBroken`.

    After that it must not be used any more: what it has in memory may be ahead of the file.

    Attributes:
        facts: what else the file knows.
        dropped: readings that had to be dropped before the server had them, ever.
    """

    def __init__(self, database: Database, *, keep_gen: bool) -> None:
        """`keep_gen`: whether it is certain that no batch number was given out that the file does not know."""
        self._database = database
        self._series = Series(database)
        self._notes: list[tuple[int]] = []
        self.facts = Facts(database)
        self.dropped = self.facts.number("dropped")
        newest = database.execute("SELECT id, last FROM batch ORDER BY id DESC LIMIT 1").fetchone()
        self._batch: int
        self._batch, cut_to = newest or (0, 0)
        first, last = database.execute(
            "SELECT (SELECT min(id) FROM reading WHERE id > ?), (SELECT max(id) FROM reading WHERE id > ?)",
            *(cut_to, cut_to),
        ).fetchone()
        self._cut_to = cut_to if first is None else first - 1  # what is missing between was dropped
        self._last = cut_to if last is None else last
        self._fresh: deque[tuple[int, Reading]] = deque(maxlen=MOST_FRESH)
        self._spans = Spans(database, self._series, self._last)
        self._instants = Instants(self._spans)
        unacknowledged = database.execute(
            "SELECT id FROM batch WHERE id > ? AND acknowledged = 0 ORDER BY id", self.facts.number("settled")
        ).fetchall()
        self._open = dict.fromkeys(number for (number,) in unacknowledged)
        self._held: dict[int, Batch] = {}
        self._generations = Generations(database, keep=keep_gen, last_batch=self._batch)

    @property
    def gen(self) -> str:
        """Return the generation of batch numbers."""
        return self._generations.gen

    def renew(self) -> None:
        """Begin a new generation: batches cut from now on count from 1; earlier ones keep their ids."""
        with self._database.transaction():
            self._generations.begin(self._batch)

    # ---- the outbox --------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Return how many readings are in no batch yet."""
        return self._last - self._cut_to

    @property
    def oldest_waiting(self) -> int | None:
        """Return the time of the oldest reading that is in no batch yet, in UTC milliseconds."""
        if not self.waiting:
            return None
        if len(self._fresh) == self.waiting:
            return self._fresh[0][1].time
        row = self._database.execute(
            "SELECT time FROM reading WHERE id > ? ORDER BY id LIMIT 1", self._cut_to
        ).fetchone()
        return int(row[0])

    def append(self, readings: Sequence[Reading]) -> None:
        """Keep readings; they are in the file when this returns."""
        with self._database.transaction():
            self._append(readings)
            self._write_notes()

    def _append(self, readings: Sequence[Reading]) -> None:
        if not readings:
            return
        placed = self._instants.place(map(self._series.row, readings))
        rows = [(number, *row) for number, row in enumerate(placed, self._last + 1)]
        self._database.execute_many(_READING, rows)
        self._spans.add(self._last + 1, [row[2] for row in rows])
        self._last += len(rows)
        self._fresh.extend(zip((row[0] for row in rows), map(self._series.as_stored, readings, rows), strict=True))

    def cut(self, most: int, *, backlog: bool) -> Batch | None:
        """Fix the next batch; see `cut_several`."""
        return next(iter(self.cut_several(most, 1, backlog=backlog)), None)

    def cut_several(self, most: int, count: int, *, backlog: bool, fresh: Sequence[Reading] = ()) -> Sequence[Batch]:
        """Append `fresh` readings, then fix the next batches, up to `count`, of at most `most`; in the file by then.

        It is one commit for all. Before they are sent, `note_cut`.
        """
        cut: dict[int, Batch] = {}
        with self._database.transaction():
            self._append(fresh)
            self._write_notes()
            while len(cut) < count and (following := self._following(most)):
                self._batch += 1
                first, last = following[0][0], following[-1][0]
                self._database.execute(
                    "INSERT INTO batch (id, generation, first, last, backlog) VALUES (?, ?, ?, ?, ?)",
                    *(self._batch, self._generations.id, first, last, int(backlog)),
                )
                self._cut_to = last
                readings = tuple(reading for _, reading in following)
                seq = self._generations.seq(self._batch)
                cut[self._batch] = Batch(gen=self.gen, seq=seq, readings=readings, backlog=backlog)
        self._open.update(dict.fromkeys(cut))
        self._held.update(cut)
        while len(self._held) > MOST_HELD:
            del self._held[next(iter(self._held))]
        return tuple(cut.values())

    def note_cut(self) -> None:
        """Note outside the file which batch is the last. Where that fails, what was cut is in the file all the same."""
        self._database.note(self._batch)

    def adopt(self, generation: Generation) -> None:
        """Take over a generation that was numbered while the file could not be used, all of it or nothing.

        Its batches stay as they were sent; a new generation is begun after it. To be called while nothing waits.
        """
        with self._database.transaction():
            number, base = self._generations.insert(generation.gen, self._batch), self._batch
            for batch in generation.batches:
                rows = list(map(self._series.row, batch.readings))
                self._instants.place(rows)  # only to know them: what was sent keeps its times
                first = self._last + 1
                numbered = [(row_id, *row) for row_id, row in enumerate(rows, first)]
                self._database.execute_many(_READING, numbered)
                self._spans.add(first, [row[1] for row in rows])
                self._last = self._cut_to = first + len(rows) - 1
                open_still = batch.seq in generation.unacknowledged
                self._database.execute(
                    "INSERT INTO batch (id, generation, first, last, backlog, acknowledged) VALUES (?, ?, ?, ?, ?, ?)",
                    *(base + batch.seq, number, first, self._last, int(batch.backlog), int(not open_still)),
                )
                if open_still:
                    self._open[base + batch.seq] = None
            self._batch = base + generation.last
            self._generations.begin(self._batch)
        self.note_cut()

    def _following(self, most: int) -> list[tuple[int, Reading]]:
        """Return as many waiting readings as make a batch, with their row ids."""
        while self._fresh and self._fresh[0][0] <= self._cut_to:
            self._fresh.popleft()
        if len(self._fresh) == self.waiting:  # both end with the last row
            count = whole_batch((reading for _, reading in self._fresh), most)
            return [self._fresh.popleft() for _ in range(count)]
        found = self._read_waiting(most + 8)
        count = whole_batch((reading for _, reading in found), most)
        if count == len(found):  # perhaps a long instant goes on
            found = self._read_waiting(most + MOST_IN_BATCH)
            count = whole_batch((reading for _, reading in found), most)
        return found[:count]

    def _read_waiting(self, most: int) -> list[tuple[int, Reading]]:
        rows = self._database.execute(
            "SELECT id, series, time, value FROM reading WHERE id > ? ORDER BY id LIMIT ?", self._cut_to, most
        ).fetchall()
        return [(row[0], self._series.reading(*row[1:])) for row in rows]

    # ---- what was cut --------------------------------------------------------------------------------------------

    @property
    def unacknowledged(self) -> Sequence[int]:
        """Return the row ids of the batches that the server is not known to have, oldest first."""
        return tuple(self._open)

    @property
    def held(self) -> Sequence[Batch]:
        """Return those of them that are in memory, and so can be sent again whatever becomes of the file."""
        return tuple(self._held.values())

    def find(self, gen: str, seq: int) -> int | None:
        """Return the row id of an unacknowledged batch; None if there is no such."""
        found = self._generations.find(gen)
        return found[1] + seq if found is not None and found[1] + seq in self._open else None

    def batch(self, number: int) -> Batch | None:
        """Return an unacknowledged batch by row id; None if it no longer is one."""
        if number not in self._open:
            return None
        if number in self._held:
            return self._held[number]
        row = self._database.execute(f"{_BATCH} WHERE b.id = ?", number).fetchone()
        return None if row is None else self._read(row)

    def acknowledge(self, gen: str, seq: int) -> None:
        """Note that the server has this batch. Written with the next commit: a note that is lost costs a repetition."""
        number = self.find(gen, seq)
        if number is not None:
            del self._open[number]
            self._held.pop(number, None)
            self._notes.append((number,))

    def flush(self) -> None:
        """Write the notes that wait for the next commit, and up to where all batches are settled."""
        with self._database.transaction():
            self._write_notes()
            self.facts.note("settled", next(iter(self._open), self._batch + 1) - 1)
            self._generations.forget()

    def _write_notes(self) -> None:
        if self._notes:
            self._database.execute_many("UPDATE batch SET acknowledged = 1 WHERE id = ?", self._notes)
            self._notes = []

    # ---- retention -----------------------------------------------------------------------------------------------

    def forget(self, rows: int, *, before: int | None = None) -> int:
        """Drop about `rows` of the oldest readings that the server has, in whole batches; return how many went.

        `before`: only those of batches that end before this time (UTC milliseconds).
        """
        candidates = self._database.execute(
            "SELECT b.id, b.first, b.last, r.time FROM batch b LEFT JOIN reading r ON r.id = b.last"
            " WHERE b.acknowledged = 1 AND b.id < ? ORDER BY b.id LIMIT ?",
            *(self._batch, _LOOKED_AT),
        ).fetchall()
        chosen, count = [], 0
        for number, first, last, time in candidates:
            if before is None or time is None or time < before:
                chosen.append((number, first, last))
                count += last - first + 1
            if count >= rows:
                break
        return self._remove(chosen) if chosen else 0

    @property
    def forgettable(self) -> bool:
        """Whether there are readings that the server has, which would go first."""
        return bool(
            self._database.execute(
                "SELECT 1 FROM batch WHERE acknowledged = 1 AND id < ? LIMIT 1", self._batch
            ).fetchone()
        )

    def drop(self, rows: int) -> int:
        """Drop about `rows` of the oldest readings that the server does not have; count and return how many went."""
        chosen, count = [], 0
        for number in self._open:
            if count >= rows or number == self._batch:  # the newest row of all is kept: its id must not come again
                break
            found = self._database.execute("SELECT id, first, last FROM batch WHERE id = ?", number).fetchone()
            if found is not None:
                chosen.append(found)
                count += found[2] - found[1] + 1
        gone = self._remove(chosen, unsent=True) if chosen else 0
        if gone < rows and self.waiting > 1:
            to = min(self._cut_to + rows - gone, self._last - 1)
            gone += self._remove([(0, self._cut_to + 1, to)], unsent=True)
            self._cut_to = to
        return gone

    def _remove(self, batches: Sequence[tuple[int, int, int]], *, unsent: bool = False) -> int:
        gone = 0
        with self._database.transaction():
            self._write_notes()
            for number, first, last in batches:
                gone += self._database.execute("DELETE FROM reading WHERE id BETWEEN ? AND ?", first, last).rowcount
                self._database.execute("DELETE FROM batch WHERE id = ?", number)
            self._spans.forget(self._database.execute("SELECT coalesce(min(id), 0) FROM reading").fetchone()[0])
            if unsent:
                self._count_dropped(gone)
        for number, _, _ in batches:
            self._open.pop(number, None)
            self._held.pop(number, None)
        return gone

    def count_dropped(self, readings: int) -> None:
        """Count readings that had to be dropped before they came here."""
        if readings:
            with self._database.transaction():
                self._count_dropped(readings)

    def _count_dropped(self, readings: int) -> None:
        self.dropped += readings
        self.facts.note("dropped", self.dropped)

    # ---- what was ------------------------------------------------------------------------------------------------

    def batches(self, gen: str, first: int, last: int, most: int) -> list[Batch]:
        """Return batches of a generation by number, at most `most`; those that retention took are not among them."""
        found = self._generations.find(gen)
        if found is None:
            return []
        number, base = found
        rows = self._database.execute(
            f"{_BATCH} WHERE b.id BETWEEN ? AND ? AND b.generation = ? ORDER BY b.id LIMIT ?",
            *(base + first, base + last, number, most),
        ).fetchall()
        return [self._read(row) for row in rows]

    def extent(self, gen: str) -> tuple[int, str | None] | None:
        """Return a generation's last SEQ and the generation after it, if any; None for one that is not known."""
        return self._generations.extent(gen, self._batch)

    def history(self, first: int, last: int, most: int) -> list[Reading]:
        """Return readings by time; see `Spans.history`."""
        return self._spans.history(first, last, most)

    def _read(self, row: Sequence[Any]) -> Batch:
        gen, seq, first, last, backlog = row
        rows = self._database.rows(
            "SELECT series, time, value FROM reading WHERE id BETWEEN ? AND ? ORDER BY id", first, last
        )
        readings = tuple(self._series.reading(*row) for row in rows)
        return Batch(gen=gen, seq=seq, readings=readings, backlog=bool(backlog))
