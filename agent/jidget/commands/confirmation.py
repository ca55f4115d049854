"""Confirmation: what could do harm by mistake waits until whoever asked answers a code (DESIGN 4.4).

A code is bound to a person, whichever client they use, and to what they asked for: what is carried out is planned anew
when it is answered, so rights, values and safety rules hold as they are then, and it must be what was shown. Codes live
in memory: after a restart everything is asked for again.
"""

import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from jidget.commands.execution import Execution
from jidget.commands.model import (
    CODE,
    CONFIRM,
    Face,
    FieldKind,
    Form,
    FormField,
    Outcome,
    Question,
    Reason,
    Refusal,
    Request,
    Result,
)
from jidget.commands.registry import Plan, Scope
from jidget.commands.sentences import LONGEST_VALUE
from jidget.durations import format_duration
from jidget.safety.guard import Guard
from jidget.things.values import shorten

LIFETIME = 120.0
"""Seconds for which a code can be answered."""
REMEMBERED = 600.0
"""Seconds after which a code that is over is no longer told from a wrong one."""
MOST_OPEN = 4
"""Codes of one person that can be answered; with one more, the oldest is cancelled."""
MOST_REMEMBERED = 32
"""Codes of one person, those that are over among them."""
MOST_WRONG = 3
"""Wrong codes after which everything of that person that waits for one is cancelled."""
AGAIN = "Say the command again for a new code"

Planner = Callable[[Scope], Plan]
"""Plans the same command again, for whoever has the scope."""


@dataclass(slots=True, eq=False, kw_only=True)
class Pending:
    """A command that waits, or waited, for its code.

    Attributes:
        key: of the request that asked for it.
        plan: what was shown to the person.
        planner: plans it again.
        marks: how often each Thing had been stopped when it was asked for.
        until: when its code is over, by the steady clock.
        result: what the person was told.
        over: why it can no longer be answered, as a clause; empty while it can.
    """

    key: str | None
    plan: Plan
    planner: Planner
    marks: Sequence[int]
    until: float
    result: Result
    over: str = ""


@dataclass(slots=True)
class _Asker:
    """What one person has asked for, by code, oldest first, and how often they were wrong since."""

    pending: dict[str, Pending] = field(default_factory=dict)
    wrong: int = 0

    def open(self) -> list[Pending]:
        return [pending for pending in self.pending.values() if not pending.over]


class Confirmation:
    """All codes that were asked for and not answered yet."""

    def __init__(self, execution: Execution, guard: Guard, clock: Callable[[], float]) -> None:
        """Take who carries out plans, who knows what was stopped, and a steady clock."""
        self._execution = execution
        self._guard = guard
        self._clock = clock
        self._askers: dict[str, _Asker] = {}

    async def ask(self, request: Request, plan: Plan, planner: Planner) -> Result:
        """Ask for a code instead of carrying a plan out; the repetition of a request is asked for the same code.

        Raises:
            Refusal: it came by a face that has nobody to ask.
        """
        if request.face is Face.IQ:
            node = f"set/{plan.target}" if plan.command == "set" else f"do/{plan.target.replace('.', '/', 1)}"
            text = (
                f"{say_plan(plan)}: a person must confirm this with a code. Say it in chat, or execute the form {node}"
            )
            raise Refusal(Reason.NOT_ACCEPTABLE, text)
        result = await self._execution.decide(request, plan, lambda: self._put(request, plan, planner))
        known = (pending for pending in self._asker(request.jid).open() if request.key and pending.key == request.key)
        asked = next(known, None)
        return result if asked is None else asked.result

    async def answer(self, request: Request, scope: Scope, code: str, meant: str = "") -> tuple[str, Result]:
        """Carry out what a person confirms; return what that is, for the audit, and what came of it.

        Args:
            request: who answers: it is a new command of theirs, with its own key and age.
            scope: what they can reach now.
            code: what they answered.
            meant: the only code that is right; any that they were asked for if left out.

        Raises:
            Refusal: it cannot be planned any more.
        """
        code = _plain(code)
        pending = self._asker(request.jid).pending.get(code) if code == (meant or code) else None
        if pending is None:
            return "yes", await self._execution.decide(request, _NOTHING, lambda: self._wrong(request.jid))
        scope.require(pending.plan.command)
        plan = self._confirmed(request.jid, pending, pending.planner(scope))
        return f"yes to {plan}", await self._execution.carry_out(request, plan)

    def cancel(self, jid: str, code: str = "") -> list[str]:
        """Cancel what a person has not answered yet, all of it or what one code is for; return what that was."""
        asker = self._asker(jid)
        return _cancel(asker.open() if not code else filter(None, (asker.pending.get(code),)))

    # ---- asking ----------------------------------------------------------------------------------------------------

    def _put(self, request: Request, plan: Plan, planner: Planner) -> Result:
        asker = self._askers.setdefault(request.jid, _Asker())
        _cancel(asker.open()[: 1 - MOST_OPEN])
        for old in list(asker.pending)[: 1 - MOST_REMEMBERED]:
            del asker.pending[old]
        code = _new_code()
        while code in asker.pending:
            code = _new_code()
        asker.pending[code] = Pending(
            key=request.key,
            plan=plan,
            planner=planner,
            marks=self._marks(plan),
            until=self._clock() + LIFETIME,
            result=_question(plan, code),
        )
        return asker.pending[code].result

    def _asker(self, jid: str) -> _Asker:
        """Return what a person has asked for, as it is now; what was over for long is forgotten."""
        now = self._clock()
        for name, asker in list(self._askers.items()):
            for code, pending in list(asker.pending.items()):
                if pending.until <= now:
                    pending.over = pending.over or f"was good for {format_duration(LIFETIME)} only"
                if pending.until + REMEMBERED <= now:
                    del asker.pending[code]
            if not asker.pending:
                del self._askers[name]
        return self._askers.get(jid) or _Asker()

    def _marks(self, plan: Plan) -> Sequence[int]:
        return [self._guard.mark(thing) for thing in plan.things]

    # ---- being answered --------------------------------------------------------------------------------------------

    def _confirmed(self, jid: str, pending: Pending, plan: Plan) -> Plan:
        """Return a plan that may be carried out, once, while its code is good and it is still what was shown."""

        def require_open() -> None:
            self._asker(jid)
            if pending.over:
                raise Refusal(Reason.NOT_ACCEPTABLE, f"that code {pending.over}. {AGAIN}")
            if _shown(plan) != _shown(pending.plan):
                raise Refusal(Reason.NOT_ACCEPTABLE, f"that code was to {say_plan(pending.plan)}. {AGAIN}")
            if self._marks(plan) != pending.marks:
                raise Refusal(Reason.NOT_ACCEPTABLE, f"there was a stop since that code was sent. {AGAIN}")

        async def require() -> None:
            require_open()
            await plan.require()

        async def drive(check: Callable[[], None]) -> Result:
            def last() -> None:
                check()
                require_open()
                pending.over = "was used already"
                self._asker(jid).wrong = 0

            return await plan.drive(last)

        return replace(plan, confirm=False, require=require, drive=drive)

    def _wrong(self, jid: str) -> Result:
        """Refuse a code that nobody sent this person; too many of them cancel all that waits.

        Raises:
            Refusal: always.
        """
        asker = self._asker(jid)
        waiting = asker.open()
        if not waiting:
            text = "nothing of yours waits for a code. Say the command first, its answer has one"
            raise Refusal(Reason.NOT_FOUND, text)
        asker.wrong += 1
        left = MOST_WRONG - asker.wrong
        if left > 0:
            tries = "one more try" if left == 1 else f"{left} more tries"
            raise Refusal(Reason.BAD_VALUE, f"that is not the code, so nothing was moved. You have {tries}")
        asker.wrong = 0
        text = f"that is not the code either, so this is cancelled: {'; '.join(_cancel(waiting))}. {AGAIN}"
        raise Refusal(Reason.NOT_ACCEPTABLE, text)


def _cancel(waiting: Iterable[Pending]) -> list[str]:
    """Cancel what can still be answered; return what it was."""
    cancelled = [pending for pending in waiting if not pending.over]
    for pending in cancelled:
        pending.over = "was cancelled"
    return [say_plan(pending.plan) for pending in cancelled]


# ---- what is asked -------------------------------------------------------------------------------------------------


def say_plan(plan: Plan) -> str:
    """Say what will be done: `set pump.state to on for 10m`, `do gate.open_to position=40`."""
    if plan.command != "set":
        return str(plan)
    values = {name: shorten(value, LONGEST_VALUE) for name, value in plan.arguments.items()}
    span = f" for {values.pop('for')}" if "for" in values else ""
    return "set " + ", ".join(f"{plan.target}.{name} to {value}" for name, value in values.items()) + span


def _question(plan: Plan, code: str) -> Result:
    what, span = say_plan(plan), format_duration(LIFETIME)
    note = f"Please confirm: {what}.\nyes {code} (within {span}) does it, no cancels it"
    form = Form(
        title="Please confirm",
        instructions=f"To {what}, type {code} within {span}.",
        fields=(FormField(var=CODE, kind=FieldKind.TEXT, label=f"Code ({code})", required=True),),
        name=CONFIRM,
    )
    record = "Refused: a code was asked for first, and nothing was moved. Say it again for a new code"
    return Result(
        outcome=Outcome.REFUSED,
        note=note,
        reason=Reason.NOT_ACCEPTABLE,
        question=Question(code=code, form=form, record=record),
    )


def _new_code() -> str:
    return f"{secrets.randbelow(1_000_000):06}"


def _plain(code: str) -> str:
    """Return a code without what people put between or behind digits."""
    return re.sub(r"[\s.\-]", "", code)


def _shown(plan: Plan) -> tuple[object, ...]:
    return plan.command, plan.target, dict(plan.arguments), plan.things, plan.outputs


async def _no_drive(_: Callable[[], None]) -> Result:
    raise Refusal(Reason.NOT_FOUND, "there is nothing to do")


_NOTHING = Plan(things=(), command="yes", target=CODE, arguments={}, outputs=(), drive=_no_drive)
"""What the journal holds of an answer that fits no question."""
