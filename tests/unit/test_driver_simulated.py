"""The simulated driver: options, waveforms, writing, what survives, what is recorded."""

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError, validate_call

from jidget_drivers import DeviceUnavailable, Kind, Property, Scalar, Unit, WriteRefused
from jidget_drivers.simulated import Simulated
from jidget_drivers.simulated_options import SimulatedOptions
from jidget_drivers.testing import check_driver

NOON = datetime(2026, 11, 26, 12, 0, 0, 7_000, tzinfo=UTC)


class Clock:
    """Time that goes when told."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def build(properties: Mapping[str, Any], **options: Any) -> tuple[Simulated, Clock]:
    clock = Clock()
    settings = SimulatedOptions.model_validate({"properties": properties, **options})
    return Simulated(settings, clock=clock, now=lambda: NOON), clock


def names_in(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]


async def values_over_time(prop: Mapping[str, Any], times: tuple[float, ...]) -> list[Scalar]:
    driver, clock = build({"x": prop})
    async with driver:
        start = clock.time
        values = []
        for time in times:
            clock.time = start + time
            values.append((await driver.read())["x"])
    return values


QUARTERS = (0.0, 10.0, 20.0, 30.0, 40.0)


@pytest.mark.parametrize(
    ("prop", "expected"),
    [
        ({"period": "40s", "low": 0, "high": 10}, [5, 10, 5, 0, 5]),
        ({"waveform": "square", "period": "40s", "low": 2, "high": 3}, [2, 2, 3, 3, 2]),
        ({"waveform": "ramp", "period": "40s", "low": 0, "high": 8}, [0, 2, 4, 6, 0]),
        ({"waveform": "ramp", "period": "40s", "min": 10, "max": 18}, [10, 12, 14, 16, 10]),
        ({"type": "integer", "waveform": "counter"}, [0, 1, 2, 3, 4]),
        ({"waveform": "counter", "low": 7, "min": 0}, [7, 8, 9, 10, 11]),
        ({"type": "boolean", "period": "40s"}, [False, False, True, True, False]),
        ({"type": "enum", "options": ["a", "b", "c", "d"], "period": "40s"}, ["a", "b", "c", "d", "a"]),
        ({"type": "string", "options": ["wet", "dry"], "period": "40s"}, ["wet", "wet", "dry", "dry", "wet"]),
        ({"type": "string", "initial": "1.0.7"}, ["1.0.7"] * 5),
    ],
)
async def test_waveforms(prop: Mapping[str, Any], expected: list[Scalar]) -> None:
    assert await values_over_time(prop, QUARTERS) == expected


async def test_an_integer_stays_one_on_any_waveform() -> None:
    values = await values_over_time({"type": "integer", "low": 0, "high": 9, "period": "7s"}, tuple(range(20)))
    assert all(type(value) is int for value in values)
    assert {0, 9} <= set(values)


async def test_a_walk_stays_between_its_ends_moves_and_is_the_same_each_time() -> None:
    walk = {"waveform": "walk", "low": -1, "high": 1}
    times = tuple(float(n) for n in range(2000))
    values = await values_over_time(walk, times)
    assert all(isinstance(value, float) and -1 <= value <= 1 for value in values)
    assert len(set(values)) > 100
    assert values == await values_over_time(walk, times)
    assert values != await values_over_time({**walk, "seed": 2}, times)


async def test_a_number_that_moves_is_rounded_to_its_precision() -> None:
    assert await values_over_time({"low": 0, "high": 1, "period": "7s"}, (1.0,)) == [0.89]
    assert await values_over_time({"low": 0, "high": 1, "period": "7s", "precision": 4}, (1.0,)) == [0.8909]


async def test_a_counter_goes_on_after_opening_again() -> None:
    driver, _ = build({"n": {"type": "integer", "waveform": "counter"}})
    seen = []
    for _ in range(3):
        async with driver:
            seen += [(await driver.read())["n"], (await driver.read())["n"]]
    assert seen == [0, 1, 2, 3, 4, 5]


def test_it_declares_what_the_options_say() -> None:
    driver, _ = build(
        {
            "target": {"unit": "°C", "writable": True, "min": 5, "max": 35, "label": "Target"},
            "mode": {"type": "enum", "options": ["eco", "boost"], "writable": True},
        }
    )
    assert driver.properties == (
        Property(name="target", unit=Unit.CELSIUS, writable=True, minimum=5, maximum=35, label="Target"),
        Property(name="mode", kind=Kind.ENUM, options=("eco", "boost"), writable=True),
    )


async def test_without_options_it_is_a_thermometer() -> None:
    async with Simulated(SimulatedOptions()) as driver:
        assert await driver.read() == {"temperature": 20.0}


@pytest.mark.parametrize(
    ("prop", "complaint"),
    [
        ({"type": "enum"}, "an enum needs options"),
        ({"type": "boolean", "options": ["a"]}, "options are for an enum"),
        ({"type": "boolean", "unit": "V"}, "has no unit"),
        ({"type": "boolean", "waveform": "sine"}, "cannot follow a sine"),
        ({"type": "boolean", "min": 1}, "no min, max"),
        ({"writable": True, "waveform": "sine"}, "leave out waveform"),
        ({"min": 2, "max": 1}, "is above maximum"),
        ({"low": 2, "high": 1}, r"low \(2\) is above high \(1\)"),
        ({"max": 10, "high": 11}, "above the maximum"),
        ({"writable": True, "min": 5, "initial": 4}, "below the minimum"),
        ({"writable": True, "initial": "warm"}, "not a number"),
        ({"type": "integer", "writable": True, "initial": 1.5}, "not an int"),
        ({"type": "boolean", "writable": True, "initial": 1}, "not a bool"),
        ({"initial": 4}, "start the waveform with low"),
        ({"unit": "Celcius"}, "is no unit"),
        ({"period": "0s"}, "greater than 0"),
        ({"wave": "sine"}, "Extra inputs"),
        ({"type": "color"}, "'number', 'integer'"),
    ],
)
def test_options_that_make_no_sense_are_refused(prop: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as caught:
        SimulatedOptions.model_validate({"properties": {"x": prop}})
    assert caught.value.errors()[0]["loc"][:2] == ("properties", "x")


@pytest.mark.parametrize(("properties", "complaint"), [({}, "at least 1"), ({"Not A Slug": {}}, "must match")])
def test_properties_need_names(properties: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        SimulatedOptions.model_validate({"properties": properties})


WRITABLE: dict[str, Any] = {
    "pump": {"type": "boolean", "writable": True},
    "target": {"writable": True, "min": 5, "max": 35},
    "speed": {"type": "integer", "writable": True, "initial": 3},
    "mode": {"type": "enum", "options": ["eco", "boost"], "writable": True},
    "note": {"type": "string", "writable": True},
}
FIRST = {"pump": False, "target": 5.0, "speed": 3, "mode": "eco", "note": ""}
NEW: dict[str, Scalar] = {"pump": True, "target": 21.5, "speed": 9, "mode": "boost", "note": 'it\'s "dry"\nnow'}


async def test_writable_properties_hold_what_was_written() -> None:
    driver, _ = build(WRITABLE)
    async with driver:
        assert await driver.read() == FIRST
        for name, value in NEW.items():
            await driver.write(name, value)
        assert await driver.read() == NEW


async def test_only_writable_properties_can_be_written() -> None:
    driver, _ = build({"temperature": {}})
    async with driver:
        with pytest.raises(WriteRefused, match="temperature"):
            await driver.write("temperature", 1.0)


async def test_written_values_outlive_the_driver_in_the_state_file(tmp_path: Path) -> None:
    state_file = tmp_path / "relays.json"
    driver, _ = build(WRITABLE, state_file=str(state_file))
    async with driver:
        for name, value in NEW.items():
            await driver.write(name, value)
        assert json.loads(state_file.read_text()) == NEW  # before any orderly end
    reborn, _ = build(WRITABLE, state_file=str(state_file))
    async with reborn:
        assert await reborn.read() == NEW
    assert names_in(tmp_path) == ["relays.json"]


async def test_values_of_properties_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    state_file = tmp_path / "relays.json"
    state_file.write_text('{"heater": true, "pump": true}')
    driver, _ = build({"pump": WRITABLE["pump"]}, state_file=str(state_file))
    async with driver:
        assert await driver.read() == {"pump": True}


@pytest.mark.parametrize("content", ["", "[1]", '{"pump": "maybe"}', "\xff"])
async def test_a_broken_state_file_is_said_to_be_one(tmp_path: Path, content: str) -> None:
    state_file = tmp_path / "relays.json"
    state_file.write_bytes(content.encode("latin-1"))
    driver, _ = build(WRITABLE, state_file=str(state_file))
    with pytest.raises(DeviceUnavailable, match=re.escape(f"{state_file}")) as caught:
        await driver.__aenter__()
    assert "Delete it" in str(caught.value)


@pytest.mark.parametrize("option", ["state_file", "record"])
async def test_a_file_that_cannot_be_written_is_an_error_of_the_device(tmp_path: Path, option: str) -> None:
    driver, _ = build(WRITABLE, **{option: str(tmp_path / "missing" / "file")})
    async with driver:
        with pytest.raises(DeviceUnavailable, match=f"{option} .*cannot be written"):
            await driver.write("pump", True)


async def test_the_record_has_a_line_for_each_write_and_action(tmp_path: Path) -> None:
    record = tmp_path / "record"
    record.write_text("earlier\n")
    driver, _ = build({**WRITABLE, "air": {}}, record=str(record))
    async with driver:
        await driver.write("pump", True)
        await driver.write("note", 'a "b"\nü')
        await driver.calibrate(offset=0.5)
        assert record.read_text("utf-8").splitlines() == [
            "earlier",
            "2026-11-26T12:00:00.007Z pump true",
            '2026-11-26T12:00:00.007Z note "a \\"b\\"\\nü"',
            "2026-11-26T12:00:00.007Z calibrate() 0.5",
        ]


async def test_the_record_is_stamped_by_the_wall_clock_in_utc(tmp_path: Path) -> None:
    record = tmp_path / "record"
    options = SimulatedOptions.model_validate({"properties": WRITABLE, "record": str(record)})
    async with Simulated(options) as driver:
        before = datetime.now(UTC)
        await driver.write("pump", True)
    stamp = record.read_text().split()[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    assert abs((datetime.fromisoformat(stamp) - before).total_seconds()) < 5


async def test_calibration_shifts_moving_numbers_within_their_limits() -> None:
    driver, _ = build(
        {
            "air": {"low": 10, "high": 20, "max": 21},
            "target": {"writable": True, "initial": 15},
            "n": {"waveform": "counter"},
        }
    )
    async with driver:
        await driver.calibrate(offset=0.25)
        assert await driver.read() == {"air": 15.25, "target": 15, "n": 0}
        await driver.calibrate(offset=10)
        assert (await driver.read())["air"] == 21


async def test_calibration_is_checked_by_its_own_signature() -> None:
    driver, _ = build({"air": {}})
    calibrate = validate_call(driver.actions()["calibrate"].method)
    async with driver:
        await calibrate(offset="1.5")
        with pytest.raises(ValidationError, match="less than or equal to 10"):
            await calibrate(offset=11)


def test_calibration_is_offered_only_where_there_is_something_to_calibrate() -> None:
    assert "calibrate" not in build({"pump": WRITABLE["pump"]})[0].actions()


async def test_a_write_that_is_given_up_after_it_began_happens_whole(tmp_path: Path) -> None:
    state, record = tmp_path / "state", tmp_path / "record"
    driver, _ = build({"pump": WRITABLE["pump"]}, state_file=str(state), record=str(record))
    async with driver:
        write = asyncio.ensure_future(driver.write("pump", True))
        await asyncio.sleep(0)  # it has begun
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
        async with asyncio.timeout(5):
            # The last thing the driver's thread does; it tells nobody, as it was given up.
            while not record.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert json.loads(state.read_text()) == {"pump": True}
        assert await driver.read() == {"pump": True}


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    check_driver(Simulated)
    check_driver(Simulated, {"properties": {**WRITABLE, "n": {}}, "state_file": str(tmp_path / "s")}, writes=NEW)
