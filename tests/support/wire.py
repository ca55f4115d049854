"""What a bad network does to one TCP connection: the parts of the proxy in `proxy.py`."""

import asyncio
import fcntl
import socket
import struct
import termios
from contextlib import suppress
from enum import Enum
from typing import Literal

Direction = Literal["up", "down"]

DIRECTIONS: tuple[Direction, ...] = ("up", "down")

_CHUNK = 16384
_QUEUED_CHUNKS = 256
_SLICES_PER_SECOND = 50
_LINGER_NOT = struct.pack("ii", 1, 0)  # SO_LINGER without time: close sends an RST (socket(7))
_FLUSH_LIMIT = 1.0
_FIN_LIMIT = 2.0


class End(Enum):
    """How a connection through the proxy ends."""

    RST = "rst"
    FIN = "fin"
    CLIENT_HANGS = "client"
    SERVER_HANGS = "server"
    OVER = "over"


class Conditions:
    """What the network is like at the moment; `up` is from the client to the server.

    Attributes:
        delay: seconds added one way, in each direction; order is kept and throughput not limited.
        rate: bytes a second in each direction of a connection; None for no limit.
        carried: how many bytes went each way.
    """

    def __init__(self) -> None:
        self.delay = 0.0
        self.rate: float | None = None
        self.carried: dict[Direction, int] = {"up": 0, "down": 0}
        self._flows = {direction: asyncio.Event() for direction in DIRECTIONS}
        self._budget: dict[Direction, int | None] = {"up": None, "down": None}
        self.resume()

    def stall(self, direction: Direction | Literal["both"] = "both") -> None:
        """Black hole: connections stay, nothing gets through. Bytes, ends and new connections wait for `resume`."""
        for each in DIRECTIONS if direction == "both" else (direction,):
            self._flows[each].clear()

    def resume(self) -> None:
        """Let everything flow again."""
        for flow in self._flows.values():
            flow.set()

    def cut_after(self, count: int, direction: Direction = "down") -> None:
        """Reset a connection right after it carried the `count`-th byte from now on in that direction."""
        if count < 1:
            raise ValueError("cut_after counts from 1; use cut to cut at once")
        self._budget[direction] = count

    async def flowing(self, *directions: Direction) -> None:
        """Wait until nothing is stalled in these directions."""
        while not all(self._flows[direction].is_set() for direction in directions):
            for direction in directions:
                await self._flows[direction].wait()

    def take(self, direction: Direction, count: int) -> tuple[int, bool]:
        """Count bytes about to be sent; return how many of them may be, and whether they are the connection's last."""
        budget = self._budget[direction]
        last = budget is not None and budget <= count
        allowed = budget if budget is not None and last else count
        if budget is not None:
            self._budget[direction] = None if last else budget - count
        self.carried[direction] += allowed
        return allowed, last


class Connection:
    """Two sockets, and a future for how they end."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.server = socket.socket()
        self.server.setblocking(False)
        self.end: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._closed_directions = 0

    def finish(self, end: End) -> None:
        if not self.end.done():
            self.end.set_result(end)

    def close_direction(self) -> None:
        self._closed_directions += 1
        if self._closed_directions == len(DIRECTIONS):
            self.finish(End.OVER)

    async def part(self, end: End) -> socket.socket | None:
        """Close the sockets as `end` says; return the one that is left hanging."""
        sockets = {"client": self.client, "server": self.server}
        left = sockets.pop(end.value, None)
        try:
            if end is End.FIN:
                async with asyncio.TaskGroup() as group:
                    for each in sockets.values():
                        group.create_task(_say_goodbye(each))
        finally:
            for each in sockets.values():
                if end in {End.FIN, End.OVER}:
                    each.close()
                else:
                    reset(each)
        return left


class Pipe:
    """One direction of a connection: a reader and a writer with a queue between them, so that a delay is not a brake.

    In the queue is when something is due and what: bytes, the orderly end (no bytes) or a reset (None).
    """

    def __init__(self, conditions: Conditions, connection: Connection, direction: Direction) -> None:
        self._conditions = conditions
        self._connection = connection
        self._direction = direction
        ends = (connection.client, connection.server)
        self._source, self._sink = ends if direction == "up" else ends[::-1]
        self._queue: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue(_QUEUED_CHUNKS)
        self._clear_at = 0.0

    async def read(self) -> None:
        loop = asyncio.get_running_loop()
        data: bytes | None = b"?"
        while data:
            await self._conditions.flowing(self._direction)
            try:
                data = await loop.sock_recv(self._source, _CHUNK)
            except ConnectionError:
                data = None
            await self._queue.put((loop.time() + self._conditions.delay, data))

    async def write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await self._queue.get()
            await asyncio.sleep(due - loop.time())
            await self._conditions.flowing(self._direction)
            try:
                if data:
                    await self._send(data)
                elif data is None:
                    self._connection.finish(End.RST)
                else:
                    self._sink.shutdown(socket.SHUT_WR)
                    self._connection.close_direction()
            except OSError:  # the receiver reset the connection
                self._connection.finish(End.RST)
            if not data:
                return

    async def _send(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        while data:
            rate = self._conditions.rate
            size = len(data) if rate is None else max(1, int(rate / _SLICES_PER_SECOND))
            await self._conditions.flowing(self._direction)
            allowed, last = self._conditions.take(self._direction, min(size, len(data)))
            await loop.sock_sendall(self._sink, data[:allowed])
            if last:
                await _flushed(self._sink)
                self._connection.finish(End.RST)
                return
            data = data[allowed:]
            if rate is not None:
                self._clear_at = max(self._clear_at, loop.time()) + allowed / rate
                await asyncio.sleep(self._clear_at - loop.time())


def reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    end.close()


async def _flushed(end: socket.socket) -> None:
    """Wait until the receiver's kernel has all we sent: an RST would overtake it. There is no event for that."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + _FLUSH_LIMIT
    unsent = bytearray(4)
    while loop.time() < limit:
        fcntl.ioctl(end, termios.TIOCOUTQ, unsent)
        if not any(unsent):
            return
        await asyncio.sleep(0.001)


async def _say_goodbye(end: socket.socket) -> None:
    """Send a FIN and read on: closing a socket with something unread would send an RST after all."""
    loop = asyncio.get_running_loop()
    with suppress(OSError):  # reset by the other side, never connected, or silent for too long: that is an end too
        end.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(_FIN_LIMIT):
            while await loop.sock_recv(end, _CHUNK):
                pass
