"""Thermal zones on trees like the kernel's."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.hardware_sysfs import add_zone, write

from jidget_drivers import DeviceUnavailable, InvalidReading
from jidget_drivers.testing import check_driver
from jidget_drivers.thermal_zone import ThermalZone, ThermalZoneOptions


async def reading(root: Path, **options: Any) -> object:
    async with ThermalZone(ThermalZoneOptions(sysfs=root, **options)) as driver:
        return (await driver.read())["temperature"]


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    add_zone(tmp_path, 0, "cpu-thermal", "48312")
    check_driver(ThermalZone, {"sysfs": tmp_path})


async def test_the_only_zone_needs_no_name(tmp_path: Path) -> None:
    add_zone(tmp_path, 0, "cpu-thermal", "48312")
    write(tmp_path, {"class/thermal/cooling_device0/type": "pwm-fan"})
    assert await reading(tmp_path) == 48.312


async def test_a_zone_is_chosen_by_type_whatever_its_number(tmp_path: Path) -> None:
    add_zone(tmp_path, 0, "acpitz", "27800")
    add_zone(tmp_path, 10, "acpitz", "29800")
    add_zone(tmp_path, 2, "x86_pkg_temp", "-5500")
    assert await reading(tmp_path, type="x86_pkg_temp") == -5.5
    assert await reading(tmp_path, type="acpitz", index=1) == 29.8
    with pytest.raises(
        DeviceUnavailable, match=r"there are 2: acpitz \(thermal_zone0\), acpitz \(thermal_zone10\).*index"
    ):
        await reading(tmp_path, type="acpitz")
    with pytest.raises(DeviceUnavailable, match="thermal zone acpitz, index 2: there is none"):
        await reading(tmp_path, type="acpitz", index=2)
    with pytest.raises(DeviceUnavailable, match=r"there are 3: .* option `type`"):
        await reading(tmp_path)


async def test_a_machine_without_zones_says_so(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match=r"thermal zone cpu-thermal: there is none. Found: none"):
        await reading(tmp_path, type="cpu-thermal")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-274000", "no valid temperature"),
        ("900000", "above the maximum"),
        ("", "is empty"),
        ("hot", "'hot', .* no number"),
    ],
)
async def test_nonsense_is_no_reading(tmp_path: Path, text: str, why: str) -> None:
    add_zone(tmp_path, 0, "cpu-thermal", text)
    with pytest.raises(InvalidReading, match=why):
        await reading(tmp_path)


async def test_a_zone_that_goes_is_away_and_comes_back_with_another_number(tmp_path: Path) -> None:
    zone = add_zone(tmp_path, 3, "modem", "30000")
    driver = ThermalZone(ThermalZoneOptions(type="modem", sysfs=tmp_path))
    async with driver:
        assert await driver.read() == {"temperature": 30.0}
        zone.rename(tmp_path / "unplugged")
        with pytest.raises(DeviceUnavailable, match="has gone"):
            await driver.read()
    add_zone(tmp_path, 4, "modem", "31000")
    async with driver:
        assert await driver.read() == {"temperature": 31.0}
