"""Sensirion SHT30, SHT31 and SHT35: temperature and humidity (datasheet SHT3x-DIS, version 5, May 2018)."""

import time
from collections.abc import Mapping

from pydantic import Field

from jidget_drivers.errors import DeviceUnavailable, InvalidReading
from jidget_drivers.i2c_driver import I2cOptions, I2cSensor
from jidget_drivers.i2c_sensirion import HUMIDITY, TEMPERATURE, words
from jidget_drivers.properties import Scalar

_BREAK = (0x30, 0x93)  # ends periodic measuring, 4.8
_HEATER_OFF = (0x30, 0x66)  # 4.10
_READ_STATUS = (0xF3, 0x2D)  # 4.11
_MEASURE = (0x24, 0x00)  # once, high repeatability, no clock stretching, 4.3
_HEATER_ON = 1 << 13
_BREAK_TIME = 0.001  # 4.8
_DURATION = 0.0155  # t_MEAS,h at the lowest supply voltage, section 2


class Sht3xOptions(I2cOptions):
    """Where the chip is."""

    address: int = Field(
        default=0x44, ge=0x44, le=0x45, strict=True, description="0x44 (68) with ADDR at GND, 0x45 (69) at VDD."
    )


class Sht3x(I2cSensor[Sht3xOptions]):
    """Sensirion SHT30, SHT31, SHT35: temperature and relative humidity, each answer with a checksum."""

    name = "sht3x"
    properties = (TEMPERATURE, HUMIDITY)
    wiring = "VDD to 3.3 V (pin 1), VSS to GND (pin 6), SDA to pin 3, SCL to pin 5."

    def prepare(self) -> None:
        """Check that the chip answers with a right checksum, and that its heater is off."""
        with self.chip.measuring():
            self.chip.write(*_BREAK)
            time.sleep(_BREAK_TIME)
            (status,) = self._checked(self.chip.transfer(bytes(_READ_STATUS), 3))
            if status & _HEATER_ON:
                self.chip.write(*_HEATER_OFF)

    def _checked(self, answer: bytes) -> tuple[int, ...]:
        try:
            return words(answer, self.chip.place)
        except InvalidReading as error:
            raise DeviceUnavailable(f"{error}; or it is no SHT3x") from error

    def measure(self) -> Mapping[str, Scalar]:
        """Measure once with high repeatability."""
        with self.chip.measuring():
            self.chip.write(*_MEASURE)
            time.sleep(_DURATION)
            answer = self.chip.read(6)
        temperature, humidity = words(answer, self.chip.place)
        return {"temperature": -45 + 175 * temperature / 65535, "humidity": 100 * humidity / 65535}  # 4.13
