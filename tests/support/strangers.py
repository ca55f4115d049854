"""TCP servers that are not what one hoped for."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager


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


@contextmanager
def swallowing() -> Iterator[int]:
    """Listen on a port of 127.0.0.1 with no room for one more connection: the kernel drops what asks for one."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(2):  # one that could be accepted, and one in the handshake
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port
