"""I²C: one chip on one bus, its transfers never interleaved with those of other chips, and no wait without a bound.

smbus2 is imported when a bus is opened, not with this module.
"""

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Protocol, cast

from jidget_drivers.errors import DeviceUnavailable, MissingLibrary
from jidget_drivers.i2c_errors import opening_remedy, transfer_remedy

EXTRA = "i2c"
BUS_WAIT = 1.0
"""Seconds to wait for the bus. Its owner needs some milliseconds; one that keeps it longer hangs."""
CHIP_WAIT = 2.0
"""Seconds to wait for a measurement that another Thing makes with the same chip."""


class Adapter(Protocol):
    """What a bus can do; `LinuxAdapter` and the buses of tests. All of it blocks and raises OSError."""

    def select(self, address: int) -> None:
        """Make sure that no driver of the kernel has `address`."""

    def transfer(self, address: int, data: bytes, count: int) -> bytes:
        """Send `data`, if any, then read `count` bytes, if any, without letting go of the bus between."""

    def probe(self, address: int) -> bool:
        """Return whether something answers at `address`. Only for looking around: it may disturb what does."""

    def close(self) -> None:
        """Let go of the bus."""


def _open_linux(bus: int) -> Adapter:
    return cast("Adapter", importlib.import_module("jidget_drivers.i2c_adapter").LinuxAdapter(bus))


open_adapter: Callable[[int], Adapter] = _open_linux
"""Opens bus N. Tests put a bus of their own here."""


def require_smbus2(driver: str) -> None:
    """Make sure that the library for I²C is installed; no hardware is touched.

    Raises:
        MissingLibrary: it is not.
    """
    if find_spec("smbus2") is None:
        raise MissingLibrary(f"{driver} needs smbus2, which the extra jidget[{EXTRA}] brings")


@dataclass(slots=True)
class _Owner:
    """A lock that says who has it."""

    lock: Any = field(default_factory=threading.RLock)
    name: str = ""

    @contextmanager
    def hold(self, name: str, wait: float, what: str) -> Iterator[None]:
        if not self.lock.acquire(timeout=wait):
            raise DeviceUnavailable(
                f"{what} busy: {self.name} has not let go of it for {wait:g} s. If that lasts, check the wiring of both"
            )
        before, self.name = self.name, name
        try:
            yield
        finally:
            self.name = before
            self.lock.release()


_owners: dict[tuple[int, int | None], _Owner] = {}
_owners_lock = threading.Lock()


def _owner(bus: int, address: int | None = None) -> _Owner:
    """Return the lock of a bus, or of one chip on it; all drivers of the process share them."""
    with _owners_lock:
        return _owners.setdefault((bus, address), _Owner())


class Chip:
    """The chip at one address, for one driver. Its methods block: call them in the driver's thread.

    Args:
        driver: name of the driver, for others to read who keeps the bus.
        bus: N of `/dev/i2c-N`.
        address: 7-bit address.

    Attributes:
        place: where it is, in words, for errors.
    """

    def __init__(self, driver: str, bus: int, address: int) -> None:
        self.bus = bus
        self.address = address
        self.place = f"the chip at address {address:#04x} on I²C bus {bus}"
        self._name = f"{driver} at {address:#04x}"
        self._adapter: Adapter | None = None
        self._state = threading.Lock()
        self._in_use: Adapter | None = None

    def open(self) -> None:
        """Open the bus; whether the chip is there shows with the first transfer.

        Raises:
            DeviceUnavailable: there is no such bus, we may not use it, or a driver of the kernel has the address.
        """
        self.close()
        try:
            adapter = open_adapter(self.bus)
        except OSError as error:
            raise DeviceUnavailable(opening_remedy(error, self.bus)) from error
        try:
            adapter.select(self.address)
        except OSError as error:
            adapter.close()
            raise DeviceUnavailable(transfer_remedy(error, self.bus, self.address)) from error
        self._adapter = adapter

    def close(self) -> None:
        """Let go of the bus, from any thread, at once. A transfer that hangs does so itself when it comes back."""
        with self._state:
            adapter, self._adapter = self._adapter, None
            if adapter is not None and adapter is not self._in_use:
                adapter.close()

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Keep other Things of this process from the chip until its answer is fetched; the bus stays free.

        Raises:
            DeviceUnavailable: one of them has been at it for longer than any measurement takes.
        """
        what = f"I²C bus {self.bus}: chip at {self.address:#04x}"
        with _owner(self.bus, self.address).hold(self._name, CHIP_WAIT, what):
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Have the bus for several transfers that belong together.

        Raises:
            DeviceUnavailable: somebody else has it and does not let go, or a transfer in it failed.
        """
        with _owner(self.bus).hold(self._name, BUS_WAIT, f"I²C bus {self.bus}: bus"):
            try:
                yield
            except DeviceUnavailable:
                raise
            except OSError as error:
                raise DeviceUnavailable(transfer_remedy(error, self.bus, self.address)) from error

    def transfer(self, data: bytes = b"", count: int = 0) -> bytes:
        """Send `data`, then read `count` bytes, in one go.

        Raises:
            DeviceUnavailable: the chip does not answer, the bus failed, is busy, or was closed meanwhile.
        """
        with self.transaction(), self._using() as adapter:
            return adapter.transfer(self.address, data, count)

    def write(self, *data: int) -> None:
        """Send these bytes."""
        self.transfer(bytes(data))

    def read(self, count: int) -> bytes:
        """Read `count` bytes without sending a register number."""
        return self.transfer(count=count)

    def read_register(self, register: int, count: int = 1) -> bytes:
        """Read `count` bytes, beginning at `register`."""
        return self.transfer(bytes([register]), count)

    @contextmanager
    def _using(self) -> Iterator[Adapter]:
        """Yield the open bus. If `close` comes meanwhile, closing waits: the descriptor's number is in use."""
        with self._state:
            adapter = self._adapter
            if adapter is None:
                raise DeviceUnavailable(f"I²C bus {self.bus} is not open")
            self._in_use = adapter
        try:
            yield adapter
        finally:
            with self._state:
                self._in_use = None
                closed_meanwhile = self._adapter is not adapter
            if closed_meanwhile:
                with suppress(OSError):  # nobody waits for this bus any more
                    adapter.close()
