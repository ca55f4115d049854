"""Blinka on a machine without a board: its simulated one, with the I²C bus of `hardware_i2c`; and a class for it."""

import importlib
import threading
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from tests.support.hardware_i2c import FakeBus

BOARD: Mapping[str, str] = {"BLINKA_FORCEBOARD": "OS_AGNOSTIC_BOARD", "BLINKA_FORCECHIP": "OS_AGNOSTIC"}
"""What makes Blinka take the machine for its simulated board; read once, when it is imported."""


def install(monkeypatch: pytest.MonkeyPatch, bus: FakeBus) -> None:
    """Let Blinka run on its simulated board, and connect `bus` to its I²C pins."""
    for name, value in BOARD.items():
        monkeypatch.setenv(name, value)

    class I2C:
        """What Blinka wants of a bus (adafruit_blinka.microcontroller.generic_linux.i2c), on ours."""

        def __init__(self, *, frequency: int = 100_000) -> None:
            bus.open_adapters += 1

        def writeto(self, address: int, buffer: bytes, *, stop: bool = True) -> None:
            bus.transfer(address, bytes(buffer), 0)

        def readfrom_into(self, address: int, buffer: Any, *, stop: bool = True) -> None:
            buffer[:] = bus.transfer(address, b"", len(buffer))

        def writeto_then_readfrom(self, address: int, out: bytes, into: Any, **bounds: Any) -> None:
            begin, end = bounds["in_start"], bounds["in_end"]
            sent = bytes(out)[bounds["out_start"] : bounds["out_end"]]
            into[begin:end] = bus.transfer(address, sent, (len(into) if end is None else end) - begin)

        def __del__(self) -> None:
            bus.open_adapters -= 1

    simulated = importlib.import_module("adafruit_blinka.microcontroller.generic_agnostic_board.i2c")
    monkeypatch.setattr(simulated, "I2C", I2C)


class Weather:
    """A driver class as Adafruit's Design Guide wants it, without hardware.

    Attributes:
        made: all objects of it, oldest first.
        answer: what its getter gives, or raises.
        hang: its getter waits for this; `hanging` is set when it does.
        released: set by `deinit`.
    """

    made: ClassVar[list["Weather"]] = []

    def __init__(self, i2c: Any, address: int = 0x10, *, mode: str = "eco") -> None:
        if address == 0x11:
            raise ValueError("No I2C device at address: 0x11")
        self.i2c, self.address, self.mode = i2c, address, mode
        self.reads = 0
        self.is_wet = True
        self.gain = 1.5
        self.released = threading.Event()
        self.answer: Any = (0.1, 0.2, 9.81)
        self.hang: threading.Event | None = None
        self.hanging = threading.Event()
        self.made.append(self)

    @property
    def acceleration(self) -> Any:
        self.reads += 1
        if self.hang is not None:
            self.hanging.set()
            assert self.hang.wait(30)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @property
    def level(self) -> int:
        return self._level if hasattr(self, "_level") else 3

    @level.setter
    def level(self, value: int) -> None:
        if value > 7:
            raise ValueError("level must be 0 to 7")
        self._level = value

    @property
    def serial(self) -> str:
        return "A17"

    def read(self) -> dict[str, int]:
        return {"pm25 env": 12}

    def deinit(self) -> None:
        self.released.set()
