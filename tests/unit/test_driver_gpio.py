"""`gpio-output` and `gpio-input` on gpiozero's own mock pins."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory

from jidget_drivers import DeviceUnavailable, Scalar
from jidget_drivers.gpio_input import GpioInput, GpioInputOptions
from jidget_drivers.gpio_output import GpioOutput, GpioOutputOptions
from jidget_drivers.testing import check_driver

Values = Mapping[str, Scalar]


@pytest.fixture(autouse=True)
def factory(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    """Let gpiozero make mock pins, chosen as a user would choose another factory."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    gpiozero.Device.ensure_pin_factory()
    made = gpiozero.Device.pin_factory
    yield made
    made.reset()


def output(**options: Any) -> GpioOutput:
    return GpioOutput(GpioOutputOptions.model_validate({"pin": 17, **options}))


@asynccontextmanager
async def watching(**options: Any) -> AsyncIterator[AsyncIterator[Values]]:
    async with GpioInput(GpioInputOptions.model_validate({"pin": 27, "debounce": "0s", **options})) as driver:
        events = cast("Any", driver.watch())
        async with aclosing(events):
            yield events


async def told(events: AsyncIterator[Values]) -> Scalar:
    async with asyncio.timeout(5):
        return (await anext(events))["state"]


async def silent(events: AsyncIterator[Values], seconds: float) -> bool:
    """Whether nothing is told for so long. Ends the events."""
    try:
        async with asyncio.timeout(seconds):
            await anext(events)
    except TimeoutError:
        return True
    return False


def from_a_foreign_thread(work: Callable[[], None]) -> None:
    """Run `work` where gpiozero runs its callbacks: not in the event loop's thread."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


# ---- output -------------------------------------------------------------------------------------------------------


async def test_an_output_is_off_when_opened_and_reads_back_the_pin(factory: MockFactory) -> None:
    async with output() as driver:
        pin = factory.pin(17)
        assert (pin.function, pin.state) == ("output", False)
        assert await driver.read() == {"state": False}
        await driver.write("state", True)
        assert pin.state is True
        assert await driver.read() == {"state": True}
        pin.state = False  # whatever did that: what is read is the pin
        assert await driver.read() == {"state": False}


async def test_an_active_low_output_is_off_when_the_pin_is_high(factory: MockFactory) -> None:
    async with output(active_low=True) as driver:
        pin = factory.pin(17)
        levels = [pin.state]
        await driver.write("state", True)
        assert [*levels, pin.state] == [True, False]
        assert await driver.read() == {"state": True}


@pytest.mark.parametrize("active_low", [False, True])
async def test_closing_leaves_the_output_driven_and_opening_again_does_not_touch_it(
    factory: MockFactory, active_low: bool
) -> None:
    driver = output(active_low=active_low)
    async with driver:
        await driver.write("state", True)
    pin = factory.pin(17)
    assert (pin.function, pin.state) == ("output", not active_low)
    pin.clear_states()
    async with driver:
        assert await driver.read() == {"state": True}
    async with output(active_low=active_low) as another:
        assert await another.read() == {"state": True}
    assert len(pin.states) == 1  # not even for a moment


def test_not_even_the_end_of_the_process_turns_an_output_into_an_input(tmp_path: Path) -> None:
    """gpiozero closes every pin when the interpreter exits; ours is looked at after that."""
    script = tmp_path / "daemon.py"
    script.write_text(
        """
import asyncio, atexit
pins = []
atexit.register(lambda: print([(p.info.name, p.function, p.state) for p in pins]))  # runs last: registered first
import gpiozero
from jidget_drivers.gpio_output import GpioOutput, GpioOutputOptions

async def main():
    async with GpioOutput(GpioOutputOptions(pin=17)) as left_on:
        await left_on.write("state", True)
    still_open = GpioOutput(GpioOutputOptions(pin=22, active_low=True))
    await still_open.__aenter__()
    led = gpiozero.LED(5)  # for comparison: how gpiozero does it
    led.on()
    pins.extend(gpiozero.Device.pin_factory.pin(n) for n in (17, 22, 5))

asyncio.run(main())
"""
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env={**os.environ, "GPIOZERO_PIN_FACTORY": "mock"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == "[('GPIO17', 'output', True), ('GPIO22', 'output', True), ('GPIO5', 'input', True)]\n"


# ---- input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "level", "state"),
    [
        ({}, True, False),
        ({}, False, True),
        ({"pull": "down"}, False, False),
        ({"pull": "down"}, True, True),
        ({"pull": "none"}, True, True),
        ({"pull": "none", "active_low": True}, True, False),
        ({"pull": "up", "active_low": False}, True, True),
    ],
)
async def test_levels_mean_on_or_off(factory: MockFactory, options: Values, level: bool, state: bool) -> None:
    async with watching(**options) as events:
        pin = factory.pin(27)
        from_a_foreign_thread(pin.drive_high if level else pin.drive_low)
        assert await told(events) is state  # the current one first
        assert pin.pull == {"none": "floating"}.get(str(options.get("pull")), options.get("pull", "up"))


async def test_changes_are_told_in_order_from_a_foreign_thread(factory: MockFactory) -> None:
    async with watching() as events:
        assert await told(events) is False
        pin = factory.pin(27)

        def press_twice() -> None:
            for _ in range(2):
                pin.drive_low()
                pin.drive_high()

        from_a_foreign_thread(press_twice)
        assert [await told(events) for _ in range(4)] == [True, False, True, False]
        assert await silent(events, 0.02)


@pytest.mark.parametrize("last", [True, False])
async def test_a_storm_of_edges_is_bounded_and_the_last_state_is_never_lost(factory: MockFactory, last: bool) -> None:
    async with watching() as events:
        assert await told(events) is False
        pin = factory.pin(27)

        def storm() -> None:
            for _ in range(5000):
                pin.drive_low()
                pin.drive_high()
            if last:
                pin.drive_low()

        from_a_foreign_thread(storm)
        states = []
        try:
            while True:
                async with asyncio.timeout(0.05):
                    states.append((await anext(events))["state"])
        except TimeoutError:
            pass
        assert states[-1] is last
        assert 1 < len(states) <= 65


async def test_an_edge_that_was_never_told_is_seen_at_the_next_one(factory: MockFactory) -> None:
    async with watching() as events:
        assert await told(events) is False
        pin = factory.pin(27)
        from_a_foreign_thread(pin.drive_low)
        pin._state = True  # the kernel's buffer overflowed: the level changed and nobody said so
        assert [await told(events), await told(events)] == [True, False]


async def test_a_bouncing_contact_is_told_once_when_it_rests(factory: MockFactory) -> None:
    async with watching(debounce="20ms") as events:
        assert await told(events) is False
        pin = factory.pin(27)

        def press() -> None:
            for _ in range(7):
                pin.drive_low()
                pin.drive_high()
            pin.drive_low()

        from_a_foreign_thread(press)
        assert await told(events) is True
        assert await silent(events, 0.05)


async def test_a_level_counts_only_once_it_has_held(factory: MockFactory) -> None:
    async with watching(debounce="150ms") as events:
        assert await told(events) is False
        pin = factory.pin(27)
        loop = asyncio.get_running_loop()
        reading = asyncio.ensure_future(told(events))
        for _ in range(10):  # longer in all than the debounce time, never still for as long
            from_a_foreign_thread(pin.drive_low)
            await asyncio.sleep(0.01)
            from_a_foreign_thread(pin.drive_high)
            await asyncio.sleep(0.01)
        assert not reading.done()
        from_a_foreign_thread(pin.drive_low)
        held_since = loop.time()
        assert await reading is True
        assert loop.time() - held_since >= 0.15


async def test_a_glitch_shorter_than_the_debounce_time_is_nothing(factory: MockFactory) -> None:
    async with watching(debounce="10ms") as events:
        assert await told(events) is False
        pin = factory.pin(27)

        def glitch() -> None:
            pin.drive_low()
            pin.drive_high()

        from_a_foreign_thread(glitch)
        assert await silent(events, 0.05)


async def test_edges_after_closing_reach_nobody(factory: MockFactory) -> None:
    driver = GpioInput(GpioInputOptions(pin=27))
    async with driver:
        pin = factory.pin(27)
        assert pin.when_changed is not None
    assert pin.when_changed is None
    with pytest.raises(DeviceUnavailable, match="not open"):
        await anext(driver.watch())


async def test_it_can_be_opened_again_and_watched_again(factory: MockFactory) -> None:
    driver = GpioInput(GpioInputOptions.model_validate({"pin": 27, "debounce": "0s"}))
    for _ in range(3):
        async with driver, aclosing(cast("Any", driver.watch())) as events:
            assert await told(events) is False
            from_a_foreign_thread(factory.pin(27).drive_low)
            assert await told(events) is True


def test_they_keep_the_contract() -> None:
    check_driver(GpioOutput, {"pin": 17}, writes={"state": True})
    check_driver(GpioInput, {"pin": 27})
