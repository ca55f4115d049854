"""How much is before the server at one time: as much as it reads in one go, and no more.

Prosody (0.12) reads 4096 bytes at a time. Where more has arrived over TLS, it rests before it reads on, for as long as
the work on what it read took (`pausefor` in net/server_epoll.lua, and the timer that is due by a stale clock): with
three long stanzas under way it does half as much as with one. Whatever is next is written and waits here, and goes as
soon as there is an answer; so nothing is lost by it, on servers that read more, too.
"""

import asyncio
from collections import deque

MOST_AT_ONCE = 4096
"""Bytes under way at one time; at least one stanza."""
LONG_WAY = 0.05
"""Seconds after which a stanza without an answer is taken to be on a long way, and no longer before the server."""


class Pace:
    """Lets stanzas pass in their order, so many bytes at one time."""

    def __init__(self, most: int = MOST_AT_ONCE, long_way: float = LONG_WAY) -> None:
        self._most = most
        self._long_way = long_way
        self._passed = 0
        self._under_way: dict[int, tuple[int, float]] = {}
        self._bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[int]]] = deque()
        self._look: asyncio.TimerHandle | None = None

    async def enter(self, size: int) -> int:
        """Wait for the turn of a stanza of so many bytes; what is returned is for `leave`, when it is answered."""
        loop = asyncio.get_running_loop()
        if not self._waiting and self._has_room(size):
            return self._pass(size, loop.time())
        turn: asyncio.Future[int] = loop.create_future()
        self._waiting.append((size, turn))
        if self._look is None:
            self._look = loop.call_later(self._long_way, self._give_up_waiting, loop)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(turn.result())
            raise

    def leave(self, number: int) -> None:
        """Note that a stanza is no longer under way; let others pass."""
        size, _ = self._under_way.pop(number, (0, 0.0))
        self._bytes -= size
        while self._waiting and self._has_room(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(self._pass(size, turn.get_loop().time()))

    def _has_room(self, size: int) -> bool:
        return not self._under_way or self._bytes + size <= self._most

    def _pass(self, size: int, now: float) -> int:
        self._passed += 1
        self._under_way[self._passed] = size, now
        self._bytes += size
        return self._passed

    def _give_up_waiting(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let others pass what is on a long way; look again as long as somebody waits."""
        self._look = None
        before = loop.time() - self._long_way
        for number in [number for number, (_, since) in self._under_way.items() if since <= before]:
            self.leave(number)
        if self._waiting:
            next_look = min((since for _, since in self._under_way.values()), default=before) + self._long_way
            self._look = loop.call_at(next_look, self._give_up_waiting, loop)
