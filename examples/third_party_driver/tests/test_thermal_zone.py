"""The driver on a file that stands in for the kernel's."""

from pathlib import Path

import pytest
from jidget_drivers import InvalidReading
from jidget_drivers.testing import check_driver

from jidget_thermal_zone import ThermalZone, ThermalZoneOptions


@pytest.fixture
def zone(tmp_path: Path) -> Path:
    path = tmp_path / "temp"
    path.write_text("42125\n")
    return path


def test_it_keeps_the_contract(zone: Path) -> None:
    check_driver(ThermalZone, {"path": zone})


async def test_thousandths_become_degrees(zone: Path) -> None:
    async with ThermalZone(ThermalZoneOptions(path=zone)) as driver:
        assert await driver.read() == {"temperature": 42.125}


async def test_nonsense_is_no_reading(zone: Path) -> None:
    zone.write_text("hot\n")
    async with ThermalZone(ThermalZoneOptions(path=zone)) as driver:
        with pytest.raises(InvalidReading, match="hot"):
            await driver.read()
