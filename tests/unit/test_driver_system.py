"""The system driver on this machine, and on what psutil says of other machines."""

import asyncio
import os
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from jidget_drivers import DeviceUnavailable
from jidget_drivers.properties import misfit
from jidget_drivers.system import System, SystemOptions
from jidget_drivers.testing import check_driver


def with_sensors(monkeypatch: pytest.MonkeyPatch, sensors: dict[str, list[float]]) -> None:
    monkeypatch.setattr(
        psutil,
        "sensors_temperatures",
        lambda: {chip: [SimpleNamespace(current=value) for value in values] for chip, values in sensors.items()},
        raising=False,
    )


def test_it_keeps_the_contract_on_this_machine() -> None:
    check_driver(System)
    check_driver(System, {"path": "/tmp"})


async def test_the_values_are_this_machines() -> None:
    async with System(SystemOptions()) as driver:
        values = await driver.read()
        for prop in driver.properties:
            assert prop.name not in values or misfit(prop, values[prop.name]) == ""
    assert values["uptime"] == pytest.approx(time.time() - psutil.boot_time(), abs=2)
    assert values["load"] == pytest.approx(os.getloadavg()[0], abs=0.5)
    assert values["disk"] == pytest.approx(psutil.disk_usage("/").percent, abs=1)
    assert values["memory"] == pytest.approx(psutil.virtual_memory().percent, abs=5)


@pytest.mark.parametrize(
    ("sensors", "temperature"),
    [
        ({"cpu_thermal": [48.3]}, 48.3),
        ({"acpitz": [27.8], "nvme": [38.0], "coretemp": [61.0, 58.0, 60.0]}, 61.0),
        ({"k10temp": [44.1], "amdgpu": [40.0]}, 44.1),
        ({"nvme": [38.0], "big_core0_thermal": [51.0]}, 51.0),
    ],
)
async def test_the_cpu_is_found_among_the_sensors(
    monkeypatch: pytest.MonkeyPatch, sensors: dict[str, list[float]], temperature: float
) -> None:
    with_sensors(monkeypatch, sensors)
    async with System(SystemOptions()) as driver:
        assert (await driver.read())["cpu_temperature"] == temperature
    assert driver.properties[:5] == System.properties[:5]


@pytest.mark.parametrize("sensors", [{}, {"nvme": [38.0]}, {"cpu_thermal": []}])
async def test_without_a_sensor_of_the_cpu_there_is_no_such_property(
    monkeypatch: pytest.MonkeyPatch, sensors: dict[str, list[float]]
) -> None:
    with_sensors(monkeypatch, sensors)
    async with System(SystemOptions()) as driver:
        assert "cpu_temperature" not in await driver.read()
    names = [prop.name for prop in driver.properties]
    assert names[:4] == ["load", "memory", "disk", "uptime"]
    assert "cpu_temperature" not in names


async def test_a_psutil_without_sensors_is_a_machine_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    async with System(SystemOptions()) as driver:
        assert "cpu_temperature" not in await driver.read()


async def test_a_sensor_that_goes_makes_the_thing_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with_sensors(monkeypatch, {"cpu_thermal": [48.3]})
    async with System(SystemOptions()) as driver:
        with_sensors(monkeypatch, {})
        with pytest.raises(DeviceUnavailable, match="cpu_thermal has gone"):
            await driver.read()


async def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with System(SystemOptions(path=tmp_path / "usb-stick")) as driver:
        with pytest.raises(DeviceUnavailable, match=r"usb-stick: No such file or directory. Check option `path`"):
            await driver.read()


async def test_a_disk_that_hangs_does_not_stop_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "disk_usage", lambda _: time.sleep(0.2))
    async with System(SystemOptions()) as driver:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await driver.read()
