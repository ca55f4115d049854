"""Commands that an earlier process began and did not end: never run again, but looked into, and told of (DESIGN 3).

A row that says "driving" may have moved something: as soon as its Thing can be read it is, and the row gets an ending.
One that was only asked for moved nothing. Then whoever asked is told by chat, once: the row stays marked until the
server has the message, so neither a link that comes late nor another restart loses it or tells it twice.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NoReturn, Protocol

from jidget.commands.access import Access
from jidget.commands.audit import audit
from jidget.commands.execution import ending_of
from jidget.commands.model import Face, Outcome, Reason, Request, Result
from jidget.commands.sentences import failed, name_of, observed_fields, say_command, say_when
from jidget.errors import LinkError
from jidget.store.journal import Ending, Progress, Row
from jidget.things.directory import Directory
from jidget.things.host import Thing
from jidget.things.state import ThingUnavailable
from jidget.things.values import BadValue, parse_value, same_value, show_value

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds that a Thing gets to come up before what was begun on it is closed without having been read back."""
MOST_SAID = 8
"""Values said of a Thing on which an action was interrupted."""
WHY = "interrupted by a restart of the agent"


class Aftermath(Protocol):
    """What is needed of the journal; see `jidget.store.safe_journal.SafeJournal`."""

    async def interrupted(self) -> Sequence[Row]:
        """Return the commands that an earlier process began and did not end."""

    async def close_interrupted(self, row: Row, ending: Ending) -> None:
        """Note what became of an interrupted command, and that whoever asked is still to be told."""

    async def to_tell(self) -> Sequence[Row]:
        """Return the interrupted commands that have been closed and whose askers are still to be told."""

    async def told(self, row: Row) -> None:
        """Note that whoever asked was told."""


class Messenger(Protocol):
    """What says something to a person who has not asked just now."""

    async def tell(self, jid: str, text: str, message_id: str) -> None:
        """Say it to a bare JID; returns once our server has it.

        Raises:
            LinkError: it is not known whether it has.
        """


class Interrupted:
    """Looks after the commands that a crash or a stop of an earlier process interrupted."""

    def __init__(
        self,
        journal: Aftermath,
        directory: Directory,
        access: Access,
        messenger: Messenger,
        *,
        reachable: Callable[[], bool] = lambda: True,
        expected: Callable[[str], bool] = lambda _: False,
        patience: float = PATIENCE,
    ) -> None:
        """Take what it works with.

        Args:
            journal: holds what was begun and not ended.
            directory: all Things.
            access: who may know what.
            messenger: tells them.
            reachable: whether an answer to what is told would reach us: people are told only then.
            expected: whether a Thing that is not there may still be discovered.
            patience: seconds that a Thing gets to come up.
        """
        self._expected = expected
        self._journal = journal
        self._directory = directory
        self._access = access
        self._messenger = messenger
        self._reachable = reachable
        self._patience = patience
        self._open: dict[tuple[int, float], tuple[Row, float]] = {}
        self._to_tell: dict[tuple[int, float], Row] = {}
        self._changed = asyncio.Event()
        self._look_again = False

    def notify(self) -> None:
        """Say that a Thing may have come up, or the link."""
        self._changed.set()

    def look_again(self) -> None:
        """Say that the journal may have found rows that it could not read before."""
        self._look_again = True
        self._changed.set()

    async def look(self) -> None:
        """Find them. To be awaited before the first new command: what is under way then is not ours to judge."""
        for row in await self._journal.to_tell():
            self._to_tell.setdefault((row.id, row.time), row)
        give_up = asyncio.get_running_loop().time() + self._patience
        for row in await self._journal.interrupted():
            if row.progress is Progress.DRIVING:
                self._open.setdefault((row.id, row.time), (row, give_up))
                log.warning("%s was interrupted when the agent ended: %s is read back", _what(row), row.entry.target)
            else:
                text = f"{row.entry.target}: {WHY} before anything moved. Send it again if you still want it"
                await self._close(row, failed(Reason.BROKEN, text))
        self._changed.set()

    async def run(self) -> NoReturn:
        """Read back, close and tell, until cancelled."""
        while True:
            if self._look_again:
                self._look_again = False
                await self.look()
            self._changed.clear()
            await self._settle()
            await self._tell()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min((give_up for _, give_up in self._open.values()), default=None)):
                    await self._changed.wait()

    # ---- what became of it -----------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Close those whose Thing can be read, or has not come up for too long."""
        for key, (row, give_up) in list(self._open.items()):
            result = await self._read_back(row, over=asyncio.get_running_loop().time() >= give_up)
            if result is not None:
                del self._open[key]
                await self._close(row, result)

    async def _read_back(self, row: Row, *, over: bool) -> Result | None:
        """Ask the hardware; None while that is worth waiting for."""
        target = row.entry.target
        thing = self._directory.get(target.partition(".")[0])
        if thing is None and not over and self._expected(target.partition(".")[0]):
            return None
        if thing is None:
            return _unknown(f"{target}: {WHY}; it may have moved, and is no longer in the configuration")
        try:
            async with asyncio.timeout(2 * thing.timeout + 1):
                await thing.read_now()
        except (ThingUnavailable, TimeoutError) as error:
            if not over:
                return None
            reason = str(error) or f"{thing.id} did not answer in time"
            return _unknown(f"{target}: {WHY}; it may have moved, and could not be read back: {reason}")
        return _judge(row, thing)

    async def _close(self, row: Row, result: Result) -> None:
        entry = row.entry
        jid = entry.asker.partition("/")[0]
        face = Face(entry.face) if entry.face in tuple(Face) else Face.CHAT  # whichever version wrote it
        request = Request(jid=jid, asker=entry.asker, face=face, key=entry.key, age=None)
        audit(request, _what(row), result)
        ending = ending_of(result)
        await self._journal.close_interrupted(row, ending)
        self._to_tell[row.id, row.time] = Row(
            id=row.id, entry=entry, time=row.time, progress=Progress.ENDED, ending=ending
        )

    # ---- telling ---------------------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        """Tell whom there is a link to tell; those who may not know any more are not told."""
        for key, row in list(self._to_tell.items()):
            if not self._reachable():
                return
            entry = row.entry
            jid = entry.asker.partition("/")[0]
            person = self._access.person(jid) if "@" in jid else None  # nobody listens at a broker
            if person is not None and row.ending is not None and person.may_read(entry.target.partition(".")[0]):
                text = f"{_what(row)} ({say_when(row.time)}): {row.ending.note}"
                try:
                    # The id is the same if it has to be said again: clients can tell that it is no second message.
                    await self._messenger.tell(jid, text, f"interrupted-{row.id}-{int(row.time * 1000)}")
                except LinkError as error:
                    log.debug("%s is told later: %s", jid, error)
                    return
            await self._journal.told(row)
            del self._to_tell[key]


def _what(row: Row) -> str:
    return say_command(row.entry.command, row.entry.target, row.entry.arguments)


def _judge(row: Row, thing: Thing) -> Result:
    """Say what the hardware shows now; that it is as asked is no proof that the command did it."""
    wanted = {name: text for name, text in row.entry.arguments.items() if name in thing.properties}
    is_write = row.entry.target == thing.id
    names = [name for name in (wanted if is_write else thing.properties) if name in thing.values][:MOST_SAID]
    note = f"{row.entry.target}: {WHY}; {_say_now(thing, names)}"
    if is_write and not all(_as_asked(thing, name, text) for name, text in wanted.items()):
        return failed(Reason.BROKEN, note)
    return _unknown(note, thing, names)


def _say_now(thing: Thing, names: Sequence[str]) -> str:
    props = [thing.properties[name] for name in names]
    said = ", ".join(f"{name_of(thing, prop)} is {show_value(prop, thing.values[prop.name].value)}" for prop in props)
    return f"{said} now (read back)" if said else "it may have moved, and tells nothing"


def _as_asked(thing: Thing, name: str, text: str) -> bool:
    prop, seen = thing.properties[name], thing.values.get(name)
    try:
        return seen is not None and same_value(prop, seen.value, parse_value(prop, text))
    except BadValue:  # the configuration has changed since
        return False


def _unknown(note: str, thing: Thing | None = None, names: Iterable[str] = ()) -> Result:
    return Result(outcome=Outcome.UNCONFIRMED, note=note, fields=() if thing is None else observed_fields(thing, names))
