"""Serial devices that are unplugged, plugged in again, or take no more, over real pseudo-terminals."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.fakes import PATIENCE, running, thing, until_available
from tests.support.hardware_serial import SerialDevice, pms5003_frame

from jidget.things import running as hosting
from jidget_drivers import DeviceUnavailable
from jidget_drivers.pms5003 import Pms5003, Pms5003Options
from jidget_drivers.serial_line import SerialLine
from jidget_drivers.serial_line_options import SerialLineOptions

FRAME = pms5003_frame(1, 2, 3)
VALUES = {"pm1": 1, "pm25": 2, "pm10": 3}


@pytest.fixture
def device(tmp_path: Path) -> Iterator[SerialDevice]:
    with SerialDevice(tmp_path / "usb-device") as plugged:
        yield plugged


def sensor(device: SerialDevice) -> Pms5003:
    return Pms5003(Pms5003Options(port=str(device.path)))


def switch(device: SerialDevice, **more: Any) -> SerialLine:
    pump = {"type": "boolean", "writable": True, "write": "pump {value}\n", **more}
    options = {"port": str(device.path), "format": "json", "properties": {"pump": pump}}
    return SerialLine(SerialLineOptions.model_validate(options))


@asynccontextmanager
async def watching(driver: Pms5003 | SerialLine) -> AsyncIterator[AsyncIterator[Any]]:
    async with driver, aclosing(cast("Any", driver.watch())) as events:
        yield events


# ---- unplugged -----------------------------------------------------------------------------------------------------


async def test_a_pulled_plug_ends_the_watch_after_what_came_before(device: SerialDevice) -> None:
    driver = sensor(device)
    async with watching(driver) as told:
        await device.send(FRAME)
        assert await anext(told) == VALUES
        device.unplug()
        with pytest.raises(DeviceUnavailable, match="unplugged"):
            await anext(told)
        with pytest.raises(DeviceUnavailable, match="no such device"):
            await driver.open()
        device.plug()
        await driver.open()
        await device.send(FRAME)
        assert await anext(cast("Any", driver.watch())) == VALUES


async def test_a_driver_that_is_not_open_says_so(device: SerialDevice) -> None:
    driver = switch(device)
    for _ in range(2):
        with pytest.raises(DeviceUnavailable, match="not open"):
            await anext(cast("Any", driver.watch()))
        with pytest.raises(DeviceUnavailable, match="not open"):
            await driver.write("pump", True)
        async with driver:
            pass


async def test_unplugged_and_plugged_in_again_a_thing_goes_on_by_itself(
    device: SerialDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosting, "RETRY_LONGEST", 0.01)
    monkeypatch.setattr(hosting, "SILENT_START", 0.01)
    one = thing("air", sensor(device))
    changed = asyncio.Event()
    one.on_readings = lambda _: changed.set()
    async with running(one):
        for pm1 in (5, 6, 7):
            changed.clear()
            await device.send(pms5003_frame(pm1, 2, 3))
            async with asyncio.timeout(PATIENCE):
                await changed.wait()
            assert one.values["pm1"].value == pm1
            device.unplug()
            await until_available(one, False)
            assert "unplugged" in one.availability.reason or "no such device" in one.availability.reason
            device.plug()
            await until_available(one)


# ---- writing -------------------------------------------------------------------------------------------------------


async def test_a_port_that_takes_no_more_is_waited_for_and_what_it_did_not_take_is_dropped(
    device: SerialDevice,
) -> None:
    driver = switch(device)
    async with driver:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                while True:
                    await driver.send(b"x" * 4096)
        while device.received_at_once():
            pass
        await driver.write("pump", True)
        assert await device.receive(7) == b"pump 1\n"


async def test_a_plug_pulled_while_a_part_is_sent_is_no_proof_that_nothing_moved(device: SerialDevice) -> None:
    async with switch(device) as driver:
        sending = asyncio.create_task(driver.send(b"x" * 1_000_000))
        await device.receive(5)
        device.unplug()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(ConnectionResetError, match=r"(unplugged|not open).*, when a part was sent"):
                await sending


async def test_a_write_to_a_port_that_is_gone_moved_nothing(device: SerialDevice) -> None:
    async with switch(device) as driver:
        device.unplug()
        with pytest.raises(DeviceUnavailable, match=r"unplugged|not open"):
            await driver.write("pump", True)


async def test_a_plug_pulled_before_the_answer_is_no_proof_that_nothing_moved(device: SerialDevice) -> None:
    async with switch(device, ack="OK") as driver:
        writing = asyncio.create_task(driver.write("pump", True))
        await device.receive(7)
        device.unplug()
        with pytest.raises(ConnectionResetError, match="before it confirmed"):
            await writing
