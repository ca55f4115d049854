"""The base of drivers on serial ports that tell by themselves: opening, reading, writing, silence, unplugging.

The port's file descriptor is watched by the event loop: no thread, no polling. Only opening and closing, which the
kernel may take its time for, run in the driver's thread.
"""

import asyncio
import logging
import os
import termios
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from jidget_drivers.driver import EventSource, OptionsT
from jidget_drivers.errors import DeviceUnavailable
from jidget_drivers.properties import Scalar
from jidget_drivers.serial_port import EXTRA, SerialSettings, close_port, open_port, require_pyserial

log = logging.getLogger(__name__)

Values = Mapping[str, Scalar]

CHUNK = 4096
"""Bytes taken at a time, so that a port that never pauses leaves room for others."""
BACKLOG = 256
"""Values kept while nobody takes them; beyond, the oldest give way."""


class SerialSource(EventSource[OptionsT]):
    """A device on a serial port. A driver derives from it, takes bytes in `received`, and calls `tell`.

    Class attributes:
        driver_name: what the configuration calls the driver, for messages.
        hint: what to check when bytes come that make no sense, or none come.

    Args:
        options: those of the driver.
        settings: how the port is opened.
        silence: seconds without a reading after which the device counts as gone; None for never.
    """

    driver_name: ClassVar[str]
    hint: ClassVar[str]
    extra = EXTRA

    def __init__(self, options: OptionsT, settings: SerialSettings, silence: float | None) -> None:
        super().__init__(options)
        require_pyserial(self.driver_name)
        self._settings = settings
        self._silence = silence
        self._port: Any = None
        self._descriptor: int | None = None
        self._room = asyncio.Event()
        self._inbox = _Inbox()
        self._inbox.fail(self._not_open())
        self._bytes = 0
        self._nonsense = ""
        self._logged: set[str] = set()

    # ---- what a driver on it does -----------------------------------------------------------------------------

    @abstractmethod
    def begin(self) -> None:
        """Forget what was received: the port has been opened anew."""

    @abstractmethod
    def received(self, data: bytes) -> None:
        """Take what the device sent, in pieces of any size. Called in the event loop; never with nothing."""

    def tell(self, values: Values) -> None:
        """Pass on values of one instant to who watches."""
        self._inbox.put(values)

    def ignore(self, kind: str, what: str) -> None:
        """Note that something was received which is no reading; the first of each `kind` is logged."""
        self._nonsense = kind
        if kind not in self._logged:
            self._logged.add(kind)
            log.info("%s: %s: %s; more of this kind is not logged", self._settings.port, kind, what)

    # ---- the contract -----------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the port and listen."""
        await self.close()
        self._port = await self.in_thread(open_port, self._settings)
        self._inbox = _Inbox()
        self._bytes = 0
        self._nonsense = ""
        self.begin()
        self._descriptor = self._port.fileno()
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable, self._descriptor)

    async def close(self) -> None:
        """Stop listening and close the port."""
        self._stop_listening()
        self._inbox.fail(self._not_open())
        port, self._port = self._port, None
        if port is not None:
            await self.in_thread(close_port, port)

    async def watch(self) -> AsyncIterator[Values]:
        """Yield values as the device tells them."""
        inbox = self._inbox
        while True:
            try:
                async with asyncio.timeout(self._silence):
                    values = await inbox.take()
            except TimeoutError:
                raise DeviceUnavailable(self._say_silence()) from None
            yield values

    def _say_silence(self) -> str:
        missing = f"{self._settings.port}: no reading for {self._silence:g} s"
        if not self._bytes:
            return f"{missing}, and not one byte. Check the power of the device and its TX wire. {self.hint}"
        last = f", the last was {self._nonsense}" if self._nonsense else ""
        return f"{missing}, though {self._bytes} bytes came{last}. {self.hint}"

    # ---- the port ---------------------------------------------------------------------------------------------

    async def send(self, data: bytes) -> None:
        """Write `data` to the port, waiting while it takes no more.

        Raises:
            DeviceUnavailable: the port is gone; nothing was sent.
            ConnectionResetError: the port went away when a part was sent.
        """
        sent = 0
        try:
            while sent < len(data):
                descriptor = self._require_open()
                try:
                    sent += os.write(descriptor, data[sent:])
                except BlockingIOError:
                    await self._wait_for_room(descriptor)
        except asyncio.CancelledError:
            self.drop_unsent()
            raise
        except OSError as error:  # DeviceUnavailable is one: it was not open, or went away while there was no room
            if not isinstance(error, DeviceUnavailable):
                self._lose(error)
                error = DeviceUnavailable(self._say_lost(error))
            if sent:
                raise ConnectionResetError(f"{error}, when a part was sent") from None
            raise error from None

    async def _wait_for_room(self, descriptor: int) -> None:
        """Wait until the port takes more bytes, or is gone."""
        loop = asyncio.get_running_loop()
        self._room.clear()
        loop.add_writer(descriptor, self._room.set)
        try:
            await self._room.wait()
        finally:
            if self._descriptor is not None:
                loop.remove_writer(descriptor)

    def send_now(self, data: bytes) -> bool:
        """Write `data` if the port takes all of it at once; return whether it did."""
        if self._descriptor is None:
            return False
        try:
            return os.write(self._descriptor, data) == len(data)
        except BlockingIOError:
            return False
        except OSError as error:
            self._lose(error)
            return False

    def drop_unsent(self) -> None:
        """Forget what the kernel has not sent yet: a command must not go out when nobody expects it any more."""
        if self._descriptor is not None:
            with suppress(termios.error):  # gone: so is what was not sent
                termios.tcflush(self._descriptor, termios.TCOFLUSH)

    def lost(self, error: DeviceUnavailable) -> None:
        """Called when the port went away, for those who wait for an answer."""

    def _require_open(self) -> int:
        if self._descriptor is None:
            raise self._not_open()
        return self._descriptor

    def _not_open(self) -> DeviceUnavailable:
        return DeviceUnavailable(f"{self._settings.port}: it is not open")

    def _readable(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if not data:
            self._lose(None)
            return
        self._bytes += len(data)
        try:
            self.received(data)
        except Exception as error:  # whoever watches is told; here nobody would hear it
            self._stop_listening()
            self._inbox.fail(error)

    def _lose(self, cause: OSError | None) -> None:
        self._stop_listening()
        error = DeviceUnavailable(self._say_lost(cause))
        self._inbox.fail(error)
        self.lost(error)

    def _say_lost(self, cause: OSError | None) -> str:
        why = f" ({cause.strerror})" if cause is not None and cause.strerror else ""
        return f"{self._settings.port}: it was unplugged, or lost its power{why}"

    def _stop_listening(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(descriptor)
            loop.remove_writer(descriptor)
            self._room.set()


class _Inbox:
    """Values on their way to who watches, and then why there are no more. Bounded: the oldest give way."""

    def __init__(self) -> None:
        self._values: deque[Values] = deque(maxlen=BACKLOG)
        self._failure: Exception | None = None
        self._news = asyncio.Event()

    def put(self, values: Values) -> None:
        self._values.append(values)
        self._news.set()

    def fail(self, error: Exception) -> None:
        """End it; the first reason counts."""
        self._failure = self._failure or error
        self._news.set()

    async def take(self) -> Values:
        """Wait for values and return the oldest; raise the failure once there are no more."""
        while not self._values:
            if self._failure is not None:
                raise self._failure
            self._news.clear()
            await self._news.wait()
        return self._values.popleft()
