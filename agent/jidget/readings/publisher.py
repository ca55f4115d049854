"""The publisher: cuts batches from the outbox, publishes them, and forgets them when the server has them."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator

from jidget.errors import LinkError, PublishRefused
from jidget.ports import Outbox, Uplink
from jidget.reading import READINGS_IN_BATCH, Batch, weight_of

log = logging.getLogger(__name__)

MOST_IN_FLIGHT = 8
"""Batches sent and not yet answered."""
WINDOW_SPAN = 2.0
"""Seconds: no more bytes are in flight than were acknowledged in this time, so a throttled server is not drowned."""
MOST_TOGETHER = 4
"""Full batches cut in one commit, those that must still wait for room among them."""
GATHER = 0.003
"""Seconds that new readings wait for others of the same moment; what is being said to somebody, such as the answer to a
command that changed a value, goes first. Less than what the store gathers for: a batch and its readings are one commit.
"""
BACKLOG_AGE = 60_000
"""Milliseconds after which a reading cut into its first batch counts as historical."""


class Publisher:
    """Publishes for ever; a batch leaves the outbox only by the server's result.

    Attributes:
        most_readings: in one batch.
    """

    def __init__(self, outbox: Outbox, uplink: Uplink, now: Callable[[], float]) -> None:
        self._outbox = outbox
        self._uplink = uplink
        self._now = now
        self.most_readings = READINGS_IN_BATCH
        self._wake = asyncio.Event()
        self._gathering: asyncio.TimerHandle | None = None
        self._progress = asyncio.Event()
        self._repeats: Iterator[Batch] = iter(())
        self._ahead: deque[Batch] = deque()
        self._in_flight: dict[str, int] = {}
        self._bytes_in_flight = 0
        self._acknowledged: deque[tuple[float, int]] = deque()
        self._bytes_acknowledged = 0
        self._refused: set[str] = set()
        self._refusals: set[str] = set()
        self._lost: LinkError | None = None
        self._waits = False
        self._look_again = False
        self._order = _Order()

    def notify(self) -> None:
        """Say that the outbox has something new; it is looked at a moment later."""
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(GATHER, self._gathered)

    def _gathered(self) -> None:
        self._gathering = None
        self._wake.set()

    def look_again(self) -> None:
        """Say that there may be batches to repeat: the outbox has found some that it could not read before."""
        self._look_again = True
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            self._waits = True
            self._progress.set()
            await self._uplink.ready()
            self._waits, self._lost = False, None
            self._refused.clear()
            self._refusals.clear()
            self._order = _Order()
            async with asyncio.TaskGroup() as sending:
                reason = await self._send_until_lost(sending)
            log.info("publishing waits: %s", reason)

    async def drained(self, timeout: float) -> bool:
        """Wait until the server has everything, at most `timeout` seconds; return whether it has.

        Where there is nowhere to publish to, or the server refuses what is left, there is nothing to wait for.
        """
        try:
            async with asyncio.timeout(timeout):
                while self._outbox.waiting or any(b.id not in self._refused for b in self._outbox.unacknowledged()):
                    if self._waits:
                        return False
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            return False
        return not self._outbox.unacknowledged()

    async def _send_until_lost(self, sending: asyncio.TaskGroup) -> LinkError:
        self._look_again = True
        while self._lost is None:
            if self._look_again:
                self._look_again = False
                self._ahead.clear()  # they are among those to repeat
                self._repeats = iter(self._outbox.unacknowledged())
            self._wake.clear()
            self._send_more(sending)
            await self._wake.wait()
        return self._lost

    def _send_more(self, sending: asyncio.TaskGroup) -> None:
        while (batch := self._take()) is not None:
            sending.create_task(self._send(batch, self._order.next(), sending), name=f"publish from {batch.id}")

    def _take(self) -> Batch | None:
        """Take the batch that is to be sent next; None if there is none, or no room for it now."""
        if self._lost is not None or not self._room():
            return None
        batch = next((batch for batch in self._repeats if self._waits_for_sending(batch)), None) or self._next()
        if batch is not None:
            weight = _weight(batch)
            self._in_flight[batch.id] = weight
            self._bytes_in_flight += weight
        return batch

    def _waits_for_sending(self, batch: Batch) -> bool:
        return batch.id not in self._in_flight and batch.id not in self._refused

    def _next(self) -> Batch | None:
        """Return a batch that was cut, or cut: at once when nothing is in flight, else only full ones."""
        if self._ahead:
            return self._ahead.popleft()
        if self._in_flight and self._outbox.waiting < self.most_readings:
            return None
        oldest = self._outbox.oldest_waiting
        backlog = oldest is not None and oldest < self._now() * 1000 - BACKLOG_AGE
        count = max(1, min(MOST_TOGETHER, self._outbox.waiting // self.most_readings))
        self._ahead.extend(self._outbox.cut_several(self.most_readings, count, backlog=backlog))
        return self._ahead.popleft() if self._ahead else None

    def _room(self) -> bool:
        if not self._in_flight:
            return True
        if len(self._in_flight) >= MOST_IN_FLIGHT:
            return False
        horizon = asyncio.get_running_loop().time() - WINDOW_SPAN
        while self._acknowledged and self._acknowledged[0][0] < horizon:
            self._bytes_acknowledged -= self._acknowledged.popleft()[1]
        return self._bytes_in_flight < self._bytes_acknowledged

    async def _send(self, batch: Batch | None, number: int, sending: asyncio.TaskGroup) -> None:
        """Send a batch, and after each answer the next one, while there is one and room for it."""
        while batch is not None:
            try:
                await self._order.turn(number)
                try:
                    await self._outbox.secured()
                finally:
                    self._order.go_on()  # who is next runs later: by then this one is with the uplink
                await self._uplink.publish(batch)
            except LinkError as error:
                self._lost = error
                self._wake.set()
            except PublishRefused as error:
                self._refuse(batch, error)
            else:
                self._outbox.acknowledge(batch)
                weight = self._in_flight[batch.id]
                self._acknowledged.append((asyncio.get_running_loop().time(), weight))
                self._bytes_acknowledged += weight
            finally:
                self._bytes_in_flight -= self._in_flight.pop(batch.id)
                self._progress.set()
            batch = self._take()
            if batch is not None:
                number = self._order.next()
                self._send_more(sending)

    def _refuse(self, batch: Batch, error: PublishRefused) -> None:
        """Let the others go on; this one is offered again after a new login. One line a reason and login."""
        self._refused.add(batch.id)
        if str(error) not in self._refusals:
            self._refusals.add(str(error))
            log.error("the server refuses readings (batch %s): %s. Others go on", batch.id, error)


class _Order:
    """Sees that batches get to the uplink as they were taken, whichever task of several comes first."""

    def __init__(self) -> None:
        self._taken = 0
        self._turn = 1
        self._waiting: dict[int, asyncio.Future[None]] = {}

    def next(self) -> int:
        """Return the number of the batch that was taken now."""
        self._taken += 1
        return self._taken

    async def turn(self, number: int) -> None:
        """Wait until all with lower numbers have gone on."""
        if number != self._turn:
            waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
            await waiting

    def go_on(self) -> None:
        """Let the next one come; to be called in one's turn."""
        self._turn += 1
        waiting = self._waiting.pop(self._turn, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


def _weight(batch: Batch) -> int:
    return sum(map(weight_of, batch.readings))
