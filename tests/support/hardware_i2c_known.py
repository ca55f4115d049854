"""Chips that measure what their data sheets work out as examples, and the bus of the examples in `examples/drivers`."""

import struct

from tests.support.hardware_i2c import Bh1750Chip, Bme280Chip, FakeBus, SensirionChip
from tests.support.hardware_i2c_ports import Ads1115Chip, Ina219Chip, Mcp23017Chip, Pcf8574Chip

# BST-BMP280-DS001, 3.12: dig_T1 to T3, dig_P1 to P9, and the raw values
BMP280_T = (27504, 26435, -1000)
BMP280_P = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
ADC_T, ADC_P = 519888, 415148
# Of no data sheet: the one of the BME280 has no example. Typical of the chips that are sold.
BME280_H = (75, 362, 0, 313, 50, 30)
ADC_H = 27950


def bme280_low(h1: int = 0) -> bytes:
    """Return the registers 0x88 to 0xA1."""
    return struct.pack("<HhhHhhhhhhhhBB", *BMP280_T, *BMP280_P, 0, h1)


def bme280_high(h: tuple[int, ...]) -> bytes:
    """Return the registers 0xE1 to 0xE7: H4 and H5 share a byte."""
    _, h2, h3, h4, h5, h6 = h
    return struct.pack("<hBbBbb", h2, h3, h4 >> 4, (h4 & 0xF) | (h5 & 0xF) << 4, h5 >> 4, h6)


def bmp280() -> Bme280Chip:
    return Bme280Chip(bme280_low(), adc_t=ADC_T, adc_p=ADC_P)


def bme280(h: tuple[int, ...] = BME280_H) -> Bme280Chip:
    return Bme280Chip(bme280_low(h[0]), bme280_high(h), adc_t=ADC_T, adc_p=ADC_P, adc_h=ADC_H)


def sht3x(temperature: int = 0x6666, humidity: int = 0x8000, status: int = 0x8010) -> SensirionChip:
    answers = {b"\x24\x00": (temperature, humidity), b"\xf3\x2d": (status,)}
    return SensirionChip(answers, command=b"\x24\x00", seconds=0.0125)


def sht4x(temperature: int = 0x6666, humidity: int = 0x8000) -> SensirionChip:
    return SensirionChip({b"\xfd": (temperature, humidity), b"\x89": (0x0F46, 0x4DF8)}, command=b"\xfd", seconds=0.0069)


def bh1750() -> Bh1750Chip:
    """Make the example of "Read Format": 10000011 10010000."""
    return Bh1750Chip(lambda _command, _time: 0b10000011_10010000)


def ina219() -> Ina219Chip:
    """Make the "Configure/Measure/Calculate Example" of SBOS448G: 20 mV over 2 mΩ at 11.98 V."""
    return Ina219Chip(shunt=2000, bus=2995)


def example_bus() -> FakeBus:
    """Return a bus with what the examples want to find."""
    return FakeBus(
        {
            0x76: bme280(),
            0x44: sht3x(),
            0x45: sht4x(),
            0x23: bh1750(),
            0x40: Ina219Chip(shunt=2000, bus=2995),
            0x48: Ads1115Chip(a0=1.5, a1=0.7),
            0x20: Mcp23017Chip(),
            0x21: Pcf8574Chip(),
        }
    )
