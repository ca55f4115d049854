"""The journal that commands see: in memory always, and in the file as long as that can be used."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from jidget.store.command_log import CommandLog
from jidget.store.faults import StoreBroken
from jidget.store.journal import Begun, Ending, Entry, MemoryJournal, Progress, Row

log = logging.getLogger(__name__)

Note = Callable[[CommandLog], Awaitable[None]]
"""Writes something into the file; written twice, it changes nothing more."""

MOST_KNOWN = 1000
"""Commands of earlier processes of which a repetition is recognised also while the file cannot be used."""
MOST_LATE = 1000
"""Notes that wait for the file to come back."""


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
        self._known: dict[tuple[int, float], Row] | None = None
        self._late: deque[Note] = deque()
        self._catching_up = asyncio.Lock()
        self._overflows = False

    async def begin(self, entry: Entry, *, driving: bool = False, wait: bool = True) -> Begun:
        """Write a row, unless one with the same key is remembered: then change nothing and return that.

        With `driving` and `wait` it returns once that is as safe as it ever will be.
        """
        begun = await self._memory.begin(entry, driving=driving)
        commands = self._store.commands
        if begun.repeated:
            return begun
        if commands is None or (self._late and not wait):
            return self._for_later(begun)
        try:
            if wait:
                await self._catch_up(commands)
            in_file = await commands.begin(entry, driving=driving)
        except StoreBroken as error:
            self._store.failed(commands, error)
            return self._for_later(begun)
        if in_file.repeated:
            self._memory.forget(begun.row)
            return in_file
        self._in_file[begun.row.id] = in_file.row
        if driving and wait:
            await self._secure(in_file.row, commands, commands.secured())
        return begun

    def _for_later(self, begun: Begun) -> Begun:
        """Have what was begun in memory written as soon as the file can be used: a crash then must not forget it."""
        self._put_off(partial(self._adopt, row=begun.row))
        return begun

    async def _adopt(self, commands: CommandLog, row: Row) -> None:
        known = self._memory.get(row.id)
        adopted = None if known is None else commands.adopt(known)
        if adopted is None or adopted.repeated or adopted.row.progress is Progress.ENDED:
            return
        self._in_file[row.id] = adopted.row  # if it ends from now on, that is written after what waits
        if adopted.row.progress is Progress.DRIVING:
            self._put_off(partial(CommandLog.driving, row=adopted.row))  # which waits for the disk

    async def driving(self, row: Row) -> None:
        """Note that from now on something may move; returns once that is as safe as it ever will be."""
        await self._memory.driving(row)
        commands, in_file = self._store.commands, self._in_file.get(row.id)
        if in_file is None:
            if commands is not None:
                await self._try_to_catch_up(commands)  # what began while there was no file is written as it is now
            return
        if commands is not None:
            await self._secure(in_file, commands, commands.driving(in_file))
        else:
            self._put_off(partial(CommandLog.driving, row=in_file))

    async def _secure(self, in_file: Row, commands: CommandLog, secured: Awaitable[None]) -> None:
        """Wait until "driving" is on the disk; it is written as soon as there is a disk again where that fails."""
        try:
            await secured
        except StoreBroken as error:
            self._store.failed(commands, error)
            self._put_off(partial(CommandLog.driving, row=in_file))

    async def finish(self, row: Row, ending: Ending) -> None:
        """Note how it ended."""
        await self._memory.finish(row, ending)
        in_file = self._in_file.pop(row.id, None)
        if in_file is not None:
            await self._note(partial(CommandLog.finish, row=in_file, ending=ending))

    # ---- after a start -------------------------------------------------------------------------------------------

    async def interrupted(self) -> Sequence[Row]:
        """Return the commands that an earlier process began and did not end; ask before this one begins any."""
        self._learn()
        found = await self._find(CommandLog.interrupted)
        under_way = {(row.id, row.time) for row in self._in_file.values()}
        return [row for row in found if (row.id, row.time) not in under_way]

    def _learn(self) -> None:
        """Remember, once, what earlier processes did. A key that this one has used since means its own command."""
        commands = self._store.commands
        if self._known is not None or commands is None:
            return
        try:
            remembered = commands.remembered(MOST_KNOWN)
        except StoreBroken as error:
            self._store.failed(commands, error)
            return
        new = (row for row in remembered if not self._memory.knows(row.entry.key))
        self._known = {(row.id, row.time): self._memory.adopt(row) for row in new}

    async def close_interrupted(self, row: Row, ending: Ending) -> None:
        """Note what became of an interrupted command, and that whoever asked is still to be told."""
        known = (self._known or {}).get((row.id, row.time))
        if known is not None:
            await self._memory.finish(known, ending)
        await self._note(partial(CommandLog.finish, row=row, ending=ending, tell=True))

    async def to_tell(self) -> Sequence[Row]:
        """Return the interrupted commands that have been closed and whose askers are still to be told."""
        return await self._find(CommandLog.to_tell)

    async def told(self, row: Row) -> None:
        """Note that whoever asked was told."""
        await self._note(partial(CommandLog.told, row=row))

    # ---- the file ------------------------------------------------------------------------------------------------

    async def _find(self, find: Callable[[CommandLog], Sequence[Row]]) -> Sequence[Row]:
        """Look into the file, once all that is known is in it; there is nothing to find while it cannot be used."""
        commands = self._store.commands
        if commands is not None:
            try:
                await self._catch_up(commands)
                return find(commands)
            except StoreBroken as error:
                self._store.failed(commands, error)
        return []

    async def _note(self, note: Note) -> None:
        """Write something into the file, now or as soon as that can be used."""
        self._put_off(note)
        commands = self._store.commands
        if commands is not None:
            await self._try_to_catch_up(commands)

    def _put_off(self, note: Note) -> None:
        if len(self._late) >= MOST_LATE:
            self._late.popleft()
            if not self._overflows:
                self._overflows = True
                log.warning(
                    "more than %d notes on commands wait for the store: the oldest are dropped, so it will not know "
                    "how some commands ended, or that they were given",
                    MOST_LATE,
                )
        self._late.append(note)

    async def _try_to_catch_up(self, commands: CommandLog) -> None:
        try:
            await self._catch_up(commands)
        except StoreBroken as error:
            self._store.failed(commands, error)

    async def _catch_up(self, commands: CommandLog) -> None:
        """Write what waits, in order, one task at a time; what is written already is not begun a second time."""
        if not self._late:
            return
        async with self._catching_up:
            while self._late:
                note = self._late[0]
                await note(commands)
                if self._late and self._late[0] is note:  # else it was dropped for want of room
                    self._late.popleft()
            self._overflows = False
