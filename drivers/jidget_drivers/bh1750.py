"""ROHM BH1750FVI: how bright it is (technical note 2009.04 Rev.B)."""

import time
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from jidget_drivers.errors import InvalidReading
from jidget_drivers.i2c_driver import I2cOptions, I2cSensor
from jidget_drivers.properties import Property, Scalar
from jidget_drivers.units import Unit

_POWER_ON = 0x01
_DEFAULT_TIME = 69  # of the measurement time register, MTreg
_COUNTS_PER_LUX = 1.2
_SATURATED = 0xFFFF
# Each mode: its one-time command, its longest measurement in seconds at the default time, counts for one count of 1 lx
_MODES = {"4lx": (0x23, 0.024, 1), "1lx": (0x20, 0.180, 1), "0.5lx": (0x21, 0.180, 2)}


class Bh1750Options(I2cOptions):
    """Where the chip is and how finely it looks."""

    address: Literal[0x23, 0x5C] = Field(
        default=0x23, description="0x23 (35) with ADDR at GND or open, 0x5c (92) with ADDR at VCC."
    )
    resolution: Literal["4lx", "1lx", "0.5lx"] = Field(
        default="1lx", description="Finer takes longer: 4lx 24 ms, the others 180 ms. 0.5lx ends at 27 000 lx."
    )
    sensitivity: float = Field(
        default=1.0,
        ge=0.45,
        le=3.68,
        description="Measurement time as a multiple of the usual: 0.45 for sunlight (up to 121 000 lx), 3.68 for dusk.",
    )


class Bh1750(I2cSensor[Bh1750Options]):
    """ROHM BH1750: illuminance, as the eye sees it."""

    name = "bh1750"
    properties = (
        Property(
            name="illuminance",
            unit=Unit.LUX,
            description="Light that falls on the sensor.",
            minimum=0,
            maximum=121557,
            precision=1,
        ),
    )
    wiring = "VCC to 3.3 V (pin 1), GND to pin 6, SDA to pin 3, SCL to pin 5."

    def __init__(self, options: Bh1750Options) -> None:
        super().__init__(options)
        self._command, duration, self._fineness = _MODES[options.resolution]
        self._time = round(_DEFAULT_TIME * options.sensitivity)
        self._duration = duration * self._time / _DEFAULT_TIME

    def prepare(self) -> None:
        """Check that a chip answers; this one has no id to ask for."""
        self.chip.write(_POWER_ON)

    def measure(self) -> Mapping[str, Scalar]:
        """Measure once; the chip then goes to sleep by itself."""
        with self.chip.measuring():
            with self.chip.transaction():
                self.chip.write(_POWER_ON)
                # Each time: a chip whose power was gone for a moment has forgotten it, and would tell wrong values.
                self.chip.write(0b01000_000 | self._time >> 5)
                self.chip.write(0b011_00000 | self._time & 0b11111)
                self.chip.write(self._command)
            time.sleep(self._duration)
            counts = int.from_bytes(self.chip.read(2))
        if counts == _SATURATED:
            raise InvalidReading(
                f"{self.chip.place}: brighter than it can measure. Lower the option `sensitivity`, or shade it"
            )
        return {"illuminance": counts / _COUNTS_PER_LUX * _DEFAULT_TIME / self._time / self._fineness}
