"""What outlives a `gpio-counter`: its total over restarts and crashes, and that counting paused."""

from collections.abc import Iterator

import pytest
from gpiozero.pins.mock import MockFactory
from tests.support.hardware_gpio import Clock, mock_pins
from tests.support.pulse_meter import START, Meter

from jidget_drivers import DeviceUnavailable, Scalar
from jidget_drivers.gpio_counter import KEEP_EVERY


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


async def test_the_total_outlives_a_restart_and_the_gap_is_told(meter: Meter, caplog: pytest.LogCaptureFixture) -> None:
    async with meter.driver(unit="l", scale=10) as driver:
        meter.pulse(3)  # after the last read: closing keeps them
    assert caplog.messages == []
    meter.clock.advance(3600)
    meter.pulse(7)  # nobody counts
    async with meter.driver(unit="l", scale=10) as driver:
        assert await driver.read() == {"count": 30.0, "interruptions": 1}
        meter.pulse()
        assert (await driver.read())["count"] == 40.0
    (told,) = caplog.messages
    assert "pin 22: counting stopped at 2027-01-15 08:16:43Z (for 1:00:07)" in told
    assert "not in the total of 30.0 l" in told
    assert "set_total" in told


async def test_a_crash_keeps_what_was_read_and_says_that_more_may_be_missing(
    meter: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    driver = meter.driver()
    await driver.open()
    meter.pulse(3)
    await driver.read()
    meter.pulse(2)  # between the last read and the crash
    meter.crash(driver)
    async with meter.driver() as after:
        assert await after.read() == {"count": 3, "interruptions": 1}
    (told,) = caplog.messages
    assert "the agent ended without notice some time after 2027-01-15 08:16:43Z (for 0:00:02)" in told


async def test_what_is_kept_by_halves_is_still_taken_up(meter: Meter) -> None:
    meter.kept["total_count"] = 7
    async with meter.driver() as driver:
        assert await driver.read() == {"count": 7, "interruptions": 1}


async def test_a_clock_that_was_set_back_makes_no_duration(meter: Meter, caplog: pytest.LogCaptureFixture) -> None:
    async with meter.driver():
        pass
    meter.kept["time"] = START + 86_400
    async with meter.driver():
        pass
    assert "the clock was set back, so it is not known how long" in caplog.text


async def test_opening_again_after_a_failure_is_an_interruption_but_a_pin_in_use_is_none(meter: Meter) -> None:
    driver = meter.driver()
    async with driver:
        meter.pulse(2)
    async with Meter(meter.factory, meter.clock).driver():  # another Thing has the pin for a while
        for _ in range(3):
            with pytest.raises(DeviceUnavailable, match="another Thing"):
                await driver.__aenter__()
    async with driver:
        assert await driver.read() == {"count": 2, "interruptions": 1}


async def test_a_failed_opening_loses_no_total(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = meter.driver()
    await driver.open()
    meter.pulse(9)
    await driver.read()
    meter.crash(driver)

    def refuse(_pin: object) -> None:
        raise OSError(16, "Device or resource busy")

    again = meter.driver()
    with monkeypatch.context() as patch:
        patch.setattr("gpiozero.pins.mock.MockPin._enable_event_detect", refuse)
        with pytest.raises(DeviceUnavailable, match="busy"):
            await again.__aenter__()
    async with again:
        assert await again.read() == {"count": 9, "interruptions": 1}


async def test_it_is_kept_when_it_changes_and_now_and_then(meter: Meter) -> None:
    class Store(dict[str, Scalar]):
        writes = 0

        def __setitem__(self, key: str, value: Scalar) -> None:
            self.writes += 1
            super().__setitem__(key, value)

    meter.kept = store = Store()
    async with meter.driver() as driver:
        store.writes = 0
        for _ in range(10):
            await driver.read()
        assert store.writes == 0
        meter.pulse()
        await driver.read()
        assert (store["total_count"], store.writes) == (1, 4)
        meter.clock.advance(KEEP_EVERY)
        await driver.read()
        assert store["time"] == START + meter.clock()
        assert store["counting"] is True
    assert store["counting"] is False


async def test_another_unit_begins_at_0_and_the_old_total_is_not_lost(
    meter: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    async with meter.driver(unit="l"):
        meter.pulse(3)
    async with meter.driver(unit="m3", scale=0.001) as driver:
        assert (await driver.read())["count"] == 0
    assert "nothing was counted in m3 before, so its total begins at 0" in caplog.text
    async with meter.driver(unit="l") as driver:
        assert (await driver.read())["count"] == 3


async def test_setting_the_total_to_the_meters_reading(meter: Meter) -> None:
    async with meter.driver(unit="m3", scale=0.01):
        pass
    async with meter.driver(unit="m3", scale=0.01) as driver:
        meter.pulse(3)
        await driver.actions()["set_total"].method(total=1234.567)
        assert await driver.read() == {"count": 1234.567, "interruptions": 0, "rate": pytest.approx(0.01)}
        meter.pulse()
    async with meter.driver(unit="m3", scale=0.01) as driver:
        assert (await driver.read())["count"] == 1234.577
