"""What was: found by time in any disorder, a page at a time; and what goes when it is old, or there is no room."""

# ruff: noqa: ASYNC240  # nothing else runs in these loops

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.fakes import Clock
from tests.support.stores import (
    ALL,
    START,
    TEMPERATURE,
    TEXT,
    ask,
    content,
    cut_all,
    database,
    facts,
    killed,
    readings,
)

from jidget.reading import Reading
from jidget.store import readings_log, upkeep
from jidget.store.database import MOST_LOG_BYTES
from jidget.store.spans import SPAN
from jidget.store.store import Store
from jidget.store.upkeep import LEAST_SIZE, RESERVE, Retention
from jidget.store.wal import LOG_BYTES

DAY = 86_400_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jidget.db"


def pages(store: Store, most: int, first: int = 0, last: int = 1 << 62) -> list[Sequence[Reading]]:
    """Ask for a page after the other, as a consumer does: from the last one's time on."""
    found = []
    while page := store.history(first, last, most):
        found.append(page)
        first = page[-1].time + 1
    return found


async def look(store: Store) -> None:
    """Let the store be looked after once, as it is from time to time."""
    assert store._file is not None
    store._upkeep._next = 0.0
    await store._upkeep.look(store._file)


# ---- history -------------------------------------------------------------------------------------------------------


async def test_history_is_what_was_sent_and_what_waits(path: Path) -> None:
    async with killed(path) as store:
        store.append(readings(100))
        cut_all(store)
        store.append(readings(3, first=100))
        assert facts(store.history(*ALL, 1000)) == facts(readings(103))
        assert facts(store.history(START + 1000, START + 3000, 1000)) == facts(readings(3, first=1))
        assert facts(store.history(START + 1001, START + 2999, 1000)) == facts(readings(1, first=2))
        assert facts(store.history(*ALL, 10)) == facts(readings(10))
        assert store.history(START + 500_000, 1 << 62, 10) == []
        assert store.history(5, 4, 10) == []
    async with Store(path) as store:
        assert facts(store.history(*ALL, 1000)) == facts(readings(103))


@pytest.mark.parametrize("seed", range(8))
async def test_pages_in_any_disorder_have_everything_once_and_in_order(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    made: list[Reading] = []
    taken: set[tuple[str, int]] = set()
    now = START
    async with killed(path) as store:
        for number in range(6 * SPAN + 37):
            step = chance.choice([0, 0, 1, 50, 300, 300, 300, 60_000])
            if chance.random() < 0.002:
                step = chance.choice([-3 * DAY, 40 * DAY, -(START // 2), START // 3])  # the clock is set
            now = max(0, now + step)
            held_back = chance.choice([0, 0, 0, 0, 7_000])
            thing, time = f"thing{chance.randrange(5)}", max(0, now - held_back)
            while (thing, time) in taken:  # two of a property at one time are another matter: see below
                time += 1
            taken.add((thing, time))
            made.append(Reading(thing, TEMPERATURE, float(number), time))
        rest = list(made)
        while rest:
            count = chance.randrange(1, 90)
            store.append(rest[:count])
            store.flush()
            rest = rest[count:]
            if chance.random() < 0.3:
                store.cut(chance.randrange(1, 60), backlog=False)
    wanted = sorted(made, key=lambda reading: reading.time)
    async with Store(path) as store:
        for most in (1, 50, 500, 5000) if seed < 2 else (400,):
            found = pages(store, most)
            assert facts([reading for page in found for reading in page]) == facts(wanted)
            assert all(len(page) >= most for page in found[:-1])
        for _ in range(30):
            first, last = sorted(chance.choice(made).time + chance.randrange(-2, 3) for _ in range(2))
            inside = [reading for reading in wanted if first <= reading.time <= last]
            assert facts(store.history(first, last, 100_000)) == facts(inside)


async def test_a_clock_that_is_set_back_gives_no_time_twice_also_after_a_restart(path: Path) -> None:
    lived = [Reading("greenhouse", TEMPERATURE, float(n), START + 100 * n) for n in range(2 * SPAN)]
    again = [Reading("greenhouse", TEMPERATURE, -float(n) - 1, START + 100 * n) for n in range(2 * SPAN)]
    third = [Reading("greenhouse", TEMPERATURE, n + 0.5, START + 100 * n) for n in range(0, 2 * SPAN, 10)]
    other = [Reading("lamp", TEMPERATURE, 1.0, START + 100 * n) for n in range(10)]  # of another Thing: no matter
    async with killed(path) as store:
        store.append(lived)
        store.append(other)
        sent = cut_all(store)
    async with killed(path) as store:
        store.append(again[:SPAN])
        store.append(again[SPAN:])
        store.append(third)
        sent += cut_all(store)
    told = [reading for batch in sent for reading in batch.readings]
    keys = [(reading.thing, reading.time) for reading in told]
    assert len(set(keys)) == len(keys) == 4 * SPAN + len(third) + len(other)
    assert [r.value for r in told] == [r.value for r in (*lived, *other, *again, *third)]
    assert [r.time for r in told if r.value in range(-2 * SPAN, 0)] == [r.time + 1 for r in again]
    assert [r.time for r in told[-len(third) :]] == [r.time + 2 for r in third]
    async with Store(path) as store:
        found = store.history(*ALL, 100_000)
        assert sorted(facts(found)) == sorted(facts(told))


async def test_the_same_reading_again_is_a_repetition_and_stays_one(path: Path) -> None:
    async with Store(path) as store:
        store.append(readings(10))
        store.flush()
        store.append(readings(10))
        same = [Reading("greenhouse", TEMPERATURE, value, START + 50_000) for value in (1.0, 1.0, 2.0, 1.0, 3.0)]
        store.append(same)
        times = [reading.time for batch in cut_all(store) for reading in batch.readings]
    assert times[:10] == times[10:20]
    assert [time - START - 50_000 for time in times[20:]] == [0, 0, 1, 0, 2]


async def test_an_instant_is_not_split_between_pages_whatever_things_it_is_of(path: Path) -> None:
    instant = [Reading(f"thing{n}", TEMPERATURE, float(n), START) for n in range(2 * SPAN)]
    async with Store(path) as store:
        store.append([*instant, *readings(5, first=1)])
        assert len(store.history(*ALL, 10)) == 2 * SPAN
        assert [len(page) for page in pages(store, 10)] == [2 * SPAN, 5]


async def test_a_query_looks_at_few_readings(path: Path) -> None:
    async with Store(path) as store:
        store.append(readings(40 * SPAN))
        asked: list[str] = []
        database(store)._connection.set_trace_callback(asked.append)
        assert len(store.history(START + 20 * SPAN * 1000, 1 << 62, 2 * SPAN)) == 2 * SPAN
        assert sum("FROM reading" in statement for statement in asked) <= 4


# ---- what is too old -----------------------------------------------------------------------------------------------


async def test_what_the_server_has_goes_when_it_is_old(path: Path) -> None:
    clock = Clock(START / 1000)
    async with killed(path) as store:
        store.append(readings(5000, step=DAY // 1000))  # five days
        batches = cut_all(store)
    store = Store(path, Retention(keep=2 * 86400), now=clock)
    async with store:
        clock.time = START / 1000 + 5 * 86400
        await look(store)
        kept = store.history(*ALL, 10_000)
        assert START + 3 * DAY - 50 * DAY // 1000 <= kept[0].time <= START + 3 * DAY
        assert facts(kept) == facts(readings(len(kept), first=5000 - len(kept), step=DAY // 1000))
        assert store.dropped == 0
        served = store.batches(batches[0].gen, 1, 1000, 1000)
        assert [content(batch) for batch in served] == [content(batch) for batch in batches[-len(served) :]]
        assert ask(path, "SELECT count(*) FROM span") == [(4,)]


async def test_what_the_server_has_not_stays_however_old_it_is(path: Path) -> None:
    clock = Clock(START / 1000 + 1000 * 86400)
    store = Store(path, Retention(keep=3600), now=clock)
    async with store:
        store.append(readings(3000))
        batches = [store.cut(10, backlog=True) for _ in range(200)]
        for number, batch in enumerate(batches):
            assert batch is not None
            if number not in (0, 7, 199):
                store.acknowledge(batch)
        await look(store)
        assert [content(batch) for batch in store.unacknowledged()] == [content(batches[n]) for n in (0, 7, 199)]
        assert store.waiting == 1000
        kept = [*readings(10), *readings(10, first=70), *readings(1010, first=1990)]
        assert facts(store.history(*ALL, 10_000)) == facts(kept)
        assert store.dropped == 0


async def test_nothing_goes_by_a_clock_that_was_not_set(path: Path) -> None:
    clock = Clock(1000.0)
    store = Store(path, Retention(keep=3600), now=clock)
    async with store:
        store.append([Reading("t", TEMPERATURE, 1.0, 5), *readings(100)])
        cut_all(store)
        await look(store)
        assert len(store.history(*ALL, 1000)) == 101
        clock.time = START / 1000 + 86400
        await look(store)
        assert len(store.history(*ALL, 1000)) < 101


async def test_readings_from_the_future_do_not_keep_others_from_going(path: Path) -> None:
    clock = Clock(START / 1000 + 86400)
    store = Store(path, Retention(keep=3600), now=clock)
    async with store:
        store.append(readings(10, first=10_000_000))
        cut_all(store)
        store.append(readings(100))
        cut_all(store, 10)
        await look(store)
        assert facts(store.history(*ALL, 1000)) == facts([*readings(10, first=90), *readings(10, first=10_000_000)])


async def test_numbers_never_come_again_when_all_is_forgotten(path: Path) -> None:
    clock = Clock(START / 1000 + 1000 * 86400)
    for turn in range(3):
        async with Store(path, Retention(keep=60), now=clock) as store:
            store.append(readings(100))
            batches = cut_all(store, 10)
            assert [batch.seq for batch in batches] == list(range(10 * turn + 1, 10 * turn + 11))
            await look(store)
            assert len(store.history(*ALL, 1000)) == 10
    assert ask(path, "SELECT max(id) FROM reading") == [(300,)]


async def test_generations_without_batches_are_forgotten(path: Path) -> None:
    clock = Clock(START / 1000 + 1000 * 86400)
    async with Store(path, Retention(keep=60), now=clock) as store:
        for _ in range(5):
            store.renew()
            store.append(readings(10))
            cut_all(store)
        await look(store)
        await look(store)
        assert ask(path, "SELECT gen FROM generation") == [(store.gen,)]
        assert len(store.batches(store.gen, 1, 1, 1)) == 1


async def test_dropping_leaves_the_event_loop_to_others(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "AT_ONCE", 500)
    clock = Clock(START / 1000 + 1000 * 86400)
    async with Store(path, Retention(keep=60), now=clock) as store:
        store.append(readings(5000))
        cut_all(store)
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.001)

        counting = asyncio.create_task(count())
        await look(store)
        counting.cancel()
        assert turns >= 9
        assert len(store.history(*ALL, 10_000)) == 50


# ---- no room -------------------------------------------------------------------------------------------------------

BULKY = "x" * 1000
BOUND = LEAST_SIZE
ROOM = (BOUND - RESERVE) // 1100
"""About how many bulky readings fit."""


def bulky(count: int, first: int = 0) -> list[Reading]:
    return [Reading("t", TEXT, BULKY, START + n) for n in range(first, first + count)]


def taken(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.iterdir())


async def test_the_oldest_that_the_server_has_go_first_and_the_file_stays_within_its_bound(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(START / 1000)
    async with Store(path, Retention(most_bytes=BOUND), now=clock) as store:
        store.append(bulky(10))
        early = store.cut(10, backlog=False)  # never acknowledged
        assert early is not None
        count, made = len(early.readings), 10
        while made < 3 * ROOM:
            store.append(bulky(500, made))
            cut_all(store, 10)
            made += 500
            if database(store).wants_checkpoint:
                await look(store)
                assert taken(path) <= BOUND
        await look(store)
        assert [content(batch) for batch in store.unacknowledged()] == [content(early)]
        kept = store.history(*ALL, 100_000)
        assert ROOM // 2 < len(kept) < 3 * ROOM // 2
        assert facts(kept) == facts([*bulky(count), *bulky(len(kept) - count, made - len(kept) + count)])
        assert (store.dropped, store.overflows) == (0, False)
    assert taken(path) <= BOUND
    assert not caplog.records


async def test_what_the_server_has_not_goes_last_is_counted_and_said_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(START / 1000)
    told = []
    async with Store(path, Retention(most_bytes=BOUND), now=clock) as store:
        store.on_change = lambda: told.append(store.overflows)
        store.append(bulky(30))
        first, second, third = (store.cut(10, backlog=False) for _ in range(3))
        assert second is not None
        assert third is not None
        store.acknowledge(second)
        made = 30
        while made < 3 * ROOM:
            store.append(bulky(500, made))
            store.flush()
            made += 500
            if database(store).wants_checkpoint:
                await look(store)
        assert taken(path) <= BOUND
        assert store.overflows
        # nothing that the server has is left but the newest batch, which is never dropped; then the oldest went
        kept = store.history(*ALL, 100_000)
        count = len(third.readings)
        assert facts(kept) == facts([*third.readings, *bulky(len(kept) - count, made - len(kept) + count)])
        assert store.waiting == len(kept) - count
        assert store.dropped == made - len(kept) - len(second.readings)
        assert list(store.unacknowledged()) == [third]
        dropped = store.dropped
        errors = [record.getMessage() for record in caplog.records]
        assert errors == ["store.max_size is reached: readings that were not sent are dropped, the oldest first"]
        batches = cut_all(store)
        assert batches[0].readings[0].time == kept[count].time
        assert [batch.seq for batch in batches] == list(range(4, 4 + len(batches)))
        store.append(bulky(10, made))
        await look(store)
        assert told == [True, False]
        assert caplog.records[-1].getMessage() == (
            f"the server takes readings again; {dropped} were dropped before it did, ever"
        )
    async with Store(path, now=clock) as store:
        assert store.dropped == dropped
        assert (store.waiting, len(store.unacknowledged())) == (10, 1)
        assert first is not None


async def test_how_many_wait_is_right_after_a_restart_when_some_were_dropped(path: Path) -> None:
    async with killed(path) as store:
        store.append(readings(100))
        store.flush()
        assert store._file is not None
        assert store._file.readings.drop(30) == 30
        assert store.waiting == 70
    async with killed(path) as store:
        assert (store.waiting, store.dropped, store.oldest_waiting) == (70, 30, START + 30_000)
        assert store._file is not None
        assert store._file.readings.drop(1000) == 69  # the last one stays: its row id must not come again
    async with Store(path) as store:
        assert (store.waiting, store.dropped) == (1, 99)
        store.append(readings(1, first=100))
        (batch,) = cut_all(store)
        assert facts(batch.readings) == facts(readings(2, first=99))


async def test_batches_that_a_server_refuses_for_ever_do_not_fill_the_disk(path: Path) -> None:
    clock = Clock(START / 1000)
    async with Store(path, Retention(most_bytes=BOUND), now=clock) as store:
        made = 0
        while made < 2 * ROOM:
            store.append(bulky(500, made))
            cut_all(store, 10, acknowledge=False)
            made += 500
            if database(store).wants_checkpoint:
                await look(store)
        assert taken(path) <= BOUND
        kept = [reading for batch in store.unacknowledged() for reading in batch.readings]
        assert facts(kept) == facts(bulky(len(kept), made - len(kept)))
        assert store.dropped == made - len(kept) > 0


async def test_a_bound_made_narrower_gives_room_back_to_the_disk(path: Path) -> None:
    clock = Clock(START / 1000)
    async with Store(path, Retention(most_bytes=3 * BOUND), now=clock) as store:
        store.append(bulky(3 * ROOM))
        cut_all(store)
    assert path.stat().st_size > 2 * (BOUND - RESERVE)
    async with Store(path, Retention(most_bytes=BOUND), now=clock) as store:
        await look(store)
        kept = store.history(*ALL, 100_000)
        assert facts(kept) == facts(bulky(len(kept), 3 * ROOM - len(kept)))
    assert path.stat().st_size <= BOUND - RESERVE
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


async def test_a_bound_smaller_than_a_store_can_work_with_is_not_taken_at_its_word(path: Path) -> None:
    async with Store(path, Retention(most_bytes=1), now=Clock(START / 1000)) as store:
        store.append(readings(1000))
        cut_all(store)
        await look(store)
        assert len(store.history(*ALL, 10_000)) == 1000


async def test_the_log_is_copied_into_the_file_before_it_grows_long(path: Path) -> None:
    async with Store(path) as store:
        caring = asyncio.create_task(store.run())
        await asyncio.sleep(0)
        for number in range(60_000):
            store.append(readings(3, first=3 * number))
            store.flush()
            if number % 10 == 0:
                await asyncio.sleep(0)
        assert Path(f"{path}-wal").stat().st_size <= MOST_LOG_BYTES + LOG_BYTES
        caring.cancel()
        await asyncio.wait((caring,))
    assert readings_log.MOST_FRESH < 180_000
