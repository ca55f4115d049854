"""The `gpio-counter` driver on gpiozero's mock pins."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory
from pydantic import ValidationError
from tests.support.hardware_gpio import Clock, mock_pins
from tests.support.pulse_meter import Meter

from jidget_drivers import DeviceUnavailable, Kind, Unit, WriteRefused
from jidget_drivers.gpio_counter import GpioCounter
from jidget_drivers.testing import check_driver


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def factory(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[MockFactory]:
    made = mock_pins(monkeypatch, clock)
    yield made
    made.reset()


@pytest.fixture
def meter(factory: MockFactory, clock: Clock) -> Meter:
    return Meter(factory, clock)


async def test_it_counts_and_tells_the_rate(meter: Meter) -> None:
    async with meter.driver() as driver:
        assert await driver.read() == {"count": 0, "interruptions": 0}
        meter.pulse(5, every=2)
        assert await driver.read() == {"count": 5, "interruptions": 0, "rate": pytest.approx(0.5, rel=0.06)}
        meter.clock.advance(60)
        assert (await driver.read())["rate"] == 0


@pytest.mark.parametrize(
    ("options", "kind", "units", "values"),
    [
        ({}, Kind.INTEGER, ("count", "1/s"), (4, 0.5)),
        ({"rate_unit": "1/min"}, Kind.INTEGER, ("count", "1/min"), (4, 30.0)),
        ({"unit": "l"}, Kind.NUMBER, ("l", "l/s"), (4.0, 0.5)),
        ({"unit": "m³", "scale": 0.01}, Kind.NUMBER, ("m3", "m3/s"), (0.04, 0.005)),
        ({"unit": "kWh", "scale": 0.001}, Kind.NUMBER, ("kWh", "W"), (0.004, 1800.0)),
        ({"unit": "kWh", "scale": 0.001, "rate_unit": "kW"}, Kind.NUMBER, ("kWh", "kW"), (0.004, 1.8)),
        ({"unit": "mm", "scale": 0.2794}, Kind.NUMBER, ("mm", "mm/h"), (1.1176, 502.92)),
        ({"unit": "m", "scale": 0.667}, Kind.NUMBER, ("m", "m/s"), (2.668, 0.3335)),
    ],
)
async def test_pulses_become_amounts(
    meter: Meter, options: dict[str, Any], kind: Kind, units: tuple[str, str], values: tuple[float, float]
) -> None:
    driver = meter.driver(**options)
    count, rate, _ = driver.properties
    assert (count.kind, count.unit, rate.unit) == (kind, *units)
    async with driver:
        pin = meter.factory.pin(22)
        for _ in range(4):
            meter.clock.advance(2)
            pin.drive_low()
            pin.drive_high()
        read = await driver.read()
    assert (read["count"], read["rate"]) == values
    assert type(read["count"]) is type(values[0])


@pytest.mark.parametrize(
    ("options", "counted"),
    [({}, 2), ({"edge": "both"}, 4), ({"pull": "down"}, 2), ({"pull": "none", "edge": "falling"}, 2)],
)
@pytest.mark.parametrize("debounce", ["0s", "20ms"])
async def test_which_edges_count(meter: Meter, options: dict[str, Any], counted: int, debounce: str) -> None:
    async with meter.driver(**options, debounce=debounce) as driver:
        pin = meter.factory.pin(22)
        idle_high = options.get("pull", "up") == "up"
        for level in (not idle_high, idle_high) * 2:
            meter.clock.advance(1)
            (pin.drive_high if level else pin.drive_low)()
        meter.clock.advance(1)
        assert (await driver.read())["count"] == counted


async def test_bouncing_contacts_count_once(meter: Meter) -> None:
    async with meter.driver(debounce="20ms") as driver:
        pin = meter.factory.pin(22)
        meter.clock.advance(1)
        for _ in range(5):
            pin.drive_low()
            meter.clock.advance(0.002)
            pin.drive_high()
            meter.clock.advance(0.002)
        pin.drive_low()
        meter.clock.advance(1)
        assert (await driver.read())["count"] == 1


async def test_no_edge_is_lost_while_the_event_loop_is_busy(meter: Meter) -> None:
    async with meter.driver() as driver:
        pin = meter.factory.pin(22)

        def storm() -> None:
            for _ in range(10_000):
                pin.drive_low()
                pin.drive_high()

        thread = threading.Thread(target=storm)
        thread.start()
        seen = []
        while thread.is_alive():
            seen.append((await driver.read())["count"])
            await asyncio.sleep(0)
        thread.join()
        assert (await driver.read())["count"] == 10_000
        assert seen == sorted(seen, key=float)


async def test_a_whole_count_takes_no_fraction(meter: Meter) -> None:
    async with meter.driver() as driver:
        with pytest.raises(WriteRefused, match=r"12\.5 is none"):
            await driver.set_total(12.5)
        await driver.set_total(12.0)
        read = await driver.read()
        assert (read["count"], type(read["count"])) == (12, int)


# ---- what can be wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"unit": "Cel"}, "Cel cannot be a total: write one of count, l, m3"),
        ({"unit": "litres"}, "is no unit"),
        ({"unit": "kWh", "rate_unit": "l/s"}, "rate_unit l/s does not go with unit kWh: W, kW would"),
        ({"scale": 0}, "scale"),
        ({"scale": -1}, "scale"),
        ({"scale": float("inf")}, "scale"),
        ({"window": "0s"}, "window must be longer"),
        ({"edge": "up"}, "edge"),
    ],
)
def test_options_that_make_no_sense(meter: Meter, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        meter.driver(**options)


async def test_when_it_is_not_open_it_says_so(meter: Meter) -> None:
    driver = meter.driver()
    for call in (driver.read(), driver.set_total(1)):
        with pytest.raises(DeviceUnavailable, match="pin 22: it is not open"):
            await call


def test_it_keeps_the_contract() -> None:
    check_driver(GpioCounter, {"pin": 22})
    check_driver(GpioCounter, {"pin": 22, "unit": Unit.KILOWATT_HOUR.value, "scale": 0.001})
