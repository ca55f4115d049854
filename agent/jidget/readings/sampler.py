"""The sampler: keeps the Things running and passes on what their report policies let through."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from jidget.reading import Reading
from jidget.readings.policy import Decision, ReportPolicy
from jidget.things.host import Thing
from jidget_drivers import EventSource

Sink = Callable[[Sequence[Reading]], None]


class Sampler:
    """Runs Things and reports their readings to `sink`, those of one instant together."""

    def __init__(self, things: Sequence[Thing], policies: Mapping[str, ReportPolicy], sink: Sink) -> None:
        self._reports = [_Reports(thing, policies.get(thing.id, ReportPolicy()), sink) for thing in things]

    async def run(self) -> None:
        """Run every Thing until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for reports in self._reports:
                tasks.create_task(reports.thing.run(), name=f"thing {reports.thing.id}")
                if isinstance(reports.thing.driver, EventSource):
                    tasks.create_task(reports.repeat(), name=f"repeat {reports.thing.id}")


class _Reports:
    """What of one Thing was last reported, and what is held back."""

    def __init__(self, thing: Thing, policy: ReportPolicy, sink: Sink) -> None:
        self.thing = thing
        self._policy = policy
        self._sink = sink
        self._last: dict[str, Reading] = {}
        self._held: dict[str, Reading] = {}
        self._timer: asyncio.TimerHandle | None = None
        thing.on_readings = self.take

    def take(self, readings: Sequence[Reading]) -> None:
        """Judge the readings of one instant."""
        due: list[Reading] = []
        for reading in readings:
            name = reading.property.name
            last = self._last.get(name)
            known = None if last is None else (last.value, last.time)
            match self._policy.decide(name, reading.value, reading.time, known):
                case Decision.REPORT:
                    due.append(reading)
                case Decision.HOLD:
                    self._held[name] = reading
                case Decision.DROP:
                    self._held.pop(name, None)  # it came back to what was reported
        self._report(due)
        self._arm()

    def _report(self, readings: Sequence[Reading]) -> None:
        for reading in readings:
            self._last[reading.property.name] = reading
            self._held.pop(reading.property.name, None)
        if readings:
            self._sink(readings)

    def _arm(self) -> None:
        """See that what is held is reported when its minimum interval is over, also if nothing else happens."""
        if self._held and self._timer is None:
            first = min(self._last[name].time for name in self._held) / 1000 + self._policy.min_interval
            delay = max(0.0, first - time.time())
            self._timer = asyncio.get_running_loop().call_later(min(delay, self._policy.min_interval), self._release)

    def _release(self) -> None:
        self._timer = None
        over = [
            reading
            for name, reading in self._held.items()
            if time.time() * 1000 - self._last[name].time >= self._policy.min_interval * 1000 - 1
        ]
        self._report(over)
        self._arm()

    async def repeat(self) -> None:
        """Repeat the last values of a Thing that only tells of changes, so that silence always means trouble."""
        while True:
            await asyncio.sleep(self._policy.max_interval)
            if not self.thing.availability.available:
                continue
            now = int(time.time() * 1000)
            old = now - int(self._policy.max_interval * 1000)
            self._report(
                [
                    Reading(reading.thing, reading.property, reading.value, now)
                    for reading in self._last.values()
                    if reading.time <= old
                ]
            )
