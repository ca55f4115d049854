"""BME280, BMP280, SHT3x, SHT4x and BH1750 on the fake bus, against the numbers of their data sheets."""

import errno
import struct
import time
from collections.abc import Mapping
from typing import Any

import pytest
from tests.support import hardware_i2c_known as known
from tests.support.hardware_i2c import Bh1750Chip, Bme280Chip, FakeBus, FakeChip

from jidget_drivers import DeviceUnavailable, Driver, InvalidReading, Scalar
from jidget_drivers.bh1750 import Bh1750
from jidget_drivers.bme280 import Bme280
from jidget_drivers.bme280_compensation import Calibration
from jidget_drivers.i2c_sensirion import crc8, words
from jidget_drivers.option_fields import fields_of
from jidget_drivers.properties import misfit
from jidget_drivers.sht3x import Sht3x
from jidget_drivers.sht4x import Sht4x


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> FakeBus:
    return FakeBus({}).install(monkeypatch)


def made(cls: type[Driver[Any]], **options: Any) -> Any:
    return cls(cls.options_type.model_validate(options))


async def read_once(cls: type[Driver[Any]], **options: Any) -> Mapping[str, Scalar]:
    async with made(cls, **options) as driver:
        values: Mapping[str, Scalar] = await driver.read()
        return values


# ---- BME280, BMP280 -----------------------------------------------------------------------------------------------


def test_the_worked_example_of_the_bmp280() -> None:
    calibration = Calibration.parse(known.bme280_low())
    t_fine = calibration.fine_temperature(known.ADC_T)
    assert int(t_fine) == 128422
    assert t_fine / 5120 == pytest.approx(25.08, abs=0.005)
    assert calibration.pressure(known.ADC_P, t_fine) == pytest.approx(100653.27, abs=0.01)


def humidity_in_integers(h: tuple[int, ...], adc_h: int, t_fine: int) -> float:
    """The other formula of the data sheet, BST-BME280-DS002 4.2.3: whole numbers of 32 bits, in 1024ths of a %."""
    h1, h2, h3, h4, h5, h6 = h
    v = t_fine - 76800
    slope = (((((((v * h6) >> 10) * (((v * h3) >> 11) + 32768)) >> 10) + 2097152) * h2) + 8192) >> 14
    v = (((adc_h << 14) - (h4 << 20) - h5 * v + 16384) >> 15) * slope
    v -= ((((v >> 15) * (v >> 15)) >> 7) * h1) >> 4
    return (min(max(v, 0), 419430400) >> 12) / 1024


@pytest.mark.parametrize("h", [known.BME280_H, (75, 370, 3, -313, -50, -30), (0, 355, 0, 2047, -2048, 127)])
@pytest.mark.parametrize("adc_h", [0x0100, 22000, known.ADC_H, 38000, 0xFFF0])
def test_humidity_is_that_of_the_other_formula(h: tuple[int, ...], adc_h: int) -> None:
    calibration = Calibration.parse(known.bme280_low(h[0]), known.bme280_high(h))
    assert calibration.h == h
    t_fine = calibration.fine_temperature(known.ADC_T)
    assert calibration.humidity(adc_h, t_fine) == pytest.approx(humidity_in_integers(h, adc_h, int(t_fine)), abs=0.01)


@pytest.mark.parametrize("oversampling", [1, 2, 4, 8, 16])
async def test_a_bme280_shows_three_values_of_one_measurement(bus: FakeBus, oversampling: int) -> None:
    bus.chips[0x76] = known.bme280()
    values = await read_once(Bme280, oversampling=oversampling)
    assert values["temperature"] == pytest.approx(25.08, abs=0.005)
    assert values["pressure"] == pytest.approx(1006.5327, abs=0.001)
    assert values["humidity"] == pytest.approx(humidity_in_integers(known.BME280_H, known.ADC_H, 128422), abs=0.01)
    # forced mode once, the data in one burst
    assert [data for data in bus.writes(0x76) if data[0] == 0xF4 and data[1:] and data[1] & 3] != []
    assert [(data, count) for _, data, count in bus.log if data == b"\xf7"] == [(b"\xf7", 8)]


async def test_a_bmp280_has_no_humidity(bus: FakeBus) -> None:
    bus.chips[0x77] = known.bmp280()
    values = await read_once(Bme280, address=0x77)
    assert set(values) == {"temperature", "pressure"}
    assert values["temperature"] == pytest.approx(25.08, abs=0.005)
    assert bus.log[-1] == (0x77, b"\xf7", 6)


@pytest.mark.parametrize(
    ("found", "words_in_it"), [(0x61, "BME680"), (0x55, "BMP180"), (0xFF, "loose"), (0x00, "loose")]
)
async def test_another_chip_is_named(bus: FakeBus, found: int, words_in_it: str) -> None:
    chip = known.bme280()
    chip.registers[0xD0] = found
    bus.chips[0x76] = chip
    with pytest.raises(DeviceUnavailable, match=f"{found:#04x}.*{words_in_it}"):
        await read_once(Bme280)
    assert bus.open_adapters == 0


@pytest.mark.parametrize("blank", [b"\x00", b"\xff"])
@pytest.mark.parametrize(("start", "count"), [(0x88, 24), (0xE1, 7)])
async def test_an_empty_calibration_is_noticed(bus: FakeBus, blank: bytes, start: int, count: int) -> None:
    chip = known.bme280()
    chip.registers[start : start + count] = blank * count
    bus.chips[0x76] = chip
    with pytest.raises(DeviceUnavailable, match="no calibration"):
        await read_once(Bme280)


@pytest.mark.parametrize(("raw", "value"), [("adc_t", 0x80000), ("adc_p", 0x80000), ("adc_h", 0x8000)])
async def test_a_skipped_measurement_is_no_reading(bus: FakeBus, raw: str, value: int) -> None:
    chip = known.bme280()
    setattr(chip, raw, value)
    bus.chips[0x76] = chip
    with pytest.raises(InvalidReading, match="did not measure"):
        await read_once(Bme280)


async def test_a_measurement_without_an_end_is_no_reading(bus: FakeBus) -> None:
    chip = known.bme280()
    chip.endless = True
    bus.chips[0x76] = chip
    with pytest.raises(InvalidReading, match="does not finish"):
        await read_once(Bme280)


async def test_what_a_bme280_cannot_give_is_outside_its_limits(bus: FakeBus) -> None:
    chip = known.bme280()
    chip.adc_t = 0xFFFFF
    bus.chips[0x76] = chip
    limits = {prop.name: prop for prop in Bme280.properties}
    values = await read_once(Bme280)
    assert "above the maximum" in misfit(limits["temperature"], values["temperature"])


async def test_a_bme280_measures_on_after_a_power_cut(bus: FakeBus) -> None:
    chip = bus.chips[0x76] = known.bme280()
    async with made(Bme280) as driver:
        before = await driver.read()
        chip.power_cut()
        assert await driver.read() == before


async def test_a_calibration_that_divides_by_zero_is_no_reading(bus: FakeBus) -> None:
    low = struct.pack("<HhhHhhhhhhhhBB", 1024, 24576, 0, 1, -32768, *(0,) * 9)
    bus.chips[0x76] = Bme280Chip(low, adc_t=800768, adc_p=known.ADC_P)
    with pytest.raises(InvalidReading, match="its calibration makes no sense"):
        await read_once(Bme280)


async def test_a_chip_that_has_just_got_power_is_waited_for(bus: FakeBus) -> None:
    class Waking(Bme280Chip):
        copying_until: float | None = None

        def get(self, register: int) -> int:
            if register == 0xF3 and self.copying_until is None:
                self.copying_until = time.monotonic() + 0.0019
                return 0x01
            if self.copying_until is None or time.monotonic() < self.copying_until:
                return 0 if 0x88 <= register < 0xA2 else super().get(register)
            return super().get(register)

    bus.chips[0x76] = Waking(known.bme280_low(), adc_t=known.ADC_T, adc_p=known.ADC_P)
    assert (await read_once(Bme280))["temperature"] == pytest.approx(25.08, abs=0.005)


def test_numbers_to_choose_from_are_shown_as_numbers() -> None:
    """As one has to write them: without quotes."""
    shown = {field.key: field.type for field in fields_of(Bme280.options_type.model_json_schema())}
    assert shown["oversampling"] == "one of 1, 2, 4, 8, 16"


# ---- SHT3x, SHT4x -------------------------------------------------------------------------------------------------


def test_the_checksum_of_the_data_sheet() -> None:
    assert crc8(b"\xbe\xef") == 0x92
    assert words(b"\xbe\xef\x92", "here") == (0xBEEF,)
    with pytest.raises(InvalidReading, match=r"here: checksum of beef is 0x93, not 0x92"):
        words(b"\xbe\xef\x93", "here")


@pytest.mark.parametrize(
    ("cls", "chip", "temperature", "humidity"),
    [
        (Sht3x, known.sht3x(0x6666, 0x8000), 25.0, 50.0),
        (Sht3x, known.sht3x(0x4000, 0xFFFF), -1.25, 100.0),
        (Sht4x, known.sht4x(0x6666, 0x8000), 25.0, 56.5),
        (Sht4x, known.sht4x(0x6666, 0xFFFF), 25.0, 100.0),
        (Sht4x, known.sht4x(0x6666, 0x0100), 25.0, 0.0),
    ],
)
async def test_temperature_and_humidity(
    bus: FakeBus, cls: type[Driver[Any]], chip: FakeChip, temperature: float, humidity: float
) -> None:
    bus.chips[0x44] = chip
    values = await read_once(cls)
    assert values["temperature"] == pytest.approx(temperature, abs=0.01)
    assert values["humidity"] == pytest.approx(humidity, abs=0.01)


@pytest.mark.parametrize(("cls", "make"), [(Sht3x, known.sht3x), (Sht4x, known.sht4x)])
async def test_a_wrong_checksum_is_no_reading(bus: FakeBus, cls: type[Driver[Any]], make: Any) -> None:
    chip = bus.chips[0x44] = make()
    async with made(cls) as driver:
        chip.corrupt = True
        with pytest.raises(InvalidReading, match="checksum"):
            await driver.read()
        chip.corrupt = False
        assert (await driver.read())["temperature"] == pytest.approx(25, abs=0.01)
        chip.corrupt = True
        with pytest.raises(DeviceUnavailable, match=f"or it is no {cls.__name__.upper()[:-1]}x"):
            await driver.open()


async def test_the_heater_is_switched_off(bus: FakeBus) -> None:
    bus.chips[0x44] = known.sht3x(status=0x2010)
    await read_once(Sht3x)
    assert b"\x30\x66" in bus.writes(0x44)


async def test_the_end_of_the_scale_is_outside_the_limits(bus: FakeBus) -> None:
    bus.chips[0x44] = known.sht3x(0x0000, 0x0000)
    values = await read_once(Sht3x)
    assert "below the minimum" in misfit(Sht3x.properties[0], values["temperature"])


# ---- BH1750 -------------------------------------------------------------------------------------------------------


async def test_the_worked_example_of_the_bh1750(bus: FakeBus) -> None:
    bus.chips[0x23] = known.bh1750()
    assert (await read_once(Bh1750))["illuminance"] == pytest.approx(28067, abs=0.5)
    assert bus.writes(0x23)[-1] == b"\x20"


@pytest.mark.parametrize(
    ("options", "command", "register"),
    [
        ({"resolution": "4lx"}, 0x23, 69),
        ({"resolution": "0.5lx", "sensitivity": 2.0}, 0x21, 138),
        ({"resolution": "4lx", "sensitivity": 3.68}, 0x23, 254),
        ({"resolution": "1lx", "sensitivity": 0.45}, 0x20, 31),
    ],
)
async def test_light_is_the_same_at_any_sensitivity(
    bus: FakeBus, options: dict[str, Any], command: int, register: int
) -> None:
    """1000 lx give 1200 counts at 69; more at a longer time; twice as many in the finest mode."""
    bus.chips[0x23] = Bh1750Chip(lambda mode, time: round(1200 * time / 69 * (2 if mode == 0x21 else 1)))
    assert (await read_once(Bh1750, **options))["illuminance"] == pytest.approx(1000, rel=0.002)
    high, low = register >> 5, register & 31
    assert bus.writes(0x23)[-3:] == [bytes([0x40 | high]), bytes([0x60 | low]), bytes([command])]


async def test_too_much_light_is_no_reading(bus: FakeBus) -> None:
    bus.chips[0x23] = Bh1750Chip(lambda _mode, _time: 0xFFFF)
    with pytest.raises(InvalidReading, match="sensitivity"):
        await read_once(Bh1750, resolution="4lx")


async def test_a_bh1750_keeps_its_sensitivity_through_a_power_cut(bus: FakeBus) -> None:
    chip = bus.chips[0x23] = Bh1750Chip(lambda _mode, time: round(120 * time / 69))
    async with made(Bh1750, resolution="4lx", sensitivity=3.0) as driver:
        before = await driver.read()
        chip.power_cut()
        assert await driver.read() == before


@pytest.mark.parametrize(
    ("cls", "chip"),
    [(Bme280, known.bme280()), (Sht3x, known.sht3x()), (Sht4x, known.sht4x()), (Bh1750, known.bh1750())],
)
async def test_a_chip_that_goes_and_comes_back(bus: FakeBus, cls: type[Driver[Any]], chip: FakeChip) -> None:
    driver = made(cls)
    address = driver.options.address
    bus.chips[address] = chip
    async with driver:
        before = await driver.read()
        del bus.chips[address]
        with pytest.raises(DeviceUnavailable, match=rf"nothing answers at address {address:#04x} on I²C bus 1"):
            await driver.read()
        bus.opening = errno.ENOENT
        with pytest.raises(DeviceUnavailable, match="no I²C bus 1"):
            await driver.open()
        bus.opening, bus.chips[address] = None, chip
        await driver.open()
        assert await driver.read() == before
    assert bus.open_adapters == 0
