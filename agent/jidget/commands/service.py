"""The commands, for all faces: access → registry → typed arguments → execution → one sentence and a typed result."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from jidget.commands import forms
from jidget.commands.access import Access
from jidget.commands.actuation import Do, Set, plan_action, plan_write
from jidget.commands.audit import audit
from jidget.commands.confirmation import Confirmation
from jidget.commands.execution import INTERNAL, Execution
from jidget.commands.forgetting import Forget, Forgetter
from jidget.commands.inquiry import Help, Read, Status, Things
from jidget.commands.model import Form, NodeInfo, Outcome, Question, Reason, Refusal, Request, Result, Submission
from jidget.commands.registry import Actuation, Inquiry, Plan, Registry, Scope
from jidget.commands.sentences import failed, observed_fields, refused, say_observed
from jidget.commands.signature import Signatures
from jidget.commands.stopping import Stop
from jidget.commands.words import NotUnderstood, Vocabulary, parse
from jidget.commands.yes_no import No, Yes
from jidget.safety.keeper import Keeper
from jidget.safety.memory import boottime
from jidget.store.journal import Journal
from jidget.things.directory import Directory, fold
from jidget.things.host import Thing
from jidget.things.values import shorten
from jidget_drivers import Scalar

log = logging.getLogger(__name__)


class Commands:
    """All commands, for all faces. Nothing that a peer can send makes a method raise, except `form`.

    A command that has begun must be allowed to end: do not cancel a call because the link that asked is gone. What is
    cancelled while it drives (the process is stopping) stays "driving" in the journal: nobody knows where it ended.
    """

    def __init__(
        self,
        directory: Directory,
        access: Access,
        journal: Journal,
        keeper: Keeper,
        *,
        me: Callable[[], str],
        remarks: Callable[[], Sequence[str]] = tuple,
        forget: Forgetter | None = None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = boottime,
    ) -> None:
        """Take what commands work on.

        Args:
            directory: all Things.
            access: who may what.
            journal: remembers commands that act.
            keeper: sets outputs, and makes them safe.
            me: returns the agent's full JID.
            remarks: returns lines about the agent itself, which `status` begins with.
            forget: has the broker forget a device; None without one.
            now: the wall clock, in UTC seconds.
            clock: a steady clock, in seconds.
        """
        self._directory = directory
        self._access = access
        self._me = me
        self._remarks = remarks
        self._now = now
        self._guard = keeper.guard
        forgetting = () if forget is None else (Forget(forget),)
        self._registry = Registry(
            (Status(), Read(), Set(), Do(), Stop(keeper), Yes(), No(), Things(), *forgetting, Help())
        )
        self._signatures = Signatures()
        self._execution = Execution(journal, self._guard, may_act=self._may_act, now=now, clock=clock)
        self._confirmation = Confirmation(self._execution, self._guard, clock)

    # ---- by name ---------------------------------------------------------------------------------------------------

    async def run(self, request: Request, name: str, arguments: Mapping[str, str]) -> Result:
        """Run a command by name. Raises nothing but cancellation.

        Args:
            request: who asks. Without a `key` a repetition cannot be recognised: it is treated as a new command.
            name: `status`, `read`, `set`, …
            arguments: as texts: `read` target, `set` target value for, `do` target arguments, `help` word, `yes` code.
        """
        known = self._registry.get(name)
        if isinstance(known, Actuation):
            return await self._act(request, name, lambda scope: known.plan(scope, known.check(arguments)))
        if isinstance(known, Yes):
            return await self._confirm(request, lambda: known.check(arguments).code)
        try:
            scope = self._scope(request.jid)
            command = scope.require(name)
            if isinstance(command, No):
                command.check(arguments)
                return self._cancel(request)
            if not isinstance(command, Inquiry):
                raise TypeError(f"{command!r} neither asks nor acts")  # noqa: TRY301  # the log is to have it
            return await command.answer(scope, command.check(arguments))
        except Refusal as refusal:
            return refused(refusal)
        except Exception:
            log.exception("the command %s failed", shorten(name))
            return failed(Reason.BROKEN, INTERNAL)

    async def write(self, request: Request, thing_id: str, values: Mapping[str, Scalar]) -> Result:
        """Write several properties of one Thing, named by its id; all are checked before the first moves.

        Texts among the values are read as people write them. Raises nothing but cancellation.
        """
        return await self._act(
            request, Set.name, lambda scope: plan_write(scope, scope.by_id(thing_id, act=True), values)
        )

    def stops(self, thing: Thing) -> int:
        """Return how often outputs of a Thing have been stopped: what came before a stop must not follow it."""
        return self._guard.mark(thing)

    # ---- chat ------------------------------------------------------------------------------------------------------

    def knows(self, jid: str) -> bool:
        """Whether this bare JID is anybody to us."""
        return self._access.person(jid) is not None

    async def chat(self, request: Request, line: str) -> str | None:
        """Answer a line of chat; None to a stranger, who gets no answer at all. Raises nothing but cancellation."""
        if not self.knows(request.jid):
            return None
        try:
            parsed = parse(line, self._vocabulary(self._scope(request.jid)))
        except NotUnderstood as answer:
            return str(answer)
        except Refusal as refusal:
            return refused(refusal).note
        except Exception:
            log.exception("a line of chat could not be taken apart")
            return failed(Reason.BROKEN, INTERNAL).note
        return (await self.run(request, parsed.command, parsed.arguments)).note

    def _vocabulary(self, scope: Scope) -> Vocabulary:
        things = scope.things()
        return Vocabulary(
            commands=frozenset(command.name for command in self._registry),
            allowed=tuple(command.name for command in self._registry if scope.person.at_least(command.role)),
            names=frozenset(fold(name) for thing in things for name in (thing.id, thing.label, *thing.aliases)),
            targets=tuple(f"{thing.id}.{prop.name}" for thing, prop in scope.settable()),
            examples=scope.examples(),
        )

    # ---- forms -----------------------------------------------------------------------------------------------------

    def nodes(self, jid: str) -> list[NodeInfo]:
        """Return the nodes that a bare JID may execute; none for a stranger."""
        return forms.list_nodes(self._scope(jid)) if self.knows(jid) else []

    def form(self, jid: str, node: str) -> Form | None:
        """Return the form of a node; None where it needs none and runs at once.

        Raises:
            Refusal: there is no such node, or not for this person.
        """
        scope = self._scope(jid)
        return forms.form_of(scope, forms.find_node(scope, node))

    async def submit(self, request: Request, submission: Submission) -> Result:
        """Execute a node with what was submitted, also where no form was shown. Raises nothing but cancellation."""
        try:
            node = forms.find_node(self._scope(request.jid), submission.node)
            forms.check_size(submission.values)
            if isinstance(node, forms.SetNode):
                changes = forms.read_changes(node.thing, submission.values, submission.shown or {})
                return await self.write(request, node.thing.id, changes) if changes else self._unchanged(node.thing)
            if isinstance(node, forms.DoNode):
                return await self._do(request, node, forms.read_arguments(node.signature, submission.values))
            return await self.run(request, node.name, forms.read_words(node, submission.values))
        except Refusal as refusal:
            result = refused(refusal)
        except Exception:
            log.exception("the form %s failed", shorten(submission.node))
            result = failed(Reason.BROKEN, INTERNAL)
        audit(request, f"submit {submission.node}", result)
        return result

    async def _do(self, request: Request, node: forms.DoNode, given: Mapping[str, str]) -> Result:
        return await self._act(request, Do.name, lambda scope: plan_action(scope, node.thing, node.signature, given))

    def _unchanged(self, thing: Thing) -> Result:
        lines = [say_observed(thing, prop, self._now()) for prop in thing.writable]
        fields = observed_fields(thing, (prop.name for prop in thing.writable))
        return Result(outcome=Outcome.DONE, note="\n".join(("Nothing was changed.", *lines)), fields=fields)

    # ---- confirming ------------------------------------------------------------------------------------------------

    async def confirm(self, request: Request, question: Question, code: str) -> Result:
        """Carry out what a question is about if this is its code. Raises nothing but cancellation."""
        return await self._confirm(request, lambda: code, question.code)

    def withdraw(self, request: Request, question: Question) -> None:
        """Take notice that a question is not going to be answered."""
        self._cancel(request, question.code)

    async def _confirm(self, request: Request, code: Callable[[], str], meant: str = "") -> Result:
        what = Yes.name
        try:
            scope = self._scope(request.jid)
            scope.require(what)
            what, result = await self._confirmation.answer(request, scope, code(), meant)
        except Refusal as refusal:
            result = refused(refusal)
        except Exception:
            log.exception("an answer to a question failed")
            result = failed(Reason.BROKEN, INTERNAL)
        audit(request, what, result)
        return result

    def _cancel(self, request: Request, code: str = "") -> Result:
        cancelled = self._confirmation.cancel(request.jid, code)
        note = f"Cancelled: {'; '.join(cancelled)}" if cancelled else "Nothing of yours waits for a code."
        result = Result(outcome=Outcome.DONE, note=note)
        if cancelled:
            audit(request, No.name, result)
        return result

    # ---- the way of a command --------------------------------------------------------------------------------------

    def _scope(self, jid: str) -> Scope:
        person = self._access.person(jid)
        if person is None:
            raise Refusal(Reason.FORBIDDEN, "you are not on the access list")
        return Scope(
            person=person,
            directory=self._directory,
            guard=self._guard,
            registry=self._registry,
            signatures=self._signatures,
            me=self._me(),
            now=self._now,
            remarks=self._remarks,
        )

    def _may_act(self, jid: str, thing: Thing) -> bool:
        return self.knows(jid) and self._scope(jid).may_act(thing)

    async def _act(self, request: Request, name: str, planner: Callable[[Scope], Plan]) -> Result:
        """Plan and carry out; whatever comes of it is audited and returned."""
        what = name
        try:
            scope = self._scope(request.jid)
            scope.require(name)
            plan = planner(scope)
            what = str(plan)
            if plan.confirm:
                result = await self._confirmation.ask(request, plan, planner)
            else:
                result = await self._execution.carry_out(request, plan)
        except Refusal as refusal:
            result = refused(refusal)
        except Exception:
            log.exception("%s failed", what)
            result = failed(Reason.BROKEN, INTERNAL)
        audit(request, what, result)
        return result
