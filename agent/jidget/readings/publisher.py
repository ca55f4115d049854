"""The publisher: cuts batches from the outbox, publishes them, and forgets them when the server has them."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from jidget.errors import LinkError, PublishRefused
from jidget.ports import Outbox, Uplink
from jidget.reading import Batch

log = logging.getLogger(__name__)

MOST_READINGS = 50
"""Readings in one batch."""
MOST_IN_FLIGHT = 8
"""Batches sent and not yet answered: result matching costs more with each, and the server gains nothing."""
WINDOW_SPAN = 2.0
"""Seconds: no more is in flight than was acknowledged in this time, so that a throttled server is not drowned."""
BACKLOG_AGE = 60_000
"""Milliseconds after which a reading cut into its first batch counts as historical."""


class Publisher:
    """Publishes for ever; a batch leaves the outbox only by the server's result."""

    def __init__(self, outbox: Outbox, uplink: Uplink, now: Callable[[], float]) -> None:
        self._outbox = outbox
        self._uplink = uplink
        self._now = now
        self._wake = asyncio.Event()
        self._in_flight: dict[int, Batch] = {}
        self._acknowledged: deque[tuple[float, int]] = deque()
        self._lost: LinkError | None = None

    def notify(self) -> None:
        """Say that the outbox has something new."""
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._uplink.ready()
            self._lost = None
            async with asyncio.TaskGroup() as sending:
                reason = await self._send_until_lost(sending)
            log.info("publishing waits: %s", reason)

    async def drained(self, timeout: float) -> bool:
        """Wait until everything is acknowledged, at most `timeout` seconds; return whether it is."""
        try:
            async with asyncio.timeout(timeout):
                while self._outbox.waiting or self._outbox.unacknowledged():
                    if self._lost is not None:
                        return False
                    await self._wake.wait()
                    await asyncio.sleep(0)  # let the sender see it too
        except TimeoutError:
            return False
        return True

    async def _send_until_lost(self, sending: asyncio.TaskGroup) -> LinkError:
        repeats = deque(self._outbox.unacknowledged())
        while True:
            if self._lost is not None:
                return self._lost
            self._wake.clear()
            while self._room():
                batch = repeats.popleft() if repeats else self._next()
                if batch is None:
                    break
                self._in_flight[batch.seq] = batch
                sending.create_task(self._send(batch), name=f"publish {batch.id}")
            await self._wake.wait()

    def _next(self) -> Batch | None:
        """Cut a batch: at once when nothing is in flight, else only a full one."""
        if self._in_flight and self._outbox.waiting < MOST_READINGS:
            return None
        oldest = self._outbox.oldest_waiting
        backlog = oldest is not None and oldest < self._now() * 1000 - BACKLOG_AGE
        return self._outbox.cut(MOST_READINGS, backlog=backlog)

    def _room(self) -> bool:
        if not self._in_flight:
            return True
        if len(self._in_flight) >= MOST_IN_FLIGHT:
            return False
        horizon = asyncio.get_running_loop().time() - WINDOW_SPAN
        while self._acknowledged and self._acknowledged[0][0] < horizon:
            self._acknowledged.popleft()
        return sum(len(b.readings) for b in self._in_flight.values()) < sum(n for _, n in self._acknowledged)

    async def _send(self, batch: Batch) -> None:
        try:
            await self._uplink.publish(batch)
        except LinkError as error:
            self._lost = error
        except PublishRefused as error:  # this one only: it is offered again after a new login
            log.error("the server refuses batch %s: %s", batch.id, error)
        else:
            self._outbox.acknowledge(batch)
            self._acknowledged.append((asyncio.get_running_loop().time(), len(batch.readings)))
        finally:
            self._in_flight.pop(batch.seq, None)
            self._wake.set()
