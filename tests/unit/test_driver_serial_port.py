"""Serial ports over real pseudo-terminals: opened for us alone, lost, found again; errors that tell what to check."""

import asyncio
import errno
import fcntl
import os
import struct
import sys
import termios
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError
from serial.tools import list_ports
from tests.support.fakes import PATIENCE
from tests.support.hardware_serial import SerialDevice, pms5003_frame

from jidget_drivers import DeviceUnavailable, MissingLibrary, serial_port, serial_source
from jidget_drivers.pms5003 import Pms5003, Pms5003Options
from jidget_drivers.serial_port import SerialPortOptions, SerialSettings, find_port, open_port

TIOCGEXCL = 0x80045440
FRAME = pms5003_frame(1, 2, 3)
VALUES = {"pm1": 1, "pm25": 2, "pm10": 3}


@pytest.fixture
def device(tmp_path: Path) -> Iterator[SerialDevice]:
    with SerialDevice(tmp_path / "usb-device") as plugged:
        yield plugged


def sensor(device: SerialDevice) -> Pms5003:
    return Pms5003(Pms5003Options(port=str(device.path)))


@asynccontextmanager
async def watching(driver: Pms5003) -> AsyncIterator[AsyncIterator[Any]]:
    async with driver, aclosing(cast("Any", driver.watch())) as events:
        yield events


def usb(device: str, vendor: int, product: int, serial_number: str | None) -> SimpleNamespace:
    return SimpleNamespace(device=device, vid=vendor, pid=product, serial_number=serial_number)


# ---- which port ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "port", ["ttyUSB0", "", "usb:1a86", "usb:1a86:75231", "usb:xyza:7523", "COM3", "usb:1a86:7523:"]
)
def test_what_is_no_port_is_refused_with_what_would_be_one(port: str) -> None:
    with pytest.raises(ValidationError, match=r"/dev/serial/by-id/usb-.*usb:VENDOR:PRODUCT"):
        SerialPortOptions(port=port)


@pytest.mark.parametrize(
    ("port", "path"),
    [
        ("/dev/ttyAMA0", "/dev/ttyAMA0"),
        ("usb:1A86:7523", "/dev/ttyUSB1"),
        ("usb:0403:6001:A1B2", "/dev/ttyUSB2"),
    ],
)
def test_a_usb_device_is_found_wherever_it_is(port: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    present = [
        SimpleNamespace(device="/dev/ttyS0", vid=None, pid=None, serial_number=None),
        usb("/dev/ttyUSB1", 0x1A86, 0x7523, None),
        usb("/dev/ttyUSB2", 0x0403, 0x6001, "A1B2"),
        usb("/dev/ttyUSB3", 0x0403, 0x6001, "C3D4"),
    ]
    monkeypatch.setattr(list_ports, "comports", lambda: present)
    assert str(find_port(port)) == path
    with pytest.raises(DeviceUnavailable, match=r"2 ports are of it.*ttyUSB2 \(usb:0403:6001:A1B2\), /dev/ttyUSB3"):
        find_port("usb:0403:6001")
    with pytest.raises(DeviceUnavailable, match=r"no such USB device. Is it plugged in\? There are /dev/ttyUSB1"):
        find_port("usb:10c4:ea60")


@pytest.mark.parametrize(
    ("comports", "says"),
    [(list, "There is no USB serial port"), (lambda: [int(None)], "are changing just now")],  # type: ignore[call-overload]
)
def test_no_usb_device_and_one_that_is_just_going_are_told(
    comports: Any, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_ports, "comports", comports)
    with pytest.raises(DeviceUnavailable, match=says):
        find_port("usb:1a86:7523")


async def test_a_port_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_id = tmp_path / "by-id"
    monkeypatch.setattr(serial_port, "BY_ID", by_id)
    driver = Pms5003(Pms5003Options(port=str(tmp_path / "gone")))
    with pytest.raises(DeviceUnavailable, match=r"gone: there is no such device.*plugged in.*There is none in .*by-id"):
        await driver.open()
    by_id.mkdir()
    for number in range(6):
        (by_id / f"usb-{number}").touch()
    with pytest.raises(DeviceUnavailable, match=r"There are .*usb-0, .*usb-3 and 2 more$"):
        await driver.open()
    await driver.__aexit__(None, None, None)


@pytest.mark.parametrize("kind", ["file", "directory", "null"])
def test_what_is_no_serial_port_is_said_to_be_none(kind: str, tmp_path: Path) -> None:
    path = {"file": tmp_path / "file", "directory": tmp_path, "null": Path("/dev/null")}[kind]
    (tmp_path / "file").touch()
    with pytest.raises(DeviceUnavailable, match="it is not a serial port"):
        open_port(SerialSettings(port=str(path)))


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EACCES, "usermod -aG dialout USER"),
        (errno.ENXIO, "no hardware behind it"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_errors_of_the_kernel_come_with_what_to_do(
    number: int, says: str, device: SerialDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may open everything and a pseudo-terminal is always there, so here the call itself has to fail."""

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "group", lambda _: "dialout")
    monkeypatch.setattr("serial.serialposix.os.open", fail)
    with pytest.raises(DeviceUnavailable, match=says):
        open_port(SerialSettings(port=str(device.path)))


def test_without_pyserial_the_driver_says_what_to_install(
    device: SerialDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    monkeypatch.setattr(serial_port, "find_spec", lambda _: None)
    with pytest.raises(MissingLibrary, match=r"pms5003 needs pyserial.*jidget\[serial\]"):
        sensor(device)


# ---- for us alone --------------------------------------------------------------------------------------------------


async def test_a_port_is_ours_alone_and_free_again_after_closing(device: SerialDevice) -> None:
    first, second = sensor(device), sensor(device)
    async with first:
        assert exclusive(device.path) == 1
        with pytest.raises(DeviceUnavailable, match=r"in use by another Thing of this configuration.*ModemManager"):
            await second.open()
    assert exclusive(device.path) == 0
    await second.open()
    await second.__aexit__(None, None, None)


def exclusive(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        return int(struct.unpack("i", fcntl.ioctl(descriptor, TIOCGEXCL, b"\0" * 4))[0])
    finally:
        os.close(descriptor)


async def test_a_port_that_opens_too_late_is_not_kept(device: SerialDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, opened = threading.Event(), threading.Event()

    def slowly(settings: SerialSettings) -> Any:
        go_on.wait(PATIENCE)
        try:
            return open_port(settings)
        finally:
            opened.set()

    monkeypatch.setattr(serial_source, "open_port", slowly)
    late, next_one = sensor(device), sensor(device)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await late.open()
    with pytest.raises(DeviceUnavailable, match="has not answered the previous call yet"):
        await late.open()
    go_on.set()
    await asyncio.to_thread(opened.wait, PATIENCE)
    monkeypatch.undo()
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with next_one:
                    break
            except DeviceUnavailable:
                await asyncio.sleep(0)
    await late.__aexit__(None, None, None)


async def test_what_was_received_before_opening_is_dropped(device: SerialDevice) -> None:
    await device.send(pms5003_frame(9, 9, 9))
    async with watching(sensor(device)) as told:
        await device.send(FRAME)
        assert await anext(told) == VALUES


@pytest.mark.parametrize("framing", ["7E1", "8N2", "8O1"])
@pytest.mark.parametrize("flow", ["none", "rtscts", "xonxoff"])
async def test_ports_are_set_as_the_options_say(framing: str, flow: Any, device: SerialDevice) -> None:
    port = open_port(SerialSettings(port=str(device.path), baud=57600, framing=framing, flow=flow))
    try:
        iflag, _, _, _, speed, _, _ = termios.tcgetattr(port.fileno())
        assert speed == termios.B57600
        assert bool(iflag & termios.IXON) == (flow == "xonxoff")
        assert (port.bytesize, port.parity, port.stopbits) == (int(framing[0]), framing[1], int(framing[2]))
    finally:
        serial_port.close_port(port)
