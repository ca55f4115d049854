"""Commands as forms: our own responder for ad-hoc commands (XEP-0050).

slixmpp's looks sessions up by their id alone, so that anybody can complete anybody's, and executes a command anew whose
session it does not know. Here a session belongs to one full JID and one node, ends soon, and a request that names one
which is not there runs nothing, whatever its action.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from jidget.commands.model import CODE, Face, Form, Outcome, Question, Reason, Refusal, Result, Submission, Values
from jidget.commands.service import Commands
from jidget.errors import StanzaError
from jidget.things.values import shorten
from jidget.xmpp.disco import Disco, Identity
from jidget.xmpp.forms import BadForm, cut_note, find_form, read_form, write_form, write_result
from jidget.xmpp.link import Link
from jidget.xmpp.request import digest, request_of
from jidget.xmpp.router import Incoming, Router
from jidget.xmpp.xml import COMMANDS, DATA, element

SESSION_TTL = 300.0
"""Seconds after which a form that nobody sent back is forgotten."""
RESULT_TTL = 600.0
"""Seconds for which a finished session answers the same request the same way: as long as the journal knows its key."""
MOST_SESSIONS = 4
"""Open forms of one person; with one more, the oldest is forgotten. As many results are remembered."""

_COMMAND = f"{{{COMMANDS}}}command"
_ACTIONS = frozenset(("execute", "complete", "next", "prev", "cancel"))
_NOTES = {Outcome.DONE: "info", Outcome.UNCONFIRMED: "warn", Outcome.REFUSED: "error", Outcome.FAILED: "error"}
_MENDABLE = frozenset((Reason.BAD_VALUE, Reason.NOT_FOUND, Reason.UNSUPPORTED))
"""Refusals of what was filled in rather than of the command: worth another try."""


@dataclass(slots=True)
class _Session:
    """A form that is being filled in or, once `answer` is there, what came of it.

    With a `question` the form asks for its code; `digest` is of the request that this stage, or the end, answered.
    """

    id: str
    node: str
    owner: str
    form: Form
    used: float
    question: Question | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    dropped: bool = False
    digest: bytes = b""
    answer: ET.Element | None = None

    @property
    def person(self) -> str:
        """Return the bare JID of whom it belongs to."""
        return self.owner.partition("/")[0]

    def ends(self) -> float:
        """Return when it may be forgotten."""
        return self.used + (SESSION_TTL if self.answer is None else RESULT_TTL)


class AdHoc:
    """Answers `<command/>` and its disco.

    Attributes:
        features: what disco tells of us because of it.
    """

    features = (COMMANDS, DATA)

    def __init__(self, link: Link, commands: Commands, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._link = link
        self._commands = commands
        self._clock = clock
        self._sessions: dict[str, _Session] = {}

    def attach(self, router: Router, disco: Disco) -> None:
        """Answer commands that come by `router`, and have `disco` list them."""
        router.on_iq("set", _COMMAND, self._command)
        disco.add_node(COMMANDS, self._list)
        disco.add_info(self._describe)

    # ---- disco --------------------------------------------------------------------------------------------------

    def _list(self, incoming: Incoming) -> list[tuple[str, str, str]]:
        return [(self._link.full, node.node, node.name) for node in self._commands.nodes(incoming.sender.bare)]

    def _describe(self, incoming: Incoming, node: str) -> tuple[Identity, tuple[str, ...]] | None:
        if node == COMMANDS:
            return ("automation", "command-list", "Commands"), (COMMANDS,)
        try:
            form = self._commands.form(incoming.sender.bare, node)
        except Refusal:
            return None
        names = {known.node: known.name for known in self._commands.nodes(incoming.sender.bare)}
        name = names.get(node) or (form.title if form is not None else node)
        return ("automation", "command-node", name), self.features

    # ---- the way of a request -----------------------------------------------------------------------------------

    async def _command(self, incoming: Incoming) -> tuple[ET.Element, ...]:
        command = incoming.payload
        node, session_id, action = command.get("node", ""), command.get("sessionid"), command.get("action", "execute")
        if not node:
            raise StanzaError("bad-request", "a command has a node")
        if action not in _ACTIONS:
            raise _bad("malformed-action", f'there is no action "{shorten(action)}"')
        if session_id is not None:
            return (await self._continue(incoming, node, session_id, action),)
        if action != "execute":
            raise _bad("bad-sessionid", f'"{action}" needs the sessionid of a command that was executed')
        return (await self._execute(incoming, node),)

    async def _execute(self, incoming: Incoming, node: str) -> ET.Element:
        """Begin: show the form, or run at once what needs none or brings it along filled in."""
        form = self._form(incoming, node)
        session_id = secrets.token_hex(16)
        try:
            x = find_form(incoming.payload)
            values = None if x is None else read_form(x)
        except BadForm as error:
            return _completed(node, session_id, _refused(error))
        if form is not None and values is None:
            return _executing(self._open(incoming, node, session_id, form))
        result = await self._submit(incoming, Submission(node=node, values=values or {}))
        if result.question is not None:
            session = self._open(incoming, node, session_id, result.question.form)
            return _confirming(session, result.question, incoming)
        return _completed(node, session_id, result)

    async def _continue(self, incoming: Incoming, node: str, session_id: str, action: str) -> ET.Element:
        """Go on with an open form. What names one that is not there, or is somebody else's, runs nothing."""
        session = self._find(incoming, node, session_id)
        async with session.lock:
            if session.answer is not None and session.digest == digest(incoming.payload):
                return session.answer
            if session.answer is not None or session.dropped:
                raise _unknown_session()
            if action == "prev":
                raise _bad("bad-action", "there is no going back: cancel, and execute the command again")
            if action == "cancel":
                return self._cancel(incoming, session)
            if session.question is not None and session.digest == digest(incoming.payload):
                return _executing(session)  # what led to this stage came again
            return await self._finish(incoming, session)

    async def _finish(self, incoming: Incoming, session: _Session) -> ET.Element:
        """Take what was filled in: run the command, or show the form again with what is wrong."""
        try:
            self._form(incoming, session.node)  # they may have lost the right to it meanwhile
            x = find_form(incoming.payload)
            if x is not None and x.get("type") == "cancel":  # XEP-0004 3.1
                return self._cancel(incoming, session)
            if x is None:
                return self._again(session, "nothing was filled in")
            values = read_form(x)
            result = await self._take(incoming, session, values)
        except BadForm as error:
            return self._again(session, str(error))
        except BaseException:
            self._drop(session)  # whatever went wrong, it must not be tried again by this form
            raise
        if result.question is not None:
            session.used = self._clock()
            return _confirming(session, result.question, incoming)
        if session.question is not None and result.reason is Reason.BAD_VALUE:
            return self._again(session, result.note)
        if session.question is None and result.outcome is Outcome.REFUSED and result.reason in _MENDABLE:
            return self._again(session, result.note, values)
        session.answer, session.digest = _completed(session.node, session.id, result), digest(incoming.payload)
        session.used = self._clock()
        self._forget_beyond(session.person)
        return session.answer

    async def _take(self, incoming: Incoming, session: _Session, values: Values) -> Result:
        """Have the command take what was filled in, or the answer to its question."""
        if session.question is None:
            submission = Submission(node=session.node, values=values, shown=session.form.shown)
            return await self._submit(incoming, submission)
        code = "".join(values.get(CODE, ())).strip()
        if not code:
            raise BadForm("type the code that is shown, or cancel")
        return _allowed(await self._commands.confirm(request_of(incoming, Face.FORM), session.question, code))

    def _again(self, session: _Session, problem: str, filled: Values | None = None) -> ET.Element:
        session.used = self._clock()
        return _executing(session, problem, filled)

    def _cancel(self, incoming: Incoming, session: _Session) -> ET.Element:
        self._drop(session)
        if session.question is not None:
            self._commands.withdraw(request_of(incoming, Face.FORM), session.question)
        return _command(session.node, session.id, "canceled")

    def _form(self, incoming: Incoming, node: str) -> Form | None:
        """Return the node's form, None where it needs none; who may not know of the node gets an error."""
        try:
            return self._commands.form(incoming.sender.bare, node)
        except Refusal as refusal:
            raise StanzaError(refusal.reason, refusal.text) from None

    async def _submit(self, incoming: Incoming, submission: Submission) -> Result:
        return _allowed(await self._commands.submit(request_of(incoming, Face.FORM), submission))

    # ---- sessions -----------------------------------------------------------------------------------------------

    def _open(self, incoming: Incoming, node: str, session_id: str, form: Form) -> _Session:
        self._expire()
        session = _Session(id=session_id, node=node, owner=incoming.sender.full, form=form, used=self._clock())
        self._sessions[session_id] = session
        self._forget_beyond(session.person)
        return session

    def _find(self, incoming: Incoming, node: str, session_id: str) -> _Session:
        self._expire()
        session = self._sessions.get(session_id)
        if session is None or session.owner != incoming.sender.full or session.node != node:
            raise _unknown_session()
        return session

    def _expire(self) -> None:
        now = self._clock()
        for session in [s for s in self._sessions.values() if s.ends() <= now and not s.lock.locked()]:
            self._drop(session)

    def _forget_beyond(self, person: str) -> None:
        """Keep the newest few open forms, and the newest few results, of one person."""
        theirs = sorted((s for s in self._sessions.values() if s.person == person), key=lambda s: s.used, reverse=True)
        for finished in (False, True):
            for session in [s for s in theirs if (s.answer is not None) is finished][MOST_SESSIONS:]:
                self._drop(session)

    def _drop(self, session: _Session) -> None:
        session.dropped = True
        self._sessions.pop(session.id, None)


# ---- what we answer ------------------------------------------------------------------------------------------------


def _command(node: str, session_id: str, status: str, *children: ET.Element) -> ET.Element:
    return element(_COMMAND, {"node": node, "sessionid": session_id, "status": status}, *children)


def _executing(session: _Session, problem: str = "", filled: Values | None = None) -> ET.Element:
    """Show a form. The actions are spelled out, as some clients have no buttons without; no note, it hides the form."""
    actions = element(f"{{{COMMANDS}}}actions", {"execute": "complete"}, element(f"{{{COMMANDS}}}complete"))
    form = write_form(session.form, session.node, problem=problem, filled=filled)
    return _command(session.node, session.id, "executing", actions, form)


def _confirming(session: _Session, question: Question, incoming: Incoming) -> ET.Element:
    """Go on to the stage that asks for a code."""
    session.question, session.form, session.digest = question, question.form, digest(incoming.payload)
    return _executing(session)


def _allowed(result: Result) -> Result:
    """Return a result as it is, unless it is that this person may not."""
    if result.reason is Reason.FORBIDDEN:
        raise StanzaError(result.reason, result.note.removeprefix("Refused: "))
    return result


def _completed(node: str, session_id: str, result: Result) -> ET.Element:
    note = element(f"{{{COMMANDS}}}note", {"type": _NOTES[result.outcome]}, cut_note(result.note))
    return _command(node, session_id, "completed", note, write_result(result, node))


def _refused(error: BadForm) -> Result:
    return Result(outcome=Outcome.REFUSED, note=f"Refused: {error}", reason=Reason.BAD_VALUE)


def _bad(condition: str, text: str) -> StanzaError:
    """Return a bad-request with one of the conditions of XEP-0050 4.1."""
    return StanzaError("bad-request", text, f"{{{COMMANDS}}}{condition}")


def _unknown_session() -> StanzaError:
    return _bad("bad-sessionid", "that session is not yours or is over. Execute the command again")
