"""Control by programs: typed values, one Thing, all or nothing, and errors that say whether something moved."""

from collections.abc import AsyncIterator, Mapping
from xml.etree import ElementTree as ET

import pytest
from tests.support.fakes import ALICE, BOB, EVE, VERA, Board, House, relay, running, tank, thing
from tests.support.stanzas import Table, incoming, refuses

from jidget.things.rules import Rules
from jidget.xmpp.control import MOST_PARAMETERS, Control
from jidget_drivers import DeviceUnavailable, Kind, Property, Scalar

CTR = "{urn:nf:iot:ctr:1.0}"
DATA = "{jabber:x:data}"
REFUSED, FAILED, UNCONFIRMED = (f"{{urn:jidget:1}}{name}" for name in ("refused", "failed", "unconfirmed"))

KINDS = (
    Property(name="number", minimum=-10, maximum=1e6, writable=True),
    Property(name="count", kind=Kind.INTEGER, writable=True),
    Property(name="flag", kind=Kind.BOOLEAN, writable=True),
    Property(name="mode", kind=Kind.ENUM, options=("eco", "boost"), writable=True),
    Property(name="text", kind=Kind.STRING, writable=True),
    Property(name="sensed"),
)
HELD: dict[str, Scalar] = {"number": 0.0, "count": 0, "flag": False, "mode": "eco", "text": "", "sensed": 1.0}


class Room:
    """Control over a pump, a tank, and a board with a property of each kind."""

    def __init__(self, pump_rules: Mapping[str, Rules] | None = None) -> None:
        self.pump, self.tank, self.board = relay(), tank(), Board(KINDS, HELD)
        pump = thing("pump", self.pump, timeout=0.2, rules=pump_rules)
        self.things = [pump, thing("tank", self.tank), thing("board", self.board)]
        self.house = House(*self.things)
        self.table = Table()
        Control(self.house.commands).attach(self.table)
        self._ids = 0

    async def set(
        self, inner: str, sender: str = f"{ALICE}/phone", *, id: str = "", age: float | None = 0.0
    ) -> ET.Element:
        self._ids += 1
        payload = f"<set xmlns='{CTR[1:-1]}'>{inner}</set>"
        return await self.table.ask(incoming(payload, sender, id=id or f"auto{self._ids}", age=age))

    async def get_form(self, inner: str, sender: str = f"{ALICE}/phone") -> ET.Element:
        payload = f"<getForm xmlns='{CTR[1:-1]}'>{inner}</getForm>"
        return await self.table.ask(incoming(payload, sender, kind="get"))

    @property
    def moved(self) -> list[tuple[str, Scalar]]:
        return [*self.pump.written, *self.tank.written, *self.board.written]


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    made = Room()
    async with running(*made.things):
        yield made


def parameters(resp: ET.Element) -> list[str]:
    assert resp.tag == f"{CTR}resp"
    return [child.get("n", "") for child in resp.iterfind(f"{CTR}p")]


async def test_what_a_person_must_confirm_is_not_acceptable_and_told_how() -> None:
    room = Room({"state": Rules(safe=False, confirm=True)})
    async with running(*room.things):
        with refuses("not-acceptable", REFUSED, says="Say it in chat, or execute the form set/pump"):
            await room.set("<nd id='pump'/><b n='state' v='true'/>")
        assert room.moved == []
        await room.set("<nd id='pump'/><b n='state' v='false'/>")
        assert room.moved == [("state", False)]


# ---- setting -------------------------------------------------------------------------------------------------------


async def test_the_answer_lists_what_was_read_back(room: Room) -> None:
    resp = await room.set("<nd id='tank' src='agent'/><db n='target' v='21.5'/><e n='mode' v='boost' t='mode'/>")
    assert [child.get("id") for child in resp.iterfind(f"{CTR}nd")] == ["tank"]
    assert parameters(resp) == ["target", "mode"]
    assert room.tank.written == [("target", 21.5), ("mode", "boost")]


@pytest.mark.parametrize(
    ("parameter", "written"),
    [
        ("<b n='flag' v='true'/>", ("flag", True)),
        ("<b n='flag' v='1'/>", ("flag", True)),
        ("<i n='count' v='-2147483648'/>", ("count", -(2**31))),
        ("<l n='count' v='9007199254740993'/>", ("count", 2**53 + 1)),
        ("<db n='number' v='1e3'/>", ("number", 1000.0)),
        ("<db n='number' v='.5'/>", ("number", 0.5)),
        ("<i n='number' v='7'/>", ("number", 7)),
        ("<db n='count' v='7.0'/>", ("count", 7)),
        ("<e n='mode' v='boost' t='mode'/>", ("mode", "boost")),
        ("<e n='mode' v='boost'/>", ("mode", "boost")),
        ("<s n='text' v=' as it is: 1,5 °C '/>", ("text", " as it is: 1,5 °C ")),
        ("<s n='text' v=''/>", ("text", "")),
        ("<s n='number' v='21,5'/>", ("number", 21.5)),
        ("<cl n='text' v='00ff7F'/>", ("text", "00ff7F")),
        ("<d n='text' v='2026-11-20'/>", ("text", "2026-11-20")),
        ("<dt n='text' v='2026-11-20T12:00:00.5+01:00'/>", ("text", "2026-11-20T12:00:00.5+01:00")),
        ("<t n='text' v='12:00:00Z'/>", ("text", "12:00:00Z")),
        ("<dr n='text' v='P1DT2H'/>", ("text", "P1DT2H")),
    ],
)
async def test_every_type(room: Room, parameter: str, written: tuple[str, Scalar]) -> None:
    assert parameters(await room.set(f"<nd id='board'/>{parameter}")) == [written[0]]
    (seen,) = room.board.written
    assert seen == written
    assert type(seen[1]) is type(written[1])


async def test_a_form_may_be_partial(room: Room) -> None:
    x = (
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>any</value></field>"
        "<field var='number'/><field var='flag'><value>true</value></field>"
        "<field var='count'><value>12</value></field></x>"
    )
    assert parameters(await room.set(f"<nd id='board'/>{x}")) == ["flag", "count"]
    assert room.board.written == [("flag", True), ("count", 12)]


@pytest.mark.parametrize(
    ("inner", "condition", "says"),
    [
        ("<nd id='tank'/><db n='target' v='21'/><e n='mode' v='turbo' t='mode'/>", "bad-request", "eco, boost"),
        ("<nd id='tank'/><db n='target' v='99'/>", "bad-request", "5 to 30 °C"),
        (
            "<nd id='tank'/><db n='target' v='21'/><db n='level' v='1'/>",
            "not-acceptable",
            "tank.level can only be read",
        ),
        ("<nd id='tank'/><db n='target' v='21'/><db n='taget' v='1'/>", "item-not-found", 'Did you mean "target"?'),
        ("<nd id='tank'/>", "bad-request", "no value for tank"),
        ("<nd id='pump'/><i n='state' v='1'/>", "bad-request", "on or off"),
        ("<nd id='board'/><db n='count' v='1.5'/>", "bad-request", "whole number"),
        ("<nd id='board'/><db n='number' v='1e999'/>", "bad-request", "finite"),
        ("<nd id='board'/><b n='text' v='true'/>", "bad-request", "takes a text"),
        (f"<nd id='board'/><s n='text' v='{'x' * 100_000}'/>", "bad-request", "at most 1024"),
        ("<nd id='nowhere'/><b n='state' v='true'/>", "item-not-found", 'there is no "nowhere"'),
        (f"<nd id='{'x' * 100_000}'/><b n='state' v='true'/>", "item-not-found", "there is no"),
        (f"<nd id='pump'/><b n='{'x' * 100_000}' v='true'/>", "item-not-found", "pump has no property"),
    ],
)
async def test_nothing_moves_unless_everything_fits(room: Room, inner: str, condition: str, says: str) -> None:
    with refuses(condition, REFUSED, says) as raised:
        await room.set(inner)
    assert len(raised.value.text) < 400
    assert room.moved == []


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ("<b n='flag' v='TRUE'/>", 'flag: <b/> is true or false, not "TRUE"'),
        ("<b n='flag' v=''/>", "true or false"),
        ("<i n='count' v='2147483648'/>", "32 bits"),
        ("<i n='count' v='1.0'/>", "32 bits"),
        ("<i n='count' v='٣'/>", "32 bits"),
        ("<i n='count' v='1_000'/>", "32 bits"),
        ("<l n='count' v='9223372036854775808'/>", "64 bits"),
        (f"<l n='count' v='{'9' * 5000}'/>", "64 bits"),
        ("<db n='number' v='nan'/>", "<db/> is a number"),
        ("<db n='number' v='1,5'/>", "<db/> is a number"),
        ("<cl n='text' v='red'/>", "colour"),
        ("<d n='text' v='20.11.2026'/>", "date"),
        ("<dt n='text' v='2026-11-20'/>", "date and time"),
        ("<t n='text' v='noon'/>", "time of day"),
        ("<dr n='text' v='P'/>", "duration"),
        ("<dr n='text' v='P1DT'/>", "duration"),
        ("<dr n='text' v='5m'/>", "duration"),
        ("<b n='flag'/>", "<b/> needs n, the property, and v, its value"),
        ("<b v='true'/>", "<b/> needs n"),
        ("<b n='' v='true'/>", "<b/> needs n"),
        ("<b n='flag' v='true'/><s n='flag' v='off'/>", '"flag" is named twice'),
        ("<q n='number' v='1'/>", "not expected"),
        ("<b xmlns='urn:other' n='flag' v='true'/>", "<{urn:other}b> is not expected"),
        ("<set><nd id='board'/><b n='flag' v='true'/></set>", "not expected"),
        ("<b n='flag' v='true'/>" * (MOST_PARAMETERS + 1), f"at most {MOST_PARAMETERS}"),
        ("<b n='flag' v='true'/><x xmlns='jabber:x:data' type='submit'/>", "either a form or parameters"),
        ("<x xmlns='jabber:x:data' type='form'/>", 'type "submit"'),
        ("<x xmlns='jabber:x:data' type='submit'/><x xmlns='jabber:x:data' type='submit'/>", "several forms"),
        (
            "<x xmlns='jabber:x:data' type='submit'><field var='flag'><value>1</value><value>0</value></field></x>",
            "the field flag takes one value, not 2",
        ),
        (
            f"<x xmlns='jabber:x:data' type='submit'><field var='text'><value>{'x' * 90_000}</value></field></x>",
            "at most",
        ),
    ],
)
async def test_what_is_not_well_said_is_refused(room: Room, parameter: str, says: str) -> None:
    with refuses("bad-request", REFUSED, says) as raised:
        await room.set(f"<nd id='board'/>{parameter}")
    assert len(raised.value.text) < 400
    assert room.moved == []


async def test_however_deep_it_goes(room: Room) -> None:
    deep = f"<b n='state' v='true'>{'<x>' * 5000}{'</x>' * 5000}</b>"
    assert parameters(await room.set(f"<nd id='pump'/>{deep}")) == ["state"]
    with refuses("bad-request", REFUSED, "not expected"):
        await room.set(f"<nd id='pump'/>{'<x>' * 5000}{'</x>' * 5000}")


@pytest.mark.parametrize(
    "inner", ["", "<b n='state' v='true'/>", "<nd/><b n='state' v='true'/>", "<nd id='pump'/><nd id='tank'/>"]
)
async def test_exactly_one_thing_is_named(room: Room, inner: str) -> None:
    with refuses("bad-request", REFUSED, "exactly one Thing"):
        await room.set(inner)
    assert room.moved == []


async def test_a_property_named_twice_by_its_names_is_refused(room: Room) -> None:
    with refuses("bad-request", REFUSED, "named twice"):
        await room.set("<nd id='pump'/><b n='state' v='true'/><b n='State' v='false'/>")
    assert room.moved == []


# ---- what became of it ---------------------------------------------------------------------------------------------


async def test_rights_are_those_of_every_command(room: Room) -> None:
    assert parameters(await room.set("<nd id='pump'/><b n='state' v='true'/>", f"{BOB}/phone")) == ["state"]
    for sender, inner in (
        (VERA, "<nd id='pump'/><b n='state' v='false'/>"),
        (BOB, "<nd id='tank'/><db n='target' v='9'/>"),
    ):
        with refuses("forbidden", REFUSED, "you may not"):
            await room.set(inner, f"{sender}/phone")
    with refuses("item-not-found", REFUSED):
        await room.set("<nd id='pump'/><b n='state' v='false'/>", f"{EVE}/phone")
    assert room.moved == [("state", True)]


@pytest.mark.parametrize(("age", "says"), [(None, "age unknown"), (31.0, "ago")])
async def test_what_may_be_old_is_refused(room: Room, age: float | None, says: str) -> None:
    with refuses("unexpected-request", REFUSED, says):
        await room.set("<nd id='pump'/><b n='state' v='true'/>", age=age)
    assert room.moved == []


async def test_the_same_request_again_moves_nothing(room: Room) -> None:
    first = await room.set("<nd id='pump'/><b n='state' v='true'/>", id="same")
    again = await room.set("<nd id='pump'/><b n='state' v='true'/>", id="same")
    assert parameters(first) == parameters(again) == ["state"]
    assert room.moved == [("state", True)]
    await room.set("<nd id='pump'/><b n='state' v='false'/>", id="same")  # another content is another request
    assert room.moved == [("state", True), ("state", False)]


async def test_unconfirmed_is_an_error_that_says_so(room: Room) -> None:
    room.pump.deaf = True
    with refuses("remote-server-timeout", UNCONFIRMED, "pump.state: on sent, unconfirmed"):
        await room.set("<nd id='pump'/><b n='state' v='true'/>")
    assert room.moved == [("state", True)]


async def test_failed_is_an_error_that_says_so(room: Room) -> None:
    room.pump.write_error = OSError("it burnt down")
    with refuses("internal-server-error", FAILED, "FAILED: "):
        await room.set("<nd id='pump'/><b n='state' v='true'/>")
    room.pump.write_error = None
    room.pump.gate.clear()
    with refuses("remote-server-timeout", FAILED, "it may have moved"):
        await room.set("<nd id='pump'/><b n='state' v='true'/>")
    room.pump.gate.set()


async def test_a_thing_that_is_away_is_told_so(room: Room) -> None:
    room.pump.write_error = DeviceUnavailable("the cable is out")
    with refuses("recipient-unavailable", REFUSED, "pump is unavailable since"):
        await room.set("<nd id='pump'/><b n='state' v='true'/>")
    assert room.moved == []


# ---- the form ------------------------------------------------------------------------------------------------------


async def test_the_form_has_what_can_be_set_with_its_range(room: Room) -> None:
    x = await room.get_form("<nd id='tank'/>")
    assert (x.tag, x.get("type")) == (f"{DATA}x", "form")
    fields = {f.get("var"): f for f in x.iterfind(f"{DATA}field")}
    assert list(fields) == ["FORM_TYPE", "target", "mode"]
    limits = fields["target"].find("{http://jabber.org/protocol/xdata-validate}validate/*")
    assert limits is not None
    assert limits.attrib == {"min": "5", "max": "30"}
    assert fields["target"].findtext(f"{DATA}value") == "20.0"
    assert [o.findtext(f"{DATA}value") for o in fields["mode"].iterfind(f"{DATA}option")] == ["eco", "boost"]


async def test_the_form_sent_back_changes_what_was_changed(room: Room) -> None:
    x = await room.get_form("<nd id='tank'/>")
    x.set("type", "submit")
    target = next(f for f in x.iterfind(f"{DATA}field") if f.get("var") == "target")
    value = target.find(f"{DATA}value")
    assert value is not None
    value.text = "7.5"
    resp = await room.set("<nd id='tank'/>" + ET.tostring(x, encoding="unicode"))
    assert parameters(resp) == ["target", "mode"]
    assert room.tank.held == {"level": 40.0, "target": 7.5, "mode": "eco"}


@pytest.mark.parametrize(
    ("inner", "sender", "condition"),
    [
        ("<nd id='tank'/>", VERA, "forbidden"),
        ("<nd id='tank'/>", BOB, "forbidden"),
        ("<nd id='pump'/>", EVE, "item-not-found"),
        ("<nd id='nowhere'/>", ALICE, "item-not-found"),
        ("<nd id='a/b/c'/>", ALICE, "item-not-found"),
        (f"<nd id='{'x' * 100_000}'/>", ALICE, "item-not-found"),
    ],
)
async def test_no_form_for_what_one_may_not_set(room: Room, inner: str, sender: str, condition: str) -> None:
    with refuses(condition) as raised:
        await room.get_form(inner, f"{sender}/phone")
    assert len(raised.value.text) < 300


@pytest.mark.parametrize(
    "inner", ["", "<nd/>", "<nd id='pump'/><nd id='tank'/>", "<nd id='pump'/><b n='state' v='true'/>"]
)
async def test_a_form_is_asked_for_one_thing(room: Room, inner: str) -> None:
    with refuses("bad-request", REFUSED):
        await room.get_form(inner)
