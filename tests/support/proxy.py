"""A TCP proxy that does to connections what bad networks do, between a client and a real server on loopback.

It works on plain sockets rather than asyncio's streams, so that nothing is buffered behind its back and it alone
decides whether a connection ends with a FIN, an RST or not at all.
"""

import asyncio
import socket
import time
from types import TracebackType
from typing import Any, Literal, Self

from tests.support.signals import Signal
from tests.support.wire import DIRECTIONS, Conditions, Connection, End, Pipe, reset

_DIAL_LIMIT = 10.0


class ChaosProxy(Conditions):
    """A proxy to one server; `up` is from the client to the server. An async context manager.

    Attributes:
        target: host and port of the server; may be changed, for new connections.
        accept_hang: new connections are accepted and never answered, as by a frozen server.
        accepted: how many connections there have been.
        accepted_at: when each of them was made, in monotonic seconds.
        changed: wakes whoever waits for connections to come or go.
        port: where it listens, on 127.0.0.1.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self.target = (host, port)
        self.accept_hang = False
        self.accepted_at: list[float] = []
        self.changed = Signal()
        self.port = 0
        self._listener: socket.socket | None = None
        self._listening = False
        self._connections: set[Connection] = set()
        self._hanging: set[socket.socket] = set()
        self._group = asyncio.TaskGroup()
        self._main: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._bind()
        self._listen()
        self._main = asyncio.create_task(self._run(), name=f"proxy on port {self.port}")

    async def close(self) -> None:
        """Stop listening and reset what is left. An error inside the proxy is raised here."""
        if self._main is None:
            return
        main, self._main = self._main, None
        self._stop_listening()
        main.cancel()
        await asyncio.wait([main])
        self._drop_hanging()
        if not main.cancelled():
            main.result()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def accepted(self) -> int:
        return len(self.accepted_at)

    @property
    def open(self) -> int:
        """How many connections go through it at the moment."""
        return len(self._connections)

    async def carries(self, count: int) -> None:
        """Wait until so many connections go through it."""
        await self.changed.until(lambda: len(self._connections) == count)

    def cut(self, how: Literal["rst", "fin"] = "rst") -> int:
        """End all connections at both sides: RST, or FIN without a closing word. Return how many."""
        self._drop_hanging()
        return self._end_all(End(how))

    def half_open(self, hanging: Literal["client", "server"] = "client") -> int:
        """Reset one side and leave the other one hanging: it hears nothing, until `cut`. Return how many.

        A hanging client has a router that forgot it; a hanging server has the zombie session of a crashed client.
        """
        return self._end_all(End(hanging))

    def refuse(self) -> None:
        """Refuse new connections (ECONNREFUSED), as when nothing listens. The port stays ours."""
        if self._listening:
            self._stop_listening()
            self._bind()

    def accept(self) -> None:
        """Accept connections again after `refuse`."""
        if not self._listening:
            self._listen()

    async def _run(self) -> None:
        async with self._group:
            await asyncio.get_running_loop().create_future()  # until close

    def _bind(self) -> None:
        self._listener = socket.socket()
        self._listener.setblocking(False)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]

    def _listen(self) -> None:
        if self._listener is None:
            raise RuntimeError("the proxy is closed")
        self._listener.listen()
        self._listening = True
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            if self._listening:
                asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
        self._listening = False
        self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # the client gave up first
            return
        client.setblocking(False)
        self.accepted_at.append(time.monotonic())
        if self.accept_hang:
            self._hanging.add(client)
            self.changed()
            return
        connection = Connection(client)
        self._connections.add(connection)
        self.changed()
        self._group.create_task(self._serve(connection), name=f"proxy connection {self.accepted}")

    async def _serve(self, connection: Connection) -> None:
        end = End.RST
        try:
            end = await self._carry(connection)
        finally:
            self._connections.discard(connection)
            self.changed()
            left = await connection.part(end)
            if left is not None:
                self._hanging.add(left)

    async def _carry(self, connection: Connection) -> End:
        """Carry bytes both ways until the connection ends by itself or by one of our methods; return how."""
        async with asyncio.TaskGroup() as workers:
            dial = workers.create_task(self._dial(connection))
            first: list[asyncio.Future[Any]] = [dial, connection.end]
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            tasks = [dial]
            if not connection.end.done():
                for direction in DIRECTIONS:
                    pipe = Pipe(self, connection, direction)
                    tasks += [workers.create_task(pipe.read()), workers.create_task(pipe.write())]
            end = await connection.end
            for task in tasks:
                task.cancel()
        return end

    async def _dial(self, connection: Connection) -> None:
        await self.flowing("up", "down")  # no handshake gets through a black hole
        try:
            async with asyncio.timeout(_DIAL_LIMIT):
                await asyncio.get_running_loop().sock_connect(connection.server, self.target)
        except OSError:  # nothing listens there: an RST is the nearest that a proxy has to ECONNREFUSED
            connection.finish(End.RST)

    def _end_all(self, end: End) -> int:
        for connection in self._connections:
            connection.finish(end)
        return len(self._connections)

    def _drop_hanging(self) -> None:
        while self._hanging:
            reset(self._hanging.pop())
