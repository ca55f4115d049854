"""Sensirion SHT40, SHT41, SHT43 and SHT45: temperature and humidity (Sensirion datasheet SHT4x)."""

import time
from collections.abc import Mapping

from pydantic import Field

from jidget_drivers.errors import DeviceUnavailable, InvalidReading
from jidget_drivers.i2c_driver import I2cOptions, I2cSensor
from jidget_drivers.i2c_sensirion import HUMIDITY, TEMPERATURE, words
from jidget_drivers.properties import Scalar

_MEASURE = 0xFD  # high precision, 4.5
_READ_SERIAL_NUMBER = 0x89
_COMMAND_TIME = 0.001
_DURATION = 0.0083  # the longest, section 3


class Sht4xOptions(I2cOptions):
    """Where the chip is."""

    address: int = Field(
        default=0x44,
        ge=0x44,
        le=0x46,
        strict=True,
        description="0x44 to 0x46 (68 to 70) by its type: A, B or C.",
    )


class Sht4x(I2cSensor[Sht4xOptions]):
    """Sensirion SHT40, SHT41, SHT45: temperature and relative humidity, each answer with a checksum."""

    name = "sht4x"
    properties = (TEMPERATURE, HUMIDITY)
    wiring = "VDD to 3.3 V (pin 1), VSS to GND (pin 6), SDA to pin 3, SCL to pin 5."

    def prepare(self) -> None:
        """Check that the chip tells its serial number with right checksums."""
        try:
            self._ask(_READ_SERIAL_NUMBER, _COMMAND_TIME)
        except InvalidReading as error:
            raise DeviceUnavailable(f"{error}; or it is no SHT4x") from error

    def measure(self) -> Mapping[str, Scalar]:
        """Measure once with high precision."""
        temperature, humidity = self._ask(_MEASURE, _DURATION)
        return {
            "temperature": -45 + 175 * temperature / 65535,
            # It may come out a little below 0 or above 100, which is to be cropped, 4.6
            "humidity": min(max(-6 + 125 * humidity / 65535, 0.0), 100.0),
        }

    def _ask(self, command: int, duration: float) -> tuple[int, ...]:
        with self.chip.measuring():
            self.chip.write(command)
            time.sleep(duration)
            answer = self.chip.read(6)
        return words(answer, self.chip.place)
