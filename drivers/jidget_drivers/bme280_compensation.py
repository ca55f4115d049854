"""From the raw values of a BME280 or BMP280 to °C, Pa and %RH, with the constants that each chip carries.

Bosch Sensortec BST-BME280-DS002 (BME280), 4.2.2 and 8.1; BST-BMP280-DS001 (BMP280), 3.11.2 and 8.1: the formulas in
double precision. Names are those of the datasheets.
"""

import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """One measurement: °C, Pa, %RH; humidity is None for a BMP280."""

    temperature: float
    pressure: float
    humidity: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The constants of one chip: `dig_T1` to `dig_T3`, `dig_P1` to `dig_P9`, `dig_H1` to `dig_H6` or nothing."""

    t: tuple[int, ...]
    p: tuple[int, ...]
    h: tuple[int, ...] = ()

    @classmethod
    def parse(cls, low: bytes, high: bytes = b"") -> "Calibration":
        """Take the constants from the registers, as in table 16.

        Args:
            low: 26 bytes from 0x88.
            high: 7 bytes from 0xE1; nothing for a BMP280.
        """
        t1, t2, t3, p1, *others = struct.unpack_from("<HhhHhhhhhhhh", low)
        h: tuple[int, ...] = ()
        if high:
            h2, h3, e4, e5, e6, h6 = struct.unpack("<hBbBbb", high)
            h = (low[25], h2, h3, (e4 << 4) | (e5 & 0x0F), (e6 << 4) | (e5 >> 4), h6)
        return cls((t1, t2, t3), (p1, *others), h)

    def fine_temperature(self, adc_t: int) -> float:
        """Return `t_fine`, the temperature as the other formulas need it: 5120ths of a °C."""
        t1, t2, t3 = self.t
        var1 = (adc_t / 16384 - t1 / 1024) * t2
        var2 = (adc_t / 131072 - t1 / 8192) ** 2 * t3
        return var1 + var2

    def pressure(self, adc_p: int, t_fine: float) -> float:
        """Return the pressure in Pa.

        Raises:
            ZeroDivisionError: the constants are those of no chip.
        """
        p1, p2, p3, p4, p5, p6, p7, p8, p9 = self.p
        var1 = t_fine / 2 - 64000
        var2 = var1 * var1 * p6 / 32768 + var1 * p5 * 2
        var2 = var2 / 4 + p4 * 65536
        var1 = (p3 * var1 * var1 / 524288 + p2 * var1) / 524288
        var1 = (1 + var1 / 32768) * p1
        pressure = (1048576 - adc_p - var2 / 4096) * 6250 / var1
        return pressure + (p9 * pressure * pressure / 2147483648 + pressure * p8 / 32768 + p7) / 16

    def humidity(self, adc_h: int, t_fine: float) -> float:
        """Return the relative humidity in %, within 0 and 100 as the datasheet has it."""
        h1, h2, h3, h4, h5, h6 = self.h
        warm = t_fine - 76800
        humidity = (adc_h - (h4 * 64 + h5 / 16384 * warm)) * (
            h2 / 65536 * (1 + h6 / 67108864 * warm * (1 + h3 / 67108864 * warm))
        )
        humidity *= 1 - h1 * humidity / 524288
        return min(max(humidity, 0.0), 100.0)

    def climate(self, adc_t: int, adc_p: int, adc_h: int | None) -> Climate:
        """Return what the raw values of one measurement mean."""
        t_fine = self.fine_temperature(adc_t)
        return Climate(
            temperature=t_fine / 5120,
            pressure=self.pressure(adc_p, t_fine),
            humidity=None if adc_h is None else self.humidity(adc_h, t_fine),
        )
