"""Texas Instruments INA219: voltage, current and power of a supply (datasheet SBOS448G, December 2015)."""

import time
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from jidget_drivers.errors import DeviceUnavailable, InvalidReading
from jidget_drivers.i2c_driver import I2cOptions, I2cSensor
from jidget_drivers.properties import Property, Scalar
from jidget_drivers.units import Unit

# Registers, 8.6.1
_CONFIGURATION, _SHUNT, _BUS, _CURRENT, _CALIBRATION = 0, 1, 2, 4, 5
_READY, _OVERFLOW = 0b10, 0b01  # in the bus voltage register, 8.6.3.2
_RANGE_32_V = 1 << 13
_SHUNT_AND_BUS_ONCE = 0b011
_SHUNT_STEP, _BUS_STEP = 10e-6, 4e-3  # volts, 8.6.3
_SHUNT_RANGES = (0.04, 0.08, 0.16, 0.32)  # volts by PGA setting, 8.6.2.1
_CALIBRATION_CONSTANT = 0.04096  # equation 1
_CONVERSION = 586e-6  # seconds, longest, of one 12-bit sample, 7.5


def calibration_for(current_step: float, shunt_ohms: float) -> int:
    """Return the calibration register for a current register that counts steps of `current_step` amperes.

    Equation 1 of 8.5.1; the lowest bit of the register is always 0 (8.6.4.1).
    """
    # The tiny number: 0.04096 / (1 mA · 2 mΩ) is 20480 and must not become 20479 by rounding in binary.
    return int(_CALIBRATION_CONSTANT / (current_step * shunt_ohms) + 1e-6) & ~1


class Ina219Options(I2cOptions):
    """Where the chip is, and what shunt it has."""

    address: int = Field(
        default=0x40, ge=0x40, le=0x4F, strict=True, description="0x40 to 0x4f (64 to 79) by the pins A0 and A1."
    )
    shunt_ohms: float = Field(
        default=0.1, gt=0, le=10, description="Resistance of the shunt: 0.1 (R100) on most boards."
    )
    max_current: float | None = Field(
        default=None, gt=0, description="Greatest current in A to be measured. Left out: what the shunt allows, 0.32 V."
    )
    samples: Literal[1, 2, 4, 8, 16, 32, 64, 128] = Field(
        default=16, description="Samples averaged for one reading: 16 take 19 ms, 128 take 150 ms."
    )

    @model_validator(mode="after")
    def _fits(self) -> "Ina219Options":
        if self.greatest_current * self.shunt_ohms > _SHUNT_RANGES[-1] + 1e-9:
            raise ValueError(
                f"max_current {self.max_current:g} A over {self.shunt_ohms:g} Ohm is more than the 0.32 V that the "
                f"chip measures: with this shunt at most {_SHUNT_RANGES[-1] / self.shunt_ohms:g} A"
            )
        if calibration_for(self.greatest_current / 32768, self.shunt_ohms) > 0xFFFE:
            least = _CALIBRATION_CONSTANT / (0xFFFE * self.shunt_ohms) * 32768
            raise ValueError(f"max_current is too small for this shunt: write at least {least:.3g} A")
        return self

    @property
    def greatest_current(self) -> float:
        """The greatest current in A to be measured."""
        return _SHUNT_RANGES[-1] / self.shunt_ohms if self.max_current is None else self.max_current


class Ina219(I2cSensor[Ina219Options]):
    """Texas Instruments INA219: voltage, current and power of a battery, a solar panel, a load."""

    name = "ina219"
    properties = (
        Property(
            name="voltage",
            unit=Unit.VOLT,
            description="Voltage between IN- and GND: that of the load.",
            minimum=0,
            maximum=32,
            precision=3,
        ),
        Property(
            name="current",
            unit=Unit.AMPERE,
            description="Current through the shunt; below 0 when it flows from IN- to IN+.",
            precision=4,
        ),
        Property(name="power", unit=Unit.WATT, description="Voltage times current, of the same instant.", precision=3),
    )
    wiring = (
        "VCC to 3.3 V (pin 1), GND to pin 6 and to the minus of the supply, SDA to pin 3, SCL to pin 5. The supply's "
        "plus goes to VIN+, the load's plus to VIN-. Never more than 26 V, and never the mains."
    )

    def __init__(self, options: Ina219Options) -> None:
        super().__init__(options)
        self._calibration = calibration_for(options.greatest_current / 32768, options.shunt_ohms)
        # What one count really is, the register being a whole, even number.
        self._current_step = _CALIBRATION_CONSTANT / (self._calibration * options.shunt_ohms)
        drop = options.greatest_current * options.shunt_ohms
        gain = next(code for code, volts in enumerate(_SHUNT_RANGES) if drop <= volts + 1e-9)
        self._full_scale = round(_SHUNT_RANGES[gain] / _SHUNT_STEP)
        averaging = 0b0011 if options.samples == 1 else 0b1000 + options.samples.bit_length() - 1  # 8.6.2.1
        self._configuration = _RANGE_32_V | gain << 11 | averaging << 7 | averaging << 3 | _SHUNT_AND_BUS_ONCE
        self._duration = 2 * _CONVERSION * options.samples

    def prepare(self) -> None:
        """Set the calibration and check that the chip keeps it."""
        with self.chip.transaction():
            self._write(_CALIBRATION, self._calibration)
            self._write(_CONFIGURATION, self._configuration)
            kept = (self._read(_CALIBRATION), self._read(_CONFIGURATION))
        if kept != (self._calibration, self._configuration):
            raise DeviceUnavailable(
                f"{self.chip.place} does not keep what is written to it: it is no INA219, or the wires are loose"
            )

    def measure(self) -> Mapping[str, Scalar]:
        """Measure shunt and bus once: triggered mode, 8.6.2.1."""
        with self.chip.measuring():
            self._write(_CONFIGURATION, self._configuration)
            time.sleep(self._duration)
            self._await_end()
            with self.chip.transaction():
                bus, shunt = self._read(_BUS), _signed(self._read(_SHUNT))
                current, calibration = _signed(self._read(_CURRENT)), self._read(_CALIBRATION)
        if calibration != self._calibration:
            raise DeviceUnavailable(f"{self.chip.place} has lost its calibration: its power was gone for a moment")
        if abs(shunt) >= self._full_scale or bus & _OVERFLOW:
            raise InvalidReading(
                f"{self.chip.place}: the current is beyond {self.options.greatest_current:g} A. Raise the option "
                "`max_current`, or take a smaller shunt"
            )
        volts, amperes = (bus >> 3) * _BUS_STEP, current * self._current_step
        # Not from the power register: it has 1/20 of the resolution and knows no direction.
        return {"voltage": volts, "current": amperes, "power": volts * amperes}

    def _await_end(self) -> None:
        last = time.monotonic() + self._duration
        while not self._read(_BUS) & _READY:
            if time.monotonic() > last:
                raise InvalidReading(f"{self.chip.place} does not finish measuring")
            time.sleep(0.001)

    def _read(self, register: int) -> int:
        return int.from_bytes(self.chip.read_register(register, 2))

    def _write(self, register: int, value: int) -> None:
        self.chip.write(register, *value.to_bytes(2))


def _signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word
