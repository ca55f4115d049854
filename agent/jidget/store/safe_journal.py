"""The journal that commands see: in memory always, and in the file as long as that can be used."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from jidget.store.command_log import CommandLog
from jidget.store.faults import StoreBroken
from jidget.store.journal import Begun, Ending, Entry, MemoryJournal, Row

MOST_UNTOLD = 1000
"""Endings that wait for the file to come back."""


class CommandFile(Protocol):
    """What the journal needs of the store."""

    @property
    def commands(self) -> CommandLog | None:
        """Return the journal's table; None while the file cannot be used."""

    def failed(self, commands: CommandLog, error: StoreBroken) -> None:
        """Note that the file failed."""


class SafeJournal:
    """See `jidget.store.journal.Journal`. A file that fails costs what it remembered, never a command."""

    def __init__(self, store: CommandFile, *, now: Callable[[], float] = time.time) -> None:
        """Take the store and the wall clock."""
        self._store = store
        self._memory = MemoryJournal(now=now)
        self._in_file: dict[int, Row] = {}
        self._untold: deque[tuple[Row, Ending]] = deque(maxlen=MOST_UNTOLD)

    async def begin(self, entry: Entry) -> Begun:
        """Write a row, unless one with the same key is remembered: then change nothing and return that."""
        begun = await self._memory.begin(entry)
        commands = self._store.commands
        if begun.repeated or commands is None:
            return begun
        try:
            await self._tell(commands)
            in_file = await commands.begin(entry)
        except StoreBroken as error:
            self._store.failed(commands, error)
            return begun
        if in_file.repeated:
            self._memory.forget(begun.row)
            return in_file
        self._in_file[begun.row.id] = in_file.row
        return begun

    async def driving(self, row: Row) -> None:
        """Note that from now on something may move; returns once that is as safe as it ever will be."""
        await self._memory.driving(row)
        commands, in_file = self._store.commands, self._in_file.get(row.id)
        if commands is not None and in_file is not None:
            try:
                await commands.driving(in_file)
            except StoreBroken as error:
                self._store.failed(commands, error)

    async def finish(self, row: Row, ending: Ending) -> None:
        """Note how it ended."""
        await self._memory.finish(row, ending)
        in_file = self._in_file.pop(row.id, None)
        if in_file is not None:
            await self._end(in_file, ending)

    # ---- after a start -------------------------------------------------------------------------------------------

    def interrupted(self) -> Sequence[Row]:
        """Return the commands that an earlier process began and did not end: ask before this one begins any."""
        commands = self._store.commands
        if commands is None:
            return ()
        try:
            return commands.interrupted()
        except StoreBroken as error:
            self._store.failed(commands, error)
            return ()

    async def close_interrupted(self, row: Row, ending: Ending) -> None:
        """Note what became of an interrupted command."""
        await self._end(row, ending)

    async def _end(self, row: Row, ending: Ending) -> None:
        self._untold.append((row, ending))
        commands = self._store.commands
        if commands is not None:
            try:
                await self._tell(commands)
            except StoreBroken as error:
                self._store.failed(commands, error)

    async def _tell(self, commands: CommandLog) -> None:
        """Write the endings that wait: a row without one would be taken for an interrupted command after a start."""
        while self._untold:
            row, ending = self._untold[0]
            await commands.finish(row, ending)
            self._untold.popleft()
