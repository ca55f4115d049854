"""How much is before the server at one time: as much as it reads in one go, and what it finds when that is done.

Prosody (0.12) reads 4096 bytes at a time. Where more has arrived over TLS, it rests before it reads on, for as long as
the work on what it read took (`pausefor` in net/server_epoll.lua, and the timer that is due by a stale clock): with
three long stanzas under way it does half as much as with one. With two it does a quarter more: the second one has
arrived when the first one is done. Whatever is next is written and waits here, and goes at the moment of an answer; so
nothing is lost by it, on servers that read more, too.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

MOST_AT_ONCE = 4096
"""Bytes under way at one time, unless that is but one stanza."""
FEWEST = 2
"""Stanzas under way at one time, however long: one is worked on, one is there when it is done."""
LONG_WAY = 0.05
"""Seconds after which a stanza without an answer is taken to be on a long way, and no longer before the server."""

T = TypeVar("T")


class Turn(Generic[T]):
    """One stanza's way: it waits, is sent, is under way, and is not."""

    def __init__(self, pace: "Pace", size: int, send: "Callable[[Turn[T]], T]") -> None:
        self.size = size
        self.since = 0.0
        self._pace = pace
        self._send = send
        self._sent: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    @property
    def given_up(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._sent.done()

    def go(self) -> None:
        """Send it; what becomes of that is for who waits."""
        self.since = self._sent.get_loop().time()
        try:
            self._sent.set_result(self._send(self))
        except Exception as error:
            self._sent.set_exception(error)
            self.leave()

    async def sent(self) -> T:
        """Wait until it is sent, and return what `send` returned, or raise what it raised."""
        return await self._sent

    def leave(self) -> None:
        """Note that it is no longer under way, or never will be; others pass at once. Again is once."""
        self._pace.leave(self)


class Pace:
    """Lets stanzas pass in their order, so many bytes at one time."""

    def __init__(self, most: int = MOST_AT_ONCE, long_way: float = LONG_WAY, fewest: int = FEWEST) -> None:
        self._most = most
        self._fewest = fewest
        self._long_way = long_way
        self._under_way: dict[Turn[Any], None] = {}
        self._bytes = 0
        self._waiting: deque[Turn[Any]] = deque()
        self._look: asyncio.TimerHandle | None = None

    def enter(self, size: int, send: Callable[[Turn[T]], T]) -> Turn[T]:
        """Have `send` called when it is the turn of a stanza of so many bytes: now, or as soon as others leave.

        It is called right where the answer to an earlier one comes in: the server is not to wait for us.
        """
        turn = Turn(self, size, send)
        if not self._waiting and self._has_room(size):
            self._pass(turn)
            return turn
        self._waiting.append(turn)
        if self._look is None:
            loop = asyncio.get_running_loop()
            self._look = loop.call_later(self._long_way, self._give_up_waiting, loop)
        return turn

    def leave(self, turn: Turn[Any]) -> None:
        """Note that a stanza is no longer under way; let others pass."""
        if turn in self._under_way:
            del self._under_way[turn]
            self._bytes -= turn.size
        while self._waiting and (self._waiting[0].given_up or self._has_room(self._waiting[0].size)):
            following = self._waiting.popleft()
            if not following.given_up:
                self._pass(following)

    def _has_room(self, size: int) -> bool:
        return len(self._under_way) < self._fewest or self._bytes + size <= self._most

    def _pass(self, turn: Turn[Any]) -> None:
        self._under_way[turn] = None
        self._bytes += turn.size
        turn.go()

    def _give_up_waiting(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let others pass what is on a long way; look again as long as somebody waits."""
        self._look = None
        before = loop.time() - self._long_way
        for turn in [turn for turn in self._under_way if turn.since <= before]:
            self.leave(turn)
        if self._waiting:
            next_look = min((turn.since for turn in self._under_way), default=before) + self._long_way
            self._look = loop.call_at(next_look, self._give_up_waiting, loop)
