"""A person's or a script's side: watching an agent and calling its commands as any XMPP client would."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

from slixmpp import JID

from jidget.errors import JidgetError, LinkError, RequestTimeout, StanzaError
from jidget.xmpp.disco import Disco
from jidget.xmpp.link import Link
from jidget.xmpp.login import Login
from jidget.xmpp.router import Admission, Incoming, Router
from jidget.xmpp.services import FEATURES, Services
from jidget.xmpp.xml import CLIENT, COMMANDS, DATA, PING, PUBSUB, PUBSUB_EVENT, ROSTER, element, text_of

PRIORITY = -1
"""Never asks the server for anybody's chat."""
PRESENCE_WAIT = 3.0
"""Seconds in which the presence of an agent that is there has come."""
MOST_REPLIES = 100
_PRESENCE = f"{{{CLIENT}}}presence"
_MESSAGE = f"{{{CLIENT}}}message"
OnItem = Callable[[str, str, str, ET.Element], None]
"""Given publisher's bare JID, node, item id and payload."""


def quiet_resource(name: str) -> str:
    """Return a resource that disturbs no other of the same account.

    Of an account's resources ejabberd 23.01 (mod_pubsub, broadcast_stanza) sends readings to the contacts that the last
    one by name has seen: no one, if it has no presence (yet). So ours come before all that are letters.
    """
    return f"-{name}"


def random_resource() -> str:
    """Return a resource that disturbs nobody."""
    return quiet_resource(f"cli-{secrets.token_hex(4)}")


class Client:
    """Logged in with a resource of its own at negative priority; it follows one agent.

    Attributes:
        agent: the full JID of the agent it deals with.
        replies: what the agent said in chat and nobody took yet.
        was_there: whether the agent was seen since we are online: what we sent may then have reached it.
        on_presence: called when the agent comes (True) or goes.
    """

    def __init__(self, login: Login, agent: JID, *, nodes: tuple[str, ...] = (), on_item: OnItem | None = None) -> None:
        """`nodes` are the PEP nodes whose events are given to `on_item`."""
        self.agent = agent
        self._nodes = nodes
        self._on_item = on_item
        self._there = asyncio.Event()
        self.was_there = False
        self._answers: set[asyncio.Timeout] = set()
        self._trouble = ""
        self.on_presence: Callable[[bool], None] = lambda _: None
        self.replies: asyncio.Queue[str] = asyncio.Queue(MOST_REPLIES)
        self.router = Router(self._admit)
        self.link = Link(login, self.router.receive)
        self.disco = Disco(("client", "console", "jidget"), {*FEATURES, *(f"{node}+notify" for node in nodes)})
        self.disco.attach(self.router)
        Services().attach(self.router)
        self.router.on_iq("set", f"{{{ROSTER}}}query", self._push, public=True)
        self.router.presences.append(self._on_presence)
        self.router.messages.append(self._on_message)

    @asynccontextmanager
    async def online(self) -> AsyncIterator["asyncio.Future[JidgetError]"]:
        """Be logged in and available for the time of the context; yields what is done when the link is lost.

        Raises:
            JidgetError: the login failed.
        """
        presence = element(_PRESENCE, None, element(f"{{{CLIENT}}}priority", None, str(PRIORITY)), self.disco.caps())
        try:
            async with self.router.serving(self.link), self.link.session():
                alive = asyncio.create_task(self.link.stay_alive(), name="liveness")
                alive.add_done_callback(lambda _: self._give_up("the link was lost before the answer came"))
                try:
                    self.link.send(presence)
                    yield alive
                finally:
                    self._there.clear()
                    alive.cancel()
                    await asyncio.wait((alive,))
                    await self.link.close()
        except BaseExceptionGroup as group:  # of the tasks that serve: what happened in the context is no group to us
            if len(group.exceptions) > 1:
                raise
            raise group.exceptions[0] from None

    # ---- following ----------------------------------------------------------------------------------------------

    async def befriend(self) -> None:
        """Make the subscription mutual where it is not: PEP reaches only those who are subscribed both ways.

        Granting without being asked is not idle: ejabberd hands a waiting request only to clients whose priority is
        not negative, and other servers take it as an approval in advance (RFC 6121 3.4).

        Raises:
            LinkError: the link was lost.
        """
        if self.agent.bare == self.link.login.jid:
            return
        subscription = await self._subscription()
        if subscription not in ("from", "both"):
            self.link.send(element(_PRESENCE, {"to": self.agent.bare, "type": "subscribed"}))
        if subscription not in ("to", "both"):
            self.link.send(element(_PRESENCE, {"to": self.agent.bare, "type": "subscribe"}))

    async def subscribed(self) -> bool:
        """Return whether the agent lets us see its presence, and so its readings."""
        return self.agent.bare == self.link.login.jid or await self._subscription() in ("to", "both")

    async def _subscription(self) -> str:
        reply = await self.link.request("get", element(f"{{{ROSTER}}}query"))
        items = {item.get("jid"): item.get("subscription", "none") for item in reply.iter(f"{{{ROSTER}}}item")}
        return items.get(self.agent.bare, "none")

    async def appears(self, wait: float = PRESENCE_WAIT) -> bool:
        """Return whether the agent's presence is there, or comes within `wait` seconds."""
        try:
            async with asyncio.timeout(wait):
                await self._there.wait()
        except TimeoutError:
            return False
        return True

    @property
    def agent_is_there(self) -> bool:
        """Whether we see the agent's presence."""
        return self._there.is_set()

    async def agent_is_away(self) -> bool:
        """Whether the agent is known to be offline: we would see its presence, and do not."""
        return await self.subscribed() and not await self.appears()

    async def look(self, patience: float = 5.0) -> None:
        """Find out whether the agent is there before anything is asked of it: what it does not answer says nothing.

        Raises:
            LinkError: the link was lost.
        """
        try:
            await self.link.request("get", element(f"{{{PING}}}ping"), to=self.agent.full, timeout=patience)
        except (StanzaError, RequestTimeout):
            return
        self.was_there = True

    async def items(self, node: str) -> list[tuple[str, ET.Element]]:
        """Fetch the items of one of the agent's nodes: (item id, payload).

        Raises:
            StanzaError: it is not ours to see, or not there.
            LinkError: the link was lost.
        """
        query = element(f"{{{PUBSUB}}}pubsub", None, element(f"{{{PUBSUB}}}items", {"node": node}))
        reply = await self.link.request("get", query, to=self.agent.bare)
        return [(item.get("id", ""), item[0]) for item in reply.iter(f"{{{PUBSUB}}}item") if len(item)]

    def say(self, line: str, *, to_resource: bool = False) -> str:
        """Say a line to the agent in chat and return the message's id; the answer comes into `replies`.

        Raises:
            LinkError: not connected.
        """
        message_id = secrets.token_hex(8)
        to = self.agent.full if to_resource else self.agent.bare
        body = element(f"{{{CLIENT}}}body", None, line)
        self.link.send(element(_MESSAGE, {"to": to, "type": "chat", "id": message_id}, body))
        return message_id

    # ---- calling ------------------------------------------------------------------------------------------------

    async def execute(
        self, node: str, fields: Mapping[str, list[str]] | None, *, key: str = "", timeout: float = 30.0
    ) -> ET.Element:
        """Execute a command (XEP-0050), with a submitted form if `fields` are given; return its `<command>`.

        Raises:
            StanzaError: refused by an error stanza.
            LinkError: lost or not answered: whether it was done is not known.
        """
        command = element(f"{{{COMMANDS}}}command", {"node": node, "action": "execute"})
        if fields is not None:
            form = element(f"{{{DATA}}}x", {"type": "submit"})
            for var, values in fields.items():
                entries = (element(f"{{{DATA}}}value", None, value) for value in values)
                form.append(element(f"{{{DATA}}}field", {"var": var}, *entries))
            command.append(form)
        reply = await self.ask("set", command, key=key, timeout=timeout)
        answer = reply.find(f"{{{COMMANDS}}}command")
        if answer is None:
            raise StanzaError("undefined-condition", "the answer holds no command")
        return answer

    async def ask(self, kind: str, payload: ET.Element, *, key: str = "", timeout: float = 30.0) -> ET.Element:
        """Send the agent an IQ and await its answer, but not longer than the link and the agent last.

        Raises:
            StanzaError: refused by an error stanza.
            LinkError: lost or not answered.
        """
        self._trouble = f"{self.agent} did not answer within {timeout:g} s"
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                self._answers.add(limit)
                return await self.link.request(kind, payload, to=self.agent.full, key=key, timeout=2 * timeout)
        except TimeoutError:
            raise LinkError(self._trouble) from None
        finally:
            self._answers.discard(limit)

    def _give_up(self, trouble: str) -> None:
        self._trouble = trouble
        for limit in self._answers:
            if not limit.expired():  # else its task is about to learn that, and there is nothing more to set
                limit.reschedule(asyncio.get_running_loop().time())

    async def cancel(self, answer: ET.Element) -> None:
        """End the session of an unfinished command, so that the agent need not wait for its end.

        Raises:
            LinkError: the link was lost.
        """
        attributes = {"node": answer.get("node"), "sessionid": answer.get("sessionid"), "action": "cancel"}
        try:
            await self.link.request("set", element(f"{{{COMMANDS}}}command", attributes), to=self.agent.full)
        except StanzaError:
            return  # it is over either way

    # ---- what comes in ------------------------------------------------------------------------------------------

    def _admit(self, sender: JID) -> Admission:
        if sender.full in (self.link.login.jid, self.link.login.domain):
            return Admission.SERVER
        known = (self.agent.bare, self.link.login.jid)
        return Admission.KNOWN if sender.bare in known else Admission.STRANGER

    async def _push(self, _incoming: Incoming) -> tuple[ET.Element, ...]:
        return ()

    async def _on_presence(self, incoming: Incoming) -> None:
        if incoming.sender.bare != self.agent.bare:
            return
        if incoming.kind == "subscribe":  # the agent wants to see us too: PEP needs both ways
            self.link.send(element(_PRESENCE, {"to": self.agent.bare, "type": "subscribed"}))
        elif incoming.sender.full == self.agent.full:
            if incoming.kind == "":
                self._there.set()
                self.was_there = True
                self.on_presence(True)
            elif incoming.kind == "unavailable":
                self._there.clear()
                self.on_presence(False)
                self._give_up(f"{self.agent} went offline before it answered")

    async def _on_message(self, incoming: Incoming) -> None:
        if incoming.sender.bare != self.agent.bare:
            return
        body = text_of(incoming.stanza, f"{{{CLIENT}}}body")
        if body is not None and incoming.kind == "chat" and not self.replies.full():
            self.replies.put_nowait(body)
        event = incoming.stanza.find(f"{{{PUBSUB_EVENT}}}event")
        if event is None or self._on_item is None:
            return
        for items in event.iterfind(f"{{{PUBSUB_EVENT}}}items"):
            node = items.get("node", "")
            if node in self._nodes:
                for item in items.iterfind(f"{{{PUBSUB_EVENT}}}item"):
                    if len(item):
                        self._on_item(incoming.sender.bare, node, item.get("id", ""), item[0])
