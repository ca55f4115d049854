"""Faults on purpose: each does what it says, when it says, and no more."""

import asyncio
import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jidget_drivers import DeviceUnavailable, WriteRefused
from jidget_drivers.simulated import Simulated
from jidget_drivers.simulated_options import SimulatedOptions

PROPERTIES: dict[str, Any] = {
    "n": {"type": "integer", "waveform": "counter"},
    "air": {"min": -20, "max": 60, "low": 10, "high": 20},
    "mode": {"type": "enum", "options": ["eco", "boost"]},
    "pump": {"type": "boolean", "writable": True},
    "valve": {"type": "boolean", "writable": True},
}


def build(*faults: Mapping[str, Any], **options: Any) -> Simulated:
    return Simulated(SimulatedOptions.model_validate({"properties": PROPERTIES, "faults": faults, **options}))


async def outcomes(driver: Simulated, reads: int) -> list[object]:
    """Return what each read gave: the counter, or the name of the error."""
    seen: list[object] = []
    for _ in range(reads):
        try:
            seen.append((await driver.read())["n"])
        except Exception as error:
            seen.append(type(error).__name__)
    return seen


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"do": "fail", "at": [2, 3]}, [0, "DeviceUnavailable", "DeviceUnavailable", 1, 2, 3]),
        ({"do": "crash", "every": 3}, [0, 1, "RuntimeError", 2, 3, "RuntimeError"]),
        ({"do": "invalid", "at": [1], "every": 4}, ["InvalidReading", 0, 1, "InvalidReading", 2, 3]),
        ({"do": "fail"}, ["DeviceUnavailable"] * 6),
        ({"do": "fail", "on": "write"}, [0, 1, 2, 3, 4, 5]),
    ],
)
async def test_reads_fail_when_told_and_the_counter_loses_nothing(fault: Mapping[str, Any], expected: object) -> None:
    async with build(fault) as driver:
        assert await outcomes(driver, 6) == expected


@pytest.mark.parametrize(
    ("fault", "name", "value"),
    [
        ({"do": "nan"}, "air", math.nan),
        ({"do": "wrong_type"}, "n", "nonsense"),
        ({"do": "wrong_type", "property": "mode"}, "mode", 12345),
        ({"do": "wrong_type", "property": "pump"}, "pump", "nonsense"),
        ({"do": "out_of_range"}, "air", 61.0),
        ({"do": "out_of_range", "property": "mode"}, "mode", "no such option"),
        ({"do": "unknown_property"}, "no_such_property", 1),
    ],
)
async def test_nonsense(fault: Mapping[str, Any], name: str, value: object) -> None:
    async with build({**fault, "at": [2]}) as driver:
        first = dict(await driver.read())
        spoilt = dict(await driver.read())
        if isinstance(value, float) and math.isnan(value):
            assert math.isnan(float(spoilt[name]))
        else:
            assert spoilt[name] == value
        assert set(spoilt) - {name} == set(first) - {"n", name}  # a spoilt read is nobody's proof of counting
        assert (await driver.read())["n"] == 1


async def test_the_least_value_is_passed_where_there_is_no_greatest() -> None:
    options = {"properties": {"x": {"type": "integer", "min": 3}}, "faults": [{"do": "out_of_range"}]}
    async with Simulated(SimulatedOptions.model_validate(options)) as driver:
        assert await driver.read() == {"x": 2}


async def test_opening_fails_until_it_does_not() -> None:
    driver = build({"on": "open", "do": "fail", "at": [1, 2]})
    for _ in range(2):
        with pytest.raises(DeviceUnavailable, match="on purpose"):
            await driver.__aenter__()
    async with driver:
        assert await outcomes(driver, 1) == [0]


async def test_a_thing_breaks_while_a_file_is_there(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    async with build({"do": "fail", "while_file": str(broken)}) as driver:
        seen = await outcomes(driver, 1)
        broken.touch()
        seen += await outcomes(driver, 1)
        broken.unlink()
        assert [*seen, *await outcomes(driver, 1)] == [0, "DeviceUnavailable", 1]


async def test_a_hanging_read_can_be_cancelled_and_the_next_one_works() -> None:
    async with build({"do": "hang", "at": [1]}) as driver:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await driver.read()
        assert await outcomes(driver, 1) == [0]


async def test_a_blocked_thread_stops_neither_the_loop_nor_the_end(tmp_path: Path) -> None:
    driver = build({"do": "block", "at": [1]}, record=str(tmp_path / "record"))
    async with driver:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await driver.read()
        assert await outcomes(driver, 1) == [0]  # this one needs no thread
        with pytest.raises(DeviceUnavailable, match="previous call"):
            await driver.write("pump", True)  # this one does, and must not wait behind the other
    blocked = [thread for thread in threading.enumerate() if thread.name == "driver Simulated"]
    assert all(thread.daemon for thread in blocked)


async def test_a_blocked_call_comes_back_when_the_driver_is_closed() -> None:
    driver = build({"do": "block", "at": [1]})
    await driver.__aenter__()
    read = asyncio.ensure_future(driver.read())
    await asyncio.sleep(0)
    await driver.close()
    async with asyncio.timeout(5):
        assert (await read)["n"] == 0
    await driver.__aexit__(None, None, None)


async def test_a_slow_answer_comes_after_its_delay() -> None:
    async with build({"do": "slow", "delay": "30ms", "at": [1]}) as driver:
        begun = asyncio.get_running_loop().time()
        assert await outcomes(driver, 1) == [0]
        assert asyncio.get_running_loop().time() - begun >= 0.03


async def test_a_write_is_refused_ignored_or_done_as_told(tmp_path: Path) -> None:
    record = tmp_path / "record"
    driver = build(
        {"on": "write", "do": "refuse", "at": [1]},
        {"on": "write", "do": "ignore", "property": "valve"},
        record=str(record),
    )
    async with driver:
        with pytest.raises(WriteRefused, match="on purpose"):
            await driver.write("pump", True)
        await driver.write("valve", True)
        assert (await driver.read())["valve"] is False
        assert not record.exists()
        await driver.write("pump", True)
        values = await driver.read()
        assert (values["pump"], values["valve"]) == (True, False)
        assert record.read_text().endswith(" pump true\n")


async def test_a_late_write_moves_later_and_is_recorded_when_it_moves(tmp_path: Path) -> None:
    record = tmp_path / "record"
    async with build({"on": "write", "do": "late", "delay": "100ms", "at": [1]}, record=str(record)) as driver:
        await driver.write("pump", True)
        assert (await driver.read())["pump"] is False
        assert not record.exists()
        async with asyncio.timeout(5):
            while not (await driver.read())["pump"]:  # noqa: ASYNC110  # a relay tells nobody when it moves
                await asyncio.sleep(0.005)
        assert record.read_text().endswith(" pump true\n")


async def test_a_newer_write_supersedes_a_late_one_and_closing_drops_it(tmp_path: Path) -> None:
    record = tmp_path / "record"
    driver = build({"on": "write", "do": "late", "delay": "100ms", "at": [1, 3]}, record=str(record))
    async with driver:
        await driver.write("pump", True)
        await driver.write("pump", False)
        await driver.write("valve", True)
    async with driver:
        await asyncio.sleep(0.15)  # longer than the delay: nothing must happen, so there is nothing to wait for
        values = await driver.read()
    assert (values["pump"], values["valve"]) == (False, False)
    assert [line.partition(" ")[2] for line in record.read_text().splitlines()] == ["pump false"]


async def test_an_action_can_be_refused() -> None:
    async with build({"on": "action", "do": "refuse", "at": [1]}) as driver:
        with pytest.raises(WriteRefused):
            await driver.calibrate(offset=5)
        assert (await driver.read())["air"] == pytest.approx(15, abs=0.1)
        await driver.calibrate(offset=5)
        assert (await driver.read())["air"] == pytest.approx(20, abs=0.1)


async def test_the_first_fault_that_fits_counts() -> None:
    async with build({"do": "invalid", "at": [2]}, {"do": "fail", "every": 2}) as driver:
        assert await outcomes(driver, 4) == [0, "InvalidReading", 1, "DeviceUnavailable"]


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({}, "do"),
        ({"do": "explode"}, "'fail', 'crash'"),
        ({"do": "refuse"}, "cannot happen on = 'read'; there: block, crash"),
        ({"do": "nan", "on": "write"}, "cannot happen on = 'write'"),
        ({"do": "fail", "property": "air"}, "property is for"),
        ({"do": "nan", "property": "water"}, "no property 'water'; there are n, air"),
        ({"do": "nan", "property": "mode"}, "no property mode can be made nan"),
        ({"do": "out_of_range", "property": "n"}, "no property n can be made out_of_range"),
        ({"do": "fail", "at": [0]}, "greater than or equal to 1"),
        ({"do": "fail", "every": 0}, "greater than or equal to 1"),
    ],
)
def test_faults_that_make_no_sense_are_refused(fault: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        build(fault)
