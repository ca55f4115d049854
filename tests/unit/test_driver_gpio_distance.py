"""The `gpio-distance` driver with an ultrasonic module on gpiozero's mock pins."""

import time
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory
from pydantic import ValidationError
from tests.support.hardware_gpio import ECHO, TRIGGER, Clock, UltrasonicTrigger, mock_pins

from jidget_drivers import DeviceUnavailable, InvalidReading
from jidget_drivers import gpio_distance as module
from jidget_drivers.gpio_distance import GpioDistance, GpioDistanceOptions, speed_of_sound
from jidget_drivers.testing import check_driver

FOREVER = float("inf")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def factory(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[MockFactory]:
    monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setattr(module, "ECHO_LIMIT", 0.02)
    made = mock_pins(monkeypatch, clock)
    yield made
    made.reset()


@pytest.fixture
def sonar(factory: MockFactory) -> UltrasonicTrigger:
    """The module: what it answers can be said."""
    return factory.pins[factory.pin(TRIGGER).info]  # type: ignore[no-any-return]  # gpiozero has no type hints


@pytest.fixture
def driver(clock: Clock) -> GpioDistance:
    return made(clock)


def made(clock: Clock, **options: Any) -> GpioDistance:
    return GpioDistance(GpioDistanceOptions.model_validate({"trigger": TRIGGER, "echo": ECHO, **options}), clock)


def echoes(*metres: float | None) -> Iterator[float | None]:
    return iter([m if m is None or m == FOREVER else 2 * m / speed_of_sound(20) for m in metres])


@pytest.mark.parametrize(("celsius", "speed"), [(-20, 318.9), (0, 331.3), (20, 343.2), (40, 354.7)])
def test_the_speed_of_sound(celsius: float, speed: float) -> None:
    assert speed_of_sound(celsius) == pytest.approx(speed, abs=0.1)


async def test_time_becomes_distance(driver: GpioDistance, sonar: UltrasonicTrigger) -> None:
    sonar.answers = repeat(0.0058275)  # 1 m there and back at 20 °C
    async with driver:
        assert await driver.read() == {"distance": pytest.approx(1.0, abs=0.001)}
    assert sonar.pings == 5


async def test_warm_air_carries_sound_faster(clock: Clock, sonar: UltrasonicTrigger) -> None:
    async with made(clock, air_temperature=40) as driver:
        assert (await driver.read())["distance"] == pytest.approx(0.005 * 354.7 / 2, abs=0.001)


async def test_a_reading_is_the_median_and_bears_a_minority_of_failures(
    driver: GpioDistance, sonar: UltrasonicTrigger
) -> None:
    async with driver:
        sonar.answers = echoes(1.01, 3.5, 1.0, 0.1, 1.02)
        assert await driver.read() == {"distance": pytest.approx(1.01)}
        sonar.answers = echoes(None, 2.0, 9.0, 2.02, 2.01)
        assert await driver.read() == {"distance": pytest.approx(2.01)}


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        (repeat(None), r"^3 of 3 pings failed: no answer on echo \(pin 24\): check the 5 V supply, Trig on pin 23"),
        (repeat(FOREVER), r"^3 of 3 pings failed: echo \(pin 24\) is high before the ping: check that Echo and Trig"),
        (repeat(0.038), r"nothing within 4 m sent the sound back: check where it points"),
        (repeat(0.2), r"nothing within 4 m"),
        (repeat(0.00005), r"the echo came at once: keep things at least 2 cm away"),
        (chain([0.005, 0.005], repeat(None)), r"^3 of 5 pings failed: no answer"),
    ],
)
async def test_what_is_no_reading(
    driver: GpioDistance, sonar: UltrasonicTrigger, answers: Iterator[float | None], complaint: str
) -> None:
    sonar.answers = answers
    async with driver:
        with pytest.raises(InvalidReading, match=complaint):
            await driver.read()


async def test_an_echo_that_never_ends(clock: Clock, sonar: UltrasonicTrigger) -> None:
    sonar.answers = repeat(FOREVER)
    async with made(clock, pings=1) as driver:
        with pytest.raises(InvalidReading, match=r"1 of 1 pings failed: echo \(pin 24\) stays high"):
            await driver.read()


async def test_the_range_is_that_of_the_module(clock: Clock, sonar: UltrasonicTrigger) -> None:
    async with made(clock, max_distance=1.5) as driver:
        sonar.answers = echoes(*[1.4] * 5, *[1.6] * 5)
        assert await driver.read() == {"distance": pytest.approx(1.4)}
        with pytest.raises(InvalidReading, match=r"nothing within 1\.5 m"):
            await driver.read()


async def test_it_recovers_by_itself(driver: GpioDistance, sonar: UltrasonicTrigger) -> None:
    async with driver:
        sonar.answers = chain(repeat(None, 3), repeat(0.005))
        with pytest.raises(InvalidReading):
            await driver.read()
        assert "distance" in await driver.read()


def test_the_late_end_of_an_echo_is_not_taken_for_the_next() -> None:
    echo = module._Echo()
    for rise in (2.0, 5.0):
        echo.begin()
        echo.edge(rise - 1, False)  # of the ping before: no rise belongs to it
        assert echo.wait(0) == (None, None)
        echo.edge(rise, True)
        assert echo.wait(0) == (rise, None)
        echo.edge(rise + 1, False)
        assert echo.wait(0) == (rise, rise + 1)


async def test_pings_are_apart_and_the_trigger_is_long_enough(
    driver: GpioDistance, sonar: UltrasonicTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(module, "PAUSE", 0.06)
    monkeypatch.setattr(time, "sleep", slept.append)
    async with driver:
        await driver.read()
    assert slept == [1e-05, *[0.06, 1e-05] * 4]


async def test_closing_frees_both_pins(clock: Clock, factory: MockFactory) -> None:
    for _ in range(2):
        async with made(clock):
            assert (factory.pin(TRIGGER).function, factory.pin(ECHO).function) == ("output", "input")
            for taken in ({"trigger": 5}, {"echo": 5}):
                with pytest.raises(DeviceUnavailable, match="another Thing"):
                    await made(clock, **taken).__aenter__()
        assert factory.pin(ECHO).when_changed is None
    async with made(clock, trigger=5, echo=6):  # the pin that could be had was given back
        pass


async def test_when_it_is_not_open_it_says_so(driver: GpioDistance) -> None:
    with pytest.raises(DeviceUnavailable, match="pins 23 and 24: not open"):
        await driver.read()


@pytest.mark.parametrize("options", [{"echo": TRIGGER}, {"pings": 0}, {"max_distance": 0}, {"air_temperature": 99}])
def test_options_that_make_no_sense(clock: Clock, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(clock, **options)


def test_it_keeps_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    mock_pins(monkeypatch)
    check_driver(GpioDistance, {"trigger": TRIGGER, "echo": ECHO})
