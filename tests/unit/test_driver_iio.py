"""Industrial I/O devices on trees like the kernel's: channels, scales and offsets, units, absence."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.hardware_sysfs import BME280, add_iio

from jidget_drivers import DeviceUnavailable, InvalidReading, Scalar, Unit
from jidget_drivers.iio import Iio, IioOptions
from jidget_drivers.testing import check_driver

I2C = "platform/soc/fe804000.i2c/i2c-1"
CLIMATE = {"temperature": 23.45, "humidity": 48.123, "pressure": 1013.25}


async def reading(root: Path, chip: str, files: dict[str, str], **more: Any) -> dict[str, Scalar]:
    add_iio(root, 0, f"{I2C}/1-0048", {"name": chip, **files})
    async with Iio(IioOptions(chip=chip, sysfs=root, **more)) as driver:
        return dict(await driver.read())


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    add_iio(tmp_path, 0, f"{I2C}/1-0076", BME280)
    check_driver(Iio, {"chip": "bme280", "sysfs": tmp_path})
    check_driver(Iio, {"chip": "bme280", "sysfs": tmp_path, "channels": {"pressure": "pressure"}})


async def test_a_climate_sensor_shows_what_others_of_its_kind_show(tmp_path: Path) -> None:
    extra = {"in_temp_oversampling_ratio": "2", "in_temp_peak_raw": "9", "in_pressure_mean_raw": "9", "buffer/en": "0"}
    assert await reading(tmp_path, "bme280", BME280 | extra) == CLIMATE
    driver = Iio(IioOptions(chip="bme280", sysfs=tmp_path))
    assert {prop.name: prop.unit for prop in driver.properties} == {
        "humidity": Unit.RELATIVE_HUMIDITY,
        "pressure": Unit.HECTOPASCAL,
        "temperature": Unit.CELSIUS,
    }


@pytest.mark.parametrize(
    ("files", "name", "value"),
    [
        # its own scale; that of its type; that of a modified channel; that of everything
        ({"in_voltage0_raw": "13200", "in_voltage0_scale": "0.125000000"}, "voltage0", 1.65),
        ({"in_voltage3_raw": "-800", "in_voltage_scale": "2"}, "voltage3", -1.6),
        ({"in_accel_z_raw": "16384", "in_accel_scale": "0.000598550415"}, "accel_z", 9.80665),
        (
            {"in_voltage1_supply_raw": "5", "in_voltage_supply_scale": "1000", "in_voltage_scale": "1"},
            "voltage1_supply",
            5.0,
        ),
        ({"in_illuminance_raw": "50", "in_scale": "0.5"}, "illuminance", 25.0),
        # a differential channel
        ({"in_voltage0-voltage1_raw": "100", "in_voltage-voltage_scale": "3"}, "voltage0_voltage1", 0.3),
        # offset first, then scale
        ({"in_temp_raw": "6600", "in_temp_offset": "-4368.5", "in_temp_scale": "10.7"}, "temperature", 23.87705),
        ({"in_temp_raw": "100", "in_temp_input": "20000", "in_temp_scale": "7"}, "temperature", 20.0),
        (
            {"in_temp_ambient_raw": "14700", "in_temp_scale": "20", "in_temp_offset": "-13657.5"},
            "temperature_ambient",
            20.85,
        ),
        # units
        ({"in_current0_raw": "1500"}, "current0", 1.5),
        ({"in_power2_raw": "1500", "in_power_scale": "2"}, "power2", 3.0),
        ({"in_concentration_co2_input": "0.0412"}, "concentration_co2", 412.0),
        ({"in_massconcentration_pm2p5_input": "12.5"}, "massconcentration_pm2p5", 12.5),
        ({"in_magn_x_raw": "500", "in_magn_scale": "0.001"}, "magn_x", 5e-5),
        ({"in_resistance_raw": "1000", "in_resistance_scale": "2"}, "resistance", 2000.0),
        ({"in_distance_raw": "321", "in_distance_scale": "0.001"}, "distance", 0.321),
        (
            {"in_electricalconductivity_raw": "5", "in_electricalconductivity_scale": "0.01"},
            "electricalconductivity",
            500.0,
        ),
        ({"in_uvindex_input": "3.5"}, "uvindex", 3.5),
        ({"in_anglvel_x_raw": "10", "in_anglvel_scale": "0.001"}, "anglvel_x", 0.01),
        # a pure number needs no scale
        ({"in_proximity_raw": "120"}, "proximity", 120.0),
        ({"in_intensity_both_raw": "77"}, "intensity_both", 77.0),
    ],
)
async def test_values_come_in_the_unit_of_the_property(
    tmp_path: Path, files: dict[str, str], name: str, value: float
) -> None:
    assert await reading(tmp_path, "chip", files) == {name: pytest.approx(value, rel=1e-6)}


async def test_a_value_whose_scale_is_unknown_is_no_reading(tmp_path: Path) -> None:
    with pytest.raises(InvalidReading, match="voltage0 has no scale"):
        await reading(tmp_path, "adc", {"in_voltage0_raw": "13200"})


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"in_temp_input": "-300000"}, "-300.0 is below the minimum -270"),
        ({"in_temp_input": "4000000"}, "4000.0 is above the maximum 1820"),
        ({"in_pressure_input": "-1"}, "-10.0 is below the minimum 0"),
        ({"in_humidityrelative_input": "655350"}, "655.35 is above the maximum 100"),
        ({"in_temp_input": ""}, "is empty"),
        ({"in_temp_input": "23.4.5"}, "no number"),
        ({"in_temp_raw": "23", "in_temp_scale": "x"}, "in_temp_scale says 'x', which is no number"),
    ],
)
async def test_nonsense_is_no_reading(tmp_path: Path, files: dict[str, str], why: str) -> None:
    with pytest.raises(InvalidReading, match=why):
        await reading(tmp_path, "chip", files)


async def test_a_device_is_found_by_its_label_or_its_place(tmp_path: Path) -> None:
    add_iio(tmp_path, 0, f"{I2C}/1-0076", BME280)
    add_iio(tmp_path, 1, f"{I2C}/1-0077", BME280 | {"label": "outdoors", "in_temp_input": "-3500"})
    for options in (
        IioOptions(chip="outdoors", sysfs=tmp_path),
        IioOptions(chip="bme280", device="1-0077", sysfs=tmp_path),
    ):
        async with Iio(options) as driver:
            assert (await driver.read())["temperature"] == -3.5
    with pytest.raises(DeviceUnavailable, match=r"there are 2: .*1-0076\), .*1-0077\)"):
        await Iio(IioOptions(chip="bme280", channels=["temp"], sysfs=tmp_path)).__aenter__()


async def test_a_label_of_a_channel_becomes_its_name(tmp_path: Path) -> None:
    files = {"in_voltage0_raw": "5", "in_voltage_scale": "1", "in_voltage0_label": "Battery +"}
    assert await reading(tmp_path, "adc", files) == {"battery": 0.005}


async def test_named_channels_wait_for_a_device_that_comes_later(tmp_path: Path) -> None:
    driver = Iio(IioOptions(chip="bme280", channels=["temp", "pressure"], sysfs=tmp_path))
    assert [prop.name for prop in driver.properties] == ["temperature", "pressure"]
    with pytest.raises(DeviceUnavailable, match=r"bme280: there is none. Found: none. Check that it is connected"):
        await driver.__aenter__()
    add_iio(tmp_path, 5, f"{I2C}/1-0076", BME280)
    async with driver:
        assert await driver.read() == {"temperature": 23.45, "pressure": 1013.25}


async def test_without_names_a_device_that_comes_later_asks_for_a_restart(tmp_path: Path) -> None:
    driver = Iio(IioOptions(chip="bme280", sysfs=tmp_path))
    assert driver.properties == ()
    add_iio(tmp_path, 5, f"{I2C}/1-0076", BME280)
    with pytest.raises(DeviceUnavailable, match="was not there at the start: name its channels"):
        await driver.__aenter__()


async def test_a_named_channel_that_the_device_has_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match=r"iio:device0 has no channel pressure. It has: temp$"):
        await reading(tmp_path, "htu21", {"in_temp_input": "21000"}, channels=["temp", "pressure"])


@pytest.mark.parametrize(
    "wrong", ["in_temp_input", "temperature", "voltage0-current1", "rot_quaternion", "../name", ""]
)
def test_what_cannot_be_a_channel_is_an_error_of_the_configuration(wrong: str) -> None:
    with pytest.raises(ValidationError, match="is no channel: write what stands between in_ and _raw"):
        IioOptions(chip="chip", channels=(wrong,))
