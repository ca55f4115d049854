"""The journal that commands see: in memory always, and in the file as long as that can be used."""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from jidget.store.command_log import CommandLog
from jidget.store.faults import StoreBroken
from jidget.store.journal import Begun, Ending, Entry, MemoryJournal, Progress, Row

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
        self._late: deque[Callable[[CommandLog], Awaitable[None]]] = deque(maxlen=MOST_LATE)

    async def begin(self, entry: Entry) -> Begun:
        """Write a row, unless one with the same key is remembered: then change nothing and return that."""
        begun = await self._memory.begin(entry)
        commands = self._store.commands
        if begun.repeated:
            return begun
        if commands is None:
            return self._for_later(begun)
        try:
            await self._catch_up(commands)
            in_file = await commands.begin(entry)
        except StoreBroken as error:
            self._store.failed(commands, error)
            return self._for_later(begun)
        if in_file.repeated:
            self._memory.forget(begun.row)
            return in_file
        self._in_file[begun.row.id] = in_file.row
        return begun

    def _for_later(self, begun: Begun) -> Begun:
        """Have what was begun in memory written as soon as the file can be used: a crash then must not forget it."""
        self._late.append(partial(self._adopt, row=begun.row))
        return begun

    async def _adopt(self, commands: CommandLog, row: Row) -> None:
        known = self._memory.get(row.id)
        if known is None:
            return
        in_file = await commands.begin(known.entry)
        if in_file.repeated:
            return
        if known.ending is not None:
            await commands.finish(in_file.row, known.ending)
            return
        if known.progress is Progress.DRIVING:
            await commands.driving(in_file.row)
        self._in_file[row.id] = in_file.row

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
            await self._note(partial(CommandLog.finish, row=in_file, ending=ending))

    # ---- after a start -------------------------------------------------------------------------------------------

    async def interrupted(self) -> Sequence[Row]:
        """Return the commands that an earlier process began and did not end; ask before this one begins any."""
        if self._known is None and self._store.commands is not None:
            remembered = await self._find(partial(CommandLog.remembered, most=MOST_KNOWN))
            self._known = {(row.id, row.time): self._memory.adopt(row) for row in remembered}
        found = await self._find(CommandLog.interrupted)
        under_way = {(row.id, row.time) for row in self._in_file.values()}
        return [row for row in found if (row.id, row.time) not in under_way]

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

    async def _note(self, note: Callable[[CommandLog], Awaitable[None]]) -> None:
        """Write something into the file, now or as soon as that can be used."""
        self._late.append(note)
        commands = self._store.commands
        if commands is not None:
            try:
                await self._catch_up(commands)
            except StoreBroken as error:
                self._store.failed(commands, error)

    async def _catch_up(self, commands: CommandLog) -> None:
        """Write what waits: a row without its ending would be taken for an interrupted command after a start."""
        while self._late:
            note = self._late[0]
            await note(commands)
            if self._late and self._late[0] is note:  # else somebody else has written it meanwhile, which is the same
                self._late.popleft()
