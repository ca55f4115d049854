"""Any device for which there is a CircuitPython driver, through Adafruit Blinka.

Adafruit's Design Guide for drivers ("Getters/Setters", "Sensor properties and units"): a measurement is an attribute
of the object, such as `temperature` in °C, `pressure` in hPa, `acceleration` in m/s², a tuple.
"""

import math
from collections.abc import Mapping
from typing import Any

from jidget_drivers.circuitpython_device import EXTRA, Device, require
from jidget_drivers.circuitpython_options import AttributeProperty, CircuitPythonOptions
from jidget_drivers.driver import Sensor
from jidget_drivers.errors import DeviceUnavailable, DriverError, InvalidReading, WriteRefused
from jidget_drivers.properties import Kind, Property, Scalar, misfit

_LONGEST_SHOWN = 60


class CircuitPython(Sensor[CircuitPythonOptions]):
    """Any device with a CircuitPython driver: its class by name, its attributes as properties.

    Adafruit and others have drivers for several hundred sensors, displays and expanders. Install the one for yours
    (`pip install adafruit-circuitpython-sht31d`), take the class and its attributes from its documentation, and write
    the units that it names there. What has a driver of its own here is better served by that.

    All attributes are read together, each once. One that is None or no number, or whose getter complains (a checksum,
    a timing), makes the whole reading invalid.
    """

    extra = EXTRA
    wiring = (
        "As the driver's documentation shows for a Raspberry Pi. I²C: SDA to pin 3, SCL to pin 5. SPI: SCLK to pin 23, "
        "MOSI to pin 19, MISO to pin 21, and chip select to the pin named in option `pins`, such as D5."
    )

    def __init__(self, options: CircuitPythonOptions) -> None:
        super().__init__(options)
        require(options.class_)
        self.properties = tuple(
            spec.declared(name, writable=spec.writable) for name, spec in options.properties.items()
        )
        self._device: Device | None = None

    async def open(self) -> None:
        """Construct the object; most classes look for their chip then.

        Raises:
            DeviceUnavailable: it is not there, or cannot be used on this machine.
        """
        await self.close()
        self._device = Device(self.options)
        await self.in_thread(self._device.build)

    async def close(self) -> None:
        """Let go of the hardware. A call that hangs in it does so itself when it comes back."""
        device, self._device = self._device, None
        if device is not None and device.give_up():
            await self.in_thread(device.release)

    async def read(self) -> Mapping[str, Scalar]:
        """Read all attributes, each once.

        Raises:
            DeviceUnavailable: the device does not answer.
            InvalidReading: it answered nonsense, or nothing.
        """
        return await self.in_thread(self._opened().use, self._read)

    async def write(self, name: str, value: Scalar) -> None:
        """Set an attribute.

        Raises:
            WriteRefused: the class does not take this value.
            DeviceUnavailable: the device does not answer.
        """
        spec = self.options.properties[name]
        if not spec.writable:
            raise WriteRefused(f"{name} cannot be set: it is not writable")
        raw = value / spec.scale if spec.type is Kind.NUMBER and isinstance(value, int | float) else value
        (attribute,) = spec.path(name)
        await self.in_thread(self._opened().use, lambda thing: _set(thing, name, attribute, raw))

    def _opened(self) -> Device:
        if self._device is None:
            raise DeviceUnavailable("it is not open")
        return self._device

    def _read(self, thing: Any) -> dict[str, Scalar]:
        seen: dict[str, Any] = {}
        values: dict[str, Scalar] = {}
        for prop in self.properties:
            spec = self.options.properties[prop.name]
            attribute, *rest = spec.path(prop.name)
            if attribute not in seen:
                seen[attribute] = _get(thing, attribute)
            values[prop.name] = to_value(prop, spec, _part(seen[attribute], attribute, rest))
        return values


def _get(thing: Any, attribute: str) -> Any:
    try:
        value = getattr(thing, attribute)
        return value() if callable(value) else value
    except DriverError:
        raise
    except OSError as error:
        raise DeviceUnavailable(
            f"{attribute}: the device does not answer ({error.strerror or error}). Check its wiring and power"
        ) from error
    # What drivers raise where a checksum, a timing or a register is wrong: RuntimeError and ValueError by the Design
    # Guide; the others come of computing with what should not have been there.
    except (RuntimeError, ValueError, ArithmeticError, LookupError, TypeError) as error:
        raise InvalidReading(f"{attribute}: {' '.join(str(error).split()) or type(error).__name__}") from error


def _set(thing: Any, name: str, attribute: str, value: Scalar) -> None:
    try:
        setattr(thing, attribute, value)
    except OSError as error:
        raise DeviceUnavailable(
            f"{name}: the device does not answer ({error.strerror or error}). Check its wiring and power"
        ) from error
    except AttributeError as error:
        raise WriteRefused(f"{name}: {attribute} of {type(thing).__name__} cannot be set ({error})") from error
    except (ValueError, TypeError) as error:
        raise WriteRefused(f"{name}: {' '.join(str(error).split()) or type(error).__name__}") from error


def _part(value: Any, attribute: str, path: list[str]) -> Any:
    """Return what `path` leads to: members of tuples by number, of dicts by key, of objects by name."""
    for step in path:
        try:
            if isinstance(value, Mapping):
                value = value[step]
            elif isinstance(value, list | tuple) and step.isdigit():
                value = value[int(step)]
            else:
                value = getattr(value, step)
        except (LookupError, AttributeError):
            raise InvalidReading(f"{attribute}: it is {_shorten(value)}, in which there is no {step!r}") from None
        attribute = f"{attribute}.{step}"
    return value


def to_value(prop: Property, spec: AttributeProperty, raw: Any) -> Scalar:
    """Return what an attribute's value says for `prop`.

    Raises:
        InvalidReading: nothing, or no value that the property may have.
    """
    if raw is None:
        raise InvalidReading(f"{prop.name} has no value: its attribute is None")
    value = raw
    match prop.kind:
        case Kind.NUMBER if isinstance(raw, int | float) and not isinstance(raw, bool):
            value = raw if spec.scale == 1 else float(f"{raw * spec.scale:.12g}")
        case Kind.INTEGER if isinstance(raw, float) and math.isfinite(raw) and raw == int(raw):
            value = int(raw)
        case Kind.BOOLEAN if isinstance(raw, int) and raw in (0, 1):
            value = bool(raw)
    if problem := misfit(prop, value):
        raise InvalidReading(f"{prop.name}: {_shorten(problem)}")
    if not isinstance(value, bool | int | float | str):  # an enum lets pass what equals one of its options
        raise InvalidReading(f"{prop.name}: {_shorten(value)} is no text")
    return value


def _shorten(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
