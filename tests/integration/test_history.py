"""What was, on request: history by time and batches by number, in pages, and only what one may read (DESIGN 4.3)."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.support.accounts import Account, Accounts
from tests.support.agents import RunningApp, running_app, until, write_config
from tests.support.asking import Asker, Refused
from tests.support.sensor_data import NODE

from jidget.demo.xmpp_server import XmppServer
from jidget.reading import Reading
from jidget.things.host import Thing
from jidget.xmpp.payload import read_time, write_time
from jidget.xmpp.xml import serialise
from jidget_drivers import Kind, Property

SD = f"{{{NODE}}}"
BATCH = "{urn:jidget:1}batch"
GENERATION = "{urn:jidget:1}generation"
START = int(time.time() - 86400) * 1000
"""Yesterday: what is older than `store.keep` goes."""
LIMIT = 200 * 1024

THINGS = "".join(
    f"""
[things.{name}]
driver = "simulated"
interval = "1h"
[things.{name}.options.properties]
count = {{ type = "integer", waveform = "counter" }}
state = {{ type = "boolean", writable = true }}
"""
    for name in ("meter", "gate")
)


@dataclass
class House:
    """An agent with a past, its owner, and somebody who may see the gate only."""

    agent: RunningApp
    alice: Asker
    eve: Asker
    file: Path
    made: list[Reading] = field(default_factory=list)

    def thing(self, name: str) -> Thing:
        found = self.agent.app.directory.get(name)
        assert found is not None
        return found

    def reading(self, thing: str, value: int, at: int) -> Reading:
        return Reading(thing, self.thing(thing).properties["count"], value, at)

    async def keeps(self, readings: Sequence[Reading]) -> None:
        """Have readings in the store, and published."""
        self.agent.app.store.append(readings)
        self.agent.app.publisher.notify()
        self.made += readings
        await until(lambda: not self.agent.app.store.waiting and not self.agent.app.store.unacknowledged())


@asynccontextmanager
async def home(server: XmppServer, account: Accounts, directory: Path) -> AsyncIterator[House]:
    alice, eve = account(server, "alice"), account(server, "eve")
    pi = account(server, "pi")
    access = {alice.jid: '"owner"', eve.jid: '{ role = "operator", things = ["gate"], read = ["gate"] }'}
    file = write_config(directory, pi, access, things=THINGS)
    async with running_app(file) as agent, asker(alice, agent) as owner, asker(eve, agent) as other:
        await agent.publishes()
        await until(lambda: not agent.app.store.waiting and not agent.app.store.unacknowledged())
        yield House(agent, owner, other, file)


@asynccontextmanager
async def asker(account: Account, agent: RunningApp) -> AsyncIterator[Asker]:
    async with Asker(account, agent.jid) as asking:
        yield asking


@pytest.fixture
async def house(server: XmppServer, account: Accounts, tmp_path: Path) -> AsyncIterator[House]:
    async with home(server, account, tmp_path) as made:
        yield made


async def req(asker: Asker, inner: str = "", **attributes: object) -> ET.Element:
    written = "".join(f" {name.rstrip('_')}='{value}'" for name, value in attributes.items())
    resp = await asker.ask("get", f"<req xmlns='{NODE}' id='7'{written}>{inner}</req>")
    assert resp is not None
    assert (resp.tag, resp.get("id")) == (f"{SD}resp", "7")
    assert len(serialise(resp)) < LIMIT + 2000
    return resp


def times(resp: ET.Element) -> list[str]:
    return [instant.get("v", "") for instant in resp.iter(f"{SD}ts")]


async def pages(asker: Asker, since: str, inner: str = "", **attributes: object) -> list[ET.Element]:
    """Ask by the rule for consumers: again from the last timestamp + 1 ms."""
    found = [await req(asker, inner, from_=since, **attributes)]
    while found[-1].get("more") == "true":
        found.append(await req(asker, inner, from_=write_time(read_time(max(times(found[-1]))) + 1), **attributes))
    return found


def facts(resps: Sequence[ET.Element]) -> list[tuple[str, str, int, str]]:
    """Return thing, property, value and time of all that was told, in order of time."""
    return sorted(
        (
            (node.get("id", ""), value.get("n", ""), int(value.get("v", "")), instant.get("v", ""))
            for resp in resps
            for node in resp.iterfind(f"{SD}nd")
            for instant in node.iterfind(f"{SD}ts")
            for value in instant
        ),
        key=lambda fact: (fact[3], fact[0]),
    )


def wanted(readings: Sequence[Reading], *things: str) -> list[tuple[str, str, int, str]]:
    chosen = (r for r in readings if r.thing in (things or ("meter", "gate")))
    found = [(r.thing, r.property.name, int(r.value), write_time(r.time)) for r in chosen]
    return sorted(found, key=lambda fact: (fact[3], fact[0]))


# ---- by time -------------------------------------------------------------------------------------------------------


async def test_history_comes_in_pages_oldest_first_complete_and_flagged(house: House) -> None:
    readings: list[Reading] = []
    for n in range(4000):
        at = START + 2 * n
        readings += (house.reading("meter", n, at), house.reading("gate", -n, at))
    await house.keeps(readings)
    found = await pages(house.alice, write_time(START), to=write_time(START + 10_000))
    assert len(found) >= 3
    assert facts(found) == wanted(readings)
    for page in found[:-1]:
        assert len(serialise(page)) > LIMIT / 2, "a page is well filled"
    for earlier, later in pairwise(found):
        assert max(times(earlier)) < min(times(later)), "no instant is split"
    assert {value.get("h") for page in found for value in page.iter(f"{SD}l")} == {"true"}
    assert {node.get("src") for page in found for node in page.iter(f"{SD}nd")} == {"agent"}
    inner = "<nd id='gate'/><f n='count'/>"
    some = await req(house.alice, inner, from_=write_time(START + 10), to=write_time(START + 20))
    assert facts([some]) == wanted([r for r in readings if START + 10 <= r.time <= START + 20], "gate")
    assert some.get("more") is None


async def test_who_sees_one_thing_gets_its_past_only_however_far_apart_it_lies(house: House) -> None:
    seen = [house.reading("gate", n, START + 3000 * n) for n in range(3)]
    rest = [house.reading("meter", n, START + n) for n in range(6000)]
    await house.keeps(sorted([*seen, *rest], key=lambda reading: reading.time))
    found = await pages(house.eve, write_time(START), to=write_time(START + 10_000))
    assert facts(found) == wanted(seen)
    assert len(found) == 1, "what is for others takes no page"
    assert {node.get("id") for node in found[0].iter(f"{SD}nd")} == {"gate"}
    with pytest.raises(Refused) as refused:
        await req(house.eve, "<nd id='meter'/>", h="true")
    assert refused.value.condition == "forbidden"


async def test_readings_of_a_thing_that_is_no_longer_configured_are_not_told(house: House) -> None:
    gone = Property(name="count", kind=Kind.INTEGER)
    kept = house.reading("meter", 1, START)
    await house.keeps([kept, Reading("old", gone, 1, START + 1), house.reading("gate", 2, START + 2)])
    found = await pages(house.alice, write_time(START), to=write_time(START + 1000))
    assert facts(found) == wanted([r for r in house.made if r.thing != "old"])
    resp = await req(house.alice, f"<batch xmlns='urn:jidget:1' from='1' to='{10**17}'/>")
    assert {node.get("id") for node in resp.iter(f"{SD}nd")} == {"meter", "gate"}


async def test_readings_from_before_the_clock_was_set_are_flagged(house: House) -> None:
    await house.keeps([house.reading("meter", 5, 12_345)])
    resp = await req(house.alice, to="2019-12-31T23:59:59Z")
    (value,) = resp.iter(f"{SD}l")
    assert value.attrib == {"n": "count", "v": "5", "h": "true", "of": "true"}
    assert times(resp) == ["1970-01-01T00:00:12.345Z"]


async def test_nothing_there_is_an_empty_answer(house: House) -> None:
    resp = await req(house.alice, from_="2001-01-01T00:00:00Z", to="2002-01-01T00:00:00Z")
    assert (len(resp), resp.get("more")) == (0, None)


# ---- by number -----------------------------------------------------------------------------------------------------


def marks(resp: ET.Element) -> list[tuple[str, int]]:
    found = [(mark.get("gen", ""), int(mark.get("from", ""))) for mark in resp.iterfind(BATCH)]
    assert all(mark.get("from") == mark.get("to") for mark in resp.iterfind(BATCH))
    return found


async def test_batches_are_repeated_as_they_were_published(house: House) -> None:
    readings = [house.reading("meter", n, START + n) for n in range(120)]
    await house.keeps(readings)
    store = house.agent.app.store
    extent = store.extent(store.gen)
    assert extent is not None
    last = extent[0]
    resp = await req(house.alice, f"<batch xmlns='urn:jidget:1' gen='{store.gen}' from='{last - 1}' to='{last}'/>")
    assert marks(resp) == [(store.gen, last - 1), (store.gen, last)]
    assert resp[-1].tag == GENERATION
    assert resp[-1].attrib == {"gen": store.gen, "last": str(last)}
    batches = store.batches(store.gen, last - 1, last, 9)
    assert facts([resp]) == wanted([reading for batch in batches for reading in batch.readings])
    assert [child.tag for child in resp] == [BATCH, f"{SD}nd", BATCH, f"{SD}nd", GENERATION]
    assert {value.get("h") for value in resp.iter(f"{SD}l")} == {"true" if batches[0].backlog else None}
    present = await req(house.alice, f"<batch xmlns='urn:jidget:1' from='{last}' to='{last}'/>")
    assert marks(present) == [(store.gen, last)]
    other = await req(house.alice, "<batch xmlns='urn:jidget:1' gen='ffffffff' from='1' to='9'/>")
    assert marks(other) == []
    assert [child.attrib for child in other] == [{"gen": store.gen, "last": str(last)}]


async def test_many_batches_come_in_pages_and_those_that_are_gone_have_no_mark(house: House) -> None:
    await house.keeps([house.reading("meter", n, START + n) for n in range(9000)])
    store = house.agent.app.store
    assert store._file is not None
    gone = store._file.readings.forget(500)
    assert gone >= 500
    left = list(store.batches(store.gen, 1, 10**17, 10_000))
    first, found = 1, []
    while True:
        resp = await req(house.alice, f"<batch xmlns='urn:jidget:1' from='{first}' to='{10**17}'/>")
        found.append(resp)
        if resp.get("more") is None:
            break
        first = marks(resp)[-1][1] + 1
    assert len(found) >= 3
    assert [mark for resp in found for mark in marks(resp)] == [(store.gen, batch.seq) for batch in left]
    assert facts(found) == wanted([reading for batch in left for reading in batch.readings])


async def test_a_batch_holds_for_each_what_they_may_read(house: House) -> None:
    await house.keeps([house.reading(thing, 9, START) for thing in ("meter", "gate")])
    store = house.agent.app.store
    extent = store.extent(store.gen)
    assert extent is not None
    ask = f"<batch xmlns='urn:jidget:1' from='1' to='{extent[0]}'/>"
    own, others = await req(house.eve, ask), await req(house.alice, ask)
    assert marks(own) == marks(others) == [(store.gen, seq) for seq in range(1, extent[0] + 1)]
    assert {node.get("id") for node in own.iter(f"{SD}nd")} == {"gate"}
    assert {node.get("id") for node in others.iter(f"{SD}nd")} == {"gate", "meter"}


async def test_earlier_generations_say_what_followed_them(house: House) -> None:
    store = house.agent.app.store
    gens = [store.gen]
    for n in range(2):
        await house.keeps([house.reading("meter", n, START + n)])
        store.renew()
        gens.append(store.gen)
    await house.keeps([house.reading("meter", 7, START + 7)])
    told = []
    for gen in gens:
        resp = await req(house.alice, f"<batch xmlns='urn:jidget:1' gen='{gen}' from='1' to='99'/>")
        told.append(resp[-1].attrib)
        assert len(marks(resp)) == int(resp[-1].get("last", ""))
    assert [one["gen"] for one in told] == gens
    assert [one.get("next") for one in told] == [gens[1], gens[2], None]


async def test_what_was_is_still_there_after_a_restart(server: XmppServer, account: Accounts, tmp_path: Path) -> None:
    async with home(server, account, tmp_path) as house:
        readings = [house.reading("meter", n, START + n) for n in range(100)]
        await house.keeps(readings)
        gen, file, alice = house.agent.app.store.gen, house.file, house.alice.account
        await house.agent.stop()
    async with running_app(file) as agent, asker(alice, agent) as owner:
        await agent.publishes()
        assert agent.app.store.gen == gen
        found = await pages(owner, write_time(START), to=write_time(START + 1000))
        assert facts(found) == wanted(readings)
