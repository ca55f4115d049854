"""The journal while the file comes and goes: what was done without it is written once, as it ended."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from tests.support.fakes import Clock
from tests.support.stores import killed, no_room

from jidget.store import safe_journal
from jidget.store.command_log import CommandLog
from jidget.store.database import Database
from jidget.store.faults import StoreBroken
from jidget.store.journal import IQ_LIFETIME, Begun, Ending, Entry, MemoryJournal, Progress, Row
from jidget.store.safe_journal import SafeJournal
from jidget.store.store import Store

DONE = Ending(outcome="done", note="pump.state: on (confirmed)")
UNKNOWN = Ending(outcome="failed", note="it was interrupted", reason="broken")
NOW = 1_790_000_000.0


def entry(key: str | None) -> Entry:
    return Entry(key=key, asker="alice@example.org/phone", face="iq", command="set", target="pump", arguments={})


class Shelf:
    """A store that has a file whenever a test says so."""

    def __init__(self, file: CommandLog) -> None:
        self.commands: CommandLog | None = None
        self.file = file
        self.failures = 0

    def failed(self, commands: CommandLog, error: StoreBroken) -> None:
        self.commands = None
        self.failures += 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jidget.db"


def shelf(store: Store) -> Shelf:
    assert store.commands is not None, store.trouble
    return Shelf(store.commands)


def written(store: Store) -> list[tuple[str | None, Progress, Ending | None]]:
    assert store.commands is not None, store.trouble
    return [(row.entry.key, row.progress, row.ending) for row in reversed(store.commands.recent(100))]


async def begun(journal: SafeJournal, key: str | None, *, driving: bool = True) -> Begun:
    found = await journal.begin(entry(key))
    assert not found.repeated
    if driving:
        await journal.driving(found.row)
    return found


class SlowDisk:
    """Has a sync of the disk wait until a test lets it end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._gate = threading.Event()
        self._sync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self._slowly)

    def _slowly(self, file: int) -> None:
        self._loop.call_soon_threadsafe(self.asked.set)
        assert self._gate.wait(10)
        self._sync(file)

    def answer(self) -> None:
        self._gate.set()


# ---- a start without the file --------------------------------------------------------------------------------------


async def test_what_was_done_without_the_file_is_remembered_once_when_it_comes(path: Path) -> None:
    clock = Clock()
    async with Store(path) as store:
        away = shelf(store)
        journal = SafeJournal(away)
        journal._memory = MemoryJournal(clock=clock)
        assert await journal.interrupted() == []
        await journal.finish((await begun(journal, "iq:1")).row, DONE)
        away.commands = away.file
        assert await journal.interrupted() == []
        assert written(store) == [("iq:1", Progress.ENDED, DONE)]
        assert len(journal._memory) == 1
        clock.advance(IQ_LIFETIME + 1)
        await begun(journal, "iq:2")  # which forgets what is over


async def test_an_interrupted_command_whose_key_came_again_does_not_change_the_new_one(path: Path) -> None:
    async with killed(path) as store:
        await begun(SafeJournal(store), "message:1")
    async with Store(path) as store:
        away = shelf(store)
        journal = SafeJournal(away)
        assert await journal.interrupted() == []
        await journal.finish((await begun(journal, "message:1")).row, DONE)
        away.commands = away.file
        (row,) = await journal.interrupted()
        await journal.close_interrupted(row, UNKNOWN)
        again = await journal.begin(entry("message:1"))
        assert (again.repeated, again.row.ending) == (True, DONE)
        assert written(store) == [("message:1", Progress.ENDED, UNKNOWN)]


async def test_what_an_earlier_process_did_is_learned_once_the_file_can_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[Row]:
        raise StoreBroken("the disk fails")

    async with killed(path) as store:
        journal = SafeJournal(store)
        await journal.finish((await begun(journal, "message:1")).row, DONE)
    async with Store(path) as store:
        away = shelf(store)
        away.commands = away.file
        journal = SafeJournal(away)
        with monkeypatch.context() as patch:
            patch.setattr(CommandLog, "remembered", fail)
            assert await journal.interrupted() == []
        away.commands = away.file
        assert await journal.interrupted() == []
        away.commands = None
        assert (await journal.begin(entry("message:1"))).repeated


async def test_of_rows_with_one_key_the_newest_is_meant_also_when_the_older_is_over() -> None:
    clock = Clock()
    journal = MemoryJournal(now=lambda: NOW, clock=clock)
    older = (await journal.begin(entry("iq:1"))).row
    clock.advance(IQ_LIFETIME - 1)
    newer = journal.adopt(older)
    clock.advance(2)
    again = await journal.begin(entry("iq:1"))
    assert (again.repeated, again.row.id, len(journal)) == (True, newer.id, 1)


# ---- while it comes back -------------------------------------------------------------------------------------------


async def test_a_command_that_ends_while_it_is_written_has_ended_in_the_file_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Store(path) as store:
        away = shelf(store)
        journal = SafeJournal(away)
        row = (await begun(journal, "iq:1")).row
        disk = SlowDisk(monkeypatch)
        away.commands = away.file
        looking = asyncio.create_task(journal.interrupted())
        await disk.asked.wait()
        ending = asyncio.create_task(journal.finish(row, DONE))
        await asyncio.sleep(0)
        disk.answer()
        await ending
        assert await looking == []
        assert written(store) == [("iq:1", Progress.ENDED, DONE)]


async def test_two_who_find_the_file_back_write_what_waits_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Store(path) as store:
        away = shelf(store)
        journal = SafeJournal(away)
        await begun(journal, None)
        disk = SlowDisk(monkeypatch)
        away.commands = away.file
        both = asyncio.gather(journal.interrupted(), begun(journal, "iq:2", driving=False))
        await disk.asked.wait()
        await asyncio.sleep(0)
        disk.answer()
        assert (await both)[0] == []
        assert written(store) == [(None, Progress.DRIVING, None), ("iq:2", Progress.ASKED, None)]


async def test_one_without_a_key_is_written_once_also_if_the_disk_fails_on_the_way(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreBroken("the disk fails")

    async with Store(path) as store:
        away = shelf(store)
        journal = SafeJournal(away)
        row = (await begun(journal, None)).row
        away.commands = away.file
        with monkeypatch.context() as patch:
            patch.setattr(Database, "durable", fail)
            assert await journal.interrupted() == []
        assert away.failures == 1
        await journal.finish(row, DONE)
        away.commands = away.file
        assert await journal.interrupted() == []
        assert written(store) == [(None, Progress.ENDED, DONE)]


# ---- what may have moved -------------------------------------------------------------------------------------------


async def test_what_drives_while_the_file_is_away_is_known_to_have_driven_when_it_is_back(path: Path) -> None:
    async with Store(path, try_again=0) as store:
        journal = SafeJournal(store)
        row = (await begun(journal, "iq:1", driving=False)).row
        with no_room():
            await journal.driving(row)
            assert store.trouble
        await store._come_back()
        assert await journal.interrupted() == []
        assert written(store) == [("iq:1", Progress.DRIVING, None)]


async def test_what_began_without_the_file_is_in_it_before_it_drives_if_it_is_back_by_then(path: Path) -> None:
    async with Store(path) as store:
        away = shelf(store)
        journal = SafeJournal(away)
        row = (await begun(journal, "iq:1", driving=False)).row
        away.commands = away.file
        await journal.driving(row)
        assert written(store) == [("iq:1", Progress.DRIVING, None)]


async def test_notes_that_are_dropped_for_want_of_room_are_said_to_be_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(safe_journal, "MOST_LATE", 3)
    async with Store(path) as store:
        away = shelf(store)
        journal = SafeJournal(away)
        for number in range(5):
            await begun(journal, f"iq:{number}")
        assert caplog.text.count("more than 3 notes on commands wait for the store: the oldest are dropped") == 1
        away.commands = away.file
        assert await journal.interrupted() == []
        assert [key for key, *_ in written(store)] == ["iq:2", "iq:3", "iq:4"]
