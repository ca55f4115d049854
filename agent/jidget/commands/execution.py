"""Carrying out a command that acts: once, in time, one at a time on each Thing (DESIGN 3, 4.5).

journal row under the request's key → freshness → turn of the Thing → freshness and access → journal "driving" →
freshness and access again, as the disk may have been slow → driver, read back → journal outcome. What need not wait for
its turn is journaled as "driving" at once: one row, one commit, one wait for the disk.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from jidget.commands.model import Outcome, Reason, Refusal, Request, Result, ResultField
from jidget.commands.registry import Plan
from jidget.commands.sentences import failed, observed_fields, refused, say_age, say_observed, say_when
from jidget.durations import format_duration
from jidget.safety.guard import Guard
from jidget.store.journal import Ending, Entry, Journal, Progress, Row
from jidget.things.host import Thing

log = logging.getLogger(__name__)

FRESH = 30.0
"""Seconds: an older request to act is refused; so is one that would wait longer than that for its turn."""
PATIENCE = 20.0
"""Seconds that the repetition of a command still under way waits for its end."""
INTERNAL = "internal error, see the agent's log"


class Execution:
    """Carries out plans. Whoever is cancelled while driving leaves "driving" in the journal: its end is unknown."""

    def __init__(
        self,
        journal: Journal,
        guard: Guard,
        *,
        may_act: Callable[[str, Thing], bool],
        now: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        """Take the journal, the guard, who may act (bare JID, Thing) at a moment, the wall clock and a steady one."""
        self._journal = journal
        self._may_act = may_act
        self._now = now
        self._clock = clock
        self._guard = guard
        self._running: dict[str, asyncio.Future[None]] = {}

    async def carry_out(self, request: Request, plan: Plan) -> Result:
        """Carry out a plan, unless its key was seen before: then tell the first outcome again and move nothing."""
        if plan.confirm:
            raise ValueError(f"{plan} was not confirmed")
        arrived = self._clock()
        return await self._once(request, plan, lambda: self._journaled(request, plan, arrived))

    async def decide(self, request: Request, plan: Plan, decide: Callable[[], Result]) -> Result:
        """Have something decided about a plan without moving anything; a repetition is told the same again.

        Like what moves something it must be fresh, allowed, and nothing that the safety rules forbid.
        """
        arrived = self._clock()

        async def judged() -> Result:
            self._require_leave(request, plan, arrived)
            await plan.require()
            return decide()

        async def decided() -> Result:
            begun = await self._journal.begin(_entry(request, plan))
            return self._again(begun.row, plan) if begun.repeated else await self._to_its_end(begun.row, plan, judged())

        return await self._once(request, plan, decided)

    async def _once(self, request: Request, plan: Plan, work: Callable[[], Awaitable[Result]]) -> Result:
        """Let no two requests with the same key be looked at together."""
        if request.key is None:
            return await work()
        loop = asyncio.get_running_loop()
        give_up = loop.time() + PATIENCE
        while (under_way := self._running.get(request.key)) is not None:
            await asyncio.wait((under_way,), timeout=give_up - loop.time())
            if not under_way.done():
                text = f"{plan.target}: the same command is still under way; nothing was moved again"
                return Result(outcome=Outcome.UNCONFIRMED, note=text, reason=Reason.BUSY)
        done = self._running[request.key] = loop.create_future()
        try:
            return await work()
        finally:
            del self._running[request.key]
            done.set_result(None)

    async def _journaled(self, request: Request, plan: Plan, arrived: float) -> Result:
        entry = _entry(request, plan)
        if self._must_wait(request, plan, arrived):
            begun = await self._journal.begin(entry)
            if begun.repeated:
                return self._again(begun.row, plan)
            return await self._to_its_end(begun.row, plan, self._wait_and_drive(request, plan, begun.row, arrived))
        async with self._turn(plan, request, arrived):
            objection = await _objection(plan)
            begun = await self._journal.begin(entry, driving=objection is None, wait=not plan.urgent)
            if begun.repeated:
                return self._again(begun.row, plan)
            return await self._to_its_end(begun.row, plan, self._drive(request, plan, arrived, objection))

    def _must_wait(self, request: Request, plan: Plan, arrived: float) -> bool:
        """Whether it is not its turn yet, or never will be."""
        try:
            self._require_leave(request, plan, arrived)
        except Refusal:
            return True
        return not plan.urgent and self._guard.busy(plan.things)

    async def _to_its_end(self, row: Row, plan: Plan, work: Awaitable[Result]) -> Result:
        """Have the work done, and write to the journal what came of it."""
        try:
            result = await work
        except Refusal as refusal:
            result = refused(refusal)
        except Exception:
            log.exception("%s failed", plan)
            result = failed(Reason.BROKEN, f"{plan.target}: {INTERNAL}; it may have moved")
        try:
            await self._journal.finish(row, ending_of(result))
        except Exception:  # what happened happened: the asker is told, and the log why the journal does not know
            log.exception("the end of %s could not be written to the journal", plan)
        return result

    async def _wait_and_drive(self, request: Request, plan: Plan, row: Row, arrived: float) -> Result:
        self._require_fresh(request, arrived)
        async with self._turn(plan, request, arrived):
            self._require_leave(request, plan, arrived)
            await plan.require()
            await self._journal.driving(row)
            return await self._drive(request, plan, arrived)

    async def _drive(self, request: Request, plan: Plan, arrived: float, objection: Refusal | None = None) -> Result:
        if objection is not None:
            raise objection
        # Last of all before anything moves: the disk may have been waited for, or the Thing.
        return await plan.drive(lambda: self._require_leave(request, plan, arrived))

    def _require_leave(self, request: Request, plan: Plan, arrived: float) -> None:
        """Refuse what has become old, or forbidden, while it waited."""
        self._require_fresh(request, arrived)
        for thing in plan.things:
            if not self._may_act(request.jid, thing):
                raise Refusal(Reason.FORBIDDEN, f"you may not act on {thing.id}")

    def _age(self, request: Request, arrived: float) -> float | None:
        return None if request.age is None else request.age + self._clock() - arrived

    def _require_fresh(self, request: Request, arrived: float) -> None:
        age = self._age(request, arrived)
        if age is None:
            raise Refusal(Reason.STALE, "age unknown: this may be an old command, so nothing was moved. Send it again")
        if not age <= FRESH:
            text = f"this was sent {format_duration(age)} ago, so nothing was moved. Send it again if you still want it"
            raise Refusal(Reason.STALE, text)

    @asynccontextmanager
    async def _turn(self, plan: Plan, request: Request, arrived: float) -> AsyncIterator[None]:
        """Wait until nobody else acts on the Things, or on what they are interlocked with, while this one is fresh."""
        async with AsyncExitStack() as held:
            if not plan.urgent:
                try:
                    async with asyncio.timeout(FRESH - (self._age(request, arrived) or 0.0)):
                        await held.enter_async_context(self._guard.turn(plan.things))
                except TimeoutError:
                    names = ", ".join(thing.id for thing in plan.things)
                    text = f"{names} is busy with other commands, so nothing was moved"
                    raise Refusal(Reason.BUSY, text) from None
            yield

    def _again(self, row: Row, plan: Plan) -> Result:
        """Answer a repetition: the first outcome, when it was asked for, and the value now. Nothing moves."""
        if row.ending is not None:
            first = _result(row.ending)
        elif row.progress is Progress.DRIVING:
            first = failed(
                Reason.BROKEN, f"{row.entry.target}: it was interrupted, its end is unknown: it may have moved"
            )
        else:
            first = failed(Reason.BROKEN, f"{row.entry.target}: it was interrupted before anything moved")
        when = f"{say_when(row.time)}, {say_age(row.time, self._now())}"
        lines = [first.note, f"Asked before ({when}): nothing was moved again."]
        lines += [f"Now {say_observed(thing, thing.properties[name], self._now())}" for thing, name in plan.outputs]
        fields = tuple(field for thing, name in plan.outputs for field in observed_fields(thing, (name,)))
        fields = fields or first.fields
        return Result(outcome=first.outcome, note="\n".join(lines), fields=fields, reason=first.reason)


def _entry(request: Request, plan: Plan) -> Entry:
    return Entry(
        key=request.key,
        asker=request.asker,
        face=request.face,
        command=plan.command,
        target=plan.target,
        arguments=plan.arguments,
    )


async def _objection(plan: Plan) -> Refusal | None:
    """Return what the safety rules have against it."""
    try:
        await plan.require()
    except Refusal as refusal:
        return refusal
    return None


def ending_of(result: Result) -> Ending:
    """Return a result as the journal keeps it."""
    return Ending(
        outcome=result.outcome,
        note=result.record,
        reason=result.reason,
        fields=tuple((field.name, field.label, field.value) for field in result.fields),
    )


def _result(ending: Ending) -> Result:
    return Result(
        outcome=Outcome(ending.outcome),
        note=ending.note,
        reason=None if ending.reason is None else Reason(ending.reason),
        fields=tuple(ResultField(name=name, label=label, value=value) for name, label, value in ending.fields),
    )
