"""The `gpio-pwm` driver on gpiozero's mock pins."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory
from pydantic import ValidationError
from tests.support.hardware_gpio import mock_pins

from jidget_drivers import DeviceUnavailable
from jidget_drivers.gpio_pwm import GpioPwm, GpioPwmOptions
from jidget_drivers.testing import check_driver

SERVO = {"min_pulse": "1ms", "max_pulse": "2ms"}


@pytest.fixture(autouse=True)
def factory(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    made = mock_pins(monkeypatch)
    yield made
    made.reset()


def pwm(**options: Any) -> GpioPwm:
    return GpioPwm(GpioPwmOptions.model_validate({"pin": 18, **options}))


@pytest.mark.parametrize("active_low", [False, True])
async def test_it_is_off_when_opened_and_dims(factory: MockFactory, active_low: bool) -> None:
    async with pwm(active_low=active_low) as driver:
        pin = factory.pin(18)
        assert (pin.function, pin.frequency, pin.state) == ("output", None, active_low)
        assert await driver.read() == {"level": 0}
        await driver.write("level", 37.5)
        assert (pin.frequency, pin.state) == (100, pytest.approx(0.625 if active_low else 0.375))
        assert await driver.read() == {"level": 37.5}


@pytest.mark.parametrize("active_low", [False, True])
@pytest.mark.parametrize("level", [0, 100])
async def test_fully_on_and_off_are_held_without_pulses(factory: MockFactory, active_low: bool, level: int) -> None:
    async with pwm(active_low=active_low) as driver:
        pin = factory.pin(18)
        await driver.write("level", 50)
        await driver.write("level", level)
        assert (pin.frequency, pin.state) == (None, (level == 100) != active_low)
        assert await driver.read() == {"level": level}


async def test_what_is_held_is_read_from_the_pin(factory: MockFactory) -> None:
    async with pwm() as driver:
        await driver.write("level", 100)
        factory.pin(18).state = 0  # whatever did that
        assert await driver.read() == {"level": 0}


@pytest.mark.parametrize(("level", "after"), [(0, 0.0), (0.5, 0.0), (99, 0.0), (100, 100.0)])
@pytest.mark.parametrize("active_low", [False, True])
async def test_closing_leaves_an_output_that_is_off_unless_it_was_fully_on(
    factory: MockFactory, active_low: bool, level: float, after: float
) -> None:
    driver = pwm(active_low=active_low)
    async with driver:
        await driver.write("level", level)
    pin = factory.pin(18)
    assert (pin.function, pin.frequency, pin.state) == ("output", None, (after == 100) != active_low)
    pin.clear_states()
    async with driver:
        assert await driver.read() == {"level": after}
    assert len(pin.states) == 1  # not even for a moment


def test_the_end_of_the_process_does_not_turn_it_into_an_input() -> None:
    script = """
import asyncio, atexit
pins = []
atexit.register(lambda: print([(p.info.name, p.function, p.state) for p in pins]))  # runs last: registered first
import gpiozero
from jidget_drivers.gpio_pwm import GpioPwm, GpioPwmOptions

async def main():
    driver = GpioPwm(GpioPwmOptions(pin=18))
    await driver.__aenter__()
    await driver.write("level", 100)
    pins.append(gpiozero.Device.pin_factory.pin(18))

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "GPIOZERO_PIN_FACTORY": "mock", "GPIOZERO_MOCK_PIN_CLASS": "mockpwmpin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.stdout) == ("", "[('GPIO18', 'output', 1.0)]\n")


async def test_a_servo_gets_pulses_of_the_length_that_its_level_means(factory: MockFactory) -> None:
    async with pwm(**SERVO) as driver:
        pin = factory.pin(18)
        for level, milliseconds in [(0, 1.0), (50, 1.5), (33.3, 1.333), (100, 2.0)]:
            await driver.write("level", level)
            assert pin.frequency == 50
            assert pin.state * 1000 / pin.frequency == pytest.approx(milliseconds)
            assert await driver.read() == {"level": level}


@pytest.mark.parametrize("active_low", [False, True])
async def test_a_servo_does_not_move_until_told_and_goes_limp_when_closed(
    factory: MockFactory, active_low: bool
) -> None:
    driver = pwm(**SERVO, active_low=active_low)
    for _ in range(2):
        async with driver:
            pin = factory.pin(18)
            assert (pin.frequency, pin.state) == (None, active_low)
            assert await driver.read() == {}  # where it is nobody knows
            await driver.write("level", 100)
            assert await driver.read() == {"level": 100}
        assert (pin.function, pin.frequency, pin.state) == ("output", None, active_low)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"min_pulse": "1ms"}, "needs both"),
        ({"max_pulse": "1ms"}, "needs both"),
        ({"min_pulse": "2ms", "max_pulse": "1ms"}, "shorter than max_pulse"),
        ({"min_pulse": "0ms", "max_pulse": "1ms"}, "longer than nothing"),
        ({**SERVO, "frequency": 500}, "shorter than one cycle, 2 ms"),
        ({"frequency": 0}, "frequency"),
        ({"frequency": 25_000}, "frequency"),
        ({"frequency": float("nan")}, "frequency"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        pwm(**options)


async def test_when_it_is_not_open_it_says_so() -> None:
    driver = pwm()
    with pytest.raises(DeviceUnavailable, match="not open"):
        await driver.read()
    with pytest.raises(DeviceUnavailable, match="not open"):
        await driver.write("level", 1)


async def test_a_pin_that_another_thing_has() -> None:
    async with pwm():
        with pytest.raises(DeviceUnavailable, match="another Thing of this configuration has it"):
            await pwm(pin="BOARD12").__aenter__()


async def test_a_pin_without_pwm_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpiozero.Device.pin_factory", MockFactory())
    async with pwm() as driver:
        await driver.write("level", 100)
        assert await driver.read() == {"level": 100}
        with pytest.raises(DeviceUnavailable, match="pin 18: the chosen pin factory makes no PWM"):
            await driver.write("level", 50)
        assert await driver.read() == {"level": 100}


def test_it_keeps_the_contract() -> None:
    check_driver(GpioPwm, {"pin": 18}, writes={"level": 12.5})
    check_driver(GpioPwm, {"pin": 18, **SERVO}, writes={"level": 100.0})
