"""What can be wrong with GPIO pins, and what a person is told then."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory
from pydantic import ValidationError

from jidget_drivers import DeviceUnavailable, Driver, MissingLibrary
from jidget_drivers import gpio as gpio_module
from jidget_drivers.gpio_counter import GpioCounter
from jidget_drivers.gpio_counter_options import GpioCounterOptions
from jidget_drivers.gpio_distance import GpioDistance, GpioDistanceOptions
from jidget_drivers.gpio_input import GpioInput, GpioInputOptions
from jidget_drivers.gpio_output import GpioOutput, GpioOutputOptions
from jidget_drivers.gpio_pwm import GpioPwm, GpioPwmOptions

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


BUILDERS: tuple[Callable[[int | str], Driver[Any]], ...] = (
    lambda pin: GpioOutput(GpioOutputOptions(pin=pin)),
    lambda pin: GpioInput(GpioInputOptions(pin=pin)),
    lambda pin: GpioPwm(GpioPwmOptions(pin=pin)),
    lambda pin: GpioCounter(GpioCounterOptions(pin=pin)),
    lambda pin: GpioDistance(GpioDistanceOptions(trigger=pin, echo=24)),
    lambda pin: GpioDistance(GpioDistanceOptions(trigger=23, echo=pin)),
)


def names_here() -> set[str]:
    return {file.name for file in Path.cwd().iterdir()}


@pytest.mark.parametrize(
    ("pin", "complaint"),
    [(99, "no such pin. Write its GPIO number"), ("LED7", "no such pin"), ("BOARD1", "pin BOARD1: ")],
)
async def test_a_pin_that_is_not_there(pin: int | str, complaint: str) -> None:
    for build in BUILDERS:
        with pytest.raises(DeviceUnavailable, match=complaint):
            await build(pin).__aenter__()


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
    for build in BUILDERS:
        with pytest.raises(MissingLibrary, match=complaint + r"which the extra jidget\[gpio\] brings"):
            build(1)
    assert {driver.extra for driver in (GpioCounter, GpioDistance, GpioInput, GpioOutput, GpioPwm)} == {"gpio"}


def test_the_drivers_can_be_listed_without_their_library() -> None:
    script = (
        "import sys; from jidget_drivers import gpio_counter, gpio_distance, gpio_input, gpio_output, gpio_pwm;"
        "sys.exit(any(name.startswith(('gpiozero', 'lgpio')) for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
