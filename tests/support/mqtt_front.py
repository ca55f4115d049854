"""A front of a real broker that treats clients of MQTT 5 as brokers do that do not know it (MQTT 5 3.1.2.2)."""

import asyncio
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Self

_VERSION_AT = 8  # in a CONNECT: type and length (2), "MQTT" with its length (6), then the version
_MQTT_5 = 5


class Manners(Enum):
    """What an old broker does with a client that is too new for it: the bytes that it sends before it hangs up."""

    SAYS_SO = b"\x20\x03\x00\x84\x00"  # CONNACK of MQTT 5: unsupported protocol version
    SAYS_SO_OLD = b"\x20\x02\x00\x01"  # CONNACK of MQTT 3.1.1: the same
    HANGS_UP = b""


class OldBroker:
    """Passes MQTT 3.1.1 on to a real broker, and refuses MQTT 5. An async context manager.

    Attributes:
        port: where it listens, on 127.0.0.1.
        versions: of the protocol, as they were asked for.
    """

    def __init__(self, port: int, manners: Manners) -> None:
        self.port = 0
        self.versions: list[int] = []
        self._target = port
        self._manners = manners
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            begin = await reader.readexactly(_VERSION_AT + 1)
            self.versions.append(begin[_VERSION_AT])
            if begin[_VERSION_AT] == _MQTT_5:
                writer.write(self._manners.value)
                await writer.drain()
            else:
                await self._pass_on(begin, reader, writer)
        except asyncio.CancelledError:  # we are closed
            pass
        finally:
            self._tasks.discard(task)
            await _close(writer)

    async def _pass_on(self, begin: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        down, up = await asyncio.open_connection("127.0.0.1", self._target)
        up.write(begin)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, up))
                group.create_task(_copy(down, writer))
        finally:
            await _close(up)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
