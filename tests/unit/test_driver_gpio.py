"""The GPIO drivers on gpiozero's own mock pins."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory
from pydantic import ValidationError

from jidget_drivers import DeviceUnavailable, MissingLibrary, Scalar
from jidget_drivers import gpio as gpio_module
from jidget_drivers.gpio_input import GpioInput, GpioInputOptions
from jidget_drivers.gpio_output import GpioOutput, GpioOutputOptions
from jidget_drivers.testing import check_driver

Values = Mapping[str, Scalar]
HAS_LGPIO = find_spec("lgpio") is not None  # not imported: that would litter the working directory
IS_A_PI = Path("/proc/device-tree/system/linux,revision").exists()


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


def names_here() -> set[str]:
    return {file.name for file in Path.cwd().iterdir()}


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


# ---- what can be wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pin", "complaint"),
    [(99, "no such pin. Write its GPIO number"), ("LED7", "no such pin"), ("BOARD1", "pin BOARD1: ")],
)
async def test_a_pin_that_is_not_there(pin: int | str, complaint: str) -> None:
    for driver in (output(pin=pin), GpioInput(GpioInputOptions(pin=pin))):
        with pytest.raises(DeviceUnavailable, match=complaint):
            await driver.__aenter__()


@pytest.mark.parametrize("pin", ["GPIO17", "BOARD11", "BCM17", "J8:11"])
async def test_a_pin_by_any_of_its_names(factory: MockFactory, pin: str) -> None:
    async with output(pin=pin) as driver:
        await driver.write("state", True)
        assert factory.pin(17).state is True


@pytest.mark.parametrize("pin", [-1, True, 1.5, "", None])
def test_what_is_no_pin_is_refused_by_the_options(pin: object) -> None:
    with pytest.raises(ValidationError):
        output(pin=pin)


async def test_one_pin_serves_one_thing_and_is_free_again_afterwards() -> None:
    first, second = output(), GpioInput(GpioInputOptions(pin="BOARD11"))
    async with first:
        for _ in range(2):
            with pytest.raises(DeviceUnavailable, match="pin BOARD11: another Thing of this configuration has it"):
                await second.__aenter__()
    async with second:
        pass


async def test_a_pull_that_the_board_forbids() -> None:
    driver = GpioInput(GpioInputOptions(pin=2, pull="down"))
    for _ in range(2):  # the second time it must not find the pin taken by the first
        with pytest.raises(DeviceUnavailable, match='write pull = "up"'):
            await driver.__aenter__()


async def test_an_output_that_is_not_open_says_so() -> None:
    driver = output()
    with pytest.raises(DeviceUnavailable, match="not open"):
        await driver.read()
    with pytest.raises(DeviceUnavailable, match="not open"):
        await driver.write("state", True)


async def test_a_machine_without_pins_says_so_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real lgpio factory, on a machine that is no Raspberry Pi."""
    if IS_A_PI:
        pytest.skip("this machine is a Raspberry Pi")
    if not HAS_LGPIO:
        pytest.skip("lgpio, of the extra gpio, is not installed")
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY")
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    before = names_here()
    driver = output()
    for _ in range(2):
        with pytest.raises(DeviceUnavailable, match="pin 17: this machine is not a Raspberry Pi"):
            await driver.__aenter__()
    assert names_here() == before  # lgpio litters the working directory if it may


async def test_a_pin_factory_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "nonsense")
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    with pytest.raises(DeviceUnavailable, match="GPIOZERO_PIN_FACTORY names a pin factory"):
        await output().__aenter__()


def test_lgpio_can_be_imported_where_nothing_can_be_written() -> None:
    """As in a hardened service; in /proc not even root can make a file."""
    if not HAS_LGPIO:
        pytest.skip("lgpio, of the extra gpio, is not installed")
    script = "from jidget_drivers.gpio import _import_lgpio; import os; _import_lgpio(); print(os.getcwd())"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd="/proc",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.stdout) == ("", "/proc\n")


class LgpioError(Exception):
    """Looks like lgpio's own error, which cannot be had without the hardware."""

    __module__ = "lgpio"

    def __str__(self) -> str:
        return repr(self.args[0])


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (LgpioError("GPIO busy"), "another program or a dtoverlay"),
        (LgpioError("bad GPIO number"), "pin 17: bad GPIO number$"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (gpiozero.PinError("odd"), "pin 17: odd$"),
    ],
)
def test_errors_of_the_libraries_say_what_to_check(error: Exception, remedy: str) -> None:
    with pytest.raises(DeviceUnavailable, match=remedy), gpio_module.pin_errors(17):
        raise error


def test_a_bug_stays_a_bug() -> None:
    with pytest.raises(ZeroDivisionError), gpio_module.pin_errors(17):
        _ = 1 / 0


@pytest.mark.parametrize(
    ("chips", "access", "remedy"),
    [
        ([], False, r"no /dev/gpiochip\*"),
        (["gpiochip0"], False, "usermod -aG gpio"),
        (["gpiochip0"], True, "can not open gpiochip$"),
    ],
)
def test_a_chip_that_cannot_be_opened(
    monkeypatch: pytest.MonkeyPatch, chips: list[str], access: bool, remedy: str
) -> None:
    monkeypatch.setattr(Path, "glob", lambda *_: iter([Path("/dev") / chip for chip in chips]))
    monkeypatch.setattr(os, "access", lambda *_: access)
    with pytest.raises(DeviceUnavailable, match=remedy), gpio_module.pin_errors(17):
        raise LgpioError("can not open gpiochip")


@pytest.mark.parametrize(
    ("missing", "factory_chosen", "complaint"),
    [({"gpiozero"}, True, "needs gpiozero, "), ({"gpiozero", "lgpio"}, False, "needs gpiozero and lgpio, ")],
)
def test_missing_libraries_name_the_extra(
    monkeypatch: pytest.MonkeyPatch, missing: set[str], factory_chosen: bool, complaint: str
) -> None:
    monkeypatch.setattr(gpio_module, "find_spec", lambda name: None if name in missing else object())
    if not factory_chosen:
        monkeypatch.delenv("GPIOZERO_PIN_FACTORY")
    for build in (output, lambda: GpioInput(GpioInputOptions(pin=1))):
        with pytest.raises(MissingLibrary, match=complaint + r"which the extra jidget\[gpio\] brings"):
            build()
    assert GpioOutput.extra == GpioInput.extra == "gpio"


def test_the_drivers_can_be_listed_without_their_library() -> None:
    script = (
        "import sys; import jidget_drivers.gpio_input, jidget_drivers.gpio_output;"
        "sys.exit(any(name.startswith(('gpiozero', 'lgpio')) for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_they_keep_the_contract() -> None:
    check_driver(GpioOutput, {"pin": 17}, writes={"state": True})
    check_driver(GpioInput, {"pin": 27})
