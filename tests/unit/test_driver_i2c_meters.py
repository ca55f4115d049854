"""INA219 and ADS1115 on the fake bus, against the numbers of their data sheets."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support import hardware_i2c_known as known
from tests.support.hardware_i2c import FakeBus, WordChip
from tests.support.hardware_i2c_ports import Ads1115Chip, Ina219Chip

from jidget_drivers import DeviceUnavailable, Driver, InvalidReading, Scalar
from jidget_drivers.ads1115 import Ads1115, Ads1115Options
from jidget_drivers.ina219 import Ina219, Ina219Options, calibration_for

EXAMPLE = {"shunt_ohms": 0.002, "max_current": 32.768}
"""Of SBOS448G 8.5.1: with steps of 1 mA over 2 mΩ."""


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> FakeBus:
    return FakeBus({}).install(monkeypatch)


def made(cls: type[Driver[Any]], **options: Any) -> Any:
    return cls(cls.options_type.model_validate(options))


async def read_once(cls: type[Driver[Any]], **options: Any) -> Mapping[str, Scalar]:
    async with made(cls, **options) as driver:
        values: Mapping[str, Scalar] = await driver.read()
        return values


# ---- INA219 -------------------------------------------------------------------------------------------------------


def test_the_calibration_of_the_data_sheet() -> None:
    assert calibration_for(0.001, 0.002) == 20480
    assert calibration_for(100e-6, 0.1) == 4096
    assert calibration_for(3.2 / 32768, 0.1) == 4194


async def test_the_worked_example_of_the_ina219(bus: FakeBus) -> None:
    chip = bus.chips[0x40] = known.ina219()
    assert await read_once(Ina219, **EXAMPLE) == {
        "voltage": pytest.approx(11.98),
        "current": pytest.approx(10.0),
        "power": pytest.approx(119.8),
    }
    assert chip.words[5] == 0x5000
    assert chip.get(4) == 0x2710
    assert chip.get(3) == 0x1766


@pytest.mark.parametrize("samples", [1, 2, 4, 8, 16, 32, 64, 128])
async def test_current_in_either_direction_with_the_usual_shunt(bus: FakeBus, samples: int) -> None:
    bus.chips[0x40] = Ina219Chip(shunt=-12345, bus=1250)
    values = await read_once(Ina219, samples=samples)
    assert values["voltage"] == pytest.approx(5.0)
    assert values["current"] == pytest.approx(-1.2345, abs=0.0002)
    assert values["power"] == pytest.approx(-6.1725, abs=0.001)


@pytest.mark.parametrize(
    ("max_current", "gain", "beyond"),
    [(0.4, 0b00, 4000), (0.8, 0b01, 8000), (1.6, 0b10, 16000), (1.7, 0b11, 17010), (None, 0b11, 32000)],
)
@pytest.mark.parametrize("sign", [1, -1])
async def test_the_range_fits_and_its_end_is_no_reading(
    bus: FakeBus, max_current: float | None, gain: int, beyond: int, sign: int
) -> None:
    chip = bus.chips[0x40] = Ina219Chip(shunt=sign * (beyond - 20), bus=1000)
    async with made(Ina219, max_current=max_current, samples=1) as driver:
        assert chip.words[0] >> 11 & 0b11 == gain
        assert (await driver.read())["current"] == pytest.approx(sign * (beyond - 20) * 1e-4, rel=0.001)
        chip.shunt = sign * beyond
        with pytest.raises(InvalidReading, match="max_current"):
            await driver.read()


async def test_an_overflow_is_no_reading(bus: FakeBus) -> None:
    chip = bus.chips[0x40] = known.ina219()
    chip.overflow = True
    with pytest.raises(InvalidReading, match="beyond 32"):
        await read_once(Ina219, **EXAMPLE)


async def test_a_measurement_without_an_end_is_no_reading(bus: FakeBus) -> None:
    chip = bus.chips[0x40] = known.ina219()
    chip.endless = True
    with pytest.raises(InvalidReading, match="does not finish"):
        await read_once(Ina219)


async def test_a_lost_calibration_is_noticed_and_set_again(bus: FakeBus) -> None:
    """Without it the current register is 0, which would look like a reading."""
    chip = bus.chips[0x40] = known.ina219()
    async with made(Ina219, **EXAMPLE) as driver:
        chip.power_cut()
        with pytest.raises(DeviceUnavailable, match="lost its calibration"):
            await driver.read()
        await driver.open()
        assert (await driver.read())["current"] == pytest.approx(10.0)


@pytest.mark.parametrize("cls", [Ina219, Ads1115])
async def test_a_chip_that_keeps_nothing_is_another_one(bus: FakeBus, cls: type[Driver[Any]]) -> None:
    class Deaf(WordChip):
        def put(self, register: int, value: int) -> None:
            pass

    bus.chips[0x40] = bus.chips[0x48] = Deaf()
    with pytest.raises(DeviceUnavailable, match=f"it is no {cls.__name__.upper()}"):
        await read_once(cls)
    assert bus.open_adapters == 0


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_current": 5}, "at most 3.2 A"),
        ({"shunt_ohms": 0.1, "max_current": 0.1}, "write at least 0.205 A"),
        ({"shunt_ohms": 0}, "shunt_ohms"),
        ({"address": 0x76}, "address"),
        ({"samples": 3}, "samples"),
    ],
)
def test_an_ina219_that_cannot_be(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Ina219Options.model_validate(options)


# ---- ADS1115 ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "step"),
    [
        ("6.144V", 187.5e-6),
        ("4.096V", 125e-6),
        ("2.048V", 62.5e-6),
        ("1.024V", 31.25e-6),
        ("0.512V", 15.625e-6),
        ("0.256V", 7.8125e-6),
    ],
)
async def test_each_range_has_the_step_of_the_data_sheet(bus: FakeBus, scale: str, step: float) -> None:
    bus.chips[0x48] = Ads1115Chip(a0=1000 * step, a1=step)
    channels = {"a0": {"range": scale}, "a1_a3": {"range": scale}}
    assert await read_once(Ads1115, channels=channels, rate=860) == {
        "a0": pytest.approx(1000 * step, abs=step / 100),
        "a1_a3": pytest.approx(step, abs=step / 100),
    }


async def test_each_input_is_its_own(bus: FakeBus) -> None:
    bus.chips[0x48] = Ads1115Chip(a0=0.5, a1=1.0, a2=1.5, a3=2.25)
    volts = {"a0": 0.5, "a1": 1.0, "a2": 1.5, "a3": 2.25}
    differences = {"a0_a1": -0.5, "a0_a3": -1.75, "a1_a3": -1.25, "a2_a3": -0.75}
    everything: dict[str, dict[str, str]] = {name: {} for name in (*volts, *differences)}
    assert await read_once(Ads1115) == pytest.approx(volts, abs=0.0001)
    assert await read_once(Ads1115, channels=everything, rate=475) == pytest.approx(volts | differences, abs=0.0001)


@pytest.mark.parametrize("rate", [8, 16, 32, 64, 128, 250, 475, 860])
async def test_it_waits_as_long_as_the_rate_wants(bus: FakeBus, rate: int) -> None:
    bus.chips[0x48] = Ads1115Chip(a0=3.3)
    assert await read_once(Ads1115, channels={"a0": {}}, rate=rate) == {"a0": pytest.approx(3.3, abs=0.0001)}


@pytest.mark.parametrize(("name", "volts"), [("a0", 2.048), ("a0_a1", -2.1)])
async def test_an_input_beyond_its_range_is_no_reading(bus: FakeBus, name: str, volts: float) -> None:
    chip = Ads1115Chip(**({"a0": volts} if volts > 0 else {"a1": -volts}))
    bus.chips[0x48] = chip
    with pytest.raises(InvalidReading, match=f"{name} is beyond 2.048V"):
        await read_once(Ads1115, channels={name: {"range": "2.048V"}}, rate=860)


async def test_a_conversion_without_an_end_is_no_reading(bus: FakeBus) -> None:
    chip = bus.chips[0x48] = Ads1115Chip(a0=1.0)
    async with made(Ads1115, rate=860) as driver:
        chip.endless = True
        with pytest.raises(InvalidReading, match="does not finish measuring"):
            await driver.read()
        with pytest.raises(DeviceUnavailable, match="does not finish measuring"):
            await driver.open()


async def test_the_conversion_of_somebody_else_has_to_end_first(bus: FakeBus) -> None:
    chip = bus.chips[0x48] = Ads1115Chip(a0=1.0)
    chip.convert_for(0.1)
    assert await read_once(Ads1115, channels={"a0": {}}, rate=860) == {"a0": pytest.approx(1.0, abs=0.0001)}


async def test_a_power_cut_between_order_and_answer_is_noticed(bus: FakeBus) -> None:
    class Fainting(Ads1115Chip):
        faint = False

        def get(self, register: int) -> int:
            if self.faint:
                self.power_cut()
            return super().get(register)

    chip = bus.chips[0x48] = Fainting(a0=1.0)
    async with made(Ads1115, rate=860) as driver:
        chip.faint = True
        with pytest.raises(DeviceUnavailable, match="forgotten what to measure"):
            await driver.read()
        chip.faint = False
        await driver.open()
        assert (await driver.read())["a0"] == pytest.approx(1.0, abs=0.0001)


@pytest.mark.parametrize(
    "options", [{"channels": {}}, {"channels": {"a4": {}}}, {"channels": {"a0": {"range": "5V"}}}, {"rate": 100}]
)
def test_an_ads1115_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Ads1115Options.model_validate(options)
