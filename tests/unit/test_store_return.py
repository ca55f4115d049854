"""The file comes back while everybody goes on: what memory kept moves in, each reading once, under the ids it has."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.stores import TEXT, ask, content, cut_all, database, facts, killed, no_room, readings

from jidget.reading import Batch, Reading
from jidget.store import opening
from jidget.store.database import Database
from jidget.store.faults import StoreBroken, StoreDamaged, StoreFull
from jidget.store.lock import StoreLock
from jidget.store.outbox import Generation, MemoryOutbox
from jidget.store.readings_log import ReadingsLog
from jidget.store.salvage import salvage
from jidget.store.store import Store
from jidget.xmpp.payload import write_nodes

ALL = (0, 1 << 62)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jidget.db"


def sent(store: Store, most: int = 50) -> Batch:
    batch = store.cut(most, backlog=False)
    assert batch is not None
    return batch


def put_into_memory(store: Store, count: int, *, first: int) -> None:
    """Have the store find out that its disk is full, with so many readings in hand."""
    with no_room():
        store.append(readings(count, first=first))
        store.flush()
    assert store.trouble


async def come_back(store: Store, meanwhile: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Come back to the file, and do something whenever the event loop is free, once the file is open."""
    opened = threading.Event()
    real = opening.open_store

    def noted(*args: object, **kwargs: object) -> Database:
        try:
            return real(*args, **kwargs)  # type: ignore[arg-type]  # as they come
        finally:
            opened.set()

    with monkeypatch.context() as patch:
        patch.setattr("jidget.store.file.open_store", noted)
        coming = asyncio.create_task(store._come_back())
        while not coming.done():
            if opened.is_set():
                meanwhile()
            await asyncio.sleep(0)
        coming.result()


def assert_each_once(store: Store, count: int) -> None:
    """Check that the file has each reading once, and that each is in one batch that is to be sent or was."""
    assert not store.trouble
    assert facts(store.history(*ALL, 1_000_000)) == facts(readings(count))
    open_still = [reading for batch in store.unacknowledged() for reading in batch.readings]
    rest = [reading for batch in cut_all(store) for reading in batch.readings]
    assert sorted(facts([*open_still, *rest])) == sorted(facts(readings(count)))


# ---- while it comes back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_file", [0, 500])
async def test_what_is_cut_while_the_file_comes_back_is_neither_lost_nor_changed(
    path: Path, monkeypatch: pytest.MonkeyPatch, in_file: int
) -> None:
    async with killed(path) as store:
        store.append(readings(in_file))
    async with Store(path) as store:
        put_into_memory(store, 11, first=in_file)
        batches = [sent(store, 1)]
        count = in_file + 11

        def publish() -> None:
            nonlocal count
            store.append(readings(1, first=count))
            count += 1
            batches.append(sent(store))

        await come_back(store, publish, monkeypatch)
        assert len(batches) > 2
        for batch in batches:
            (kept,) = store.batches(batch.gen, batch.seq, batch.seq, 9)
            assert content(kept) == content(batch)
        assert_each_once(store, count)
        for batch in batches:
            store.acknowledge(batch)
        ids = {batch.id for batch in batches}
        assert not [batch for batch in store.unacknowledged() if batch.id in ids]


async def test_what_is_cut_while_what_waits_moves_in_is_not_thrown_away(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Store(path) as store:
        put_into_memory(store, 5000, first=0)
        batches: list[Batch] = []

        def publish_once() -> None:
            if store.waiting < 5000 and store.trouble and not batches:
                batches.append(sent(store))

        await come_back(store, publish_once, monkeypatch)
        (batch,) = batches
        assert [content(kept) for kept in store.unacknowledged()][-1] == content(batch)
        assert_each_once(store, 5000)


async def test_numbers_go_on_without_gaps_in_each_generation(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Store(path) as store:
        put_into_memory(store, 6000, first=0)
        batches = [sent(store)]

        def publish() -> None:
            batch = store.cut(50, backlog=False)
            if batch is not None:
                batches.append(batch)

        await come_back(store, publish, monkeypatch)
        generations: dict[str, list[int]] = {}
        for batch in batches:
            generations.setdefault(batch.gen, []).append(batch.seq)
        assert len(generations) > 1
        for gen, numbers in generations.items():
            assert numbers == list(range(1, len(numbers) + 1))
            extent = store.extent(gen)
            assert extent is not None
            assert extent[0] == len(numbers)
        assert_each_once(store, 6000)


# ---- when it fails again -------------------------------------------------------------------------------------------


async def test_what_is_cut_after_a_return_that_failed_half_way_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Store(path) as store:
        put_into_memory(store, 2, first=0)
        first = sent(store, 1)
        with monkeypatch.context() as patch:
            patch.setattr(ReadingsLog, "append", _full)
            await store._come_back()
        assert store.trouble
        store.acknowledge(first)  # it is in the file by now
        later = []
        for number in range(2, 10):
            store.append(readings(1, first=number))
            later.append(sent(store))
        assert not {batch.id for batch in later} & {first.id}
        await store._come_back()
        assert [content(batch) for batch in store.unacknowledged()] == [content(batch) for batch in later]
        assert facts(store.history(*ALL, 100)) == facts(readings(10))


async def test_a_commit_that_happened_though_it_failed_is_not_made_twice(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ReadingsLog.adopt

    def adopt(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]  # as they come
        raise StoreBroken("the disk fails")

    async with Store(path) as store:
        put_into_memory(store, 3, first=0)
        batches = [sent(store, 1) for _ in range(3)]
        with monkeypatch.context() as patch:
            patch.setattr(ReadingsLog, "adopt", adopt)
            await store._come_back()
        assert store.trouble
        assert list(store.unacknowledged()) == batches
        store.acknowledge(batches[1])
        store.append(readings(1, first=3))
        batches.append(sent(store))
        assert batches[3].gen != batches[0].gen
        await store._come_back()
        assert [content(kept) for kept in store.unacknowledged()] == [content(batches[n]) for n in (0, 2, 3)]
        assert facts(store.history(*ALL, 100)) == facts(readings(4))
        assert ask(path, "SELECT count(*) FROM reading") == [(4,)]


async def test_what_was_in_flight_gets_one_other_id_however_often_a_new_file_fails(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Store(path) as store:
        store.append(readings(1))
        sent(store)
        store.failed(store.commands, StoreDamaged("the store is damaged"))  # type: ignore[arg-type]  # it is there
        monkeypatch.setattr("jidget.store.file.salvage", lambda *_: 0)
        for _ in range(2):
            with monkeypatch.context() as patch:
                patch.setattr(ReadingsLog, "count_dropped", _full)
                await store._come_back()
            assert store.trouble
        await store._come_back()
        assert_each_once(store, 1)


async def test_a_batch_that_cannot_be_noted_is_in_the_file_and_gets_no_second_id(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreBroken("the disk fails")

    async with Store(path) as store:
        gen = store.gen
        with monkeypatch.context() as patch:
            patch.setattr(StoreLock, "note", fail)
            store.append(readings(1))
            batch = sent(store)
        assert store.trouble
        assert (batch.id, store.waiting) == (f"{gen}-1", 0)
        assert list(store.unacknowledged()) == [batch]
        await store._come_back()
        assert [content(kept) for kept in store.unacknowledged()] == [content(batch)]
        assert_each_once(store, 1)


def _full(*_: object) -> None:
    raise StoreFull("the disk is full")


# ---- what was put aside --------------------------------------------------------------------------------------------


async def test_a_damaged_store_that_somebody_removed_is_not_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with Store(path) as store:
        store.append(readings(1))
        store.flush()
        store.failed(store.commands, StoreDamaged("the store is damaged"))  # type: ignore[arg-type]  # it is there
        with monkeypatch.context() as patch:  # it is put aside, and then there is no room for a new one
            patch.setattr("jidget.store.file.salvage", _full)
            await store._come_back()
        (aside,) = path.parent.glob("jidget.db.damaged-*[0-9]")
        aside.unlink()
        await store._come_back()
        assert not store.trouble
        assert f"{aside} was removed before what had not been sent could be taken over from it" in caplog.text


async def test_a_damaged_store_on_a_disk_that_fails_is_tried_again(path: Path, tmp_path: Path) -> None:
    async with Store(path) as store:
        log = ReadingsLog(database(store), keep_gen=True)
        (tmp_path / "circle").symlink_to(tmp_path / "circle")
        with pytest.raises(StoreBroken, match="its symbolic links lead in a circle"):
            salvage(tmp_path / "circle", log)


# ---- as it was sent ------------------------------------------------------------------------------------------------


async def test_what_was_sent_from_memory_looks_the_same_when_it_is_sent_from_the_file(path: Path) -> None:
    texts = ["grüße ☃ 𝄞", "half \ud83d a pair", "\udfff\ud800", "a\0b"]
    async with Store(path) as store:
        put_into_memory(store, 1, first=0)
        store.append([Reading("t", TEXT, text, 1_790_000_000_000 + n) for n, text in enumerate(texts)])
        batch = sent(store)
        await store._come_back()
        (again,) = store.unacknowledged()
        assert again.id == batch.id
        assert again is not batch
        assert write_nodes(again.readings, "agent") == write_nodes(batch.readings, "agent")


def test_memory_that_ends_a_generation_keeps_what_it_cut_until_it_is_forgotten() -> None:
    memory = MemoryOutbox(most=40)
    memory.append(readings(25))
    one, two = memory.cut(10, backlog=False), memory.cut(10, backlog=False)
    assert one is not None
    assert two is not None
    first = memory.gen
    memory.end_generation()
    memory.end_generation()  # nothing has the new one yet
    new = memory.cut(10, backlog=False)
    assert new is not None
    assert (new.gen, new.seq) == (memory.gen, 1)
    memory.acknowledge(one)
    assert memory.unacknowledged() == (two, new)
    assert memory.batches == [one, two, new]
    assert memory.ended == [Generation(gen=first, last=2, batches=(one, two), unacknowledged=frozenset({2}))]
    memory.append(readings(30, first=25))  # the bound goes over generations: first what the server has, then the oldest
    assert (memory.batches, memory.dropped) == ([new], 10)
    memory.forget(first)
    assert (memory.batches, memory.ended) == ([new], [])
    memory.append(readings(5, first=55))
    assert (memory.batches, memory.dropped) == ([new], 10)
