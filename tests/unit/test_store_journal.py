"""The journal in the file: no command twice, also across a crash, and none is lost when the file is."""

# ruff: noqa: ASYNC240  # nothing else runs in these loops

import asyncio
import errno
import json
import os
from pathlib import Path

import pytest
from tests.support.fakes import Clock
from tests.support.stores import ask, crash, killed, no_room, readings

from jidget.store import opening
from jidget.store.command_log import AUDITED, MOST_ROWS, CommandLog
from jidget.store.journal import IQ_LIFETIME, MESSAGE_LIFETIME, Ending, Entry, Progress, Row
from jidget.store.safe_journal import SafeJournal
from jidget.store.schema import MIGRATIONS
from jidget.store.store import Store

DONE = Ending(outcome="done", note="pump.state: on (confirmed)", fields=(("pump.state", "Pump", "on"),))
UNKNOWN = Ending(outcome="failed", note="it was interrupted", reason="broken")
NOW = 1_790_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jidget.db"


def entry(key: str | None = "message:1", target: str = "pump") -> Entry:
    arguments = {"state": "on", "für": "5 min"}
    return Entry(
        key=key, asker="alice@example.org/phone", face="chat", command="set", target=target, arguments=arguments
    )


def commands(store: Store) -> CommandLog:
    assert store.commands is not None, store.trouble
    return store.commands


async def rows(store: Store) -> list[tuple[str | None, Progress, Ending | None]]:
    return [(row.entry.key, row.progress, row.ending) for row in commands(store).recent(100)]


async def store_away(store: Store) -> None:
    """Have the store find out that it cannot write."""
    store.append(readings(1))
    store.flush()
    assert store.trouble


async def carry_out(journal: SafeJournal, what: Entry, ending: Ending = DONE) -> Row:
    begun = await journal.begin(what)
    assert not begun.repeated
    await journal.driving(begun.row)
    await journal.finish(begun.row, ending)
    return begun.row


# ---- once ----------------------------------------------------------------------------------------------------------


async def test_a_repetition_is_known_in_the_same_process_and_after_a_restart_and_a_crash(path: Path) -> None:
    clock = Clock(NOW)
    async with killed(path) as store:
        journal = SafeJournal(store, now=clock)
        await carry_out(journal, entry())
        again = await journal.begin(entry())
        assert (again.repeated, again.row.ending, again.row.time) == (True, DONE, NOW)
        assert not (await journal.begin(entry("message:2"))).repeated
        assert not (await journal.begin(entry(None))).repeated
        assert not (await journal.begin(entry(None))).repeated
    for _ in range(2):
        async with Store(path) as store:
            journal = SafeJournal(store, now=clock)
            again = await journal.begin(entry())
            assert again.repeated
            assert again.row == Row(id=1, entry=entry(), time=again.row.time, progress=Progress.ENDED, ending=DONE)


async def test_what_is_under_way_is_known_to_be(path: Path) -> None:
    async with killed(path) as store:
        journal = SafeJournal(store)
        begun = await journal.begin(entry())
        assert (await journal.begin(entry())).row.progress is Progress.ASKED
        await journal.driving(begun.row)
        assert (await journal.begin(entry())).row.progress is Progress.DRIVING


async def test_a_command_is_on_the_disk_before_anything_moves(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    real = os.fdatasync

    def counted(file: int) -> None:
        synced.append(ask(path, "SELECT progress FROM command"))
        real(file)

    monkeypatch.setattr(os, "fdatasync", counted)
    async with Store(path) as store:  # whatever its durability
        await carry_out(SafeJournal(store), entry())
        assert synced == [[("driving",)]]
        await SafeJournal(store).begin(entry("message:2"), driving=True)
        assert synced == [[("driving",)], [("ended",), ("driving",)]]


async def test_what_makes_everything_safe_is_written_and_waits_for_no_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with killed(path) as store:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", lambda _file: pytest.fail("it was waited for"))
            begun = await SafeJournal(store).begin(entry(), driving=True, wait=False)
        assert begun.row.progress is Progress.DRIVING
    async with Store(path) as store:
        assert await rows(store) == [("message:1", Progress.DRIVING, None)]


async def test_a_disk_that_fails_while_it_is_waited_for_costs_no_command(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async with Store(path, try_again=0) as store:
        journal = SafeJournal(store)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail)
            begun = await journal.begin(entry(), driving=True)
        assert (begun.repeated, begun.row.progress) == (False, Progress.DRIVING)
        assert store.trouble
        assert (await journal.begin(entry())).row.progress is Progress.DRIVING
        await store._come_back()
        assert not store.trouble
        await journal.finish(begun.row, DONE)
    async with Store(path) as store:
        assert await rows(store) == [("message:1", Progress.ENDED, DONE)]


# ---- after a crash -------------------------------------------------------------------------------------------------


async def test_what_a_crash_interrupted_is_told_once_and_never_run_again(path: Path) -> None:
    async with killed(path) as store:
        journal = SafeJournal(store)
        assert await journal.interrupted() == []
        await carry_out(journal, entry("message:1"))
        await journal.begin(entry("message:2", "gate"))
        begun = await journal.begin(entry("iq:3", "lamp"))
        await journal.driving(begun.row)
    async with killed(path) as store:
        journal = SafeJournal(store)
        asked, driven = await journal.interrupted()
        assert (asked.entry, asked.progress) == (entry("message:2", "gate"), Progress.ASKED)
        assert (driven.entry, driven.progress) == (entry("iq:3", "lamp"), Progress.DRIVING)
        await journal.close_interrupted(asked, UNKNOWN)
        again = await journal.begin(entry("iq:3", "lamp"))
        assert (again.repeated, again.row.progress, again.row.ending) == (True, Progress.DRIVING, None)
    async with Store(path) as store:
        journal = SafeJournal(store)
        (driven,) = await journal.interrupted()
        await journal.close_interrupted(driven, UNKNOWN)
        assert await journal.interrupted() == []
        again = await journal.begin(entry("message:2", "gate"))
        assert (again.repeated, again.row.ending) == (True, UNKNOWN)


async def test_who_is_to_be_told_is_remembered_until_they_were(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with killed(path) as store:
        await SafeJournal(store).begin(entry("message:1"))
    async with killed(path) as store:
        journal = SafeJournal(store)
        assert await journal.to_tell() == []
        (row,) = await journal.interrupted()
        await journal.close_interrupted(row, UNKNOWN)
    synced = []
    real = os.fdatasync

    def counted(file: int) -> None:
        synced.append(ask(path, "SELECT tell FROM command"))
        real(file)

    async with killed(path) as store:
        journal = SafeJournal(store)
        (row,) = await journal.to_tell()
        assert (row.entry, row.ending) == (entry("message:1"), UNKNOWN)
        monkeypatch.setattr(os, "fdatasync", counted)
        await journal.told(row)
        assert synced == [[(0,)]]  # on the disk: also a power cut does not have them told again
    async with Store(path) as store:
        assert await SafeJournal(store).to_tell() == []


async def test_a_journal_of_the_first_format_is_taken_over(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(opening, "MIGRATIONS", MIGRATIONS[:1])
        async with killed(path) as store:
            begun = await SafeJournal(store).begin(entry())
            await commands(store).driving(begun.row)
    async with Store(path) as store:
        journal = SafeJournal(store)
        (row,) = await journal.interrupted()
        await journal.close_interrupted(row, UNKNOWN)
        assert [each.ending for each in await journal.to_tell()] == [UNKNOWN]


# ---- how long ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "lifetime"), [("message:1", MESSAGE_LIFETIME), ("iq:1", IQ_LIFETIME)])
async def test_keys_are_remembered_for_as_long_as_their_kind_asks(path: Path, key: str, lifetime: float) -> None:
    clock = Clock(NOW)
    async with Store(path, now=clock) as store:
        await carry_out(SafeJournal(store, now=clock), entry(key))
    for over in (False, True):
        clock.time = NOW + lifetime + (1 if over else -1)
        async with Store(path, now=clock) as store:
            commands(store).forget()
            assert (await SafeJournal(store, now=clock).begin(entry(key))).repeated is not over


async def test_a_key_that_is_over_is_over_also_before_it_was_tidied_away(path: Path) -> None:
    clock = Clock(NOW)
    async with Store(path, now=clock) as store:
        await carry_out(SafeJournal(store, now=clock), entry("iq:1"))
    clock.advance(IQ_LIFETIME + 1)
    async with Store(path, now=clock) as store:
        await carry_out(SafeJournal(store, now=clock), entry("iq:1"))
        assert await rows(store) == [("iq:1", Progress.ENDED, DONE), (None, Progress.ENDED, DONE)]


async def test_what_was_done_while_the_clock_was_unset_does_not_expire_when_it_is_set(path: Path) -> None:
    clock = Clock(1000.0)
    async with Store(path, now=clock) as store:
        await carry_out(SafeJournal(store, now=clock), entry("iq:1"))
    clock.time = NOW
    async with Store(path, now=clock) as store:
        commands(store).forget()
        assert (await SafeJournal(store, now=clock).begin(entry("iq:1"))).repeated


async def test_a_command_that_has_not_ended_is_never_forgotten(path: Path) -> None:
    clock = Clock(NOW)
    async with killed(path) as store:
        await SafeJournal(store, now=clock).begin(entry("iq:1"))
    clock.advance(10 * AUDITED)
    async with Store(path, now=clock) as store:
        journal = SafeJournal(store, now=clock)
        commands(store).forget()
        assert (await journal.begin(entry("iq:1"))).repeated
        assert len(await journal.interrupted()) == 1


async def test_the_audit_outlives_the_key_and_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(NOW)
    async with Store(path, now=clock) as store:
        journal = SafeJournal(store, now=clock)
        for number in range(20):
            await carry_out(journal, entry(f"iq:{number}"))
        commands(store).forget()
        assert [key for key, *_ in await rows(store)] == [f"iq:{number}" for number in reversed(range(20))]
        clock.advance(IQ_LIFETIME + 1)
        commands(store).forget()
        assert [key for key, *_ in await rows(store)] == [None] * 20
        assert len(commands(store).recent(5)) == 5
        monkeypatch.setattr("jidget.store.command_log.MOST_ROWS", 8)
        commands(store).forget()
        assert [row.id for row in commands(store).recent(100)] == list(range(20, 12, -1))
        clock.advance(AUDITED)
        commands(store).forget()
        assert [row.id for row in commands(store).recent(100)] == [20]  # the last one's number must not come again
    assert MOST_ROWS >= 10_000


# ---- without the file ----------------------------------------------------------------------------------------------


async def test_a_file_that_fails_costs_no_command_and_no_repetition_is_taken_for_new(path: Path) -> None:
    async with Store(path, try_again=0) as store:
        journal = SafeJournal(store)
        first = await journal.begin(entry("message:1"))
        second = await journal.begin(entry("message:2"))
        with no_room():
            await journal.driving(first.row)
            assert store.trouble
            await journal.finish(first.row, DONE)
            third = await journal.begin(entry("message:3"))
            await journal.driving(third.row)
            await journal.finish(third.row, DONE)
            assert await journal.interrupted() == []
            for key in ("message:1", "message:3"):
                again = await journal.begin(entry(key))
                assert (again.repeated, again.row.ending) == (True, DONE)
        await store._come_back()
        assert not store.trouble
        await journal.finish(second.row, DONE)
        assert (await journal.begin(entry("message:3"))).repeated
        # what ended meanwhile was told to the file as soon as it could be: it is not taken for interrupted
        ended = [("message:3", Progress.ENDED, DONE), ("message:2", Progress.ENDED, DONE)]
        assert await rows(store) == [*ended, ("message:1", Progress.ENDED, DONE)]
        assert await journal.interrupted() == []


async def test_what_was_done_without_the_file_is_known_after_it_came_back_and_a_crash(path: Path) -> None:
    async with killed(path) as store:
        journal = SafeJournal(store)
        await carry_out(journal, entry("message:1"))
        with no_room():
            await carry_out(journal, entry("message:2"))
            under_way = await journal.begin(entry("message:3"))
            await journal.driving(under_way.row)
        store._next_try = 0.0
        await store._come_back()
        assert not store.trouble
        assert len(await journal.interrupted()) == 0
    async with Store(path) as store:
        journal = SafeJournal(store)
        (row,) = await journal.interrupted()
        assert (row.entry.key, row.progress) == ("message:3", Progress.DRIVING)
        for number in (1, 2, 3):
            assert (await journal.begin(entry(f"message:{number}"))).repeated


async def test_what_an_earlier_process_did_is_known_while_the_file_cannot_be_used(path: Path) -> None:
    clock = Clock(NOW)
    async with killed(path) as store:
        journal = SafeJournal(store, now=clock)
        await carry_out(journal, entry("message:1"))
        await carry_out(journal, entry("iq:1"))
        await journal.driving((await journal.begin(entry("message:2"))).row)
    async with Store(path, now=clock) as store:
        journal = SafeJournal(store, now=clock)
        (interrupted,) = await journal.interrupted()
        with no_room():
            await store_away(store)
            await journal.close_interrupted(interrupted, UNKNOWN)
            for key, ending in (("message:1", DONE), ("iq:1", DONE), ("message:2", UNKNOWN)):
                again = await journal.begin(entry(key))
                assert (again.repeated, again.row.ending) == (True, ending)
            assert not (await journal.begin(entry("message:4"))).repeated


async def test_a_start_without_the_file_has_a_journal_too(path: Path) -> None:
    store = Store(path.parent / "usb" / "jidget.db")
    async with store:
        journal = SafeJournal(store)
        assert await journal.interrupted() == []
        await carry_out(journal, entry())
        assert (await journal.begin(entry())).repeated


async def test_a_new_file_is_not_told_of_the_rows_of_the_old_one(path: Path) -> None:
    async with Store(path) as store:
        journal = SafeJournal(store)
        begun = await journal.begin(entry("message:1"))
        await crash(store)
        path.unlink()
        await store.open()
        other = await journal.begin(entry("message:2"))
        await journal.finish(begun.row, DONE)  # the same row id in another file
        assert await rows(store) == [("message:2", Progress.ASKED, None)]
        await journal.finish(other.row, DONE)
        assert await rows(store) == [("message:2", Progress.ENDED, DONE)]


# ---- what is written -----------------------------------------------------------------------------------------------


async def test_arguments_and_endings_are_kept_word_for_word(path: Path) -> None:
    odd = Ending(outcome="refused", note="“ü” & <b>\n\0", reason=None, fields=(("a.b", "L\t", "☃"), ("c", "", "")))
    async with killed(path) as store:
        await carry_out(SafeJournal(store), entry(), odd)
    async with Store(path) as store:
        (row,) = commands(store).recent(1)
        assert (row.entry, row.ending) == (entry(), odd)
    assert json.loads(str(ask(path, "SELECT arguments FROM command")[0][0])) == {"state": "on", "für": "5 min"}


async def test_many_commands_at_once_share_what_waits_for_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = 0
    real = os.fdatasync

    def counted(file: int) -> None:
        nonlocal synced
        synced += 1
        real(file)

    monkeypatch.setattr(os, "fdatasync", counted)
    async with Store(path) as store:
        journal = SafeJournal(store)
        store.append(readings(10))
        await asyncio.gather(*(carry_out(journal, entry(f"message:{n}")) for n in range(50)))
        assert len(await rows(store)) == 50
    assert synced <= 3
