"""The keeper: makes the changes that rules want and nobody asks for just now, for as long as it takes.

Each output has a task of its own, which waits for its next deadline: a Thing that hangs delays no other one's safety.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

from jidget.durations import write_duration
from jidget.safety.changes import Forced
from jidget.safety.guard import Guard, Objection
from jidget.safety.link_loss import LinkLoss
from jidget.safety.output import Output
from jidget.things.host import Thing
from jidget.things.overseer import Overseer
from jidget.things.running import NOT_YET
from jidget.things.state import ThingUnavailable, WriteFailed
from jidget.things.values import same_value, show_value
from jidget_drivers import Scalar, WriteRefused

log = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0
"""Seconds between attempts to make an output safe that answers and does not obey."""
LOOK_AGAIN = 60.0
"""Seconds: timers stand still while the machine sleeps, deadlines do not."""


class Keeper(Overseer):
    """Watches over the outputs of all Things: `wake` it, `run` it, and let it `leave` everything safe.

    Attributes:
        guard: sets outputs.
        on_forced: told of every change that was made: the output, what and why, and what it shows now.
        on_stuck: told, and in what words, that an output cannot be made safe, or could be after all.
    """

    def __init__(
        self,
        guard: Guard,
        things: Iterable[Thing],
        *,
        on_input: Callable[[str, Mapping[str, Scalar]], None] = lambda _t, _v: None,
        on_away: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take who sets outputs, all Things, and who else is told what they show and which of them went away."""
        self.on_forced: Callable[[Output, Forced], None] = lambda _o, _f: None
        self.on_stuck: Callable[[Output, str], None] = lambda _o, _t: None
        self.guard = guard
        self._on_input = on_input
        self._on_away = on_away
        self._outputs: dict[str, list[Output]] = {}
        self._link = LinkLoss(guard.clock())
        self._served: dict[Output, float] = {}
        self._stuck: dict[Output, str] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._jobs: dict[Output, asyncio.Task[None]] = {}
        guard.on_kept = self._look
        for thing in things:
            self._watch(thing)

    @property
    def alarms(self) -> list[str]:
        """Return a line for every output that should be safe and is not known to be."""
        return [
            f"safety pending: {output.name} is to be {show_value(output.prop, output.pending.value)}: {why}"
            for output, why in self._stuck.items()
            if output.pending is not None
        ]

    def wake(self) -> None:
        """Take over what the store knows; to be called once it is open, before any driver is."""
        for outputs in self._outputs.values():
            for output in outputs:
                self.guard.wake(output)

    async def run(self) -> NoReturn:
        """Keep all outputs, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for outputs in self._outputs.values():
                for output in outputs:
                    self._look(output)
            await asyncio.get_running_loop().create_future()  # there may be none
        raise AssertionError("the outputs are kept for ever")

    def add(self, thing: Thing) -> None:
        """Take a Thing that has come into the house since, or takes the place of one, before it is run."""
        before = {output.prop.name: output for output in self._outputs.get(thing.id, ())}
        self.remove(thing.id)
        self.guard.add(thing)
        self._watch(thing)
        for output in self._outputs[thing.id]:
            earlier = before.get(output.prop.name)
            if earlier is not None and earlier.prop.kind is output.prop.kind:
                self.guard.take_over(output, earlier)
            else:
                self.guard.wake(output)
            self._look(output)
        self.observed(thing.id, {name: seen.value for name, seen in thing.values.items()}, old=True)

    def remove(self, thing_id: str) -> None:
        """Let go of a Thing that has left the house."""
        for output in self._outputs.pop(thing_id, ()):
            job = self._jobs.pop(output, None)
            if job is not None:
                job.cancel()
            self._served.pop(output, None)
            self._stuck.pop(output, None)
        self.guard.remove(thing_id)

    def _watch(self, thing: Thing) -> None:
        self._outputs[thing.id] = list(self.guard.outputs_of(thing))
        thing.overseer = self

    def _look(self, output: Output) -> None:
        """Have an output looked at; one without a safe value has a task only while something is to happen to it."""
        if output in self._jobs:
            output.changed.set()
        elif self._tasks is not None and _is_kept(output):
            self._jobs[output] = self._tasks.create_task(self._keep(output), name=f"output {output.name}")

    async def stop(self, outputs: Sequence[Output], by: str) -> list[Output]:
        """Set outputs that have a safe value to it, at once; return those that are not there yet.

        What cannot be reached stays pending: it is set as soon as it can be.
        """
        self.guard.stop(outputs)
        for output in outputs:
            if output.rules.safe is not None:
                output.pending = Forced(value=output.rules.safe, why="stop", by=by, expected=True)
                output.resumes_at = None
        due = [(output, output.pending) for output in outputs if output.pending is not None]
        try:
            await asyncio.gather(*(self._force(output, forced) for output, forced in due))
        finally:
            left = [output for output in outputs if output.pending is not None]
            for output in left:
                self._look(output)
        return left

    async def leave(self, limit: float) -> None:
        """Set what has a safe value to it, all at the same time; the agent is being stopped."""
        self.guard.stopping()
        outputs = [o for outputs in self._outputs.values() for o in outputs if o.rules.safe is not None]
        if not outputs:
            return
        jobs = [asyncio.create_task(self._make_safe(output), name=f"leave {output.name}") for output in outputs]
        _, late = await asyncio.wait(jobs, timeout=limit)
        for job in late:
            job.cancel()
        await asyncio.wait(jobs)
        for output, job in zip(outputs, jobs, strict=True):
            if job.cancelled() or not job.result():
                log.error("%s could not be made safe before the agent stopped", output.name)

    async def _make_safe(self, output: Output) -> bool:
        safe = output.rules.safe
        if safe is None:
            return True
        output.pending = Forced(value=safe, why="the agent stops", by=output.past.by, expected=True, lasting=False)
        return await self._force(output, output.pending)

    # ---- the link ---------------------------------------------------------------------------------------------------

    def link(self, *, up: bool) -> None:
        """Take notice of whether the server can be reached."""
        if self._link.changed(up=up, at=self.guard.clock()):
            for outputs in self._outputs.values():
                for output in outputs:
                    if output.rules.on_disconnect is not None:
                        self._look(output)

    def _out_of_reach(self, output: Output) -> float | None:
        """Return when an output goes to safe because the server is out of reach; once for each loss."""
        limit = output.rules.on_disconnect
        due = None if limit is None else self._link.due(limit)
        return None if due is None or self._served.get(output) == self._link.lost else due

    def _expire(self, output: Output) -> Forced | None:
        at = self.guard.clock()
        due, safe = self._out_of_reach(output), output.rules.safe
        if not output.insists and due is not None and due <= at and safe is not None:
            self._served[output] = self._link.lost
            if output.past.on_since is not None or output.on is not False:
                limit = write_duration(output.rules.on_disconnect or 0)
                output.pending = Forced(value=safe, why=f"no link for {limit} (on_disconnect)", by=output.past.by)
        return output.expire(at)

    # ---- one output -------------------------------------------------------------------------------------------------

    async def _keep(self, output: Output) -> None:
        failures = 0
        while _is_kept(output):
            output.changed.clear()
            forced = self._expire(output)
            if forced is None and await self._resume(output):
                continue
            if forced is None:
                failures = 0
                self._stuck.pop(output, None)  # somebody else has seen to it
                await _wait(output.changed, self._next(output))
            elif await self._force(output, forced):
                failures = 0
            else:
                failures += 1
                await _wait(output.changed, min(LONGEST_PAUSE, 0.5 * 2.0 ** min(failures, 10)))
        del self._jobs[output]

    def _next(self, output: Output) -> float:
        """Return for how many seconds nothing is to be done, at most."""
        resumes = output.resumes_at if output.thing.availability.available else None
        times = [when for when in (output.deadline, self._out_of_reach(output), resumes) if when is not None]
        return min(LOOK_AGAIN, max(0.0, min(times, default=LOOK_AGAIN + self.guard.clock()) - self.guard.clock()))

    async def _resume(self, output: Output) -> bool:
        """Go back to what was commanded before the agent started, if it is time for that; return whether it was."""
        value, when = output.past.commanded, output.resumes_at
        if value is None or when is None or when > self.guard.clock() or not output.thing.availability.available:
            return False
        output.resumes_at = None
        values = {output.prop.name: value}
        async with self.guard.turn((output.thing,)):
            try:
                await self.guard.require(output.thing, values)
                await self.guard.write(output.thing, values, by=output.past.by)
            except (Objection, ThingUnavailable, WriteFailed, WriteRefused) as error:
                log.warning("%s is not set back to %s: %s", output.name, show_value(output.prop, value), error)
        return True

    async def _force(self, output: Output, forced: Forced) -> bool:
        """Make a change that is due; return whether it was made."""
        name, away = output.prop.name, output.thing.availability
        if not away.available and not output.thing.garbled:  # what it must be set to is set when its driver opens
            output.thing.hurry()
            return False if away.reason == NOT_YET else self._not_yet(output, forced, away.reason)
        if forced.restores:  # it was set to that when its driver was opened, and tells nothing of it
            self._made(output, forced)
            return True
        try:
            result = await output.thing.write({name: forced.value}, blind=True)
        except (ThingUnavailable, WriteFailed, WriteRefused) as error:
            return self._not_yet(output, forced, str(error))
        if output.pending is not forced:  # what it shows has told so already
            return True
        told = result.values.get(name)
        if told is not None and not same_value(output.prop, told, forced.value):
            return self._not_yet(output, forced, f"it still reads {show_value(output.prop, told)}")
        self._made(output, forced)
        return True

    def _not_yet(self, output: Output, forced: Forced, why: str) -> bool:
        news = output not in self._stuck
        self._stuck[output] = why
        if news:
            text = f"safety pending: {output.name} is to be {_say(output, forced)} ({forced.why}), but {why}"
            log.error("%s", text)
            self.on_stuck(output, text)
        return False

    def _made(self, output: Output, forced: Forced) -> None:
        why = self._stuck.pop(output, None)
        output.made(forced, self.guard.clock())
        self.guard.keep(output)
        log.info("%s: %s: %s", output.name, _say(output, forced), forced.why)
        self.on_forced(output, forced)
        if why is not None:
            self.on_stuck(output, f"{output.name} is {_say(output, forced)} now")

    # ---- what Things tell -------------------------------------------------------------------------------------------

    def first(self, thing_id: str) -> Mapping[str, Scalar]:
        """Return what must be set before anything else, what is safe first."""
        due: list[tuple[Output, Forced]] = []
        for output in self._outputs[thing_id]:
            forced = self._expire(output)
            if forced is not None and output.is_on(forced.value):
                forced = self._instead(output, forced)
            if forced is not None:
                due.append((output, forced))
        due.sort(key=lambda each: each[0].is_on(each[1].value))
        return {output.prop.name: forced.value for output, forced in due}

    def _instead(self, output: Output, forced: Forced) -> Forced:
        """Return what an output goes to that was on before the agent started: safe, if another one is on by now."""
        partner = self.guard.conflicting(output)
        if partner is None or output.rules.safe is None:
            return forced
        output.pending = Forced(value=output.rules.safe, why=f"{partner.name} is on (interlock)", by=forced.by)
        return output.pending

    def observed(self, thing_id: str, values: Mapping[str, Scalar], *, old: bool = False) -> None:
        """Take notice of what outputs show: what is on counts from now, whoever switched it.

        What is old may have changed since: it proves nothing safe, and presses no button.
        """
        for output in self._outputs[thing_id]:
            shown = values.get(output.prop.name)
            if shown is None or (old and not output.is_on(shown)):
                continue
            if output.observed(self.guard.clock()):
                self.guard.keep(output)
            self._interlock(output)
            forced = output.pending
            if forced is None or old:
                continue
            if same_value(output.prop, shown, forced.value):
                self._made(output, forced)
            elif forced.restores:
                output.pending = None
                text = show_value(output.prop, shown)
                log.warning("%s: set to %s (%s), it reads %s", output.name, _say(output, forced), forced.why, text)
        if not old:
            self._on_input(thing_id, values)

    def _interlock(self, output: Output) -> None:
        """Where two are on that never may be, whoever switched them, switch off the later one."""
        partner = self.guard.conflicting(output) if output.past.on_since is not None else None
        if partner is None:
            return
        first, later = partner, output
        if (partner.past.on_since or 0.0) > (output.past.on_since or 0.0):
            first, later = output, partner
        if not later.insists and later.rules.safe is not None:
            why = f"{first.name} is on (interlock)"
            later.pending = Forced(value=later.rules.safe, why=why, by=later.past.by)
            self._look(later)

    def changed(self, thing_id: str, *, available: bool) -> None:
        """Take notice that a Thing came or went."""
        if not available:
            self._on_away(thing_id)
        for output in self._outputs[thing_id]:
            self._look(output)

    def urgent(self, thing_id: str) -> bool:
        """Return whether an output of the Thing is to be made safe."""
        return any(output.pending is not None for output in self._outputs[thing_id])


def _is_kept(output: Output) -> bool:
    """Whether anything may have to be done about it by itself."""
    return output.rules.safe is not None or output.pending is not None or output.deadline is not None


def _say(output: Output, forced: Forced) -> str:
    return show_value(output.prop, forced.value)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
