"""Register maps of the Modbus driver: what is refused, what a register means, what is asked for together."""

import math
import struct
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from jidget_drivers import InvalidReading, Kind, Property, Scalar, Unit, WriteRefused
from jidget_drivers.modbus import Modbus
from jidget_drivers.modbus_options import ModbusOptions
from jidget_drivers.modbus_register import Register
from jidget_drivers.modbus_values import blocks_of, decode, encode


def options(registers: dict[str, Any], **more: Any) -> ModbusOptions:
    where = {} if "device" in more or "host" in more else {"host": "meter"}
    return ModbusOptions.model_validate({**where, "registers": registers, **more})


def register(**settings: Any) -> Register:
    return Register.model_validate({"address": 0} | settings)


def declared(**settings: Any) -> Property:
    return register(**settings).declared("x")


def words(kind: str, value: float) -> list[int]:
    """Return the registers of a number as most devices send them, made by other means than the driver's."""
    data = struct.pack(f">{kind}", value)
    return [data[at] << 8 | data[at + 1] for at in range(0, len(data), 2)]


# ---- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ({"address": 10, "type": "f32"}, {"address": 11}, "overlap: holding 10-11 is a f32 for the one, 11 a u16"),
        ({"address": 11}, {"address": 10, "type": "f32"}, "overlap: holding 11 is a u16 for the one, 10-11 a f32"),
        ({"address": 10, "type": "u16"}, {"address": 10, "type": "i16"}, "overlap"),
        ({"address": 10, "type": "u32"}, {"address": 11, "type": "u32"}, "overlap"),
        ({"address": 10, "type": "u32"}, {"address": 11, "bit": 0}, "overlap"),
        ({"address": 10}, {"address": 10}, "are the same u16 at holding 10"),
        ({"address": 10, "bit": 3}, {"address": 10, "bit": 3}, "are the same bit 3 of holding 10"),
        ({"address": 5, "table": "coil"}, {"reference": "00006"}, "are the same bool at coil 5"),
        ({"address": 0, "type": "string", "length": 8}, {"address": 7}, "overlap"),
        ({"address": 0, "type": "string", "length": 1}, {"address": 0, "bit": 1}, "overlap"),
    ],
)
def test_two_properties_that_cannot_both_be_right_are_named(
    first: dict[str, Any], second: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        options({"power": first, "energy": second})
    assert "power and energy " + says in str(refused.value)


@pytest.mark.parametrize(
    "registers",
    [
        {"a": {"address": 10, "bit": 0}, "b": {"address": 10, "bit": 15}, "all": {"address": 10}},
        {"a": {"address": 10, "type": "f32"}, "b": {"address": 12}},
        {"a": {"address": 10, "table": "input"}, "b": {"address": 10, "table": "holding"}},
        {"a": {"address": 65535}, "b": {"address": 65534}},
    ],
)
def test_different_bits_neighbours_and_other_tables_do_not_clash(registers: dict[str, Any]) -> None:
    assert set(options(registers).registers) == set(registers)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "either address, counted from 0, or reference"),
        ({"address": 1, "reference": 40002}, "either address, counted from 0, or reference"),
        ({"address": 40001.5}, "valid integer"),
        ({"address": 65536}, "less than or equal to 65535"),
        ({"address": 65535, "type": "u32"}, "go beyond address 65535"),
        ({"reference": 40001, "table": "input"}, "reference 40001 is in the table holding, not input"),
        ({"reference": 50001}, "reference 50001 is none"),
        ({"reference": 40000}, "reference 40000 is none"),
        ({"reference": 1}, "reference 1 is none"),
        ({"reference": 465537}, "reference 465537 is none"),
        ({"address": 0, "table": "coil", "type": "u16"}, "holds single bits"),
        ({"address": 0, "table": "coil", "bit": 2}, "holds single bits"),
        ({"address": 0, "bit": 16}, "less than or equal to 15"),
        ({"address": 0, "bit": 1, "type": "u16"}, 'a single bit is a "bool"'),
        ({"address": 0, "type": "string"}, "needs length"),
        ({"address": 0, "length": 2}, "needs length"),
        ({"address": 0, "table": "input", "writable": True}, "nothing in the table input can be set"),
        ({"address": 0, "scale": 0}, "scale 0"),
        ({"address": 0, "min": 5, "max": 1}, "min 5 is above max 1"),
        ({"address": 0, "type": "bool", "unit": "V"}, "has no scale, offset, unit"),
        ({"address": 0, "type": "f32", "options": {"a": 1}}, "options name whole numbers"),
        ({"address": 0, "options": {"a": 70000}}, "option a = 70000 does not fit into a u16"),
        ({"address": 0, "options": {"a": 1, "b": 1}}, "two options name the same number"),
        ({"address": 0, "unit": "parsec"}, "is no unit"),
        ({"address": 0, "typ": "u16"}, "Extra inputs"),
    ],
)
def test_a_register_that_makes_no_sense_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        options({"x": settings})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"host": "a", "device": "/dev/ttyUSB0"}, "either host, for Modbus TCP, or device"),
        ({"host": "a", "baudrate": 9600}, "baudrate: not with host"),
        ({"device": "/dev/ttyUSB0", "port": 502}, "port: not with device"),
        ({"device": "/dev/ttyUSB0", "unit_id": 0}, "unit_id 0: on a serial line it is 1 to 247"),
        ({"unit_id": 256}, "less than or equal to 255"),
        ({"max_registers": 1}, "x has 2 registers, more than max_registers = 1"),
        ({"max_registers": 126}, "less than or equal to 125"),
        ({"registers": {"Bad name": {"address": 0}}}, "property name 'Bad name'"),
        ({"registers": {}}, "at least 1 item"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        options(**{"registers": {"x": {"address": 0, "type": "u32"}}, **more})


# ---- what a register means ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "where"),
    [
        (40001, ("holding", 0)),
        ("40001", ("holding", 0)),
        (465536, ("holding", 65535)),
        (30073, ("input", 72)),
        ("00001", ("coil", 0)),
        ("000017", ("coil", 16)),
        (10008, ("discrete", 7)),
    ],
)
def test_a_reference_is_what_manuals_print(reference: int | str, where: tuple[str, int]) -> None:
    assert Register(reference=reference).where == where


@pytest.mark.parametrize(
    ("settings", "raw", "value"),
    [
        ({}, [65535], 65535),
        ({"type": "i16"}, words("h", -2), -2),
        ({"type": "u32"}, words("I", 4_000_000_000), 4_000_000_000),
        ({"type": "i32"}, words("i", -70_000), -70_000),
        ({"type": "u64"}, words("Q", 2**63 - 1), 2**63 - 1),
        ({"type": "i64"}, words("q", -(2**63)), -(2**63)),
        ({"type": "f32"}, words("f", 21.3), 21.3),
        ({"type": "f32"}, words("f", 3.4028234663852886e38), 3.4028235e38),
        ({"type": "f64"}, words("d", 0.1), 0.1),
        ({"type": "u32", "word_order": "little"}, words("I", 70_000)[::-1], 70_000),
        ({"type": "u64", "word_order": "little"}, words("Q", 2**40 + 5)[::-1], 2**40 + 5),
        ({"byte_order": "little"}, [0x3412], 0x1234),
        ({"type": "f32", "byte_order": "little", "word_order": "little"}, [0x0000, 0xAC41], 21.5),
        ({"scale": 0.1}, [3], 0.3),
        ({"scale": 0.1, "type": "i16", "offset": -40}, words("h", -1), -40.1),
        ({"type": "bool"}, [0xFF00], True),
        ({"type": "bool"}, [0], False),
        ({"bit": 15}, [0x8000], True),
        ({"bit": 0}, [0xFFFE], False),
        ({"table": "coil"}, [True], True),
        ({"type": "string", "length": 4}, [0x4142, 0x4320, 0x0000, 0xFFFF], "ABC"),
        ({"type": "string", "length": 2, "byte_order": "little"}, [0x4241, 0x4443], "ABCD"),
        ({"options": {"off": 0, "heat": 7}}, [7], "heat"),
    ],
)
def test_registers_are_read_and_written_by_their_type(settings: dict[str, Any], raw: list[int], value: Scalar) -> None:
    spec = register(**settings)
    assert spec.size == len(raw)
    found = decode("x", spec, raw)
    assert (found, type(found)) == (value, type(value))
    if settings.get("bit") is None and spec.type != "string" and raw != [0xFF00]:
        assert encode("x", spec, value) == [int(word) for word in raw]


@pytest.mark.parametrize(
    ("settings", "raw", "says"),
    [
        ({"type": "f32"}, words("f", math.nan), "x: its registers say nan: the device has no value"),
        ({"type": "f64", "scale": 2}, words("d", math.inf), "say inf"),
        ({"type": "string", "length": 1}, [0xFFFE], "x: its registers hold no text: ff fe"),
        ({"options": {"off": 0, "heat": 7}}, [3], r"has 3, which is none of 0 \(off\), 7 \(heat\)"),
    ],
)
def test_what_is_no_value_is_no_reading(settings: dict[str, Any], raw: list[int], says: str) -> None:
    with pytest.raises(InvalidReading, match=says):
        decode("x", register(**settings), raw)


@pytest.mark.parametrize(
    ("settings", "value", "says"),
    [
        ({"scale": 0.1}, 6553.6, "6553.6 does not fit into its u16 register, which takes 0 to 6553.5"),
        ({"scale": 0.1}, -0.1, "which takes 0 to 6553.5"),
        ({"type": "i16"}, 32768, "which takes -32768 to 32767"),
        ({"type": "f32"}, 1e39, "does not fit into its f32 register$"),
        ({"type": "f32"}, math.nan, "takes a number, not nan"),
        ({"type": "string", "length": 2}, "ABCDE", "at most 4 characters"),
        ({"type": "string", "length": 2}, "ü", "plain ASCII"),
        ({"options": {"off": 0}}, "on", "takes one of off, not 'on'"),
    ],
)
def test_what_a_register_cannot_hold_is_refused(settings: dict[str, Any], value: Scalar, says: str) -> None:
    with pytest.raises(WriteRefused, match=says):
        encode("x", register(**settings), value)


def test_a_property_shows_what_the_register_can_hold() -> None:
    limit = declared(scale=0.1, unit="A", writable=True, max=63)
    assert (limit.kind, limit.unit, limit.minimum, limit.maximum) == (Kind.NUMBER, Unit.AMPERE, 0, 63)
    assert limit.precision == 1
    reversed_scale = declared(type="i16", scale=-0.5, writable=True)
    assert (reversed_scale.minimum, reversed_scale.maximum) == (-16383.5, 16384)
    assert declared(type="f32", precision=2).precision == 2
    assert (declared().kind, declared().minimum) == (Kind.INTEGER, None)
    assert declared(bit=1).kind is Kind.BOOLEAN
    assert declared(options={"off": 0, "on": 1}).options == ("off", "on")


# ---- what is asked for together -----------------------------------------------------------------------------------


def asked(registers: Mapping[str, Mapping[str, object]], **limits: int) -> list[tuple[str, int, int, tuple[str, ...]]]:
    specs = {name: Register.model_validate(settings) for name, settings in registers.items()}
    blocks = blocks_of(specs, **{"most_registers": 125, "most_bits": 2000, "max_gap": 0, **limits})
    return [(b.table.value, b.addresses.start, len(b.addresses), b.names) for b in blocks]


def test_neighbours_are_read_with_one_request_in_whatever_order_they_are_written() -> None:
    registers: dict[str, dict[str, object]] = {
        "c": {"address": 3},
        "a": {"address": 0, "type": "f32"},
        "b": {"address": 2},
        "far": {"address": 5},
    }
    assert asked(registers) == [("holding", 0, 4, ("a", "b", "c")), ("holding", 5, 1, ("far",))]
    assert asked(registers, max_gap=1) == [("holding", 0, 6, ("a", "b", "c", "far"))]


def test_each_table_has_requests_of_its_own_and_bits_of_a_register_share_one() -> None:
    registers: dict[str, dict[str, object]] = {
        "i": {"address": 1, "table": "input"},
        "h": {"address": 0},
        "x": {"address": 1, "bit": 0},
        "y": {"address": 1, "bit": 9},
        "z": {"address": 2},
    }
    assert asked(registers) == [("holding", 0, 3, ("h", "x", "y", "z")), ("input", 1, 1, ("i",))]


def test_no_request_is_larger_than_the_limit_and_no_value_is_split() -> None:
    registers = {f"r{n}": {"address": 2 * n, "type": "f32"} for n in range(100)}
    sizes = [size for _, _, size, _ in asked(registers)]
    assert (sizes, sum(sizes)) == ([124, 76], 200)
    assert {size for _, _, size, _ in asked(registers, most_registers=3)} == {2}
    coils = {f"c{n}": {"address": n, "table": "coil"} for n in range(2001)}
    assert [size for _, _, size, _ in asked(coils)] == [2000, 1]


def test_the_map_says_what_the_driver_shows() -> None:
    driver = Modbus(options({"volts": {"address": 0, "unit": "V"}, "relay": {"address": 0, "table": "coil"}}))
    assert [(prop.name, prop.kind) for prop in driver.properties] == [
        ("volts", Kind.INTEGER),
        ("relay", Kind.BOOLEAN),
    ]
