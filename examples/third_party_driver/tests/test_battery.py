"""The driver on a file that stands in for the kernel's."""

from pathlib import Path

import pytest
from jidget_drivers import InvalidReading
from jidget_drivers.testing import check_driver

from jidget_battery import Battery, BatteryOptions


@pytest.fixture
def capacity(tmp_path: Path) -> Path:
    path = tmp_path / "capacity"
    path.write_text("87\n")
    return path


def test_it_keeps_the_contract(capacity: Path) -> None:
    check_driver(Battery, {"path": capacity})


async def test_the_charge_is_what_the_kernel_says(capacity: Path) -> None:
    async with Battery(BatteryOptions(path=capacity)) as driver:
        assert await driver.read() == {"charge": 87}


async def test_nonsense_is_no_reading(capacity: Path) -> None:
    capacity.write_text("full\n")
    async with Battery(BatteryOptions(path=capacity)) as driver:
        with pytest.raises(InvalidReading, match="full"):
            await driver.read()
