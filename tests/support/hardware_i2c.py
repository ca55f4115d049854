"""A make-believe I²C bus: chips with the registers, the timing and the bad habits of real ones.

It takes the place of `/dev/i2c-N` below everything of ours: drivers, locks and error texts are the real ones.
"""

import errno
import os
import threading
import time
from collections.abc import Callable

import pytest

from jidget_drivers import i2c
from jidget_drivers.i2c_sensirion import crc8


def bus_error(number: int) -> OSError:
    """Return the error that the kernel would raise."""
    return OSError(number, os.strerror(number))


class FakeChip:
    """A chip on the bus. Raises EREMOTEIO where a real one would not acknowledge."""

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def read(self, count: int) -> bytes:
        raise NotImplementedError

    def power_cut(self) -> None:
        """Lose the power for a moment."""


class FakeBus:
    """One bus; `install` puts it where the drivers look for it.

    Attributes:
        chips: what is connected, by address.
        kernel: addresses that drivers of the kernel have.
        failing: the error of every transfer to an address, such as `errno.ETIMEDOUT`.
        hanging: transfers to an address begin, and wait for the event.
        began: set whenever a transfer has begun to hang.
        opening: the error of opening the bus.
        log: what was transferred: address, bytes written, number of bytes read.
        probed: addresses at which somebody looked for a chip.
        open_adapters: how many openings were not closed.
        seconds_per_byte: how long the wire is busy, 90 µs on a bus of 100 kHz; 0 for a test in a hurry.
        collisions: how many transfers began while another one was on the wire.
    """

    def __init__(self, chips: dict[int, FakeChip]) -> None:
        self.chips = chips
        self.kernel: set[int] = set()
        self.failing: dict[int, int] = {}
        self.hanging: dict[int, threading.Event] = {}
        self.began = threading.Event()
        self.opening: int | None = None
        self.log: list[tuple[int, bytes, int]] = []
        self.probed: list[int] = []
        self.open_adapters = 0
        self.collisions = 0
        self.seconds_per_byte = 0.0
        self._wire = threading.Lock()
        self._watched: dict[tuple[int, bytes], threading.Event] = {}

    def install(self, monkeypatch: pytest.MonkeyPatch, number: int = 1) -> "FakeBus":
        def open_adapter(bus: int) -> i2c.Adapter:
            if bus != number:
                raise bus_error(errno.ENOENT)
            if self.opening is not None:
                raise bus_error(self.opening)
            return FakeAdapter(self)

        monkeypatch.setattr(i2c, "open_adapter", open_adapter)
        return self

    def saw(self, address: int, data: bytes) -> threading.Event:
        """Return an event that is set once `data` is written to a chip."""
        return self._watched.setdefault((address, data), threading.Event())

    def writes(self, address: int) -> list[bytes]:
        """Return what was written to a chip, oldest first."""
        return [data for at, data, _ in self.log if at == address and data]

    def transfer(self, address: int, data: bytes, count: int) -> bytes:
        if not self._wire.acquire(blocking=False):
            self.collisions += 1
            raise bus_error(errno.EAGAIN)
        try:
            self.log.append((address, data, count))
            if self.seconds_per_byte:
                time.sleep((1 + len(data) + count) * self.seconds_per_byte)
            if address in self.hanging:
                self.began.set()
                assert self.hanging[address].wait(30), "the test never let it go"
            if address in self.failing:
                raise bus_error(self.failing[address])
            chip = self.chips.get(address)
            if chip is None:
                raise bus_error(errno.EREMOTEIO)
            if data:
                chip.write(data)
            if (address, data) in self._watched:
                self._watched[address, data].set()
            return chip.read(count) if count else b""
        finally:
            self._wire.release()


class FakeAdapter:
    def __init__(self, bus: FakeBus) -> None:
        self._bus: FakeBus | None = bus
        bus.open_adapters += 1

    def select(self, address: int) -> None:
        assert self._bus is not None
        if address in self._bus.kernel:
            raise bus_error(errno.EBUSY)

    def transfer(self, address: int, data: bytes, count: int) -> bytes:
        assert self._bus is not None, "used after it was closed"
        return self._bus.transfer(address, data, count)

    def probe(self, address: int) -> bool:
        assert self._bus is not None, "used after it was closed"
        self.select(address)
        self._bus.probed.append(address)
        if address in self._bus.failing:
            raise bus_error(self._bus.failing[address])
        return address in self._bus.chips

    def close(self) -> None:
        if self._bus is not None:
            self._bus.open_adapters -= 1
            self._bus = None


class RegisterChip(FakeChip):
    """Registers of one byte; the first byte written says which, and each transfer goes on from there."""

    def __init__(self) -> None:
        self.registers = bytearray(256)
        self.pointer = 0

    def write(self, data: bytes) -> None:
        self.pointer = data[0]
        for value in data[1:]:
            self.put(self.pointer, value)
            self.pointer += 1

    def read(self, count: int) -> bytes:
        values = bytes(self.get(self.pointer + offset) for offset in range(count))
        self.pointer += count
        return values

    def put(self, register: int, value: int) -> None:
        self.registers[register] = value

    def get(self, register: int) -> int:
        return self.registers[register]


class WordChip(FakeChip):
    """Registers of two bytes, high byte first, without going on to the next (INA219, ADS1115)."""

    def __init__(self) -> None:
        self.words: dict[int, int] = {}
        self.pointer = 0

    def write(self, data: bytes) -> None:
        self.pointer = data[0]
        if data[1:]:
            self.put(self.pointer, int.from_bytes(data[1:3]))

    def read(self, count: int) -> bytes:
        assert count == 2
        return (self.get(self.pointer) & 0xFFFF).to_bytes(2)

    def put(self, register: int, value: int) -> None:
        self.words[register] = value

    def get(self, register: int) -> int:
        return self.words.get(register, 0)


class Bme280Chip(RegisterChip):
    """BME280 or BMP280, forced mode only; takes its typical time (BST-BME280-DS002, 9.1)."""

    def __init__(self, low: bytes, high: bytes = b"", *, adc_t: int, adc_p: int, adc_h: int = 0x8000) -> None:
        super().__init__()
        self.registers[0x88 : 0x88 + len(low)] = low
        self.registers[0xE1 : 0xE1 + len(high)] = high
        self.registers[0xD0] = 0x60 if high else 0x58
        self.adc_t, self.adc_p, self.adc_h = adc_t, adc_p, adc_h
        self.endless = False
        self._done = 0.0
        self.power_cut()

    def power_cut(self) -> None:
        self.registers[0xF2:0xF6] = bytes(4)
        self.registers[0xF7:0xFF] = bytes.fromhex("8000008000008000")

    def put(self, register: int, value: int) -> None:
        super().put(register, value)
        if register == 0xF4 and value & 0b11 == 0b01:
            samples = [
                2 ** (code - 1) if code else 0 for code in (value >> 5, value >> 2 & 7, self.registers[0xF2] & 7)
            ]
            self._done = time.monotonic() + (1 + 2 * sum(samples)) / 1000
            words = [self.adc_p << 4, self.adc_t << 4]
            raw = b"".join(
                (w if s else 0x800000).to_bytes(3) for w, s in zip(words, (samples[1], samples[0]), strict=True)
            )
            self._result = raw + (self.adc_h if samples[2] else 0x8000).to_bytes(2)
            self.registers[0xF3] |= 0x08
            self.registers[0xF4] = value & ~0b11

    def get(self, register: int) -> int:
        if self.registers[0xF3] & 0x08 and time.monotonic() >= self._done and not self.endless:
            self.registers[0xF3] &= ~0x08
            self.registers[0xF7:0xFF] = self._result
        return super().get(register)


class SensirionChip(FakeChip):
    """SHT3x or SHT4x: `answers` by command; while it measures it does not acknowledge being read."""

    def __init__(self, answers: dict[bytes, tuple[int, ...]], *, command: bytes, seconds: float) -> None:
        self.answers = answers
        self.measure = command
        self.seconds = seconds
        self.corrupt = False
        self._answer = b""
        self._done = 0.0

    def write(self, data: bytes) -> None:
        words = self.answers.get(data, ())
        self._answer = b"".join(w.to_bytes(2) + bytes([crc8(w.to_bytes(2)) ^ self.corrupt]) for w in words)
        self._done = time.monotonic() + (self.seconds if data == self.measure else 0)

    def read(self, count: int) -> bytes:
        if not self._answer or time.monotonic() < self._done:
            raise bus_error(errno.EREMOTEIO)
        return self._answer[:count].ljust(count, b"\xff")


class Bh1750Chip(FakeChip):
    """BH1750: one command each transfer; the old result until the new one is there."""

    def __init__(self, light: Callable[[int, int], int]) -> None:
        """Make one; `light` gives the counts for a command and a measurement time register."""
        self.light = light
        self.time = 69
        self.on = False
        self._high = 0
        self._old = self._new = 0
        self._done = 0.0

    def power_cut(self) -> None:
        self.time, self.on, self._old, self._new = 69, False, 0, 0

    def write(self, data: bytes) -> None:
        (command,) = data  # a second byte without a stop condition would not be accepted
        if command in (0x00, 0x01):
            self.on = bool(command)
        elif command >> 3 == 0b01000:
            self._high = command & 7
        elif command >> 5 == 0b011:
            self.time = self._high << 5 | command & 31
        elif self.on:
            self._old, self._new = self._new, self.light(command, self.time)
            typical = 0.016 if command == 0x23 else 0.120
            self._done = time.monotonic() + typical * self.time / 69

    def read(self, count: int) -> bytes:
        return (self._new if time.monotonic() >= self._done else self._old).to_bytes(count)
