"""The store as an outbox: the same promises as in memory, kept across crashes, restarts and restored backups."""

# ruff: noqa: ASYNC240  # nothing else runs in these loops

import asyncio
import logging
import re
import shutil
from pathlib import Path

import pytest
from tests.support.stores import (
    COUNT,
    MODE,
    START,
    STATE,
    TEMPERATURE,
    TEXT,
    ask,
    content,
    crash,
    cut_all,
    database,
    facts,
    killed,
    readings,
    rebooted,
)

from jidget.reading import Batch, Reading
from jidget.store import readings_log
from jidget.store.generations import Generations
from jidget.store.outbox import LARGEST, MOST_BYTES
from jidget.store.store import GATHER, MOST_GATHERED, Store
from jidget.xmpp.payload import write_nodes
from jidget_drivers import Kind, Property, Scalar


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jidget.db"


def values(batch: Batch | None) -> list[Scalar]:
    assert batch is not None
    return [reading.value for reading in batch.readings]


# ---- as in memory --------------------------------------------------------------------------------------------------


async def test_batches_count_from_one_in_a_generation_of_eight_hex_digits(path: Path) -> None:
    async with Store(path) as store:
        assert store.cut(50, backlog=False) is None
        store.append(readings(120))
        assert store.waiting == 120
        batches = cut_all(store, acknowledge=False)
        assert [batch.id for batch in batches] == [f"{store.gen}-{n}" for n in (1, 2, 3)]
        assert re.fullmatch(r"[0-9a-f]{8}", store.gen)
        assert [len(batch.readings) for batch in batches] == [50, 50, 20]
        assert [reading for batch in batches for reading in batch.readings] == readings(120)
        assert store.waiting == 0


async def test_the_oldest_reading_that_waits_is_known_wherever_it_is(path: Path) -> None:
    seen = []
    async with killed(path) as store:
        seen.append(store.oldest_waiting)
        store.append(readings(600))
        seen.append(store.oldest_waiting)  # gathered
        store.flush()
        seen.append(store.oldest_waiting)  # more than are held in memory
        cut_all(store, 200)
        seen.append(store.oldest_waiting)
        store.append(readings(2, first=600))
        store.flush()
        seen.append(store.oldest_waiting)  # held in memory
    async with Store(path) as store:
        seen.append(store.oldest_waiting)
    assert seen == [None, START, START, None, START + 600_000, START + 600_000]


async def test_unacknowledged_batches_are_a_set_and_never_change(path: Path) -> None:
    async with Store(path) as store:
        store.append(readings(3))
        first = store.cut(2, backlog=False)
        store.append(readings(1, first=3))
        second = store.cut(50, backlog=True)
        assert first is not None
        assert second is not None
        assert list(store.unacknowledged()) == [first, second]
        store.acknowledge(second)
        store.acknowledge(second)
        assert list(store.unacknowledged()) == [first]
        assert store.unacknowledged()[0] is first
        assert store.unacknowledged()[:1][0] is first
        with pytest.raises(IndexError):
            store.unacknowledged()[1]


async def test_an_instant_of_a_thing_is_not_split(path: Path) -> None:
    together = [Reading("tank", Property(name=f"p{n}"), float(n), START + 5_000) for n in range(300)]
    async with Store(path) as store:
        store.append([*readings(4), *together[:100], *readings(1, thing="other", first=5)])
        assert len(values(store.cut(6, backlog=False))) == 104
        assert len(values(store.cut(6, backlog=False))) == 1
    # and the same where readings are read back: there were too many to be held in memory
    async with killed(path) as store:
        store.append([*readings(4), *together, *readings(1, thing="other", first=5)])
    async with Store(path) as store:
        assert len(values(store.cut(6, backlog=False))) == 304
        assert len(values(store.cut(6, backlog=False))) == 1


async def test_batches_stay_small_where_readings_are_long(path: Path) -> None:
    long = [Reading("t", TEXT, "ü" * 1024, START + n) for n in range(20)]
    huge = [Reading("t", Property(name=f"p{n}", kind=Kind.STRING), "&" * 1024, START + 99) for n in range(100)]
    async with killed(path) as store:
        store.append([*long, *huge])
        live = [content(batch) for batch in cut_all(store, acknowledge=False)]
        store.append([*long, *huge])
    async with Store(path) as store:
        read = [content(batch) for batch in cut_all(store, acknowledge=False)]
    assert [facts for _, _, facts in read] == [facts for _, _, facts in live]
    sizes = []
    async with Store(path) as store:
        for batch in store.unacknowledged():
            sizes.append(len("".join(write_nodes(batch.readings, "agent")).encode()))
            if batch.readings[0].property == TEXT:
                assert sizes[-1] <= MOST_BYTES
    assert max(sizes) <= LARGEST


@pytest.mark.parametrize(
    ("prop", "value"),
    [
        (TEMPERATURE, 21.37),
        (TEMPERATURE, -1e-308),
        (TEMPERATURE, 21),
        (Property(name="n"), 1e300),
        (COUNT, 2**63 - 1),
        (COUNT, 1 - 2**63),
        (STATE, True),
        (STATE, False),
        (MODE, "eco"),
        (TEXT, ""),
        (TEXT, "grüße ☃ 𝄞 & <b> 'x' \t\n"),
        (TEXT, "a\0b"),
    ],
)
async def test_a_batch_that_is_read_back_is_the_one_that_was_sent(path: Path, prop: Property, value: Scalar) -> None:
    reading = Reading("thing", prop, value, START)
    async with killed(path) as store:
        store.append([reading])
        sent = store.cut(50, backlog=True)
        assert sent is not None
        assert sent.readings == (reading,)
    async with Store(path) as store:
        (again,) = store.unacknowledged()
        assert content(again) == content(sent)
        assert type(again.readings[0].value) is type(value)
        assert write_nodes(again.readings, "agent", historical=True) == write_nodes(
            sent.readings, "agent", historical=True
        )


async def test_what_sqlite_cannot_hold_costs_no_other_reading(path: Path) -> None:
    odd = [Reading("t", COUNT, 2**80, START), Reading("t", TEXT, "half \ud83d", START), *readings(1)]
    async with killed(path) as store:
        store.append(odd)
        sent = store.cut(50, backlog=False)
        assert sent is not None
        assert values(sent) == [float(2**80), "half \ufffd", 0.0]
    async with Store(path) as store:
        assert content(store.unacknowledged()[0]) == content(sent)


async def test_readings_of_one_moment_share_a_commit_and_do_not_wait_for_a_crowd(path: Path) -> None:
    async with Store(path) as store:
        for reading in readings(3):
            store.append([reading])
        assert store.waiting == 3
        assert ask(path, "SELECT count(*) FROM reading") == [(0,)]
        await asyncio.sleep(2 * GATHER)
        assert ask(path, "SELECT count(*) FROM reading") == [(3,)]
        store.append(readings(MOST_GATHERED, first=3))
        assert ask(path, "SELECT count(*) FROM reading") == [(3 + MOST_GATHERED,)]


async def test_a_batch_and_its_readings_are_in_the_file_before_it_can_be_sent(path: Path) -> None:
    async with Store(path) as store:
        store.append(readings(3))
        assert store.cut(50, backlog=False)
        assert ask(path, "SELECT count(*) FROM reading") == [(3,)]
        assert ask(path, "SELECT first, last, acknowledged FROM batch") == [(1, 3, 0)]


# ---- after a crash -------------------------------------------------------------------------------------------------


async def test_several_batches_are_one_commit_and_no_more_than_there_is_to_cut(path: Path) -> None:
    async with killed(path) as store:
        store.append(readings(120))
        commits = database(store)._commits
        cut = store.cut_several(50, 2, backlog=False)
        assert database(store)._commits == commits + 1
        assert [len(batch.readings) for batch in cut] == [50, 50]
        assert store.waiting == 20
        store.append(readings(40, first=120))
        cut = (*cut, *store.cut_several(50, 5, backlog=False))
        assert [len(batch.readings) for batch in cut] == [50, 50, 50, 10]
        assert store.cut_several(50, 5, backlog=False) == ()
    async with Store(path) as store:
        assert list(map(content, store.unacknowledged())) == list(map(content, cut))


async def test_a_killed_process_loses_nothing_and_repeats_batches_exactly(path: Path) -> None:
    async with killed(path) as store:
        store.append(readings(130))
        first, second, third = (store.cut(30, backlog=n == 2) for n in range(3))
        assert second is not None
        store.acknowledge(second)
        gen = store.gen
        store.append(readings(1, first=130))  # writes the note of it, too
    async with Store(path) as store:
        assert store.gen == gen
        assert [content(batch) for batch in store.unacknowledged()] == [content(first), content(third)]
        assert (store.waiting, store.oldest_waiting) == (41, START + 90_000)
        following = store.cut(50, backlog=False)
        assert following is not None
        assert following.id == f"{gen}-4"
        assert facts(following.readings) == facts(readings(41, first=90))


async def test_an_acknowledgement_that_was_not_written_costs_a_repetition(path: Path) -> None:
    async with killed(path) as store:
        store.append(readings(10))
        sent = store.cut(50, backlog=False)
        assert sent is not None
        store.acknowledge(sent)
    async with Store(path) as store:
        assert [content(batch) for batch in store.unacknowledged()] == [content(sent)]
        store.acknowledge(store.unacknowledged()[0])
    async with Store(path) as store:
        assert not store.unacknowledged()


async def test_a_batch_is_acknowledged_by_what_it_is_not_by_the_object(path: Path) -> None:
    async with Store(path) as store:
        store.append(readings(1))
        sent = store.cut(50, backlog=False)
        assert sent is not None
        store.acknowledge(Batch(gen="ffffffff", seq=sent.seq, readings=sent.readings, backlog=False))
        assert len(store.unacknowledged()) == 1
        store.acknowledge(Batch(gen=sent.gen, seq=sent.seq, readings=(), backlog=True))
        assert not store.unacknowledged()


# ---- generations ---------------------------------------------------------------------------------------------------


async def generation(path: Path) -> str:
    async with killed(path) as store:
        return store.gen


async def cut_some(path: Path, count: int = 1, *, in_order: bool = True) -> str:
    """Cut batches; return the generation."""
    store = Store(path)
    await store.open()
    store.append(readings(10 * count))
    assert len(cut_all(store, 10)) == count
    gen = store.gen
    if in_order:
        await store.close()
    else:
        await crash(store)
    return gen


async def test_numbers_go_on_after_a_restart_and_after_a_crash(path: Path) -> None:
    gen = await cut_some(path)
    assert await cut_some(path, in_order=False) == gen
    assert await cut_some(path) == gen
    async with Store(path) as store:
        store.append(readings(1))
        batch = store.cut(50, backlog=False)
        assert batch is not None
        assert batch.id == f"{gen}-4"


async def test_a_reboot_after_a_clean_end_keeps_the_generation(path: Path, tmp_path: Path) -> None:
    gen = await cut_some(path)
    with rebooted(tmp_path):
        assert await generation(path) == gen


async def test_a_reboot_without_one_begins_another_and_repeats_what_is_open_under_its_own(
    path: Path, tmp_path: Path
) -> None:
    async with killed(path) as store:
        store.append(readings(20))
        sent = store.cut(10, backlog=False)
        gen = store.gen
    with rebooted(tmp_path):
        async with killed(path) as store:
            another = store.gen
            assert another != gen
            assert [content(batch) for batch in store.unacknowledged()] == [content(sent)]
            batch = store.cut(10, backlog=False)
            assert batch is not None
            assert batch.id == f"{another}-1"
            store.acknowledge(store.unacknowledged()[0])
            assert list(store.unacknowledged()) == [batch]
        assert await generation(path) == another


async def test_the_mark_of_a_clean_end_is_gone_from_the_disk_before_anything_is_sent(
    path: Path, tmp_path: Path
) -> None:
    # Else a power cut could leave a file that says it was closed in order, as it was the time before.
    await cut_some(path)
    async with Store(path):
        copy = tmp_path / "copy.db"
        shutil.copy(path, copy)  # without the log: what is in the file itself was synced
        assert ask(copy, "SELECT value FROM meta WHERE name = 'closed'") == [(0,)]


async def test_a_new_store_and_a_copy_elsewhere_begin_another(path: Path, tmp_path: Path) -> None:
    gen = await cut_some(path)
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    shutil.copy(f"{path}-lock", f"{copy}-lock")
    assert await generation(copy) != gen
    path.unlink()
    assert await generation(path) != gen


@pytest.mark.parametrize("with_lock", [False, True])
async def test_a_backup_put_back_as_another_file_begins_another(path: Path, tmp_path: Path, with_lock: bool) -> None:
    gen = await cut_some(path)
    (tmp_path / "backup").mkdir()
    for name in ["jidget.db", *(["jidget.db-lock"] if with_lock else [])]:
        shutil.copy(tmp_path / name, tmp_path / "backup" / name)
    await cut_some(path)
    for file in (tmp_path / "backup").iterdir():
        (tmp_path / f"{file.name}.new").write_bytes(file.read_bytes())
        (tmp_path / f"{file.name}.new").rename(tmp_path / file.name)
    assert await generation(path) != gen


@pytest.mark.parametrize("in_order", [True, False])
async def test_a_backup_put_back_into_the_same_file_begins_another(path: Path, in_order: bool) -> None:
    gen = await cut_some(path)
    backup = path.read_bytes()
    assert await cut_some(path, in_order=in_order) == gen
    inode = path.stat().st_ino
    path.write_bytes(backup)
    assert path.stat().st_ino == inode
    another = await generation(path)
    assert another != gen
    assert await generation(path) == another


async def test_a_backup_that_lacks_nothing_keeps_the_generation(path: Path) -> None:
    gen = await cut_some(path)
    backup = path.read_bytes()
    async with Store(path) as store:
        store.append(readings(5))
    path.write_bytes(backup)
    assert await generation(path) == gen


async def test_a_doubt_outlives_a_crash_before_it_was_acted_upon(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gen = await cut_some(path, in_order=False)

    def die(*_: object) -> None:
        raise RuntimeError("killed")

    with rebooted(tmp_path):
        with monkeypatch.context() as patch:
            patch.setattr(Generations, "begin", die)
            with pytest.raises(RuntimeError, match="killed"):
                await Store(path).open()
        assert await generation(path) != gen


async def test_a_server_that_knows_more_than_the_file_makes_it_begin_another(path: Path) -> None:
    async with Store(path) as store:
        gen = store.gen
        store.append(readings(3))
        sent = store.cut(1, backlog=False)
        store.renew()
        assert store.gen != gen
        batch = store.cut(1, backlog=False)
        assert batch is not None
        assert batch.id == f"{store.gen}-1"
        assert [content(each) for each in store.unacknowledged()] == [content(sent), content(batch)]
        another = store.gen
    async with Store(path) as store:
        assert store.gen == another


async def test_a_generation_is_never_one_that_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Store(path) as store:
        first = store.gen
        offered = iter([first, first, "0badcafe"])
        monkeypatch.setattr("secrets.token_hex", lambda _: next(offered))
        store.renew()
        assert store.gen == "0badcafe"


# ---- asking for batches --------------------------------------------------------------------------------------------


async def test_batches_are_served_by_generation_and_number(path: Path) -> None:
    async with Store(path) as store:
        store.append(readings(100))
        sent = [content(batch) for batch in cut_all(store, 10)]
        gen = store.gen
        store.renew()
        store.append(readings(20, first=100))
        later = [content(batch) for batch in cut_all(store, 10)]
        assert [content(batch) for batch in store.batches(gen, 3, 5, 50)] == sent[2:5]
        assert [content(batch) for batch in store.batches(gen, 8, 999, 50)] == sent[7:]
        assert [content(batch) for batch in store.batches(gen, 1, 999, 4)] == sent[:4]
        assert [content(batch) for batch in store.batches(store.gen, 0, 999, 50)] == later
        assert list(store.batches("ffffffff", 1, 999, 50)) == []
        assert list(store.batches(gen, 11, 12, 50)) == []
        assert list(store.batches(gen, -5, 0, 50)) == []


# ---- very many -----------------------------------------------------------------------------------------------------


async def test_a_server_that_takes_nothing_costs_no_memory(path: Path) -> None:
    async with killed(path) as store:
        store.append(readings(3000))
        sent = [content(batch) for batch in cut_all(store, 10, acknowledge=False)]
        assert len(store.unacknowledged()) == 300
        assert [content(batch) for batch in store.unacknowledged()] == sent
        assert store._file is not None
        assert len(store._file.readings.held) == readings_log.MOST_HELD
    async with Store(path) as store:
        assert [content(batch) for batch in store.unacknowledged()] == sent
        open_ones = store.unacknowledged()
        store.acknowledge(open_ones[7])
        assert [content(batch) for batch in open_ones] == sent[:7] + sent[8:]
        assert len(store.unacknowledged()) == 299
        with pytest.raises(IndexError):
            open_ones[7]


async def test_what_is_open_is_found_at_a_start_without_looking_at_all_batches(path: Path) -> None:
    async with Store(path) as store:
        store.append(readings(500))
        batches = cut_all(store, 10, acknowledge=False)
        for batch in batches[:30] + batches[31:]:
            store.acknowledge(batch)
    assert ask(path, "SELECT value FROM meta WHERE name = 'settled'") == [(30,)]
    async with Store(path) as store:
        assert [content(batch) for batch in store.unacknowledged()] == [content(batches[30])]
        store.acknowledge(batches[30])
    assert ask(path, "SELECT value FROM meta WHERE name = 'settled'") == [(50,)]


async def test_nothing_is_said_in_the_log_when_all_is_well(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await cut_some(path)
        await cut_some(path, in_order=False)
    assert not caplog.records
