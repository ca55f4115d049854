"""An object of a CircuitPython driver class: constructed on its bus, read, set, and let go of. All of it blocks.

Blinka (`board`, `busio`, `digitalio`) is imported when the device is built, not with this module: it looks at the
machine to find out which board it is. CircuitPython's own rules are followed: docs.circuitpython.org, "Support
Matrix" for the modules, "Design Guide" for drivers (lifetime and `deinit`, getters without arguments).
"""

import importlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any, TypeVar

from jidget_drivers.circuitpython_options import CircuitPythonOptions
from jidget_drivers.errors import DeviceUnavailable, MissingLibrary
from jidget_drivers.serial_port import find_port

EXTRA = "circuitpython"
SERIAL_WAIT = 1.0
"""Seconds that one read of a serial port waits for its bytes, as CircuitPython's UART does."""
SPI_WAIT = 2.0
"""Seconds to wait for the SPI bus; who keeps it longer hangs."""

_NO_QUESTIONS = "BLINKA_SKIP_DEPENDENCY_CHECK"
"""Without it Blinka asks at a terminal whether it may call pip, and waits for the answer."""
_ADAFRUIT = "adafruit_"
_MOST_NAMED = 12
_spi = threading.Lock()
"""Held for a whole measurement on SPI: chip selects are set by hand there, so two devices must not mix."""

T = TypeVar("T")


def require(class_path: str) -> None:
    """Make sure that Blinka and the package of the class are installed; nothing is imported, no hardware touched.

    Raises:
        MissingLibrary: one of them is not; the text says what to install.
    """
    if find_spec("adafruit_blinka") is None:
        raise MissingLibrary(f"circuitpython needs Adafruit Blinka, which the extra jidget[{EXTRA}] brings")
    package = class_path.partition(".")[0]
    if find_spec(package) is None:
        raise MissingLibrary(f"there is no module {package}", remedy=_where_from(package))


def _where_from(package: str) -> str:
    if package.startswith(_ADAFRUIT):
        name = f"adafruit-circuitpython-{package.removeprefix(_ADAFRUIT).replace('_', '-')}"
        return f"pip install {name}"
    return "install the package that brings it, or correct the name in option `class`"


class Device:
    """One object of the class. Its methods block; `give_up` may come from any other thread meanwhile."""

    def __init__(self, options: CircuitPythonOptions) -> None:
        self._options = options
        self._object: Any = None
        self._held = ExitStack()
        self._state = threading.Lock()
        self._in_use = False
        self._wanted = True

    def build(self) -> None:
        """Import the class, open its bus, construct it, and see whether it has the attributes.

        Raises:
            DeviceUnavailable: it cannot be had; the text says why and what to check.
        """
        self._use(self._build)

    def use(self, function: Callable[[Any], T]) -> T:
        """Return what `function` makes of the object; the SPI bus, if it is on one, is ours until then."""
        return self._use(lambda: function(self._object))

    def give_up(self) -> bool:
        """Say that nobody wants it any more; whether `release` must be called. If it is in use, it releases itself."""
        with self._state:
            self._wanted = False
            return not self._in_use

    def release(self) -> None:
        """Let go of the hardware."""
        self._object = None
        self._held.close()

    def _use(self, function: Callable[[], T]) -> T:
        self._begin()
        try:
            with _have_spi(self._options.bus == "spi"):
                return function()
        finally:
            with self._state:
                self._in_use = False
                wanted = self._wanted
            if not wanted:
                self.release()

    def _begin(self) -> None:
        with self._state:
            if not self._wanted:
                raise DeviceUnavailable("it was closed")
            self._in_use = True

    def _build(self) -> None:
        options = self._options
        try:
            cls = _import_class(options.class_)
            positional, named = self._connections()
            if options.address is not None:
                named["address"] = options.address
            self._object = cls(*positional, **named, **options.arguments)
        except DeviceUnavailable:
            self.release()
            raise
        except TypeError as error:
            self.release()
            raise DeviceUnavailable(
                f"{options.class_} cannot be constructed like that ({error}): compare options bus, pins and arguments "
                "with its documentation"
            ) from error
        except Exception as error:  # other people's code tells of absent hardware by errors of all kinds
            self.release()
            raise DeviceUnavailable(_say_absent(error, options)) from error
        if callable(deinit := getattr(self._object, "deinit", None)):
            self._held.callback(deinit)
        try:
            self._check_attributes()
        except DeviceUnavailable:
            self.release()
            raise

    def _connections(self) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments by which the class gets its bus and pins."""
        options = self._options
        if options.bus == "none":
            return [], {}
        if options.bus == "uart":
            return [self._keep(_open_serial(options))], {}
        board = _import_blinka("board")
        if options.bus == "i2c":
            busio = _import_blinka("busio")
            scl, sda = options.pins or ("SCL", "SDA")
            return [self._keep(busio.I2C(_pin(board, scl), _pin(board, sda)))], {}
        names = options.pins if isinstance(options.pins, dict) else {}
        listed = () if isinstance(options.pins, dict) else options.pins
        if options.bus == "pin":
            return [_pin(board, pin) for pin in listed], {name: _pin(board, pin) for name, pin in names.items()}
        busio, digitalio = _import_blinka("busio"), _import_blinka("digitalio")
        bus = self._keep(busio.SPI(_pin(board, "SCK"), _pin(board, "MOSI"), _pin(board, "MISO")))

        def line(pin: str) -> Any:
            return self._keep(digitalio.DigitalInOut(_pin(board, pin)))

        return [bus, *(line(pin) for pin in listed)], {name: line(pin) for name, pin in names.items()}

    def _keep(self, thing: Any) -> Any:
        """Remember that `thing` must be let go of."""
        self._held.callback(getattr(thing, "deinit", None) or thing.close)
        return thing

    def _check_attributes(self) -> None:
        there = dir(self._object)  # asks no getter, and so no hardware
        for name, spec in self._options.properties.items():
            attribute = spec.path(name)[0]
            if attribute not in there and not hasattr(type(self._object), "__getattr__"):
                public = [word for word in there if not word.startswith("_")]
                near = get_close_matches(attribute, public, n=_MOST_NAMED, cutoff=0.5) or public[:_MOST_NAMED]
                raise DeviceUnavailable(
                    f"properties.{name}: {self._options.class_} has no attribute {attribute}. It has: {', '.join(near)}"
                )


@contextmanager
def _have_spi(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    if not _spi.acquire(timeout=SPI_WAIT):
        raise DeviceUnavailable(f"the SPI bus is busy: another Thing has not let go of it for {SPI_WAIT:g} s")
    try:
        yield
    finally:
        _spi.release()


def _import_blinka(module: str) -> Any:
    """Return a module of Blinka.

    Raises:
        DeviceUnavailable: it does not know this board, or lacks what it needs there.
    """
    os.environ.setdefault(_NO_QUESTIONS, "1")
    try:
        return importlib.import_module(module)
    except NotImplementedError as error:
        said = " ".join(str(error).split())
        raise DeviceUnavailable(f"Blinka does not know this board; BLINKA_FORCEBOARD names one ({said})") from error
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise DeviceUnavailable(
            f"Blinka's {module} cannot be used on this machine: {' '.join(str(error).split())}"
        ) from error


def _import_class(class_path: str) -> Any:
    module_name, _, name = class_path.rpartition(".")
    _import_blinka("board")  # drivers import it themselves; here its errors are told as what they are
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        remedy = f": {_where_from(missing)}" if missing and missing != module_name.partition(".")[0] else ""
        raise DeviceUnavailable(f"class {class_path}: {error}{remedy}") from error
    except (NotImplementedError, RuntimeError, OSError, AttributeError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise DeviceUnavailable(f"class {class_path} cannot be used on this machine: {said}") from error
    cls = getattr(module, name, None)
    if not callable(cls):
        there = [word for word, value in vars(module).items() if isinstance(value, type) and not word.startswith("_")]
        raise DeviceUnavailable(f"{module_name} has no class {name}. It has: {', '.join(sorted(there)) or 'none'}")
    return cls


def _pin(board: Any, name: str) -> Any:
    pin = getattr(board, name, None)
    if pin is None:
        there = sorted(word for word, value in vars(board).items() if type(value).__name__ == "Pin")
        known = (
            f"it has {', '.join(there)}" if there else "Blinka knows none on it; BLINKA_FORCEBOARD names another board"
        )
        raise DeviceUnavailable(f"this board has no pin {name}: {known}")
    return pin


def _open_serial(options: CircuitPythonOptions) -> Any:
    serial = importlib.import_module("serial")
    assert options.port is not None  # noqa: S101  # the options were checked
    path = find_port(options.port)
    return serial.Serial(str(path), options.baud, timeout=SERIAL_WAIT, exclusive=True)


def _say_absent(error: Exception, options: CircuitPythonOptions) -> str:
    """Say what an error of a constructor means and what to check."""
    said = " ".join(str(error).split()) or type(error).__name__
    match options.bus:
        case "i2c":
            check = "wiring, power and address, that I2C is on (raspi-config) and the user in group i2c"
        case "spi":
            check = "wiring, power and chip select, that SPI is on (raspi-config) and the user in group spi"
        case "uart":
            check = f"that {options.port} is there, used by nobody else, and the user in group dialout"
        case _:
            check = "wiring, power and pins, that nobody else uses them and the user is in group gpio"
    return f"{options.class_}: {said}. Check {check}"
