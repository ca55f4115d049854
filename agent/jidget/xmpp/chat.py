"""The chat face: one line in, one message out."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from slixmpp import JID

from jidget.commands.keys import message_key
from jidget.commands.model import Face, Request
from jidget.commands.words import is_stop
from jidget.xmpp.link import Link
from jidget.xmpp.router import Admission, Incoming, Router
from jidget.xmpp.xml import CLIENT, JIDGET, element, text_of

log = logging.getLogger(__name__)

_BODY = f"{{{CLIENT}}}body"
_THREAD = f"{{{CLIENT}}}thread"
_OURS = f"{{{JIDGET}}}reply"
_RECEIPTS = "urn:xmpp:receipts"
# A message that carries one of these is a copy, a notification or unreadable: its body is nobody's order to us.
_NOT_FOR_US = (
    "{urn:xmpp:carbons:2}",
    "{urn:xmpp:mam:2}",
    "{urn:xmpp:forward:0}",
    "{http://jabber.org/protocol/pubsub#event}",
    "{http://jabber.org/protocol/muc#user}",
    _OURS,
)
# OMEMO (XEP-0384): what holds no payload brings a key and is no message.
_ENCRYPTED = tuple(
    f"{{{namespace}}}encrypted/{{{namespace}}}payload"
    for namespace in ("eu.siacs.conversations.axolotl", "urn:xmpp:omemo:2")
)
CANNOT_DECRYPT = "I cannot read encrypted messages. Please turn off OMEMO for this chat and say it again."
TOO_MUCH = (
    "Too much at once: nothing was done about this, and nothing will be about what follows. "
    "Wait for the answers, then send it again."
)
MOST_REPLIES = 30
"""Replies to one person in a minute: what asks more often is a machine, perhaps one that answers our answers."""

Answer = Callable[[Request, str], Coroutine[Any, Any, str | None]]


@dataclass(slots=True)
class _Talk:
    """A conversation with one person: one line at a time, and not too many."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    replies: list[float] = field(default_factory=list)
    flooded: bool = False

    def may_reply(self, who: str) -> bool:
        now = time.monotonic()
        self.replies = [at for at in self.replies if now - at < 60.0]
        if len(self.replies) < MOST_REPLIES:
            self.replies.append(now)
            self.flooded = False
        elif not self.flooded:
            self.flooded = True
            log.warning("%s asks more than %d times a minute: not answered for a while", who, MOST_REPLIES)
        return not self.flooded


class Chat:
    """Takes chat from those who may talk to us."""

    def __init__(self, link: Link, answer: Answer, *, account: str, known: Callable[[str], bool]) -> None:
        """Take the parts it works with.

        Args:
            link: our connection.
            answer: turns a request and a line into the reply; None says nothing.
            account: `own`, `agents` or `person` (DESIGN 4.1).
            known: whether a bare JID is somebody's whom the access list names.
        """
        self._link = link
        self._answer = answer
        self._account = account
        self._known = known
        self._talks: dict[str, _Talk] = {}
        self._siblings: set[str] = set()

    def attach(self, router: Router) -> None:
        """Take messages from `router`, and presence: it tells which other agents share our account."""
        router.messages.append(self._on_message)
        router.presences.append(self._on_presence)
        router.put_off.append(self._put_off)

    async def tell(self, jid: str, text: str, message_id: str) -> None:
        """Say something to a person who has not asked just now; returns once our server has it.

        Raises:
            LinkError: it is not known whether it has.
        """
        attributes = {"to": jid, "type": "chat", "id": message_id}
        self._link.send(element(f"{{{CLIENT}}}message", attributes, element(_BODY, None, text), element(_OURS)))
        await self._link.prove()  # stanzas are worked on in order (RFC 6120 10.1): its answer comes after our message

    async def _on_presence(self, incoming: Incoming) -> None:
        sender = incoming.sender
        if sender.bare == self._link.login.jid and sender.full != self._link.full and sender.resource:
            if incoming.kind == "":
                self._siblings.add(sender.resource.casefold())
            elif incoming.kind == "unavailable":
                self._siblings.discard(sender.resource.casefold())

    async def _on_message(self, incoming: Incoming) -> None:
        if not self._is_for_us(incoming):
            return
        talk = self._talk(incoming)
        line, _ = self._addressed(incoming)
        if line is not None and is_stop(line) and not _is_encrypted(incoming):
            reply = await self._answer(self._request(incoming, line), line)  # however much was said before
            if reply is not None and talk.may_reply(incoming.sender.bare):
                self._reply(incoming, reply)
            return
        async with talk.lock:  # what one person says is done in the order in which they said it
            line, reply = self._addressed(incoming)
            if (line is None and reply is None) or not talk.may_reply(incoming.sender.bare):
                return
            if _is_encrypted(incoming):
                reply = CANNOT_DECRYPT
            elif line is not None:
                reply = await self._answer(self._request(incoming, line), line)
            if reply is not None:
                self._reply(incoming, reply)

    def _put_off(self, incoming: Incoming) -> bool:
        """Say that nothing was done, for lack of room; return whether that was said."""
        if not self._is_for_us(incoming) or self._addressed(incoming)[0] is None:
            return False
        if not self._talk(incoming).may_reply(incoming.sender.bare):
            return False
        self._reply(incoming, TOO_MUCH)
        return True

    def _is_for_us(self, incoming: Incoming) -> bool:
        """Return whether a message says something to us, and is from somebody who may talk to us."""
        sender = incoming.sender
        return (
            (text_of(incoming.stanza, _BODY) is not None or _is_encrypted(incoming))
            and incoming.kind in ("", "normal", "chat")
            and incoming.admission in (Admission.KNOWN, Admission.OWNER)
            and sender.full != self._link.full
            and self._known(sender.bare)
            and not any(child.tag.startswith(_NOT_FOR_US) for child in incoming.stanza)
        )

    def _talk(self, incoming: Incoming) -> _Talk:
        return self._talks.setdefault(incoming.sender.bare, _Talk())

    def _addressed(self, incoming: Incoming) -> tuple[str | None, str | None]:
        """Return what of a message is for us, or else a hint for a person who should know how to reach us."""
        body = text_of(incoming.stanza, _BODY) or ""
        to = JID(incoming.stanza.get("to") or self._link.login.jid)
        if self._account != "agents" or to.resource:
            return body, None
        me = self._link.login.resource
        first, _, rest = body.strip().partition(" ")
        name = first.casefold().rstrip(":,")
        if name == me.casefold():
            return rest.strip() or "help", None
        if name in self._siblings:
            return None, None
        return None, f'I am {me}. Several agents share this address: begin with "{me}", as in: {me} status'

    def _request(self, incoming: Incoming, line: str) -> Request:
        sender, key = incoming.sender, None
        if incoming.id:
            key = message_key(sender.bare, incoming.id, line.encode(errors="replace"))
        return Request(jid=sender.bare, asker=sender.full, face=Face.CHAT, key=key, age=incoming.age_now())

    def _reply(self, incoming: Incoming, text: str) -> None:
        message = element(
            f"{{{CLIENT}}}message",
            {"to": incoming.sender.full, "type": incoming.kind or None, "id": uuid.uuid4().hex},
            element(_BODY, None, text),
            element(_OURS),
        )
        thread = text_of(incoming.stanza, _THREAD)
        if thread:
            message.append(element(_THREAD, None, thread))
        if incoming.id and incoming.stanza.find(f"{{{_RECEIPTS}}}request") is not None:
            message.append(element(f"{{{_RECEIPTS}}}received", {"id": incoming.id}))
        self._link.send(message)


def _is_encrypted(incoming: Incoming) -> bool:
    return any(incoming.stanza.find(path) is not None for path in _ENCRYPTED)
