"""Where stanzas from others go: the gate that turns strangers away, and a table from payload to room.

The sender is the outer `from`, stamped by our server; nothing inside a stanza is ever believed about who sent it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from functools import partial
from typing import Any
from xml.etree import ElementTree as ET

from slixmpp import JID

from jidget.errors import LinkError, StanzaError
from jidget.safety.memory import boottime
from jidget.xmpp.crowd import Crowd
from jidget.xmpp.link import Link, StanzaTooLong
from jidget.xmpp.xml import CLIENT, DELAY, error_reply, parse_jid, result_reply

log = logging.getLogger(__name__)

MOST_AT_ONCE = 64
"""Stanzas being worked on at one time, of those whom the gate treats alike; more are refused with a request to wait.

Owners and others do not count against each other, and neither do presences and the rest: all strangers send those.
"""
MOST_OF_ONE = 8
"""Of those, stanzas of one person (bare JID)."""
_IQ, _MESSAGE, _PRESENCE = (f"{{{CLIENT}}}{name}" for name in ("iq", "message", "presence"))


class Admission(Enum):
    """What the gate makes of a sender. An owner is known, too, and finds room however much others ask for."""

    STRANGER = auto()
    SERVER = auto()
    KNOWN = auto()
    OWNER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A stanza that passed the gate.

    Attributes:
        stanza: the whole of it.
        payload: an IQ's only child; the stanza itself for messages and presence.
        sender: who sent it: full or bare JID, normalised.
        admission: what the gate made of the sender.
        age: seconds since it was sent, at most, when it arrived; None when that cannot be known (DESIGN 4.5).
        arrived: when that was, by CLOCK_BOOTTIME.
    """

    stanza: ET.Element
    payload: ET.Element
    sender: JID
    admission: Admission
    age: float | None
    arrived: float = field(default_factory=boottime)

    @property
    def id(self) -> str:
        """Return the stanza's id; empty if it has none."""
        return self.stanza.get("id", "")

    @property
    def kind(self) -> str:
        """Return the stanza's type attribute; empty if it has none."""
        return self.stanza.get("type", "")

    def age_now(self) -> float | None:
        """Return seconds since it was sent, at most; None when that cannot be known."""
        return None if self.age is None else self.age + boottime() - self.arrived


IqHandler = Callable[[Incoming], Awaitable[tuple[ET.Element, ...]]]
"""Returns the result's payload; refuses by raising `StanzaError`."""
StanzaHandler = Callable[[Incoming], Coroutine[Any, Any, None]]
Teller = Callable[[Incoming], bool]
"""Tells the sender of a message that nothing comes of it; returns whether it did: most messages are no questions."""


class Router:
    """The gate and the table.

    Attributes:
        messages: rooms that look at messages from admitted senders.
        presences: rooms that look at presence, from anybody: they decide whom to believe.
        put_off: rooms that answer messages for which there was too much at once; asked until one did, and then not
            again before another stanza of the same person found room.
    """

    def __init__(self, admit: Callable[[JID], Admission]) -> None:
        self._admit = admit
        self._iqs: dict[tuple[str, str], tuple[IqHandler, bool]] = {}
        self.messages: list[StanzaHandler] = []
        self.presences: list[StanzaHandler] = []
        self.put_off: list[Teller] = []
        self._link: Link | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._crowds: dict[tuple[Admission, bool], Crowd] = {}

    def on_iq(self, kind: str, payload: str, handler: IqHandler, *, public: bool = False) -> None:
        """Have `handler` answer IQs of type `kind` with this payload; `public` ones also to our own server."""
        self._iqs[kind, payload] = (handler, public)

    @asynccontextmanager
    async def serving(self, link: Link) -> AsyncIterator[None]:
        """Work on stanzas from `link` for the time of the context; what is not done by its end is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._link, self._tasks, self._crowds = link, tasks, {}
            try:
                yield
            finally:
                self._link = self._tasks = None
                for task in self._running:
                    task.cancel()

    def receive(self, stanza: ET.Element) -> None:
        """Take one stanza from the link."""
        if self._link is None:
            return
        sender = parse_jid(stanza.get("from") or self._link.login.jid)
        if sender is None:
            return
        admission = self._admit(sender)
        if stanza.tag == _IQ:
            self._route_iq(self._link, stanza, sender, admission)
        elif stanza.get("type") == "error":
            return
        elif stanza.tag == _PRESENCE:
            self._route(self._link, self.presences, stanza, sender, admission)
        elif stanza.tag == _MESSAGE and admission is not Admission.STRANGER:
            self._route(self._link, self.messages, stanza, sender, admission)

    def _route_iq(self, link: Link, stanza: ET.Element, sender: JID, admission: Admission) -> None:
        kind = stanza.get("type", "")
        if admission is Admission.STRANGER:
            self._answer(link, error_reply(stanza, "service-unavailable"))
        elif kind not in ("get", "set") or not stanza.get("id"):
            self._answer(link, error_reply(stanza, "bad-request", kind="modify"))
        elif len(stanza) != 1:
            self._answer(link, error_reply(stanza, "bad-request", "an IQ has exactly one payload", kind="modify"))
        else:
            handler, public = self._iqs.get((kind, stanza[0].tag), (None, False))
            if handler is None or (admission is Admission.SERVER and not public):
                self._answer(link, error_reply(stanza, "service-unavailable"))
            else:
                incoming = self._incoming(link, stanza, stanza[0], sender, admission)
                self._start(link, incoming, partial(self._run_iq, link, handler, incoming))

    def _route(
        self, link: Link, handlers: list[StanzaHandler], stanza: ET.Element, sender: JID, admission: Admission
    ) -> None:
        incoming = self._incoming(link, stanza, stanza, sender, admission)
        self._start(link, incoming, partial(self._run, handlers, incoming))

    def _incoming(
        self, link: Link, stanza: ET.Element, payload: ET.Element, sender: JID, admission: Admission
    ) -> Incoming:
        told, proof = _age(stanza), link.proof_age() if link.fresh() else None
        # The server proved that what it brings now was sent after we asked it: perhaps right after, and then held up.
        age = None if told is None or proof is None else max(told, proof)
        return Incoming(stanza=stanza, payload=payload, sender=sender, admission=admission, age=age)

    # ---- room -----------------------------------------------------------------------------------------------------

    def _start(self, link: Link, incoming: Incoming, work: Callable[[], Awaitable[None]]) -> None:
        crowd = self._crowd(incoming)
        if self._tasks is None or not crowd.expect():
            self._put_off(link, crowd, incoming)
            return
        task = self._tasks.create_task(self._in_crowd(link, crowd, incoming, work), name="stanza")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _crowd(self, incoming: Incoming) -> Crowd:
        """Return whom a stanza may have to wait for."""
        alike = (incoming.admission, incoming.stanza.tag == _PRESENCE)
        if alike not in self._crowds:
            most_of_one = MOST_AT_ONCE if incoming.admission is Admission.SERVER else MOST_OF_ONE
            self._crowds[alike] = Crowd(MOST_AT_ONCE, most_of_one)
        return self._crowds[alike]

    async def _in_crowd(
        self, link: Link, crowd: Crowd, incoming: Incoming, work: Callable[[], Awaitable[None]]
    ) -> None:
        who = incoming.sender.bare
        if not crowd.enter(who):
            self._put_off(link, crowd, incoming)
            return
        try:
            await work()
        except LinkError as error:
            log.info("an answer could not be sent: %s", error)
        finally:
            crowd.leave(who)

    def _put_off(self, link: Link, crowd: Crowd, incoming: Incoming) -> None:
        """Do nothing with a stanza, and say so: to who asks by an IQ always, by a message once while that lasts."""
        who = incoming.sender.bare
        if incoming.stanza.tag == _IQ:
            text = "too much at once: nothing was done"
            self._answer(link, error_reply(incoming.stanza, "resource-constraint", text, kind="wait"))
            return
        if crowd.put_off(who):
            log.warning("too much at once: what %s sends is left out for now", who)
        if incoming.stanza.tag == _MESSAGE and who not in crowd.told:
            try:
                if any(tell(incoming) for tell in self.put_off):
                    crowd.told.add(who)
            except LinkError as error:
                log.info("an answer could not be sent: %s", error)
            except Exception:  # the stanza boundary, as in `_run`
                log.exception("a stanza from %s could not be put off", who)

    # ---- work -----------------------------------------------------------------------------------------------------

    async def _run(self, handlers: list[StanzaHandler], incoming: Incoming) -> None:
        for handler in handlers:
            try:
                await handler(incoming)
            except LinkError as error:
                log.info("an answer could not be sent: %s", error)
            except Exception:  # the stanza boundary: whatever went wrong, the peer's next stanza is served
                log.exception("a stanza from %s could not be worked on", incoming.sender.bare)

    async def _run_iq(self, link: Link, handler: IqHandler, incoming: Incoming) -> None:
        try:
            answer = result_reply(incoming.stanza, *await handler(incoming))
        except StanzaError as error:
            answer = error_of(incoming.stanza, error)
        except Exception:  # the stanza boundary: the peer gets a clean error, the log gets the traceback
            log.exception("an IQ from %s could not be answered", incoming.sender.bare)
            answer = error_reply(incoming.stanza, "internal-server-error")
        try:
            link.send(answer)
        except StanzaTooLong:
            self._answer(
                link, error_reply(incoming.stanza, "resource-constraint", "the answer is too long: ask for less")
            )

    @staticmethod
    def _answer(link: Link, stanza: ET.Element) -> None:
        try:
            link.send(stanza)
        except LinkError as error:
            log.info("an answer could not be sent: %s", error)


_KINDS = {
    "bad-request": "modify",
    "not-acceptable": "modify",
    "jid-malformed": "modify",
    "forbidden": "auth",
    "not-authorized": "auth",
    "registration-required": "auth",
    "recipient-unavailable": "wait",
    "resource-constraint": "wait",
    "remote-server-timeout": "wait",
    "unexpected-request": "wait",
    "policy-violation": "modify",
}


def error_of(request: ET.Element, error: StanzaError) -> ET.Element:
    """Build the error answer for a refusal, with the type that RFC 6120 8.3.3 pairs with its condition."""
    application = ET.Element(error.application) if error.application else None
    kind = _KINDS.get(error.condition, "cancel")
    return error_reply(request, error.condition, error.text, kind=kind, application=application)


def _age(stanza: ET.Element) -> float | None:
    """Return the age that the oldest `<delay/>` (XEP-0203) tells, 0 without one, None if it makes no sense."""
    oldest = 0.0
    for delay in stanza.iterfind(f"{{{DELAY}}}delay"):
        try:
            stamp = datetime.fromisoformat(delay.get("stamp", ""))
        except ValueError:
            return None
        if stamp.tzinfo is None:
            stamp = stamp.replace(tzinfo=UTC)
        age = (datetime.now(UTC) - stamp).total_seconds()
        if age < -30.0:  # sent in our future: one of the clocks is wrong, so the age is unknown
            return None
        oldest = max(oldest, age)
    return oldest
