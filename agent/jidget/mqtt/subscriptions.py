"""What is wanted of the broker, and how it is asked for: in few requests, none of which brings too much at once."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence

from jidget.mqtt.connection import Connection

_EXACT_AT_ONCE = 500
_BYTES_AT_ONCE = 64 * 1024
"""Of filters in one request: a broker ends the connection of who sends a packet that it finds too large."""
_GATHERING = 0.05
"""Seconds in which what is wanted is gathered: discovery asks for one topic after the other."""


class Subscriptions:
    """Filters, through all connections.

    Attributes:
        refused: filters that the broker of this connection does not let us subscribe to, and why.
    """

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}
        self._wanted: dict[str, int] = {}
        self._changes: dict[str, int | None] = {}
        """Filters to subscribe to with their QoS, or to unsubscribe from, since the broker was last asked."""
        self._changed = asyncio.Event()
        self._asked = self._heard = 0
        """How often something more was wanted, and up to which of them the broker has heard of it."""
        self._settled = asyncio.Event()

    def add(self, filters: Mapping[str, int]) -> None:
        """Want these filters, with their QoS; those that are wanted already are asked for again."""
        self._wanted |= filters
        self._changes |= filters
        self._asked += 1
        self._changed.set()

    def remove(self, filters: Iterable[str]) -> None:
        """Want these filters no more."""
        for each in filters:
            if self._wanted.pop(each, None) is not None:
                self._changes[each] = None
        self._changed.set()

    def begin(self) -> None:
        """Want all of it again: there is a new connection."""
        self._changes = dict(self._wanted)
        self._asked += 1
        self.refused = {}

    async def settled(self) -> None:
        """Wait until the broker has heard of all that is wanted now, whatever is wanted besides meanwhile."""
        asked = self._asked
        while self._heard < asked or not asked:
            self._settled.clear()
            await self._settled.wait()

    async def change(self) -> None:
        """Wait until something else is wanted, and a little longer, for what else there may be."""
        await self._changed.wait()
        await asyncio.sleep(_GATHERING)

    async def apply(self, connection: Connection) -> dict[str, str]:
        """Ask the broker for what has changed; return what it refuses, and why.

        Raises:
            MqttUnavailable: the connection is over.
        """
        self._changed.clear()
        changes, self._changes = self._changes, {}
        asked = self._asked
        for some in _portions([each for each, qos in changes.items() if qos is None]):
            await connection.unsubscribe(some)
            for each in some:
                self.refused.pop(each, None)
        refused: dict[str, str] = {}
        wanted = {each: qos for each, qos in changes.items() if qos is not None}
        for some in requests(list(wanted)):
            refused |= await connection.subscribe({each: wanted[each] for each in some})
        self.refused |= refused
        self._heard = asked
        self._settled.set()
        return refused


def requests(filters: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield what to subscribe to in one request each.

    What a broker has kept it sends all at once, before it answers. What the network does not take then it queues, and
    mosquitto throws away what is beyond a thousand messages. A filter without wildcards brings one at most.
    """
    exact = []
    for each in filters:
        if "+" in each or "#" in each:
            yield [each]
        else:
            exact.append(each)
    yield from _portions(exact)


def _portions(filters: Sequence[str]) -> Iterator[Sequence[str]]:
    some: list[str] = []
    size = 0
    for each in filters:
        more = len(each.encode())
        if some and (len(some) == _EXACT_AT_ONCE or size + more > _BYTES_AT_ONCE):
            yield some
            some, size = [], 0
        some.append(each)
        size += more
    if some:
        yield some
