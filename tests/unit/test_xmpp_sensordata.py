"""Sensor data on request: what is asked, who may, and what fits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

import pytest
from tests.support.fakes import ALICE, EVE, STRANGER, Board, House, Line, relay, running, tank, thing
from tests.support.stanzas import Table, incoming, link, refuses

from jidget.things.host import Thing
from jidget.xmpp.payload import Field, read_fields
from jidget.xmpp.sensordata import LONGEST_ANSWER, Query, SensorData
from jidget.xmpp.xml import serialise
from jidget_drivers import DeviceUnavailable, Kind, Property, Scalar

SD = "{urn:nf:iot:sd:1.0}"


class Station:
    """Sensor data of a pump, a tank and a gate that only Eve's kind may read."""

    def __init__(self) -> None:
        self.pump, self.tank, self.gate = relay(), tank(), relay()
        self.things = [thing("pump", self.pump), thing("tank", self.tank, timeout=0.2), thing("gate", self.gate)]
        self.house = House(*self.things)
        self.table = Table()
        self.asked: list[Query] = []
        SensorData(link(), self.house.directory, self.house.access).attach(self.table)

    async def ask(self, inner: str = "", sender: str = f"{ALICE}/phone", **attributes: str) -> ET.Element:
        written = "".join(f" {name.rstrip('_')}='{value}'" for name, value in attributes.items())
        return await self.table.ask(incoming(f"<req xmlns='{SD[1:-1]}'{written}>{inner}</req>", sender, kind="get"))

    def remember(self) -> None:
        """Answer questions about the past with nothing, and keep what was asked."""

        async def past(query: Query) -> ET.Element:
            self.asked.append(query)
            return ET.Element(f"{SD}resp", {"id": query.id})

        SensorData(link(), self.house.directory, self.house.access, past=past).attach(self.table)


@asynccontextmanager
async def answering(*things: Thing) -> AsyncIterator[Callable[[str], Awaitable[ET.Element]]]:
    """Give a way to ask the owner's questions about these Things."""
    house, table = House(*things), Table()
    SensorData(link(), house.directory, house.access).attach(table)

    async def ask(inner: str) -> ET.Element:
        payload = f"<req xmlns='{SD[1:-1]}' id='1'>{inner}</req>"
        return await table.ask(incoming(payload, f"{ALICE}/phone", kind="get"))

    yield ask


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    made = Station()
    async with running(*made.things):
        yield made


def named(resp: ET.Element) -> dict[str, object]:
    return {f"{field.thing}.{field.property}": field.value for field in read_fields(resp)}


EVERYTHING = {"pump.state": False, "tank.level": 40.0, "tank.target": 20.0, "tank.mode": "eco", "gate.state": False}


@pytest.mark.parametrize("flags", [{}, {"m": "true"}, {"m": "1"}, {"all": "true"}, {"h": "false"}])
async def test_all_one_may_read_is_read_now(station: Station, flags: dict[str, str]) -> None:
    station.tank.held["level"] = 41.5
    resp = await station.ask(id="77", **flags)
    assert (resp.tag, resp.get("id"), resp.get("more")) == (f"{SD}resp", "77", None)
    assert named(resp) == EVERYTHING | {"tank.level": 41.5}
    assert {field.agent for field in read_fields(resp)} == {"agent"}
    assert [node.get("id") for node in resp] == ["pump", "tank", "gate"]


async def test_values_are_typed_and_have_units(station: Station) -> None:
    fields = {field.property: field for field in read_fields(await station.ask("<nd id='tank'/>", id="1"))}
    level = fields["level"]
    assert isinstance(level, Field)
    assert (level.value, level.unit) == (40.0, "%")
    assert (fields["target"].unit, fields["mode"].value) == ("Cel", "eco")


async def test_narrowed_to_things_and_properties(station: Station) -> None:
    assert named(await station.ask("<nd id='pump'/>", id="1")) == {"pump.state": False}
    both = await station.ask("<nd id='tank'/><nd id='pump'/><nd id='tank'/>", id="1")
    assert [node.get("id") for node in both] == ["tank", "pump"]
    levels = await station.ask("<nd id='tank'/><f n='level'/><f n='mode'/>", id="1")
    assert named(levels) == {"tank.level": 40.0, "tank.mode": "eco"}
    states = await station.ask("<f n='state'/>", id="1")
    assert named(states) == {"pump.state": False, "gate.state": False}


async def test_without_an_id_the_stanza_s_own_is_repeated(station: Station) -> None:
    assert (await station.ask()).get("id") == "1"


class Together(Board):
    """One of two boards that answer only when both are being read."""

    def __init__(self, barrier: asyncio.Barrier) -> None:
        super().__init__((Property(name="level"),), {"level": 1.0})
        self._barrier = barrier

    async def read(self) -> Mapping[str, Scalar]:
        await self._barrier.wait()
        return await super().read()


async def test_things_are_read_at_the_same_time() -> None:
    barrier = asyncio.Barrier(2)
    things = [thing("one", Together(barrier)), thing("two", Together(barrier))]
    async with answering(*things) as ask, running(*things):
        assert named(await ask("")) == {"one.level": 1.0, "two.level": 1.0}


async def test_a_thing_that_is_away_says_so(station: Station) -> None:
    station.tank.read_error = DeviceUnavailable("the cable is out")
    resp = await station.ask(id="1")
    assert named(resp) == {"pump.state": False, "gate.state": False}
    (error,) = resp.iterfind(f"{SD}nd[@id='tank']/{SD}ts/{SD}err")
    assert "tank is unavailable since" in (error.text or "")
    assert "the cable is out" in (error.text or "")


async def test_a_thing_that_hangs_says_so_and_keeps_nobody_waiting_for_ever(station: Station) -> None:
    station.tank.gate.clear()
    async with asyncio.timeout(10):
        resp = await station.ask("<nd id='tank'/><nd id='pump'/>", id="1")
    assert named(resp) == {"pump.state": False}
    assert resp.find(f".//{SD}err") is not None


async def test_a_thing_that_tells_by_itself_tells_what_it_told_last() -> None:
    line = Line((Property(name="state", kind=Kind.BOOLEAN),))
    door = thing("door", line)
    told = asyncio.Event()
    door.on_readings = lambda _: told.set()
    line.tell({"state": True})
    async with answering(door) as ask, running(door), asyncio.timeout(5):
        await told.wait()
        assert named(await ask("")) == {"door.state": True}


# ---- rights --------------------------------------------------------------------------------------------------------


async def test_only_what_one_may_read(station: Station) -> None:
    eve = f"{EVE}/phone"
    assert named(await station.ask(sender=eve, id="1")) == {"gate.state": False}
    assert station.pump.reads == 1  # at its start: a question that may not be asked reads no hardware
    with refuses("forbidden", says="you may not read pump"):
        await station.ask("<nd id='gate'/><nd id='pump'/>", eve, id="1")
    with refuses("item-not-found"):
        await station.ask("<f n='level'/>", eve, id="1")
    with refuses("forbidden"):
        await station.ask(sender=f"{STRANGER}/phone", id="1")


async def test_unknown_names_get_near_ones(station: Station) -> None:
    with refuses("item-not-found", says='there is no "pomp". Did you mean "pump"?'):
        await station.ask("<nd id='pomp'/>", id="1")
    with refuses("item-not-found", says='Did you mean "gate"?') as raised:
        await station.ask("<nd id='gat'/>", f"{EVE}/phone", id="1")
    assert "pump" not in raised.value.text
    with refuses("item-not-found", says='Did you mean "level"?'):
        await station.ask("<nd id='tank'/><f n='leval'/>", id="1")
    with refuses("item-not-found", says="There are: state"):
        await station.ask("<nd id='pump'/><f n='level'/>", id="1")


# ---- hostile and odd -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "attributes", "says"),
    [
        ("<nd/>", {}, "<nd/> lacks id"),
        ("<nd id=''/>", {}, "<nd/> lacks id"),
        ("<f/>", {}, "<f/> lacks n"),
        ("<nd xmlns='urn:other' id='pump'/>", {}, "<{urn:other}nd> is not expected here"),
        ("<x><x><x/></x></x>", {}, "not expected"),
        ("<batch from='1' to='2'/>", {}, "not expected"),
        ("<batch xmlns='urn:jidget:1'/>", {}, "<batch/> lacks from"),
        ("<batch xmlns='urn:jidget:1' from='1' to='x'/>", {}, "plain numbers"),
        ("<batch xmlns='urn:jidget:1' from='-1' to='2'/>", {}, "plain numbers"),
        ("<batch xmlns='urn:jidget:1' from='\u0661' to='\u0662'/>", {}, "plain numbers"),
        (f"<batch xmlns='urn:jidget:1' from='{'9' * 5000}'/>", {}, "plain numbers"),
        ("<batch xmlns='urn:jidget:1' from='3' to='2'/>", {}, "greater than to"),
        ("<batch xmlns='urn:jidget:1' from='1'/><batch xmlns='urn:jidget:1' from='2'/>", {}, "one <batch/>"),
        ("", {"h": "maybe"}, 'h is true or false, not "maybe"'),
        ("", {"from_": "yesterday"}, "from is a time such as"),
        ("", {"to": "9" * 300}, "to is a time such as"),
        ("", {"from_": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from is later than to"),
    ],
)
async def test_bad_requests_are_told_what_is_wrong(
    station: Station, inner: str, attributes: dict[str, str], says: str
) -> None:
    with refuses("bad-request", says=says) as raised:
        await station.ask(inner, id="1", **attributes)
    assert len(raised.value.text) < 300


async def test_very_many_names_and_a_very_long_one(station: Station) -> None:
    many = "".join(f"<nd id='pump'/><f n='state'/><f n='level'/><nd id='{name}'/>" for name in ["tank"] * 2000)
    assert set(named(await station.ask(many, id="1"))) == {"pump.state", "tank.level"}
    with refuses("item-not-found") as raised:
        await station.ask(f"<nd id='{'x' * 100_000}'/>", id="1")
    assert len(raised.value.text) < 300


async def test_an_answer_stays_below_what_servers_carry() -> None:
    texts = tuple(Property(name=f"text{n}", kind=Kind.STRING) for n in range(20))
    things = [thing(f"thing{n}", Board(texts, {p.name: "ü&" * 500 for p in texts})) for n in range(10)]
    async with answering(*things) as ask, running(*things):
        resp = await ask("")
        assert resp.get("more") == "true"
        assert 1 <= len(resp) < len(things)
        assert len(serialise(resp).encode()) < LONGEST_ANSWER + 1000
        rest = await ask(f"<nd id='thing{len(resp)}'/>")
        assert (len(rest), rest.get("more")) == (1, None)


async def test_one_thing_that_is_too_much_can_still_be_read_in_parts() -> None:
    texts = tuple(Property(name=f"text{n}", kind=Kind.STRING) for n in range(60))
    big = thing("big", Board(texts, {p.name: "&" * 1000 for p in texts}))
    async with answering(big) as ask, running(big):
        with refuses("not-acceptable", says="big is too much for one answer"):
            await ask("")
        assert named(await ask("<f n='text7'/>")) == {"big.text7": "&" * 1000}


# ---- the past ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "attributes"),
    [
        ("", {"h": "true"}),
        ("", {"from_": "2026-11-20T12:00:00Z"}),
        ("", {"to": "2026-11-20T12:00:00Z", "m": "true"}),
        ("<batch xmlns='urn:jidget:1' from='42' to='43'/>", {}),
    ],
)
async def test_the_past_is_refused_while_nothing_keeps_it(
    station: Station, inner: str, attributes: dict[str, str]
) -> None:
    with refuses("feature-not-implemented", says="keeps no history"):
        await station.ask(inner, id="1", **attributes)


async def test_readouts_are_not_scheduled(station: Station) -> None:
    with refuses("feature-not-implemented", says="ask later"):
        await station.ask(id="1", when="2027-01-01T00:00:00Z")


async def test_questions_about_the_past_are_checked_before_they_are_asked(station: Station) -> None:
    station.remember()
    eve = f"{EVE}/phone"
    await station.ask("<f n='state'/>", eve, id="7", from_="2026-11-20T12:00:00+01:00", to="2026-11-20T11:00:00.5Z")
    (query,) = station.asked
    assert [one.id for one in query.things] == ["gate"]
    assert query.properties == {"state"}
    assert (query.id, query.historical, query.batches) == ("7", True, None)
    assert query.since == 1_795_172_400_000
    assert query.until == query.since + 500
    await station.ask("<batch xmlns='urn:jidget:1' from='42' to='43'/>", eve, id="8")
    assert station.asked[1].batches == (42, 43)
    assert not station.asked[1].historical
    await station.ask("<batch xmlns='urn:jidget:1' from='42'/>", eve, id="9")
    assert station.asked[2].batches == (42, 42)
    assert [query.gen for query in station.asked] == ["", "", ""]
    await station.ask("<batch xmlns='urn:jidget:1' gen='0a1b2c3d' from='42'/>", eve, id="9")
    assert (station.asked[3].gen, station.asked[3].batches) == ("0a1b2c3d", (42, 42))
    with refuses("forbidden"):
        await station.ask("<nd id='pump'/>", eve, id="10", h="true")
    assert len(station.asked) == 4
