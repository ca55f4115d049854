"""Serial devices for tests: the far end of a real pseudo-terminal, that can be unplugged and plugged in again."""

import asyncio
import os
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import pytest

from jidget_drivers import serial_port

PATIENCE = 5.0
"""Seconds that a test waits for what must happen."""
SDS011_FRAME = bytes.fromhex("aac0d4043a0aa1601dab")
"""PM2.5 = 123.6, PM10 = 261.8 ug/m3: the example of "Laser Dust Sensor Control Protocol", V1.3, section 3, 2)."""


def pms5003_frame(pm1: int, pm25: int, pm10: int) -> bytes:
    """Return a frame of a PMS5003 with these concentrations, and others for standard particles."""
    words = (28, 901, 902, 903, pm1, pm25, pm10, 1500, 400, 80, 10, 2, 0, 0x9700)
    frame = b"\x42\x4d" + b"".join(word.to_bytes(2, "big") for word in words)
    return frame + sum(frame).to_bytes(2, "big")


class SerialDevice:
    """What a cable goes to. `path` is a link, as udev makes one in /dev/serial/by-id; it is there while plugged in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._near = self._far = -1
        self.plug()

    def plug(self) -> None:
        """Plug it in: its path leads to a new terminal."""
        self._far, self._near = os.openpty()
        tty.setraw(self._near)
        os.set_blocking(self._far, False)
        self.path.symlink_to(os.ttyname(self._near))

    def unplug(self) -> None:
        """Pull the cable: whoever has the port open gets an end of file or an error."""
        if self._far >= 0:
            self.path.unlink()
            os.close(self._near)
            os.close(self._far)
            self._near = self._far = -1

    async def send(self, data: bytes) -> None:
        """Send bytes, as fast as somebody reads them."""
        async with asyncio.timeout(PATIENCE * 4):
            while data:
                try:
                    data = data[os.write(self._far, data) :]
                except BlockingIOError:
                    await _ready(self._far, write=True)

    async def receive(self, count: int) -> bytes:
        """Wait for so many bytes from the agent."""
        got = b""
        async with asyncio.timeout(PATIENCE):
            while len(got) < count:
                try:
                    got += os.read(self._far, count - len(got))
                except BlockingIOError:
                    await _ready(self._far)
        return got

    def received_at_once(self) -> bytes:
        """Return what the agent has sent by now."""
        try:
            return os.read(self._far, 4096)
        except BlockingIOError:
            return b""

    def try_to_send(self, data: bytes) -> None:
        """Send bytes if there is room for them."""
        with suppress(BlockingIOError):
            os.write(self._far, data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()


async def _ready(descriptor: int, *, write: bool = False) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    (loop.add_writer if write else loop.add_reader)(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        (loop.remove_writer if write else loop.remove_reader)(descriptor)


@contextmanager
def every_port_is_a_talking_device(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every port of a configuration lead to one device that tells, over and over, what each driver understands.

    To each driver, what is meant for the others is garbage.
    """
    told = SDS011_FRAME + pms5003_frame(7, 11, 13) + b"\nT=21.5 H=40 PUMP=off\r\n"
    stop = threading.Event()
    with SerialDevice(directory / "talking-serial-device") as device:
        monkeypatch.setattr(serial_port, "find_port", lambda _port: device.path)

        def talk() -> None:
            while not stop.wait(0.01):
                device.try_to_send(told)

        talking = threading.Thread(target=talk, name="serial device")
        talking.start()
        try:
            yield
        finally:
            stop.set()
            talking.join()
