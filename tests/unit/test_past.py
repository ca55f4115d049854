"""Answers about the past: how much is in one, how much work for it, and what is said when nothing can be read."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.support.fakes import Board, thing
from tests.support.stanzas import refuses
from tests.support.stores import COUNT, START, TEMPERATURE, TEXT, crash, cut_all, database, readings

from jidget.reading import Reading
from jidget.store.store import Store
from jidget.things.host import Thing
from jidget.xmpp import past as past_module
from jidget.xmpp.past import Past
from jidget.xmpp.payload import read_fields, read_time
from jidget.xmpp.sensordata import LONGEST_ANSWER, Query
from jidget.xmpp.xml import serialise
from jidget_drivers import Kind, Property

SD = "{urn:nf:iot:sd:1.0}"
BATCH, GENERATION = "{urn:jidget:1}batch", "{urn:jidget:1}generation"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path / "jidget.db") as opened:
        yield opened


def house(*names: str) -> tuple[Thing, ...]:
    return tuple(thing(name, Board((TEMPERATURE,), {"temperature": 1.0})) for name in names)


def query(*names: str, since: int | None = None, until: int | None = None, properties: tuple[str, ...] = ()) -> Query:
    """Ask for the history of Things: of the greenhouse if none are named."""
    return Query(
        id="1",
        things=house(*(names or ("greenhouse",))),
        properties=frozenset(properties),
        historical=True,
        since=since,
        until=until,
    )


def batches(first: int, last: int, *names: str, gen: str = "") -> Query:
    return Query(
        id="1", things=house(*(names or ("greenhouse",))), properties=frozenset(), batches=(first, last), gen=gen
    )


def told(resp: ET.Element) -> list[tuple[str, object, int]]:
    return sorted(((f.thing, f.value, f.time) for f in read_fields(resp)), key=lambda fact: fact[2])


def facts(found: list[Reading], *things: str) -> list[tuple[str, object, int]]:
    return [(r.thing, r.value, r.time) for r in found if r.thing in (things or ("greenhouse",))]


async def pages(past: Past, asked: Query) -> list[ET.Element]:
    """Ask again from the last instant + 1 ms until there is no more."""
    found = [await past(asked)]
    while found[-1].get("more") == "true":
        last = max(read_time(instant.get("v", "")) for instant in found[-1].iter(f"{SD}ts"))
        again = query(*(t.id for t in asked.things), since=last + 1, until=asked.until)
        found.append(await past(again))
    return found


def keep(store: Store, found: list[Reading]) -> None:
    store.append(found)
    store.flush()


# ---- by time -------------------------------------------------------------------------------------------------------


async def test_bytes_are_counted_not_readings(store: Store) -> None:
    long = [Reading("greenhouse", TEXT, "ü&'" * 300, START + n) for n in range(300)]
    keep(store, long)
    found = await pages(Past(store, "agent"), query())
    assert len(found) > 3
    for page in found:
        assert len(serialise(page).encode()) <= LONGEST_ANSWER
    for page in found[:-1]:
        assert len(serialise(page).encode()) > LONGEST_ANSWER * 0.9
    assert [fact for page in found for fact in told(page)] == facts(long)


async def test_an_instant_is_never_split_whoever_read_it(store: Store) -> None:
    made = [Reading(name, TEXT, "x" * 500, START + n) for n in range(300) for name in ("greenhouse", "shed")]
    keep(store, made)
    found = await pages(Past(store, "agent"), query("greenhouse", "shed"))
    assert len(found) > 1
    for page in found:
        times = [fact[2] for fact in told(page)]
        assert all(times.count(time) == 2 for time in times)
    for earlier, later in pairwise(found):
        assert told(earlier)[-1][2] < told(later)[0][2]


async def test_an_instant_that_is_too_much_is_refused_with_what_to_do(store: Store) -> None:
    texts = [Property(name=f"text{n}", kind=Kind.STRING) for n in range(60)]
    keep(store, [*readings(2), *(Reading("shed", text, "&" * 1000, START + 5000) for text in texts)])
    past = Past(store, "agent")
    assert len(told(await past(query("greenhouse", "shed")))) == 2
    with refuses("not-acceptable", says="name one Thing with <nd id='…'/>, or some properties with <f n='…'/>"):
        await past(query("shed", since=START + 5000))
    assert len(told(await past(query("shed", since=START + 5000, properties=("text7",))))) == 1


async def test_what_others_see_is_passed_over_within_one_answer(store: Store) -> None:
    keep(store, [*readings(3000, thing="shed"), Reading("greenhouse", COUNT, 7, START + 3_000_000)])
    resp = await Past(store, "agent")(query())
    assert (told(resp), resp.get("more")) == ([("greenhouse", 7, START + 3_000_000)], None)


async def test_work_for_one_answer_has_a_bound_and_the_rule_to_go_on_still_leads_to_the_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_module, "MOST_LOOKED_AT", 1000)
    keep(store, [*readings(2800, thing="shed"), Reading("greenhouse", COUNT, 7, START + 3_000_000)])
    found = await pages(Past(store, "agent"), query())
    assert [len(told(page)) for page in found] == [0, 0, 1]
    assert [(node.get("id"), len(node), len(node[0])) for node in found[0]] == [("greenhouse", 1, 0)]


async def test_others_go_on_meanwhile(store: Store) -> None:
    keep(store, readings(4000, thing="shed"))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    working = asyncio.create_task(others())
    await Past(store, "agent")(query())
    working.cancel()
    assert turns >= 4000 / past_module.READINGS_AT_ONCE - 1


async def test_limits_are_included_and_properties_narrow(store: Store) -> None:
    made = readings(10)
    keep(store, [*made, Reading("greenhouse", COUNT, 3, START + 5000)])
    past = Past(store, "agent")
    some = await past(query(since=START + 2000, until=START + 4000))
    assert told(some) == facts(made[2:5])
    assert told(await past(query(properties=("count",)))) == [("greenhouse", 3, START + 5000)]
    assert {flag for field in read_fields(some) for flag in field.flags} == {"h"}


async def test_who_may_read_nothing_learns_nothing(store: Store) -> None:
    keep(store, readings(10))
    cut_all(store)
    past = Past(store, "agent")
    for nothing in (
        Query(id="1", things=(), properties=frozenset(), historical=True),
        Query(id="1", things=(), properties=frozenset(), batches=(1, 9)),
    ):
        assert serialise(await past(nothing), "") == "<resp xmlns='urn:nf:iot:sd:1.0' id='1'/>"


async def test_while_the_file_cannot_be_used_it_is_not_said_that_there_was_nothing(store: Store) -> None:
    keep(store, readings(10))
    cut_all(store)
    past = Past(store, "agent")
    gen = store.gen
    database(store).disconnect()
    for asked in (query(), batches(1, 9, gen=gen), batches(1, 9)):
        with refuses("resource-constraint", says="Ask again later"):
            await past(asked)
    if store._file is not None:
        await crash(store)


# ---- by number -----------------------------------------------------------------------------------------------------


async def test_a_batch_is_told_as_it_was_published(store: Store) -> None:
    keep(store, [*readings(4), Reading("shed", COUNT, 1, START)])
    first, second = store.cut(2, backlog=True), store.cut(10, backlog=False)
    assert first is not None
    assert second is not None
    resp = await Past(store, "agent")(batches(1, 2))
    assert [child.tag for child in resp] == [BATCH, f"{SD}nd", BATCH, f"{SD}nd", GENERATION]
    assert resp[0].attrib == {"gen": store.gen, "from": "1", "to": "1"}
    assert [field.flags for field in read_fields(resp)] == [("h",), ("h",), (), ()]
    assert resp[-1].attrib == {"gen": store.gen, "last": "2"}
    assert resp.get("more") is None


async def test_batches_of_which_one_may_read_nothing_are_marked_too(store: Store) -> None:
    keep(store, readings(30, thing="shed"))
    cut_all(store, 10)
    resp = await Past(store, "agent")(batches(1, 99))
    assert [child.get("from") for child in resp.iterfind(BATCH)] == ["1", "2", "3"]
    assert not list(resp.iter(f"{SD}nd"))


@pytest.mark.parametrize("most", [7, 20, 30])
async def test_there_is_more_only_if_there_is(store: Store, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(past_module, "MOST_BATCHES", most)
    keep(store, readings(30))
    cut_all(store, 1)
    past, first, found = Past(store, "agent"), 1, []
    while True:
        resp = await past(batches(first, 99))
        marks = [int(mark.get("from", "")) for mark in resp.iterfind(BATCH)]
        assert 0 < len(marks) <= most
        found += marks
        if resp.get("more") is None:
            break
        first = marks[-1] + 1
    assert found == list(range(1, 31))


async def test_pages_of_batches_have_a_bound_in_bytes(store: Store) -> None:
    keep(store, [Reading("greenhouse", TEXT, "&" * 1000, START + n) for n in range(100)])
    cut_all(store)
    resp = await Past(store, "agent")(batches(1, 10**17))
    assert resp.get("more") == "true"
    assert LONGEST_ANSWER / 2 < len(serialise(resp).encode()) <= LONGEST_ANSWER


async def test_what_retention_took_has_no_mark(store: Store) -> None:
    keep(store, readings(50))
    cut_all(store, 10)
    assert store._file is not None
    assert store._file.readings.forget(20) == 20
    resp = await Past(store, "agent")(batches(1, 99))
    assert [mark.get("from") for mark in resp.iterfind(BATCH)] == ["3", "4", "5"]
    assert resp[-1].get("last") == "5"


async def test_generations_know_what_followed_them_also_after_a_restart(tmp_path: Path) -> None:
    gens = []
    async with Store(tmp_path / "jidget.db") as store:
        for count in (30, 20, 10):
            keep(store, readings(count))
            cut_all(store, 10)
            gens.append(store.gen)
            store.renew()
        gens.append(store.gen)
    async with Store(tmp_path / "jidget.db") as store:
        past = Past(store, "agent")
        answers = [(await past(batches(1, 99, gen=gen)))[-1].attrib for gen in gens]
    assert answers == [
        {"gen": gens[0], "last": "3", "next": gens[1]},
        {"gen": gens[1], "last": "2", "next": gens[2]},
        {"gen": gens[2], "last": "1", "next": gens[3]},
        {"gen": gens[3], "last": "0"},
    ]


async def test_to_whom_asks_for_an_unknown_generation_the_present_one_is_told(store: Store) -> None:
    keep(store, readings(5))
    cut_all(store)
    resp = await Past(store, "agent")(batches(1, 9, gen="<&'\">"))
    assert [(child.tag, child.attrib) for child in resp] == [(GENERATION, {"gen": store.gen, "last": "1"})]
