"""The journal and audit in the store: see `jidget.store.journal.Journal` for what it promises.

A row is on the disk before anything moves, whatever the store's durability: commands are rare, and a relay that is
driven twice is worse than a slow one.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from jidget.store.database import Database
from jidget.store.faults import StoreDamaged
from jidget.store.journal import Begun, Ending, Entry, Progress, Row, lifetime

AUDITED = 30 * 86400.0
"""Seconds for which a command stays in the audit."""
MOST_ROWS = 50_000
"""Commands kept, about 15 MB: beyond it the oldest ended ones go early, so that no flood of them costs readings."""
CLOCK_UNSET = 1_577_836_800.0
"""A clock that says it is before 2020 has not been set: what was written then does not expire when it is."""
_SELECT = "SELECT id, key, asker, face, name, target, arguments, time, progress, ending FROM command"


class CommandLog:
    """The durable journal. Every method may raise `StoreBroken`."""

    def __init__(self, database: Database, *, now: Callable[[], float] = time.time) -> None:
        """Take the wall clock: keys expire by it, as nothing else goes on counting while the machine is off."""
        self._database = database
        self._now = now

    async def begin(self, entry: Entry, *, driving: bool = False) -> Begun:
        """Write a row, unless one with the same key is remembered: then change nothing and return that.

        With `driving` nothing may move before it is `secured`.
        """
        with self._database.transaction():
            return self._begin(entry, Progress.DRIVING if driving else Progress.ASKED)

    def adopt(self, row: Row) -> Begun:
        """Write a row that was begun, and perhaps ended, while the file could not be used: in one go, like `begin`."""
        with self._database.transaction():
            begun = self._begin(row.entry, row.progress)
            if begun.repeated:
                return begun
            adopted = replace(begun.row, ending=row.ending)
            self._change(adopted, row.progress, None if row.ending is None else _write(row.ending))
        return Begun(adopted, repeated=False)

    def _begin(self, entry: Entry, progress: Progress) -> Begun:
        now = self._now()
        if entry.key is not None:
            self._database.execute(
                "UPDATE command SET key = NULL WHERE key = ? AND progress = 'ended' AND time >= ? AND expires < ?",
                *(entry.key, CLOCK_UNSET, now),
            )
            earlier = self._database.execute(_SELECT + " WHERE key = ?", entry.key).fetchone()
            if earlier is not None:
                return Begun(self._row(earlier), repeated=True)
        number = self._database.execute("SELECT coalesce(max(id), 0) + 1 FROM command").fetchone()[0]
        self._database.execute(
            "INSERT INTO command (id, key, time, expires, asker, face, name, target, arguments, progress)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(number, entry.key, now, now + lifetime(entry.key), entry.asker, entry.face, entry.command),
            *(entry.target, json.dumps(dict(entry.arguments)), progress.value),
        )
        return Begun(Row(id=number, entry=entry, time=now, progress=progress), repeated=False)

    async def driving(self, row: Row) -> None:
        """Note that from now on something may move; returns once that is on the disk."""
        with self._database.transaction():
            self._change(row, Progress.DRIVING, None)
        await self._database.durable()

    async def secured(self) -> None:
        """Wait until all that was written is on the disk."""
        await self._database.durable()

    async def finish(self, row: Row, ending: Ending, *, tell: bool = False) -> None:
        """Note how it ended, and if so that whoever asked is still to be told."""
        with self._database.transaction():
            self._change(row, Progress.ENDED, _write(ending))
            if tell:
                self._mark(row, tell=True)

    async def told(self, row: Row) -> None:
        """Note that whoever asked was told how it ended; returns once that is on the disk: they are told once."""
        with self._database.transaction():
            self._mark(row, tell=False)
        await self._database.durable()

    def _mark(self, row: Row, *, tell: bool) -> None:
        self._database.execute("UPDATE command SET tell = ? WHERE id = ? AND time = ?", int(tell), row.id, row.time)

    def _change(self, row: Row, progress: Progress, ending: str | None) -> None:
        """Change a row; its time is compared too, as the file may have been replaced by a new one since."""
        self._database.execute(
            "UPDATE command SET progress = ?, ending = ? WHERE id = ? AND time = ?",
            *(progress.value, ending, row.id, row.time),
        )

    def remembered(self, most: int) -> Sequence[Row]:
        """Return the last commands whose repetition must be recognised, oldest first."""
        rows = self._database.execute(
            _SELECT + " WHERE key IS NOT NULL AND (time < ? OR expires >= ?) ORDER BY id DESC LIMIT ?",
            *(CLOCK_UNSET, self._now(), most),
        ).fetchall()
        return [self._row(row) for row in reversed(rows)]

    def interrupted(self) -> Sequence[Row]:
        """Return the commands that were begun and did not end: right after a start, those of the process before."""
        rows = self._database.execute(_SELECT + " WHERE progress != 'ended' ORDER BY id").fetchall()
        return [self._row(row) for row in rows]

    def to_tell(self) -> Sequence[Row]:
        """Return the commands that have ended and whose askers are still to be told."""
        rows = self._database.execute(_SELECT + " WHERE tell AND progress = 'ended' ORDER BY id").fetchall()
        return [self._row(row) for row in rows]

    def recent(self, most: int) -> Sequence[Row]:
        """Return the last commands, newest first."""
        rows = self._database.execute(_SELECT + " ORDER BY id DESC LIMIT ?", most).fetchall()
        return [self._row(row) for row in rows]

    def forget(self) -> None:
        """Forget keys whose time is over, and rows that the audit no longer keeps; never the last row's number."""
        now = self._now()
        newest = self._database.execute("SELECT coalesce(max(id), 0) FROM command").fetchone()[0]
        with self._database.transaction():
            self._database.execute(
                "UPDATE command SET key = NULL"
                " WHERE key IS NOT NULL AND progress = 'ended' AND time >= ? AND expires < ?",
                *(CLOCK_UNSET, now),
            )
            self._database.execute(
                "DELETE FROM command WHERE progress = 'ended' AND id < ? AND"
                " (id <= ? OR time >= ? AND time < ? AND key IS NULL)",
                *(newest, newest - MOST_ROWS, CLOCK_UNSET, now - AUDITED),
            )

    def _row(self, row: Sequence[Any]) -> Row:
        try:
            return _read(row)
        except (ValueError, TypeError, LookupError, AttributeError) as error:  # bits that SQLite knows nothing about
            raise StoreDamaged(
                f"the store {self._database.path} is damaged (a command in it makes no sense)"
            ) from error


def _write(ending: Ending) -> str:
    return json.dumps([ending.outcome, ending.note, ending.reason, ending.fields])


def _read(row: Sequence[Any]) -> Row:
    number, key, asker, face, name, target, arguments, asked, progress, ending = row
    if not all(isinstance(text, str) for text in (asker, face, name, target)) or not isinstance(asked, float):
        raise TypeError("a text that is none")
    told = None
    if ending is not None:
        outcome, note, reason, fields = json.loads(ending)
        told = Ending(outcome=outcome, note=note, reason=reason, fields=tuple((f[0], f[1], f[2]) for f in fields))
    entry = Entry(key=key, asker=asker, face=face, command=name, target=target, arguments=json.loads(arguments))
    return Row(id=number, entry=entry, time=asked, progress=Progress(progress), ending=told)
