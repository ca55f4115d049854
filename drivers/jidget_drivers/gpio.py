"""GPIO pins through gpiozero: choosing its pin factory, and saying its errors in words that help.

gpiozero is imported when a driver is built, not with this module, so that only who configures a pin needs it.
"""

import asyncio
import importlib
import os
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StrictInt

from jidget_drivers.errors import DeviceUnavailable, MissingLibrary

EXTRA = "gpio"
PinName = Annotated[StrictInt, Field(ge=0)] | Annotated[str, Field(min_length=1)]
"""A GPIO (BCM) number, or a name that gpiozero knows."""
PIN_DESCRIPTION = "GPIO (BCM) number such as 17, or a name such as GPIO17 or BOARD11."

_FACTORY_CHOICE = "GPIOZERO_PIN_FACTORY"
_LGPIO = "lgpio"
_LONGEST = 64
"""Edges kept while nobody takes them: enough for a bouncing contact; beyond, the oldest give way."""


def require_gpiozero(driver: str) -> None:
    """Make sure that the libraries for pins are installed; no hardware is touched.

    Raises:
        MissingLibrary: they are not.
    """
    missing = [name for name in ("gpiozero", "lgpio") if _needs(name) and find_spec(name) is None]
    if missing:
        raise MissingLibrary(f"{driver} needs {' and '.join(missing)}, which the extra jidget[{EXTRA}] brings")


def _needs(library: str) -> bool:
    return library == "gpiozero" or _lgpio_is_chosen()


def _lgpio_is_chosen() -> bool:
    return os.environ.get(_FACTORY_CHOICE, _LGPIO).lower() == _LGPIO


def claim(pin: PinName) -> Any:
    """Reserve `pin` in this process and return gpiozero's device for it, its direction as found.

    Raises:
        DeviceUnavailable: there is no such pin, it is taken, or we may not touch it; the text says what to check.
    """
    gpiozero = importlib.import_module("gpiozero")
    with pin_errors(pin):
        if gpiozero.Device.pin_factory is None:
            gpiozero.Device.pin_factory = _pin_factory(gpiozero)
        # The pin before its reservation: where making it fails, nothing stays reserved.
        gpiozero.Device.pin_factory.pin(pin)
        return gpiozero.GPIODevice(pin)


def _pin_factory(gpiozero: Any) -> Any:
    """Return the factory chosen by the environment as gpiozero does, else lgpio and nothing else.

    gpiozero itself would go on to try three more, the last one experimental, and report the errors of none.
    """
    if not _lgpio_is_chosen():
        gpiozero.Device.ensure_pin_factory()
        return gpiozero.Device.pin_factory
    module = _import_lgpio()
    factory = module.LGPIOFactory()
    factory.pin_class = module.LgpioPin
    return factory


def _import_lgpio() -> Any:
    """Import what is built on lgpio from inside a directory that can be written.

    On import lgpio makes a named pipe in the working directory, opens both ends, and leaves it there. A service often
    may not write where it stands, and then the import fails.
    """
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="jidget-lgpio-") as directory:
        os.chdir(directory)
        try:
            return importlib.import_module("jidget_drivers.gpio_lgpio")
        finally:
            os.chdir(before)


def stay() -> None:
    """Leave a pin as it is: takes the place of gpiozero's `Pin.close` where a pin must stay an output.

    gpiozero closes pins, at the latest when the process ends, by turning them into inputs.
    """


@contextmanager
def pin_errors(pin: PinName) -> Iterator[None]:
    """Turn the errors of gpiozero and lgpio into `DeviceUnavailable` with what to check."""
    try:
        yield
    except DeviceUnavailable:
        raise
    except Exception as error:
        remedy = _remedy(error)
        if remedy is None:
            raise
        raise DeviceUnavailable(f"pin {pin}: {remedy}") from error


# By class name: gpiozero is not imported yet when this is.
_REMEDIES = {
    "PinInvalidPin": "this board has no such pin. Write its GPIO number, such as 17, or a name such as BOARD11",
    "GPIOPinInUse": "another Thing of this configuration has it. Each pin can serve one Thing",
    "PinFixedPull": 'it has a pull-up resistor on the board: write pull = "up", or take another pin',
    "PinPWMUnsupported": f"the chosen pin factory makes no PWM. Leave {_FACTORY_CHOICE} unset to have lgpio",
    "PinUnknownPi": f"this machine is not a Raspberry Pi. Another board needs {_FACTORY_CHOICE} set",
    "BadPinFactory": f"{_FACTORY_CHOICE} names a pin factory that cannot be used",
}


def _remedy(error: Exception) -> str | None:
    """Say what to check; None for an error that is not about pins."""
    names = [cls.__name__ for cls in type(error).__mro__]
    text = str(error).strip("'") or names[0]
    for name in names:
        if name in _REMEDIES:
            return f"{_REMEDIES[name]} ({text})"
    if type(error).__module__ == "lgpio":
        return _lgpio_remedy(text)
    return text if "GPIOZeroError" in names or isinstance(error, OSError) else None


def _lgpio_remedy(text: str) -> str:
    if "busy" in text:
        return f"{text}: another program or a dtoverlay of /boot/firmware/config.txt has it; `gpioinfo` says which"
    if "gpiochip" not in text:
        return text
    chips = sorted(Path("/dev").glob("gpiochip*"))
    if not chips:
        return f"{text}: there is no /dev/gpiochip*; is this a board with GPIO pins?"
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        return f"{text}: no access to {chips[0]}. Put the user in the group gpio: sudo usermod -aG gpio USER"
    return text


class Edges:
    """Edges told by a foreign thread, taken in the event loop; bounded, and never short of the newest one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bool] = deque(maxlen=_LONGEST)
        self._some = asyncio.Event()
        self._waking = False

    def put(self, level: bool) -> None:
        """Tell of an edge, from any thread."""
        self._waiting.append(level)
        # After the append: either the wake-up on its way will see it, or a new one is sent. A storm of edges thus
        # costs the loop one callback, not one each.
        if not self._waking:
            self._waking = True
            with suppress(RuntimeError):  # the loop is closed: the process is ending and nobody listens
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._waking = False
        self._some.set()

    def clear(self) -> None:
        """Forget what was told so far."""
        self._some.clear()
        self._waiting.clear()

    async def wait(self) -> None:
        """Wait until there is an edge."""
        await self._some.wait()

    async def take(self) -> list[bool]:
        """Wait for an edge and return all there are, oldest first."""
        await self._some.wait()
        self._some.clear()
        taken: list[bool] = []
        with suppress(IndexError):  # the other thread may go on appending: popping one by one is safe
            while True:
                taken.append(self._waiting.popleft())
        return taken

    async def settle(self, quiet: float) -> None:
        """Wait for an edge and then until there was none for `quiet` seconds; forget them all."""
        await self._some.wait()
        while self._some.is_set():
            self.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(quiet):
                    await self._some.wait()
