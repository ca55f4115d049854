"""A disk that fails costs durability, which is said; not the process, and no reading that there is room for."""

# ruff: noqa: ASYNC240  # nothing else runs in these loops

import asyncio
import logging
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from tests.support.stores import (
    ALL,
    START,
    ask,
    content,
    cut_all,
    database,
    facts,
    killed,
    no_room,
    readings,
    rebooted,
)

from jidget.reading import Batch, Reading
from jidget.readings.publisher import Publisher
from jidget.store import database as database_module
from jidget.store import opening, outbox
from jidget.store.faults import StoreBroken, StoreDamaged
from jidget.store.journal import Entry
from jidget.store.lock import StoreLock
from jidget.store.outbox import MemoryOutbox
from jidget.store.safe_journal import SafeJournal
from jidget.store.store import Store

SOON = 0.02


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jidget.db"


@asynccontextmanager
async def kept(path: Path, *, full: bool = False) -> AsyncIterator[Store]:
    """Use a store that is looked after."""
    async with Store(path, full=full, try_again=SOON) as store:
        caring = asyncio.create_task(store.run())
        await asyncio.sleep(0)
        yield store
        if caring.done():
            caring.result()
        caring.cancel()
        await asyncio.wait((caring,))


async def until(store: Store, *, trouble: bool) -> None:
    """Wait until the store is in trouble, or is not."""
    changed = asyncio.Event()
    before = store.on_change

    def note() -> None:
        before()
        changed.set()

    store.on_change = note
    async with asyncio.timeout(10):
        while bool(store.trouble) is not trouble:
            changed.clear()
            await changed.wait()
    store.on_change = before


def sent(store: Store) -> Batch:
    batch = store.cut(10, backlog=False)
    assert batch is not None
    return batch


# ---- a full disk ---------------------------------------------------------------------------------------------------


async def test_a_full_disk_is_said_and_survived_and_the_way_back_is_found(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    async with kept(path) as store:
        store.on_change = lambda: told.append(store.trouble)
        store.append(readings(30))
        in_flight = [sent(store), sent(store)]
        gen = store.gen
        with no_room():
            store.append(readings(10, first=30))
            in_memory = sent(store)
            assert store.trouble.startswith(f"readings are kept in memory only: the store {path}: the disk fails, or ")
            assert store.gen != gen
            assert in_memory.id == f"{store.gen}-1"
            assert facts(in_memory.readings) == facts(readings(10, first=30))
            assert list(store.unacknowledged()) == [*in_flight, in_memory]
            store.acknowledge(in_flight[0])
            assert list(store.unacknowledged()) == [in_flight[1], in_memory]
            assert [content(batch) for batch in store.batches(gen, 0, 9, 9)] == [content(in_flight[1])]
            await asyncio.sleep(3 * SOON)  # it tries, and fails, and says no more about it
            store.append(readings(5, first=40))
            assert store.waiting == 5
            assert told == [store.trouble]
        await until(store, trouble=False)
        assert told[1:] == [""]
        assert store.gen != gen
        # the old batch, as it was; what waited in the file; then what was sent from memory, as it was
        old, waited, recent = store.unacknowledged()
        assert (content(old), content(recent)) == (content(in_flight[1]), content(in_memory))
        assert facts(waited.readings) == facts(readings(10, first=20))
        assert waited.backlog
        assert [content(batch) for batch in store.batches(in_memory.gen, 0, 9, 9)] == [content(in_memory)]
        store.acknowledge(in_memory)
        store.acknowledge(waited)
        rest = [reading for batch in cut_all(store) for reading in batch.readings]
        assert facts(rest) == facts(readings(5, first=40))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert messages[1] == f"readings are kept in the store {path} again"
    async with Store(path) as store:
        assert [content(batch) for batch in store.unacknowledged()] == [content(in_flight[1])]
        assert facts(store.history(*ALL, 100)) == facts(readings(45))


async def test_a_file_that_sqlite_may_not_let_grow_is_a_full_disk(path: Path) -> None:
    async with kept(path) as store:
        store.append(readings(1))
        store.flush()
        pages = database(store).execute("PRAGMA page_count").fetchone()[0]
        database(store).execute(f"PRAGMA max_page_count = {pages}")
        store.append(readings(900, first=1))
        store.flush()
        assert "the disk is full: make room" in store.trouble
        await until(store, trouble=False)
        assert facts(store.history(*ALL, 1000)) == facts(readings(901))


async def test_a_start_without_a_disk_begins_in_memory_and_moves_in_when_it_is_there(path: Path) -> None:
    async with kept(path.parent / "usb" / "jidget.db") as store:
        assert "its directory is not there" in store.trouble
        store.append(readings(3000))
        batch = sent(store)
        assert batch.seq == 1
        (path.parent / "usb").mkdir()
        await until(store, trouble=False)
        store.acknowledge(batch)
        rest = [reading for batch in cut_all(store) for reading in batch.readings]
        assert facts([*batch.readings, *rest]) == facts(readings(3000))


async def test_what_the_server_took_from_memory_can_be_asked_for_when_the_file_is_back(path: Path) -> None:
    async with kept(path) as store:
        store.append(readings(10))
        store.acknowledge(sent(store))
        first = store.gen
        with no_room():
            memory = []
            for number in range(1, 6):
                store.append(readings(10, first=10 * number))
                memory.append(sent(store))
                if number != 4:
                    store.acknowledge(memory[-1])
            second = store.gen
            assert [content(batch) for batch in store.batches(second, 1, 9, 9)] == [content(batch) for batch in memory]
        await until(store, trouble=False)
        assert [content(batch) for batch in store.batches(second, 1, 9, 9)] == [content(batch) for batch in memory]
        assert content(store.unacknowledged()[-1]) == content(memory[3])
        assert facts(store.history(*ALL, 100)) == facts(readings(60))
        following: str | None = first
        last = []
        while following is not None:  # as a consumer goes from one generation to the next
            extent = store.extent(following)
            assert extent is not None
            last.append(extent[0])
            following = extent[1]
        assert (last[0], last[-2:]) == (1, [5, 0])
        store.append(readings(1, first=60))
        assert sent(store).id == f"{store.gen}-1"
    async with Store(path) as store:
        assert [content(batch) for batch in store.batches(second, 1, 9, 9)] == [content(batch) for batch in memory]


def test_what_the_server_has_is_the_first_that_memory_forgets() -> None:
    memory = MemoryOutbox(most=30)
    for number in range(5):
        memory.append(readings(10, first=10 * number))
        batch = memory.cut(50, backlog=False)
        assert batch is not None
        if number < 3:
            memory.acknowledge(batch)
    assert [batch.seq for batch in memory.batches] == [3, 4, 5]
    assert [batch.seq for batch in memory.unacknowledged()] == [4, 5]
    memory.append(readings(20, first=50))
    assert ([batch.seq for batch in memory.batches], memory.waiting, memory.dropped) == ([5], 20, 10)


async def test_a_file_that_could_not_be_used_at_the_start_keeps_its_generation(path: Path) -> None:
    async with Store(path) as store:
        gen = store.gen
    blocking = sqlite3.connect(path)
    with closing(blocking):
        blocking.execute("BEGIN EXCLUSIVE")
        async with Store(path, try_again=SOON) as store:
            assert store.trouble
            blocking.close()
            caring = asyncio.create_task(store.run())
            await until(store, trouble=False)
            assert store.gen == gen
            caring.cancel()
            await asyncio.wait((caring,))


async def test_memory_is_bounded_too_and_what_it_drops_is_counted_in_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox.MemoryOutbox.__init__, "__defaults__", (100,))
    async with kept(path) as store:
        with no_room():
            store.append(readings(250))
            store.flush()
            assert store.trouble
            store.append(readings(50, first=250))
            store.flush()
            assert (store.waiting, store.dropped) == (100, 200)
        await until(store, trouble=False)
        assert store.dropped == 200
        with no_room():
            store.append(readings(1, first=300))
            store.flush()
            assert store.trouble
            assert store.dropped == 200
    assert ask(path, "SELECT value FROM meta WHERE name = 'dropped'") == [(200,)]


async def test_what_was_kept_in_memory_only_at_the_end_is_said_to_be_lost(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(path.parent / "usb" / "jidget.db")
    async with store:
        store.append(readings(12))
        sent(store)
    assert caplog.records[-1].getMessage().startswith("12 readings that were kept in memory only are lost: ")


async def test_a_disk_that_fills_while_what_memory_kept_moves_in_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Store(path):
        pass
    real = opening.open_store
    tries = 0

    def crowded(*args: object, **kwargs: object) -> database_module.Database:
        nonlocal tries
        opened = real(*args, **kwargs)  # type: ignore[arg-type]  # as they come
        tries += 1
        if tries < 4:
            opened.execute(f"PRAGMA max_page_count = {60 * tries}")
        return opened

    async with kept(path) as store:
        with no_room():
            store.append(readings(9000))
            store.flush()
            assert store.trouble
            monkeypatch.setattr("jidget.store.file.open_store", crowded)
        await until(store, trouble=False)
        assert tries == 4
        assert facts(store.history(*ALL, 20_000)) == facts(readings(9000))
        rest = [reading for batch in cut_all(store) for reading in batch.readings]
        assert facts(rest) == facts(readings(9000))


# ---- a damaged file ------------------------------------------------------------------------------------------------


async def test_damage_found_in_use_puts_the_file_aside_at_once_and_takes_over_what_can_be_read(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with kept(path) as store:
        store.append(readings(30))
        in_flight = sent(store)
        gen = store.gen
        store.failed(store.commands, StoreDamaged("the store is damaged"))  # type: ignore[arg-type]  # it is there
        assert store.trouble
        store.append(readings(5, first=30))
        await until(store, trouble=False)
        assert store.gen != gen
        assert not store.unacknowledged()  # the file does not know it: its readings are sent in another
        rest = [reading for batch in cut_all(store) for reading in batch.readings]
        once = list(dict.fromkeys(facts(rest)))
        assert once == facts(readings(35))
        store.acknowledge(in_flight)
    (aside,) = path.parent.glob("jidget.db.damaged-*")
    assert ask(aside, "SELECT count(*) FROM reading") == [(30,)]
    assert f"put aside as {aside}" in caplog.text


async def test_pages_that_rot_in_use_are_noticed_and_survived(path: Path) -> None:
    async with kept(path) as store:
        store.append(readings(20_000))
        cut_all(store)
        await database(store).checkpoint()
        with path.open("r+b") as file:
            for page in range(20, 400):
                file.seek(1024 * page)
                file.write(os.urandom(1024))
        store.history(*ALL, 20_000)
        store.append(readings(10, first=20_000))
        await until(store, trouble=False)
        rest = [reading for batch in cut_all(store) for reading in batch.readings]
        assert facts(readings(10, first=20_000)) == facts(rest[-10:])
    assert list(path.parent.glob("jidget.db.damaged-*"))
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


# ---- what runs at the same time ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rot",
    [
        "UPDATE reading SET value = x'00ff' WHERE id = 30",
        "UPDATE reading SET value = 'hot' WHERE id = 30",
        "UPDATE reading SET value = 9e999 WHERE id = 30",
        "UPDATE reading SET series = 99 WHERE id = 30",
        "UPDATE reading SET time = 'noon' WHERE id = 30",
        "UPDATE reading SET time = -5 WHERE id = 30",
    ],
)
async def test_a_reading_that_makes_no_sense_costs_itself_and_no_other(path: Path, rot: str) -> None:
    async with killed(path) as store:
        store.append(readings(60))
    ask(path, rot)
    async with kept(path) as store:
        for _ in range(10):  # what a publisher does: it is never told of anything
            while batch := store.cut(50, backlog=False):
                store.acknowledge(batch)
            await until(store, trouble=False)
            if not store.waiting:
                break
        left = {reading.value for reading in store.history(*ALL, 1000)}
    assert left == {reading.value for reading in readings(60)} - {29 / 4}
    assert [file for file in path.parent.iterdir() if ".damaged-" in file.name]


@pytest.mark.parametrize(
    "rot", ["arguments = 'rot'", "ending = '{}'", "ending = '[1]'", "asker = x'ff'", "progress = 'gone'"]
)
async def test_a_command_that_makes_no_sense_does_not_end_the_agent(path: Path, rot: str) -> None:
    entry = Entry(key="iq:1", asker="a@example.org/x", face="iq", command="set", target="pump", arguments={})
    async with killed(path) as store:
        await SafeJournal(store).begin(entry)
    ask(path, f"UPDATE command SET {rot}")
    async with kept(path) as store:
        journal = SafeJournal(store)
        await journal.interrupted()
        await journal.begin(entry)
        await until(store, trouble=False)
        assert await journal.interrupted() == []


async def test_an_error_of_a_file_that_was_left_does_not_hurt_the_next(path: Path) -> None:
    async with kept(path) as store:
        commands = store.commands
        assert commands is not None
        with no_room():
            store.append(readings(1))
            store.flush()
            assert store.trouble
        await until(store, trouble=False)
        store.failed(commands, StoreBroken("late"))
        assert not store.trouble


async def test_another_process_that_took_the_file_meanwhile_is_waited_for(path: Path) -> None:
    async with kept(path) as store:
        with no_room():
            store.append(readings(1))
            store.flush()
            await store._close_failed()
            other = StoreLock(path)
        await asyncio.sleep(2 * SOON)
        assert "is in use by another process" in store.trouble
        other.release()
        await until(store, trouble=False)


async def test_a_checkpoint_under_way_is_waited_for_when_the_file_is_closed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, begun = threading.Event(), threading.Event()
    store = Store(path)
    await store.open()
    store.append(readings(10))
    store.flush()
    real = database_module.Database._copy

    def slowly(self: database_module.Database) -> None:
        begun.set()
        assert gate.wait(10)
        real(self)

    monkeypatch.setattr(database_module.Database, "_copy", slowly)
    copying = asyncio.create_task(database(store).checkpoint())
    await asyncio.to_thread(begun.wait)
    closing_it = asyncio.create_task(store.close())
    await asyncio.sleep(SOON)
    assert not closing_it.done()
    copying.cancel()
    await asyncio.sleep(SOON)
    assert not closing_it.done()
    gate.set()
    await closing_it
    assert ask(path, "SELECT count(*) FROM reading") == [(10,)]
    StoreLock(path).release()


async def test_reading_and_writing_go_on_while_the_log_is_copied(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Store(path) as store:
        for number in range(50):
            store.append(readings(20, first=20 * number))
            store.flush()
            copying = asyncio.create_task(database(store).checkpoint())
            for _ in range(3):
                store.append(readings(1, first=1_000_000 + number))
                store.flush()
                await asyncio.sleep(0)
            cut_all(store)
            await copying
        assert not store.trouble
        assert len(store.history(*ALL, 10_000)) == 50 * 23


# ---- durability ----------------------------------------------------------------------------------------------------


async def test_full_durability_has_a_batch_on_the_disk_before_it_is_sent(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fdatasync

    def counted(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink().name)
        real(file)

    monkeypatch.setattr(os, "fdatasync", counted)
    async with Store(path, full=True) as store:
        store.append(readings(30))
        sent(store)
        await store.secured()
        assert synced == ["jidget.db-wal"]
        await store.secured()  # nothing new
        assert len(synced) == 1
        sent(store)
        sent(store)
        await asyncio.gather(*(store.secured() for _ in range(8)))
        assert len(synced) == 2
    async with Store(path) as store:
        store.append(readings(10, first=30))
        sent(store)
        await store.secured()
        assert len(synced) == 2


@pytest.mark.parametrize("full", [True, False])
async def test_the_publisher_sends_no_batch_that_is_not_on_the_disk_where_durability_is_full(
    path: Path, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    on_disk = [0]
    real = os.fdatasync

    def noted(file: int) -> None:
        newest = ask(path, "SELECT coalesce(max(id), 0) FROM batch")[0][0]
        real(file)
        on_disk.append(int(str(newest)))

    monkeypatch.setattr(os, "fdatasync", noted)
    sent_before: list[bool] = []
    enough = asyncio.Event()

    class Server:
        async def ready(self) -> None:
            pass

        async def publish(self, batch: Batch) -> None:
            sent_before.append(batch.seq > on_disk[-1])
            if len(sent_before) == 20:
                enough.set()

        async def publish_now(self, values: Sequence[Reading]) -> None:
            raise NotImplementedError

    async with Store(path, full=full) as store:
        publisher = Publisher(store, Server(), lambda: START / 1000)
        running = asyncio.create_task(publisher.run())
        for number in range(20):
            store.append(readings(1, first=number))
            publisher.notify()
            async with asyncio.timeout(10):
                while len(sent_before) <= number:  # noqa: ASYNC110  # one batch each
                    await asyncio.sleep(0.001)
        async with asyncio.timeout(10):
            await enough.wait()
        running.cancel()
        await asyncio.wait((running,))
    assert any(sent_before) is not full


async def test_full_durability_syncs_also_what_cannot_be_sent(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = os.fdatasync

    def counted(file: int) -> None:
        real(file)
        loop.call_soon_threadsafe(done.set)

    monkeypatch.setattr(os, "fdatasync", counted)
    async with kept(path, full=True) as store:
        for number in range(3):
            done.clear()
            store.append(readings(1, first=number))
            async with asyncio.timeout(10):
                await done.wait()


async def test_a_disk_that_cannot_be_synced_is_not_trusted_any_more(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    async with Store(path, full=True) as store:
        gen = store.gen
        store.append(readings(1))
        batch = sent(store)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail)
            await store.secured()
        assert store.trouble == (
            f"readings are kept in memory only: the store {path}: the disk fails (Input/output error)"
        )
        assert list(store.unacknowledged()) == [batch]
        await store._come_back()
        assert (store.trouble, store.gen != gen) == ("", True)


async def test_a_disk_that_does_not_answer_is_not_waited_for_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(os, "fdatasync", lambda _: gate.wait(30))
    monkeypatch.setattr(database_module, "PATIENCE", 0.05)
    async with Store(path, full=True) as store:
        store.append(readings(1))
        sent(store)
        await store.secured()
        assert "the disk has not answered for 0 s" in store.trouble
        store.append(readings(1, first=1))
        assert sent(store).readings[0].time == START + 1000
        gate.set()


async def test_who_comes_in_the_moment_when_a_sync_ends_does_not_wait_for_ever(path: Path) -> None:
    async with Store(path) as store:
        file = database(store)
        syncs: list[asyncio.Future[None]] = []

        def start(_: object) -> asyncio.Future[None]:
            syncs.append(asyncio.get_running_loop().create_future())
            return syncs[-1]

        file._start = start  # type: ignore[method-assign,assignment]
        store.append(readings(1))
        store.flush()
        first = asyncio.create_task(file.durable())
        await asyncio.sleep(0)
        second = asyncio.create_task(file.durable())  # its turn comes before anybody has noted that the first is done
        syncs[0].set_result(None)
        await first
        for sync in syncs[1:]:
            sync.set_result(None)
        async with asyncio.timeout(5):
            await second
        del file._start


async def test_what_is_committed_is_written_out_when_the_log_is_copied(path: Path, tmp_path: Path) -> None:
    async with killed(path) as store:
        store.append(readings(100))
        sent(store)
        await database(store).checkpoint()
        copy = tmp_path / "copy.db"
        copy.write_bytes(path.read_bytes())  # without the log
    with rebooted(tmp_path):
        async with Store(copy) as store:
            assert (store.waiting, len(store.unacknowledged())) == (90, 1)


async def test_all_is_silent_when_all_is_well(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with kept(path) as store:
            store.append(readings(100))
            cut_all(store)
    assert not caplog.records
