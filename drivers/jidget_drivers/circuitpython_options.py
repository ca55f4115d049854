"""Settings of the driver `circuitpython`: which class, how it is constructed, and which attributes are properties."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jidget_drivers.configured_properties import ConfiguredProperty
from jidget_drivers.driver import DriverOptions
from jidget_drivers.properties import Kind
from jidget_drivers.serial_port import check_port

Bus = Literal["i2c", "spi", "uart", "pin", "none"]
Constant = bool | int | float | str | list[bool | int | float | str]

_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_PIN = re.compile(r"[A-Za-z_]\w*")
_PATH = re.compile(r"[A-Za-z_]\w*(\.[^.]+)*")


def _check_class(text: str) -> str:
    if not _CLASS.fullmatch(text):
        raise ValueError(f"{text!r} is no class: write module and class, such as adafruit_sht31d.SHT31D")
    return text


def _check_pin(text: str) -> str:
    if not _PIN.fullmatch(text):
        raise ValueError(f"{text!r} is no pin: write its name in CircuitPython's module board, such as D4 or CE0")
    return text


def _check_path(text: str) -> str:
    if not _PATH.fullmatch(text) or any(part.startswith("_") for part in text.split(".")[:1]):
        raise ValueError(f"{text!r} is no attribute: write its name, such as temperature, or acceleration.0 for a part")
    return text


PinName = Annotated[str, AfterValidator(_check_pin)]


class Attribute(DriverOptions):
    """Where a value is in an object of the class."""

    attribute: Annotated[str, AfterValidator(_check_path)] | None = Field(
        default=None,
        description="Attribute of the class that has the value; of a tuple or a dict a part, such as acceleration.0 or "
        "read.pm25 env. A method is called, without arguments. Left out: the name of the property.",
    )

    def path(self, name: str) -> tuple[str, ...]:
        """Return the attribute of the property `name`, and what to take of its value, outermost first."""
        return tuple((self.attribute or name).split("."))


class AttributeProperty(ConfiguredProperty, Attribute):
    """One property: which attribute it is, and what that holds."""

    scale: float = Field(
        default=1.0,
        allow_inf_nan=False,
        description="The attribute times this is the value in `unit`: 0.001 from mV to V.",
    )
    writable: bool = Field(default=False, description="Whether it can be set.")

    @model_validator(mode="after")
    def _can_be_converted_and_set(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale: 0 would make every value the same")
        if self.scale != 1 and self.type is not Kind.NUMBER:
            raise ValueError(f"scale is for a number; this is a {self.type}")
        if self.writable and len(self.path("x")) > 1:
            raise ValueError("what is set is an attribute itself, not a part of its value")
        return self


class CircuitPythonOptions(DriverOptions):
    """Which class, what it is connected to, and which of its attributes are shown."""

    class_: Annotated[str, AfterValidator(_check_class)] = Field(
        alias="class",
        description="Module and class, as in `from adafruit_sht31d import SHT31D`: adafruit_sht31d.SHT31D.",
    )
    bus: Bus = Field(
        default="i2c",
        description="What the class gets first: the I²C bus, the SPI bus and its pins, a serial port, pins alone, or "
        "nothing.",
    )
    address: int | None = Field(
        default=None,
        ge=0x08,
        le=0x77,
        strict=True,
        description="i2c: its address, given as `address`. Left out: the class's own default.",
    )
    pins: tuple[PinName, ...] | dict[str, PinName] = Field(
        default=(),
        description="Names from CircuitPython's module board, such as D4: a list, or a table by the names of the "
        "class's arguments. spi: chip select first, then what else the class takes. pin: what it takes. "
        "i2c: SCL and SDA, where not the board's own.",
    )
    port: Annotated[str, AfterValidator(check_port)] | None = Field(
        default=None,
        description="uart: path of the serial port, such as /dev/serial0, or usb:VENDOR:PRODUCT as lsusb shows it.",
    )
    baud: int = Field(default=9600, ge=50, le=4_000_000, description="uart: bits per second.")
    arguments: dict[str, Constant] = Field(
        default={}, description="More arguments of the class, by name; constants only."
    )
    properties: dict[str, AttributeProperty] = Field(min_length=1, description="Its properties by name.")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for name, spec in self.properties.items():
            spec.declared(name)
            spec.path(name)
        if self.address is not None and self.bus != "i2c":
            raise ValueError('address is for bus = "i2c"')
        if (self.port is not None) != (self.bus == "uart"):
            raise ValueError('port and bus = "uart" go together')
        if self.bus in ("spi", "pin") and not self.pins:
            raise ValueError(f'bus = "{self.bus}" needs pins, such as pins = ["D5"]')
        if self.bus == "i2c" and (isinstance(self.pins, dict) or len(self.pins) not in (0, 2)):
            raise ValueError('bus = "i2c": pins are SCL and SDA, in a list, or left out')
        if self.bus in ("uart", "none") and self.pins:
            raise ValueError(f'bus = "{self.bus}" takes no pins')
        if twice := {"address"} & self.arguments.keys() if self.address is not None else ():
            raise ValueError(f"{', '.join(twice)} is given twice")
        if isinstance(self.pins, dict) and (both := self.pins.keys() & self.arguments.keys()):
            raise ValueError(f"{', '.join(sorted(both))} is given twice, as a pin and as an argument")
        return self
