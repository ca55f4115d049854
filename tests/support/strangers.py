"""TCP servers that are not what one hoped for."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def answering(data: bytes, connections: list[float] | None = None) -> AsyncIterator[int]:
    """Serve one answer to whatever a client says first, then the end; yield the port, on 127.0.0.1.

    Args:
        data: the answer.
        connections: gets the time of each connection, in seconds of `time.monotonic`.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if connections is not None:
            connections.append(time.monotonic())
        try:
            await reader.read(1024)
            writer.write(data)
            await writer.drain()
        except ConnectionError:
            return  # the client has seen enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        yield port
