"""Carrying out a command that acts: once, in time, one at a time on each Thing (DESIGN 3, 4.5).

journal row under the request's key → freshness → turn of the Thing → freshness and access → journal "driving" →
freshness and access again, as the disk may have been slow → driver, read back → journal outcome.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from jidget.commands.model import Outcome, Reason, Refusal, Request, Result, ResultField
from jidget.commands.registry import Plan
from jidget.commands.sentences import failed, observed_fields, refused, say_age, say_observed, say_when
from jidget.durations import format_duration
from jidget.store.journal import Ending, Entry, Journal, Progress, Row
from jidget.things.host import Thing

log = logging.getLogger(__name__)

FRESH = 30.0
"""Seconds: an older request to act is refused; so is one that would wait longer than that for its turn."""
PATIENCE = 20.0
"""Seconds that the repetition of a command still under way waits for its end."""
INTERNAL = "internal error, see the agent's log"


def boottime() -> float:
    """Return seconds of a clock that nobody sets and that also runs while the machine sleeps (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Execution:
    """Carries out plans. Whoever is cancelled while driving leaves "driving" in the journal: its end is unknown."""

    def __init__(
        self,
        journal: Journal,
        *,
        may_act: Callable[[str, Thing], bool],
        now: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        """Take the journal, who may act (bare JID, Thing) at this moment, the wall clock and a steady one."""
        self._journal = journal
        self._may_act = may_act
        self._now = now
        self._clock = clock
        self._running: dict[str, asyncio.Future[None]] = {}
        self._turns: WeakKeyDictionary[Thing, asyncio.Lock] = WeakKeyDictionary()

    async def carry_out(self, request: Request, plan: Plan) -> Result:
        """Carry out a plan, unless its key was seen before: then tell the first outcome again and move nothing."""
        arrived = self._clock()
        if request.key is None:
            return await self._journaled(request, plan, arrived)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + PATIENCE
        while (under_way := self._running.get(request.key)) is not None:
            await asyncio.wait((under_way,), timeout=give_up - loop.time())
            if not under_way.done():
                text = f"{plan.target}: the same command is still under way; nothing was moved again"
                return Result(outcome=Outcome.UNCONFIRMED, note=text, reason=Reason.BUSY)
        done = self._running[request.key] = loop.create_future()
        try:
            return await self._journaled(request, plan, arrived)
        finally:
            del self._running[request.key]
            done.set_result(None)

    async def _journaled(self, request: Request, plan: Plan, arrived: float) -> Result:
        begun = await self._journal.begin(
            Entry(
                key=request.key,
                asker=request.asker,
                face=request.face,
                command=plan.command,
                target=plan.target,
                arguments=plan.arguments,
            )
        )
        if begun.repeated:
            return self._again(begun.row, plan)
        try:
            result = await self._drive(request, plan, begun.row, arrived)
        except Refusal as refusal:
            result = refused(refusal)
        except Exception:
            log.exception("%s failed", plan)
            result = failed(Reason.BROKEN, f"{plan.target}: {INTERNAL}; it may have moved")
        try:
            await self._journal.finish(begun.row, ending_of(result))
        except Exception:  # what happened happened: the asker is told, and the log why the journal does not know
            log.exception("the end of %s could not be written to the journal", plan)
        return result

    async def _drive(self, request: Request, plan: Plan, row: Row, arrived: float) -> Result:
        self._require_fresh(request, arrived)
        async with self._turn(plan.thing, request, arrived):
            self._require_leave(request, plan.thing, arrived)
            await self._journal.driving(row)
            self._require_leave(request, plan.thing, arrived)  # the disk may have been waited for
            return await plan.drive()

    def _require_leave(self, request: Request, thing: Thing, arrived: float) -> None:
        """Refuse what has become old, or forbidden, while it waited."""
        self._require_fresh(request, arrived)
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
    async def _turn(self, thing: Thing, request: Request, arrived: float) -> AsyncIterator[None]:
        """Wait until no other command acts on the Thing, no longer than this one is fresh."""
        lock = self._turns.setdefault(thing, asyncio.Lock())
        try:
            async with asyncio.timeout(FRESH - (self._age(request, arrived) or 0.0)):
                await lock.acquire()
        except TimeoutError:
            raise Refusal(Reason.BUSY, f"{thing.id} is busy with other commands, so nothing was moved") from None
        try:
            yield
        finally:
            lock.release()

    def _again(self, row: Row, plan: Plan) -> Result:
        """Answer a repetition: the first outcome, when it was asked for, and the value now. Nothing moves."""
        if row.ending is not None:
            first = _result(row.ending)
        elif row.progress is Progress.DRIVING:
            first = failed(Reason.BROKEN, f"{plan.target}: it was interrupted, its end is unknown: it may have moved")
        else:
            first = failed(Reason.BROKEN, f"{plan.target}: it was interrupted before anything moved")
        when = f"{say_when(row.time)}, {say_age(row.time, self._now())}"
        lines = [first.note, f"Asked before ({when}): nothing was moved again."]
        lines += [f"Now {say_observed(plan.thing, plan.thing.properties[p], self._now())}" for p in plan.properties]
        fields = observed_fields(plan.thing, plan.properties) or first.fields
        return Result(outcome=first.outcome, note="\n".join(lines), fields=fields, reason=first.reason)


def ending_of(result: Result) -> Ending:
    """Return a result as the journal keeps it."""
    return Ending(
        outcome=result.outcome,
        note=result.note,
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
