"""The journal: a row for every command that acts, written before anything moves, so that none runs twice.

The key of a request decides whether it was seen before; its kind, written before the colon, decides for how long that
is remembered (DESIGN 4.5). `MemoryJournal` forgets everything with the process; a durable one keeps the same promises.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Protocol

log = logging.getLogger(__name__)

MESSAGE_LIFETIME = 7 * 86400.0
IQ_LIFETIME = 600.0
LIFETIMES = {"iq": IQ_LIFETIME}
"""Seconds by kind of key; any other is a message's. Without a key there is nothing to recognise."""
MOST_ROWS = 10_000
_FEW = 100
"""Expiries of forgotten rows that may be left over beside as many as there are rows."""


class Progress(StrEnum):
    """How far a command has come."""

    ASKED = "asked"
    DRIVING = "driving"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is asked. Secrets are masked before they come here.

    Attributes:
        key: recognises a repetition; None where none can be recognised: every such entry is a new one.
        asker: full JID.
        face: how it came in.
        command: the command's name.
        target: what it acts on: the Thing, or the Thing and its action.
        arguments: property or argument name to value, as people write it.
    """

    key: str | None
    asker: str
    face: str
    command: str
    target: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a command ended: the values of its result, so that it can be told again word for word."""

    outcome: str
    note: str
    reason: str | None = None
    fields: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A command in the journal: `time` is when it was asked, in UTC seconds; `ending` is None until it has one."""

    id: int
    entry: Entry
    time: float
    progress: Progress
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer to `Journal.begin`: the new row, or the earlier one of the same key."""

    row: Row
    repeated: bool


class Journal(Protocol):
    """What the commands need of a journal. Each call returns once what it says is kept as safely as it ever will be."""

    async def begin(self, entry: Entry, *, driving: bool = False, wait: bool = True) -> Begun:
        """Write a row, unless one with the same key is remembered: then change nothing and return that.

        Args:
            entry: what was asked.
            driving: note in the same go that from now on something may move; see there.
            wait: whether the disk is waited for then; what makes everything safe does not.
        """

    async def driving(self, row: Row) -> None:
        """Note that from now on something may move."""

    async def finish(self, row: Row, ending: Ending) -> None:
        """Note how it ended."""


class MemoryJournal:
    """A journal that lives as long as the process. Bounded: the oldest ended rows go first, and that is said."""

    def __init__(
        self,
        *,
        most: int = MOST_ROWS,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the bound, the wall clock (rows are stamped by it) and a steady one (rows expire by it)."""
        self._most = most
        self._now = now
        self._clock = clock
        self._ids = count(1)
        self._rows: dict[int, Row] = {}
        self._expiry: list[tuple[float, int]] = []  # a heap; some are of rows that were forgotten before their time
        self._by_key: dict[str, int] = {}
        self._warned = False

    def __len__(self) -> int:
        return len(self._rows)

    async def begin(self, entry: Entry, *, driving: bool = False, wait: bool = True) -> Begun:  # noqa: ARG002
        """Write a row, unless one with the same key is remembered: then change nothing and return that."""
        self._expire()
        earlier = None if entry.key is None else self._by_key.get(entry.key)
        if earlier is not None:
            return Begun(self._rows[earlier], repeated=True)
        self._make_room()
        progress = Progress.DRIVING if driving else Progress.ASKED
        row = Row(id=next(self._ids), entry=entry, time=self._now(), progress=progress)
        self._remember(row, lifetime(entry.key))
        return Begun(row, repeated=False)

    async def driving(self, row: Row) -> None:
        """Note that from now on something may move."""
        self._change(row, Progress.DRIVING, None)

    async def finish(self, row: Row, ending: Ending) -> None:
        """Note how it ended."""
        self._change(row, Progress.ENDED, ending)

    def adopt(self, row: Row) -> Row:
        """Remember a row of an earlier process, as long as it still is to be; return it as it is called here.

        Its key must be none that is remembered already; see `knows`.
        """
        adopted = replace(row, id=next(self._ids))
        self._make_room()
        age = max(0.0, self._now() - row.time)
        self._remember(adopted, max(0.0, lifetime(row.entry.key) - age))
        return adopted

    def knows(self, key: str | None) -> bool:
        """Whether a row with this key is remembered."""
        return key in self._by_key

    def get(self, row_id: int) -> Row | None:
        """Return a row as it is now; None once it is forgotten."""
        return self._rows.get(row_id)

    def forget(self, row: Row) -> None:
        """Forget a row that should not have been written."""
        if row.id in self._rows:
            self._forget(row.id)

    def _change(self, row: Row, progress: Progress, ending: Ending | None) -> None:
        if row.id in self._rows:  # else it took longer than it is to be remembered
            self._rows[row.id] = replace(row, progress=progress, ending=ending)

    def _remember(self, row: Row, seconds: float) -> None:
        self._rows[row.id] = row
        if row.entry.key is not None:
            self._by_key[row.entry.key] = row.id
        heappush(self._expiry, (self._clock() + seconds, row.id))
        if len(self._expiry) > 2 * len(self._rows) + _FEW:
            self._expiry = [(end, row_id) for end, row_id in self._expiry if row_id in self._rows]
            heapify(self._expiry)

    def _expire(self) -> None:
        now = self._clock()
        while self._expiry and self._expiry[0][0] <= now:
            _, row_id = heappop(self._expiry)
            if row_id in self._rows:
                self._forget(row_id)

    def _make_room(self) -> None:
        while len(self._rows) >= self._most:
            ended = (row_id for row_id, row in self._rows.items() if row.progress is Progress.ENDED)
            oldest = next(ended, None)
            if oldest is None:
                return  # all of them are under way: none may be forgotten
            if not self._warned:
                self._warned = True
                log.warning("more than %d commands are remembered: the oldest are forgotten early", self._most)
            self._forget(oldest)

    def _forget(self, row_id: int) -> None:
        key = self._rows.pop(row_id).entry.key
        if key is not None and self._by_key.get(key) == row_id:
            del self._by_key[key]


def lifetime(key: str | None) -> float:
    """Return for how many seconds a repetition of this key must be recognised."""
    return IQ_LIFETIME if key is None else LIFETIMES.get(key.partition(":")[0], MESSAGE_LIFETIME)
