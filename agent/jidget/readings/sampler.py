"""The sampler: keeps the Things running and passes on what their report policies let through."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from jidget.reading import Reading
from jidget.readings.policy import Decision, ReportPolicy
from jidget.things.host import Thing
from jidget.things.running import CLOCK_STEP_BACK
from jidget_drivers import EventSource

Sink = Callable[[Sequence[Reading]], None]

EARLY = 0.9
"""Parts of its interval by which an unchanged value of a polled Thing may be early, rather than one reading late."""


class Sampler:
    """Runs Things and reports their readings to `sink`, those of one instant together."""

    def __init__(
        self,
        things: Sequence[Thing],
        policies: Mapping[str, ReportPolicy],
        sink: Sink,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._sink = sink
        self._now = now
        self._tasks: asyncio.TaskGroup | None = None
        self._reports = {
            thing.id: _Reports(thing, policies.get(thing.id, ReportPolicy()), sink, now) for thing in things
        }

    async def run(self) -> None:
        """Run every Thing until cancelled; what was held back is reported then."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                try:
                    for reports in self._reports.values():
                        reports.start(tasks)
                    await asyncio.get_running_loop().create_future()  # there may be none yet
                finally:
                    self._tasks = None  # who comes now is not run any more
        finally:
            for reports in self._reports.values():
                reports.close()

    def add(self, thing: Thing, policy: ReportPolicy) -> None:
        """Run a Thing that has come into the house since."""
        reports = self._reports[thing.id] = _Reports(thing, policy, self._sink, self._now)
        if self._tasks is not None:
            reports.start(self._tasks)

    async def remove(self, thing_id: str) -> None:
        """Stop running a Thing; what was held back is reported."""
        reports = self._reports.pop(thing_id)
        await reports.stop()
        reports.close()


class _Reports:
    """What of one Thing was last reported, and what is held back."""

    def __init__(self, thing: Thing, policy: ReportPolicy, sink: Sink, now: Callable[[], float]) -> None:
        self.thing = thing
        self._policy = policy
        polled = not isinstance(thing.driver, EventSource)
        self._slack = min(EARLY * thing.interval, policy.max_interval / 2) if polled else 0.0
        self._sink = sink
        self._now = now
        self._last: dict[str, Reading] = {}
        self._held: dict[str, Reading] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._reported = asyncio.Event()
        self._jobs: list[asyncio.Task[None]] = []
        thing.on_readings = self.take

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Run the Thing."""
        self._jobs.append(tasks.create_task(self.thing.run(), name=f"thing {self.thing.id}"))
        if isinstance(self.thing.driver, EventSource):
            self._jobs.append(tasks.create_task(self.repeat(), name=f"repeat {self.thing.id}"))

    async def stop(self) -> None:
        """Stop the Thing and wait until it has let go of its hardware."""
        for job in self._jobs:
            job.cancel()
        if self._jobs:
            await asyncio.wait(self._jobs)

    def take(self, readings: Sequence[Reading]) -> None:
        """Judge the readings of one instant."""
        due: list[Reading] = []
        for reading in readings:
            name = reading.property.name
            if reading.property.event:
                due.append(reading)
                continue
            last = self._last.get(name)
            known = None if last is None else (last.value, last.time)
            match self._policy.decide(name, reading.value, reading.time, known, slack=self._slack):
                case Decision.REPORT:
                    due.append(reading)
                case Decision.HOLD:
                    self._held[name] = reading
                case Decision.DROP:
                    self._held.pop(name, None)  # it came back to what was reported
        self._report(due)
        self._arm()

    def close(self) -> None:
        """Report what is held back: nobody will later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._report(list(self._held.values()))

    def _report(self, readings: Sequence[Reading]) -> None:
        """Pass readings on with times that rise: one that is not after the last would look like a repetition."""
        rising = [self._after_last(reading) for reading in readings]
        for reading in rising:
            self._last[reading.property.name] = reading
            self._held.pop(reading.property.name, None)
        if rising:
            self._sink(rising)
            self._reported.set()

    def _after_last(self, reading: Reading) -> Reading:
        last = self._last.get(reading.property.name)
        if last is None or not last.time - CLOCK_STEP_BACK < reading.time <= last.time:
            return reading
        return replace(reading, time=last.time + 1)

    def _arm(self) -> None:
        """See that what is held is reported when its minimum interval is over, also if nothing else happens."""
        if self._held and self._timer is None:
            first = min(self._last[name].time for name in self._held) / 1000 + self._policy.min_interval
            delay = max(0.0, first - self._now())
            self._timer = asyncio.get_running_loop().call_later(min(delay, self._policy.min_interval), self._release)

    def _release(self) -> None:
        self._timer = None
        now = self._now() * 1000
        over = []
        for name, reading in self._held.items():
            elapsed = now - self._last[name].time
            if elapsed < 0 or elapsed >= self._policy.min_interval * 1000 - 1:  # or the clock was set back
                over.append(reading)
        self._report(over)
        self._arm()

    async def repeat(self) -> None:
        """Repeat the last values of a Thing that only tells of changes, so that silence always means trouble."""
        await self._reported.wait()
        span = max(1, int(self._policy.max_interval * 1000))
        while True:
            now = int(self._now() * 1000)
            wait = span
            lasting = [last for last in self._last.values() if not last.property.event]
            if lasting and self.thing.availability.available:
                self._report([replace(last, time=now) for last in lasting if now - last.time >= span])
                wait -= now - min(self._last[last.property.name].time for last in lasting)
            await asyncio.sleep(min(max(wait, 1), span) / 1000)  # a clock set back must not make it long
