"""Bosch BME280: temperature, humidity, air pressure; and BMP280, which has no humidity.

Bosch Sensortec BST-BME280-DS002 and BST-BMP280-DS001; sections named below are of the former.
"""

import time
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from jidget_drivers.bme280_compensation import Calibration
from jidget_drivers.errors import DeviceUnavailable, InvalidReading
from jidget_drivers.i2c_driver import I2cOptions, I2cSensor
from jidget_drivers.properties import Property, Scalar
from jidget_drivers.units import Unit

# Registers, 5.3
_CALIBRATION_LOW, _ID, _CALIBRATION_HIGH = 0x88, 0xD0, 0xE1
_CTRL_HUM, _STATUS, _CTRL_MEAS, _CONFIG, _DATA = 0xF2, 0xF3, 0xF4, 0xF5, 0xF7
_MEASURING, _COPYING = 0x08, 0x01
_SLEEP, _FORCED = 0b00, 0b01
_STARTUP = 0.002

_BME280 = 0x60
_BMP280 = (0x56, 0x57, 0x58)
_OTHERS = {0x55: "a BMP180", 0x61: "a BME680 or BME688", 0x50: "a BMP388"}

# What the data registers hold where nothing was measured, 5.4.7 to 5.4.9
_SKIPPED_20_BIT, _SKIPPED_16_BIT = 0x80000, 0x8000


class Bme280Options(I2cOptions):
    """Where the chip is and how often it samples for one reading."""

    address: int = Field(
        default=0x76, ge=0x76, le=0x77, strict=True, description="0x76 (118) with SDO at GND, 0x77 (119) at VCC."
    )
    oversampling: Literal[1, 2, 4, 8, 16] = Field(
        default=1, description="Samples averaged for one reading: less noise, more time (16: 0.11 s)."
    )


class Bme280(I2cSensor[Bme280Options]):
    """Bosch BME280: temperature, relative humidity and air pressure; a BMP280 has no humidity.

    It measures once per reading and sleeps between, so that it does not warm itself.
    """

    name = "bme280"
    properties = (
        Property(
            name="temperature",
            unit=Unit.CELSIUS,
            description="Temperature of the chip, which is a little above that of the air.",
            minimum=-40,
            maximum=85,
            precision=2,
        ),
        Property(
            name="humidity",
            unit=Unit.RELATIVE_HUMIDITY,
            description="Relative humidity; a BMP280 never tells it.",
            minimum=0,
            maximum=100,
            precision=1,
        ),
        Property(
            name="pressure",
            unit=Unit.HECTOPASCAL,
            description="Air pressure at the place itself, not reduced to sea level.",
            minimum=300,
            maximum=1100,
            precision=2,
        ),
    )
    wiring = (
        "VCC to 3.3 V (pin 1), GND to pin 6, SDA to pin 3, SCL to pin 5; CSB to 3.3 V where the board has it. Boards "
        "sold as BME280 often carry a BMP280: such a one shows no humidity."
    )

    def __init__(self, options: Bme280Options) -> None:
        super().__init__(options)
        self._calibration: Calibration | None = None
        self._has_humidity = False

    def prepare(self) -> None:
        """Check the chip's id and read its calibration."""
        found = self.chip.read_register(_ID)[0]
        if found != _BME280 and found not in _BMP280:
            what = _OTHERS.get(found, "another chip, or the wires of the bus are loose")
            raise DeviceUnavailable(
                f"{self.chip.place} has chip id {found:#04x}, not that of a BME280 (0x60) or BMP280 (0x58): "
                f"it is {what}"
            )
        self._has_humidity = found == _BME280
        if self.chip.read_register(_STATUS)[0] & _COPYING:  # it has just got power
            time.sleep(_STARTUP)
        low = self.chip.read_register(_CALIBRATION_LOW, 26)
        high = self.chip.read_register(_CALIBRATION_HIGH, 7) if self._has_humidity else b""
        self._calibration = self._parse(low, high)
        with self.chip.transaction():
            self.chip.write(_CTRL_MEAS, _SLEEP)  # first: otherwise it may ignore the next one, 5.4.6
            self.chip.write(_CONFIG, 0)

    def _parse(self, low: bytes, high: bytes) -> Calibration:
        calibration = Calibration.parse(low, high)
        blank = any(len(set(block)) == 1 for block in (low[:24], high) if block)
        if blank or not calibration.t[0] or not calibration.p[0]:
            raise DeviceUnavailable(
                f"{self.chip.place} has no calibration in it. Take its power away for a moment; if that does not "
                "help, it is broken or a counterfeit"
            )
        return calibration

    def measure(self) -> Mapping[str, Scalar]:
        """Measure once in forced mode, 3.3.3."""
        if self._calibration is None:
            raise DeviceUnavailable(f"{self.chip.place} is not open")
        with self.chip.measuring():
            self._start()
            time.sleep(self._duration())
            self._await_end()
            data = self.chip.read_register(_DATA, 8 if self._has_humidity else 6)
        adc_p = int.from_bytes(data[0:3]) >> 4
        adc_t = int.from_bytes(data[3:6]) >> 4
        adc_h = int.from_bytes(data[6:8]) if self._has_humidity else None
        if _SKIPPED_20_BIT in (adc_p, adc_t) or adc_h == _SKIPPED_16_BIT:
            raise InvalidReading(f"{self.chip.place} did not measure; was its power gone for a moment?")
        try:
            climate = self._calibration.climate(adc_t, adc_p, adc_h)
        except ZeroDivisionError:
            raise InvalidReading(f"{self.chip.place}: its calibration makes no sense of what it measured") from None
        values: dict[str, Scalar] = {"temperature": climate.temperature, "pressure": climate.pressure / 100}
        if climate.humidity is not None:
            values["humidity"] = climate.humidity
        return values

    def _start(self) -> None:
        code = self.options.oversampling.bit_length()  # 1, 2, 4, 8, 16 samples are 1 to 5, 5.4.3
        with self.chip.transaction():
            if self._has_humidity:
                self.chip.write(_CTRL_HUM, code)  # takes effect with the next write to ctrl_meas
            self.chip.write(_CTRL_MEAS, code << 5 | code << 2 | _FORCED)

    def _duration(self) -> float:
        """Return the longest time in seconds that a measurement takes, 9.1."""
        each = 2.3 * self.options.oversampling
        humidity = each + 0.575 if self._has_humidity else 0.0
        return (1.25 + each + each + 0.575 + humidity) / 1000

    def _await_end(self) -> None:
        """Make sure that the measurement is over; no chip takes twice the longest time."""
        last = time.monotonic() + self._duration()
        while self.chip.read_register(_STATUS)[0] & _MEASURING:
            if time.monotonic() > last:
                raise InvalidReading(f"{self.chip.place} does not finish measuring")
            time.sleep(0.001)
