"""Connections to Modbus devices: one for each serial port or TCP address, shared by all Things on it.

On a serial line, and behind most gateways, only one request may be under way: a line has a lock, and whoever has it
asks. This module imports pymodbus; it is imported when a Modbus Thing is built.
"""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from jidget_drivers.errors import DeviceUnavailable

Client = AsyncModbusTcpClient | AsyncModbusSerialClient
CONNECT_LIMIT = 4.0
"""Seconds that making a connection may take: less than the agent gives for opening."""
_NEVER = 3600.0
"""Seconds that pymodbus itself waits; `Line.ask` gives up long before, for each Thing after its own time."""


def _only_when_debugging(_: logging.LogRecord) -> bool:
    """Let pymodbus's messages through where everything is wanted; what matters of them is in our own errors."""
    return logging.getLogger().isEnabledFor(logging.DEBUG)


logging.getLogger("pymodbus.logging").addFilter(_only_when_debugging)


class Unanswered(Exception):
    """A request was sent and no proper answer came: a reading can be asked for again, a write may have been done.

    Attributes:
        garbled: whether something came, but no answer to this request.
    """

    def __init__(self, text: str, *, garbled: bool = False) -> None:
        super().__init__(text)
        self.garbled = garbled


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """What all Things on one line must agree on. TCP has a host, a serial line a device."""

    host: str = ""
    port: int = 0
    rtu: bool = True
    device: Path | None = None
    baudrate: int = 9600
    parity: str = "N"
    stopbits: int = 1

    def same_line(self, other: "LineSettings") -> bool:
        """Whether both mean one line; two names of one serial port do, as does one name of a port plugged in anew."""
        if self.device is None or other.device is None:
            return (self.device, self.host.casefold(), self.port) == (other.device, other.host.casefold(), other.port)
        return self.device == other.device or os.path.realpath(self.device) == os.path.realpath(other.device)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.device is None else str(self.device)


class Line:
    """A connection that comes when it is needed and is made anew after it broke.

    Attributes:
        lock: to be held while connecting and asking.
    """

    def __init__(self, settings: LineSettings) -> None:
        self.settings = settings
        self.users = 0
        self.lock = asyncio.Lock()
        self._client: Client | None = None
        self._asking = False
        self._came = b""
        self._quiet_until = 0.0

    async def connect(self) -> Client:
        """Return the connection, made now if there is none; the lock is held.

        Raises:
            DeviceUnavailable: it cannot be made; the text says what to check.
        """
        if self._client is not None and self._client.connected:
            return self._client
        self.drop()
        made = asyncio.Event()
        failure: list[Exception] = []
        client = self._new_client(lambda connected: made.set() if connected else self._lost())
        create = client.ctx.call_create

        async def create_or_tell() -> Any:
            try:
                return await create()
            except (OSError, ValueError) as error:  # pymodbus would log it and say no more than that it failed
                failure.append(error)
                raise error if isinstance(error, OSError) else OSError(str(error)) from error

        client.ctx.call_create = create_or_tell
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                if await client.connect():
                    await made.wait()  # a serial port is set up a moment later
                    self._client = client
                    return client
        except TimeoutError:
            failure.append(TimeoutError(f"no connection within {CONNECT_LIMIT:g} s"))
        finally:
            if self._client is not client:
                client.close()
        error = failure[0] if failure else OSError("it could not be opened")
        raise DeviceUnavailable(f"{self.settings}: {_remedy(self.settings, error)}") from error

    def _new_client(self, told: Callable[[bool], None]) -> Client:
        settings = self.settings
        framer = FramerType.RTU if settings.rtu else FramerType.SOCKET
        client: Client
        if settings.device is None:
            client = AsyncModbusTcpClient(
                settings.host,
                port=settings.port,
                framer=framer,
                timeout=_NEVER,
                retries=0,
                reconnect_delay=0,
                trace_packet=self._trace,
                trace_connect=told,
            )
        else:
            client = AsyncModbusSerialClient(
                str(settings.device),
                baudrate=settings.baudrate,
                parity=settings.parity,
                stopbits=settings.stopbits,
                framer=framer,
                timeout=_NEVER,
                retries=0,
                reconnect_delay=0,
                trace_packet=self._trace,
                trace_connect=told,
            )
        _forgive_nonsense(client)
        return client

    def _trace(self, sending: bool, data: bytes) -> bytes:
        self._came = b"" if sending else data
        return data

    def _lost(self) -> None:
        """End the waiting for an answer that cannot come any more."""
        if self._asking and self._client is not None and not self._client.ctx.response_future.done():
            self._client.ctx.response_future.set_exception(ConnectionException("the connection was closed"))

    def drop(self) -> None:
        """Close the connection; the next request makes another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def ask(
        self, request: Callable[[Client], Awaitable[ModbusPDU]], *, timeout: float, silence: float
    ) -> ModbusPDU:
        """Send a request and return what was answered, be it an exception response; the lock is held.

        Args:
            request: makes the request, given the connection.
            timeout: seconds until it counts as unanswered.
            silence: seconds to wait after the last request on this line.

        Raises:
            DeviceUnavailable: there is no connection: nothing was sent.
            Unanswered: nobody knows whether the device did it.
        """
        client = await self.connect()
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._quiet_until - loop.time()))  # RTU tells frames apart by silence alone
        # If this is cancelled, the answer may still come: nobody else may speak before that.
        self._quiet_until = loop.time() + timeout
        self._came, self._asking = b"", True
        try:
            async with asyncio.timeout(timeout):
                answer = await request(client)
        except TimeoutError:
            raise self._unanswered(f"no answer within {timeout:g} s") from None
        except ConnectionException as error:
            raise self._unanswered("the connection was closed before an answer came") from error
        except ModbusException as error:
            raise Unanswered(f"its answer makes no sense ({error})", garbled=True) from error
        finally:
            self._asking = False
        self._quiet_until = loop.time() + silence
        return answer

    def _unanswered(self, text: str) -> Unanswered:
        came = self._came
        if self.settings.device is None or not (self._client and self._client.connected):
            self.drop()  # a TCP connection may be dead without anybody having said so
        if not came:
            return Unanswered(text)
        return Unanswered(f"its answer is garbled: {came[:16].hex(' ')}{' …' if len(came) > 16 else ''}", garbled=True)


_lines: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Line]] = WeakKeyDictionary()


def take_line(settings: LineSettings) -> Line:
    """Return the line with these settings, shared with all others that take it; give it back with `release_line`.

    Raises:
        DeviceUnavailable: another Thing uses the same line with other settings.
    """
    lines = _lines.setdefault(asyncio.get_running_loop(), [])
    line = next((line for line in lines if line.settings.same_line(settings)), None)
    if line is None:
        line = Line(settings)
        lines.append(line)
    elif replace(line.settings, device=settings.device, host=settings.host) != settings:
        raise DeviceUnavailable(
            f"{settings}: another Thing uses it with other settings. Give all Things on one line the same host, port "
            "and framing, or device, baudrate, parity and stopbits"
        )
    line.users += 1
    return line


async def release_line(line: Line) -> None:
    """Give a line back; the last to do so closes it."""
    line.users -= 1
    if not line.users:
        _lines[asyncio.get_running_loop()].remove(line)
        line.drop()
        await asyncio.sleep(0)  # asyncio closes a socket one round later


def _forgive_nonsense(client: Client) -> None:
    """Keep what cannot be decoded from ending in the event loop's error handler: it counts as no answer."""
    handle = client.ctx.callback_data

    def handle_or_skip(data: bytes, addr: tuple[Any, ...] | None = None) -> int:
        try:
            return handle(data, addr=addr)
        except ModbusException:
            return len(data)

    client.ctx.callback_data = handle_or_skip  # type: ignore[method-assign]  # the seam that pymodbus has none of


def _remedy(settings: LineSettings, error: Exception) -> str:
    """Say what is wrong with the connection and what to check."""
    number = error.errno if isinstance(error, OSError) else None
    if settings.device is not None:
        if number == errno.ENOENT:
            return "there is no such port. Is the adapter plugged in? `ls /dev/serial/by-id` shows those there are"
        if number == errno.EACCES:
            return "no access. Put the user in the group dialout: sudo usermod -aG dialout USER"
        if number in (errno.EAGAIN, errno.EBUSY) or "exclusively lock" in str(error):
            return "another program has this port"
        return f"it cannot be used as a serial port ({error})"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there. Is Modbus TCP switched on in the device, and is this its port?"
    if isinstance(error, socket.gaierror):
        return f"no such host ({error.strerror}). Check option host"
    if isinstance(error, TimeoutError) or number in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN):
        return "it does not answer. Is it on, and is its address right?"
    return str(error)
