"""Hardware monitoring chips on trees like the kernel's: finding them, their channels, scales, faults, absence."""

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.hardware_sysfs import INA219, add_hwmon, write

from jidget.config.loader import read
from jidget.things.loader import check_things
from jidget_drivers import DeviceUnavailable, InvalidReading, Scalar, Unit
from jidget_drivers.hwmon import Hwmon, HwmonOptions
from jidget_drivers.testing import check_driver

I2C = "platform/soc/fe804000.i2c/i2c-1"
BOARD = {
    "name": "nct6775",
    "in0_input": "1104",
    "in0_label": "Vcore",
    "in0_max": "1744",
    "curr1_input": "431",
    "power1_average": "5240000",
    "energy1_input": "123456789",
    "humidity1_input": "48123",
    "fan2_input": "1187",
    "fan2_min": "0",
    "pwm2": "128",
    "pwm2_enable": "5",
    "temp1_input": "38500",
    "temp1_label": "Core 0",
    "temp1_crit": "100000",
    "temp10_input": "-5250",
    "temp2_input": "41000",
    "temp2_fault": "0",
    "beep_enable": "1",
}
READ = {
    "core_0": 38.5,
    "temp2": 41.0,
    "temp10": -5.25,
    "vcore": 1.104,
    "curr1": 0.431,
    "power1": 5.24,
    "energy1": 123.456789,
    "humidity1": 48.123,
    "fan2": 1187.0,
    "pwm2": pytest.approx(50.196, abs=0.001),
}


def options(root: Path, chip: str = "nct6775", **more: Any) -> HwmonOptions:
    return HwmonOptions(chip=chip, sysfs=root, **more)


async def reading(root: Path, chip: str = "nct6775", **more: Any) -> dict[str, Scalar]:
    async with Hwmon(options(root, chip, **more)) as driver:
        return dict(await driver.read())


def break_file(monkeypatch: pytest.MonkeyPatch, file: Path, error: int) -> None:
    """Let the kernel answer `error` to whoever opens `file`, as sysfs does for a sensor in trouble."""
    whole = Path.open

    def broken(self: Path, *args: Any, **more: Any) -> Any:
        if self == file.resolve():
            raise OSError(error, os.strerror(error), str(self))
        return whole(self, *args, **more)

    monkeypatch.setattr(Path, "open", broken)


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    add_hwmon(tmp_path, 0, "platform/nct6775.656", BOARD)
    check_driver(Hwmon, {"chip": "nct6775", "sysfs": tmp_path})
    check_driver(Hwmon, {"chip": "nct6775", "sysfs": tmp_path, "channels": {"cpu": "temp1"}})


async def test_all_channels_are_found_scaled_and_called_by_their_labels(tmp_path: Path) -> None:
    add_hwmon(tmp_path, 3, "platform/nct6775.656", BOARD)
    driver = Hwmon(options(tmp_path))
    assert [prop.name for prop in driver.properties] == list(READ)
    assert {prop.name: prop.unit for prop in driver.properties} == {
        "core_0": Unit.CELSIUS,
        "temp2": Unit.CELSIUS,
        "temp10": Unit.CELSIUS,
        "vcore": Unit.VOLT,
        "curr1": Unit.AMPERE,
        "power1": Unit.WATT,
        "energy1": Unit.JOULE,
        "humidity1": Unit.RELATIVE_HUMIDITY,
        "fan2": Unit.EVENT_PER_MINUTE,
        "pwm2": Unit.PERCENT,
    }
    assert driver.properties[0].label == "Core 0"
    assert not any(prop.writable for prop in driver.properties)
    async with driver:
        assert await driver.read() == READ


def test_labels_that_several_channels_have_get_the_quantity_or_the_channel(tmp_path: Path) -> None:
    files = {"name": "ina3221", "in1_input": "1", "in1_label": "VDD_IN", "curr1_input": "1", "curr1_label": "VDD_IN"}
    files |= {"temp1_input": "1", "temp1_label": "Composite", "temp2_input": "1", "temp2_label": "Composite"}
    files |= {"in2_input": "1", "in2_label": "3.3V", "in3_input": "1", "in3_label": "in4", "in4_input": "1"}
    add_hwmon(tmp_path, 0, f"{I2C}/1-0040", files)
    names = [prop.name for prop in Hwmon(options(tmp_path, "ina3221")).properties]
    assert names == ["temp1", "temp2", "vdd_in_voltage", "in2", "in4_voltage", "in4", "vdd_in_current"]


async def test_channels_are_named_by_a_table_or_a_list(tmp_path: Path) -> None:
    add_hwmon(tmp_path, 0, "platform/nct6775.656", BOARD)
    assert await reading(tmp_path, channels={"cpu": "temp1", "cooler": "fan2"}) == {"cpu": 38.5, "cooler": 1187.0}
    assert await reading(tmp_path, channels=["temp1", "in0"]) == {"temp1": 38.5, "in0": 1.104}


@pytest.mark.parametrize(
    ("channels", "why"),
    [
        (["temp"], "'temp' is no channel: write temp1"),
        (["temp1_input"], "is no channel"),
        (["../../etc/passwd"], "is no channel"),
        (["temp1", "temp1"], "temp1 is there more than once"),
        ({"CPU temperature": "temp1"}, "cannot be a property"),
    ],
)
def test_what_cannot_be_a_channel_is_an_error_of_the_configuration(channels: object, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        HwmonOptions.model_validate({"chip": "nct6775", "channels": channels})


async def test_two_chips_of_one_name_are_told_apart_by_their_place(tmp_path: Path) -> None:
    add_hwmon(tmp_path, 0, f"{I2C}/1-0040", INA219)
    add_hwmon(tmp_path, 1, f"{I2C}/1-0041", INA219 | {"in1_input": "5001"})
    with pytest.raises(DeviceUnavailable, match=r"there are 2: ina219 \(.*1-0040\), .*1-0041\). Say .* `device`"):
        await reading(tmp_path, "ina219", channels=["in1"])
    assert await reading(tmp_path, "ina219", device="1-0041", channels=["in1"]) == {"in1": 5.001}
    with pytest.raises(DeviceUnavailable, match=r"chip ina219 at 1-004: there is none"):
        await reading(tmp_path, "ina219", device="1-004", channels=["in1"])


async def test_a_chip_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    add_hwmon(tmp_path, 0, f"{I2C}/1-0040", INA219)
    with pytest.raises(DeviceUnavailable, match=r"sht3x: there is none. Found: ina219 \(.*1-0040\). .*overlay"):
        await reading(tmp_path, "sht3x", channels=["temp1"])
    with pytest.raises(DeviceUnavailable, match="Found: none"):
        await reading(tmp_path / "nothing", "sht3x", channels=["temp1"])


async def test_named_channels_wait_for_a_chip_that_comes_later_and_again_under_another_number(tmp_path: Path) -> None:
    driver = Hwmon(options(tmp_path, "ina219", channels=["in1"]))
    assert [prop.name for prop in driver.properties] == ["in1"]
    with pytest.raises(DeviceUnavailable):
        await driver.__aenter__()
    chip = add_hwmon(tmp_path, 4, f"{I2C}/1-0040", INA219)
    async with driver:
        assert await driver.read() == {"in1": 12.136}
        chip.rename(tmp_path / "unplugged")
        (tmp_path / "class/hwmon/hwmon4").unlink()
        add_hwmon(tmp_path, 4, "virtual", {"name": "other", "in1_input": "99999"})  # it has got the number now
        with pytest.raises(DeviceUnavailable, match="has gone"):
            await driver.read()
    add_hwmon(tmp_path, 7, f"{I2C}/1-0040", INA219)
    async with driver:
        assert await driver.read() == {"in1": 12.136}


async def test_without_names_a_chip_that_comes_later_asks_for_a_restart(tmp_path: Path) -> None:
    driver = Hwmon(options(tmp_path, "ina219"))
    assert driver.properties == ()
    with pytest.raises(DeviceUnavailable, match="there is none"):
        await driver.__aenter__()
    add_hwmon(tmp_path, 0, f"{I2C}/1-0040", INA219)
    with pytest.raises(DeviceUnavailable, match=r"was not there at the start: name its channels .* or restart"):
        await driver.__aenter__()


def test_a_chip_that_is_away_does_not_keep_the_agent_from_starting(tmp_path: Path) -> None:
    config = tmp_path / "jidget.toml"
    config.write_text(
        '[xmpp]\njid = "pi@example.org"\n[access]\n"alice@example.org" = "owner"\n'
        '[things.power]\ndriver = "hwmon"\noptions = { chip = "ina219", sysfs = "sys" }\n'
        "[things.power.properties.in1]\nscale = 11.0\n[things.power.report]\ndeadband = { in1 = 0.1 }\n"
    )
    loaded = read(config, {}, password=False)
    assert check_things(loaded.config) == []
    add_hwmon(tmp_path / "sys", 0, f"{I2C}/1-0040", {"name": "ina219", "curr1_input": "431"})
    assert all("the driver has no such property" in problem for problem in check_things(loaded.config))
    assert len(check_things(loaded.config)) == 2


async def test_a_chip_without_values_says_so(tmp_path: Path) -> None:
    add_hwmon(tmp_path, 0, "platform/rpi", {"name": "rpi_volt", "in0_lcrit_alarm": "0"})
    with pytest.raises(DeviceUnavailable, match="has no channels that could be shown"):
        await reading(tmp_path, "rpi_volt")


TROUBLES = {
    "255500": "255.5 is above the maximum 250: no such sensor measures that",
    "-128000": "-128.0 is below the minimum -100",
    "": "is empty",
    "38500 39000": "says '38500 39000', which is no number",
    "nan": "no number",
    "0x26": "no number",
}


@pytest.mark.parametrize(("text", "why"), TROUBLES.items(), ids=list(TROUBLES.values()))
async def test_nonsense_is_no_reading(tmp_path: Path, text: str, why: str) -> None:
    add_hwmon(tmp_path, 0, "platform/nct6775.656", BOARD | {"temp2_input": text})
    with pytest.raises(InvalidReading, match=why):
        await reading(tmp_path, channels=["temp1", "temp2"])
    assert set(await reading(tmp_path)) == READ.keys() - {"temp2"}


@pytest.mark.parametrize(
    ("error", "kind", "why"),
    [
        (errno.EIO, DeviceUnavailable, "does not answer .* Check its wiring and power"),
        (errno.EREMOTEIO, DeviceUnavailable, "does not answer"),
        (errno.ENODATA, InvalidReading, "switched off or has nothing connected"),
        (errno.EAGAIN, InvalidReading, "no value yet"),
        (errno.EACCES, DeviceUnavailable, "`ls -l` says which user or group"),
        (errno.ENODEV, DeviceUnavailable, "has gone"),
        (errno.ENOMEM, DeviceUnavailable, "Cannot allocate memory"),
    ],
)
async def test_the_kernels_errors_say_what_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, kind: type[Exception], why: str
) -> None:
    chip = add_hwmon(tmp_path, 0, "platform/nct6775.656", BOARD)
    break_file(monkeypatch, chip / "temp2_input", error)
    with pytest.raises(kind, match=f"temp2_input: .*{why}"):
        await reading(tmp_path, channels=["temp2"])
    assert set(await reading(tmp_path)) == READ.keys() - {"temp2"}


async def test_a_faulty_channel_is_left_out_and_told_once_each_way(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "jidget_drivers")
    chip = add_hwmon(tmp_path, 0, "platform/nct6775.656", BOARD)
    async with Hwmon(options(tmp_path)) as driver:
        (chip / "temp2_fault").write_text("1\n")
        for _ in range(3):
            assert "temp2" not in await driver.read()
        (chip / "temp2_fault").write_text("0\n")
        assert (await driver.read())["temp2"] == 41.0
    warning, information = [record.getMessage() for record in caplog.records]
    assert "temp2 is left out" in warning
    assert "reports a fault" in warning
    assert "temp2 has values again" in information


async def test_a_chip_none_of_whose_channels_work_is_no_reading(tmp_path: Path) -> None:
    add_hwmon(tmp_path, 0, f"{I2C}/1-0048", {"name": "lm90", "temp1_input": "38000", "temp1_fault": "1"})
    with pytest.raises(InvalidReading, match="reports a fault"):
        await reading(tmp_path, "lm90")


@pytest.mark.parametrize(("said", "shown"), [("-2100", 0.0), ("104000", 100.0), ("100000", 100.0)])
async def test_a_humidity_just_beyond_what_can_be_is_cut_off(tmp_path: Path, said: str, shown: float) -> None:
    add_hwmon(tmp_path, 0, f"{I2C}/1-0044", {"name": "sht3x", "humidity1_input": said})
    assert await reading(tmp_path, "sht3x") == {"humidity1": shown}


async def test_a_humidity_far_beyond_is_no_reading(tmp_path: Path) -> None:
    add_hwmon(tmp_path, 0, f"{I2C}/1-0044", {"name": "sht3x", "humidity1_input": "130000"})
    with pytest.raises(InvalidReading, match=r"130.0 is above the maximum 100"):
        await reading(tmp_path, "sht3x")


async def test_an_average_is_taken_only_where_there_is_nothing_else(tmp_path: Path) -> None:
    chip = add_hwmon(tmp_path, 0, "virtual", {"name": "acpi", "power1_average": "7000000"})
    assert await reading(tmp_path, "acpi") == {"power1": 7.0}
    write(chip, {"power1_input": "8000000"})
    assert await reading(tmp_path, "acpi") == {"power1": 8.0}
