"""Readings as sensor data: exact shapes, and read back whatever comes (DESIGN 4.3)."""

import random
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from jidget.reading import Reading
from jidget.xmpp.payload import (
    CLOCK_UNSET,
    Field,
    pack_nodes,
    read_fields,
    read_time,
    write_field,
    write_nodes,
    write_resp,
    write_time,
)
from jidget_drivers import Kind, Property, Scalar, Unit

NOON = 1_795_262_400_123

TEMPERATURE = Property(name="temperature", unit=Unit.CELSIUS)
RATIO = Property(name="ratio")
COUNT = Property(name="count", kind=Kind.INTEGER)
LOAD = Property(name="load", kind=Kind.INTEGER, unit=Unit.PERCENT)
STATE = Property(name="state", kind=Kind.BOOLEAN, writable=True)
MODE = Property(name="mode", kind=Kind.ENUM, options=("eco", "a&b"))
TEXT = Property(name="text", kind=Kind.STRING)


def reading(prop: Property, value: Scalar, time: int = NOON, thing: str = "greenhouse") -> Reading:
    return Reading(thing, prop, value, time)


@pytest.mark.parametrize(
    ("prop", "value", "written"),
    [
        (TEMPERATURE, 21.37, "<q n='temperature' v='21.37' u='°C'/>"),
        (TEMPERATURE, 21, "<q n='temperature' v='21' u='°C'/>"),
        (RATIO, 0.5, "<q n='ratio' v='0.5' u=''/>"),
        (COUNT, 7, "<l n='count' v='7'/>"),
        (LOAD, 7, "<q n='load' v='7' u='%'/>"),
        (STATE, True, "<b n='state' v='true'/>"),
        (STATE, False, "<b n='state' v='false'/>"),
        (MODE, "a&b", "<e n='mode' v='a&amp;b' t='mode'/>"),
        (TEXT, "<'\x00>", "<s n='text' v='&lt;&apos;\ufffd&gt;'/>"),
    ],
)
def test_each_kind_has_its_type(prop: Property, value: Scalar, written: str) -> None:
    assert write_field(reading(prop, value)) == written


def test_flags_are_left_out_unless_they_say_something() -> None:
    assert write_field(reading(STATE, True), historical=True) == "<b n='state' v='true' h='true'/>"
    assert write_field(reading(STATE, True), controls=True) == "<b n='state' v='true' ctr='true'/>"
    assert write_field(reading(COUNT, 1), controls=True) == "<l n='count' v='1'/>"
    assert write_field(reading(COUNT, 1, CLOCK_UNSET - 1)) == "<l n='count' v='1' of='true'/>"
    assert write_field(reading(COUNT, 1, CLOCK_UNSET)) == "<l n='count' v='1'/>"


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (NOON, "2026-11-21T12:00:00.123Z"),
        (NOON + 877, "2026-11-21T12:00:01.000Z"),
    ],
)
def test_times_are_utc_with_three_decimals(milliseconds: int, written: str) -> None:
    assert write_time(milliseconds) == written
    assert read_time(written) == milliseconds


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T12:00:00.123Z",
        "2026-11-21T13:00:00.123+01:00",
        "2026-11-21T12:00:00.123456Z",
        "2026-11-21T12:00:00.123",
    ],
)
def test_other_spellings_of_a_time(text: str) -> None:
    assert read_time(text) == NOON


@pytest.mark.parametrize("text", ["", "noon", "2026-13-01T00:00:00Z", "12:00:00"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_time(text)


def test_one_node_a_thing_one_instant_a_time() -> None:
    nodes = write_nodes(
        [
            reading(TEMPERATURE, 21.5),
            reading(STATE, True, thing="pump"),
            reading(COUNT, 1),
            reading(TEMPERATURE, 21.6, NOON + 1),
        ],
        "shed's",
    )
    assert nodes == [
        "<nd id='greenhouse' src='shed&apos;s'>"
        "<ts v='2026-11-21T12:00:00.123Z'><q n='temperature' v='21.5' u='°C'/><l n='count' v='1'/></ts>"
        "<ts v='2026-11-21T12:00:00.124Z'><q n='temperature' v='21.6' u='°C'/></ts></nd>",
        "<nd id='pump' src='shed&apos;s'><ts v='2026-11-21T12:00:00.123Z'><b n='state' v='true'/></ts></nd>",
    ]


def test_the_answer_around_them() -> None:
    assert write_resp("a'1", ["<nd id='x'/>"]) == "<resp xmlns='urn:nf:iot:sd:1.0' id='a&apos;1'><nd id='x'/></resp>"
    assert write_resp("1", [], more=True) == "<resp xmlns='urn:nf:iot:sd:1.0' id='1' more='true'></resp>"


def test_nodes_are_spread_over_items_by_size_and_none_is_lost() -> None:
    nodes = ["ü" * n for n in (5, 10, 3, 3, 30, 1)]
    packed = pack_nodes(nodes, 20)
    assert [node for item in packed for node in item] == nodes
    assert [[len(node) for node in item] for item in packed] == [[5], [10], [3, 3], [30], [1]]
    assert pack_nodes(["x" * 50], 20) == [["x" * 50]]
    assert pack_nodes([]) == [[]]


def test_what_was_written_is_read_back() -> None:
    values: list[tuple[Property, Scalar]] = [
        (TEMPERATURE, -0.125),
        (RATIO, 1e-9),
        (COUNT, 2**62),
        (LOAD, 3),
        (STATE, True),
        (MODE, "a&b"),
        (TEXT, "grüße <'\">"),
    ]
    readings = [reading(prop, value, NOON + n) for n, (prop, value) in enumerate(values)]
    resp = ET.fromstring(write_resp("1", write_nodes(readings, "agent", historical=True)))
    seen = list(read_fields(resp))
    units = ["Cel", "", "", "%", "", "", ""]
    assert seen == [
        Field(
            thing="greenhouse",
            agent="agent",
            property=r.property.name,
            value=r.value,
            unit=unit,
            time=r.time,
            flags=("h",),
        )
        for r, unit in zip(readings, units, strict=True)
    ]
    assert isinstance(seen[2].value, int)


@pytest.mark.parametrize(
    "inner",
    [
        "<ts v='2026-11-21T12:00:00Z'><b n='x' v='true'/></ts>",  # not in a node
        "<nd id='t'><ts v='noon'><b n='x' v='true'/></ts></nd>",
        "<nd id='t'><ts><b n='x' v='true'/></ts></nd>",
        "<nd id='t'><ts v='2026-11-21T12:00:00Z'><b n='x' v='maybe'/></ts></nd>",
        "<nd id='t'><ts v='2026-11-21T12:00:00Z'><b v='true'/><b n='x'/></ts></nd>",
        "<nd id='t'><ts v='2026-11-21T12:00:00Z'><q n='x' v='warm'/></ts></nd>",
        "<nd id='t'><ts v='2026-11-21T12:00:00Z'><zz n='x' v='1'/><err>it is away</err></ts></nd>",
        "<nd id='t'><ts v='2026-11-21T12:00:00Z'><b xmlns='urn:other' n='x' v='true'/></ts></nd>",
        "<nd id='t'><ts v='2026-11-21T12:00:00Z'><i n='x' v='1.5'/></ts></nd>",
    ],
)
def test_what_is_no_sensor_data_is_left_out(inner: str) -> None:
    good = "<nd id='good' src='s'><ts v='2026-11-21T12:00:00.123Z'><i n='x' v='7' u='W' m='1' zz='true'/></ts></nd>"
    resp = ET.fromstring(f"<resp xmlns='urn:nf:iot:sd:1.0' id='1'>{inner}{good}</resp>")
    expected = Field(thing="good", agent="s", property="x", value=7, unit="W", time=NOON, flags=("m",))
    assert list(read_fields(resp)) == [expected]


def test_an_unknown_unit_is_kept_as_it_is_written() -> None:
    field = "<q n='x' v='1' u='furlong'/>"
    resp = ET.fromstring(
        f"<resp xmlns='urn:nf:iot:sd:1.0' id='1'><nd id='t'><ts v='2026-11-21T12:00:00Z'>{field}</ts></nd></resp>"
    )
    assert [seen.unit for seen in read_fields(resp)] == ["furlong"]


def test_any_text_makes_well_formed_xml() -> None:
    rng = random.Random(7)
    for _ in range(200):
        text = "".join(chr(rng.choice((rng.randrange(0x20), rng.randrange(0x3000), 0xD800, 0xFFFF))) for _ in range(20))
        resp = write_resp(text, write_nodes([replace(reading(TEXT, text), thing="t")], text))
        assert len(list(read_fields(ET.fromstring(resp)))) == 1
