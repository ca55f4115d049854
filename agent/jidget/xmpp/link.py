"""The link: requests and answers over the current session, and whether the server is still there.

A session outlives its connections (`jidget.xmpp.wire`): what was asked is answered after a gap, and nobody above needs
to know that there was one. What arrives is fresh only once the server has answered a ping that was sent over the same
connection: servers bring what waited for us, commands too, without saying how old it is.
"""

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple
from xml.etree import ElementTree as ET

from jidget.errors import JidgetError, LinkError, RequestTimeout, StanzaError
from jidget.xmpp.login import Login
from jidget.xmpp.managed_stream import ManagedStream
from jidget.xmpp.network import Network
from jidget.xmpp.timing import Timing
from jidget.xmpp.wire import Wire
from jidget.xmpp.xml import CLIENT, PING, STANZAS, element, escape, serialise

log = logging.getLogger(__name__)

REQUEST_TIMEOUT = 20.0
PATIENCE = 0.7
"""Parts of the liveness interval that the server may be silent for when it was asked: noticed within 20 s at most."""
OVERDUE = 60.0
"""Seconds after which an answer does not come any more, although the server answers other things."""
AFTER_RESUMING = 3.0
"""Seconds for the first answer after a session was taken over: if there is none, a new one must be begun."""
SLOWEST = 3000.0
"""Bytes a second: a server that takes a long stanza no faster (Prosody limits it so) is given the time for it."""
LONGEST = 250_000
"""Bytes of a stanza: servers end the stream over one of 256 KiB (Prosody's default)."""
_IQ = f"{{{CLIENT}}}iq"
_ERROR = f"{{{CLIENT}}}error"


class _Request(NamedTuple):
    """A request of ours: from whom an answer counts, and when it was asked, by the loop's clock."""

    senders: frozenset[str | None]
    answer: asyncio.Future[ET.Element]
    asked: float


class StanzaTooLong(LinkError):
    """A stanza is longer than servers take; it was not sent."""


def boottime() -> float:
    """Return seconds that go on counting while the machine sleeps, and that nobody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Link:
    """Our side of one account's connection; the stream under it comes and goes.

    Attributes:
        login: as whom.
        receive: given every stanza that is not the answer to a request of ours.
        network: ends waits early while somebody listens to it.
    """

    def __init__(
        self,
        login: Login,
        receive: Callable[[ET.Element], None],
        *,
        liveness: float = 10.0,
        timing: Timing | None = None,
    ) -> None:
        """`liveness` is after how many seconds of silence the server is asked for a sign of life."""
        self.login = login
        self.receive = receive
        self._timing = timing or Timing()
        self._liveness = liveness
        self.network = Network()
        self._wire = Wire(login, self._on_stanza, self._timing, pause=self.network.pause)
        self._watched = False
        self._pending: dict[str, _Request] = {}
        self._ids = itertools.count(1)
        self._prefix = secrets.token_hex(4)
        self._answered = 0.0
        self._proved: float | None = None

    def tell_gaps(self, on_gap: Callable[[JidgetError | None], None]) -> None:
        """Have it called with the reason while a session is without a connection, and with None when it has one."""
        self._wire.on_gap = on_gap

    @property
    def full(self) -> str:
        """Return our full JID."""
        return f"{self.login.jid}/{self.login.resource}"

    @property
    def connected(self) -> bool:
        """Whether a bound stream is there; it may be dead without anybody knowing yet."""
        return self._wire.connected

    @property
    def in_session(self) -> bool:
        """Whether what is sent arrives sooner or later, unless the server forgets us: also in a gap."""
        return self._wire.stream is not None

    @property
    def begun(self) -> bool:
        """Whether the next session is there already, so that there is nothing to wait for before it."""
        return self._wire.begun

    def fresh(self) -> bool:
        """Whether the server proved within the last seconds that what it sends us now is not old (DESIGN 4.5)."""
        return self.connected and self._proved is not None and boottime() - self._proved <= self._timing.fresh

    @asynccontextmanager
    async def session(self) -> AsyncIterator[ManagedStream]:
        """Log in for the time of the context; outstanding requests fail with it.

        Raises:
            JidgetError: as `jidget.xmpp.opening.open_stream` does.
        """
        stream = await self._wire.open()
        stream.closed.add_done_callback(self._on_closed)
        try:
            yield stream
        finally:
            self._proved = None
            await self._wire.end()
            self._fail_pending()

    async def close(self) -> None:
        """Close what a session that ended may have left behind; call it when none is to follow."""
        await self._wire.close()

    def _on_closed(self, _closed: object) -> None:
        if not self._watched:  # else whoever watches takes over
            self._fail_pending()

    def _fail_pending(self) -> None:
        for request in self._pending.values():
            if not request.answer.done():
                request.answer.set_exception(LinkError("the link was lost before the answer came"))
        self._pending.clear()

    async def stay_alive(self) -> JidgetError:
        """Keep the session over as many connections as it takes; return why it ended.

        A server that says nothing at all although it was asked is given up, and the session taken over by another
        connection. It is asked more often than `liveness` where it must be for commands to count as fresh.
        """
        self._watched = True
        try:
            while True:
                stream = self._wire.stream
                if stream is None:
                    return LinkError("not connected")
                stream.closed.add_done_callback(self._on_closed)
                error = await self._watch(stream)
                ended = await self._wire.take_over(error)
                if ended is not None:
                    return ended
        finally:
            self._watched = False

    async def _watch(self, stream: ManagedStream) -> JidgetError:
        """Ask the server for a sign of life now and then until the connection ends; return why it did."""
        loop = asyncio.get_running_loop()
        interval = min(self._liveness, self._timing.fresh / 2)
        hears_us = not stream.resumed
        while not stream.closed.done():
            asked, had = loop.time(), stream.management.acknowledged
            stream.ask()
            patience = PATIENCE * self._liveness + stream.management.largest / SLOWEST
            if not hears_us:
                patience = min(patience, AFTER_RESUMING + stream.management.size / SLOWEST)
            pong = await self._answers(stream, patience)
            # What others say is no sign that we are heard; an answer is one, and what the server has of ours.
            if pong or self._answered >= asked or stream.management.acknowledged != had:
                hears_us = True
                self._fail_overdue()
            elif not stream.closed.done():
                if not hears_us:  # Prosody 0.12 takes what we say for the rest of a stanza that was cut
                    stream.management.give_up()
                await stream.discard()
                return LinkError(f"the server has been silent for {loop.time() - (self._answered or asked):.0f} s")
            await asyncio.wait((stream.closed,), timeout=max(0.0, asked + interval - loop.time()))
        return await stream.closed

    def _fail_overdue(self) -> None:
        """Let go of what the server answers no more, although it answers what came later."""
        before = asyncio.get_running_loop().time() - OVERDUE
        if self._wire.since > before:
            return
        for request in self._pending.values():
            if request.asked < before and not request.answer.done():
                request.answer.set_exception(RequestTimeout(f"the server did not answer within {OVERDUE:.0f} s"))

    async def _answers(self, stream: ManagedStream, patience: float) -> bool:
        """Ping; return whether the answer came in time."""
        proof = asyncio.create_task(self.prove(timeout=None), name="ping")
        try:
            await asyncio.wait((proof, stream.closed), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            return proof.done() and not proof.cancelled() and proof.exception() is None
        finally:
            proof.cancel()

    async def prove(self, *, timeout: float | None = REQUEST_TIMEOUT) -> None:
        """Have the server answer a ping (XEP-0199): a proof that what arrives from now on is not from before it.

        Raises:
            LinkError: no answer.
        """
        asked = boottime()
        ping = element(f"{{{PING}}}ping")
        with suppress(StanzaError):  # a refusal is an answer as good as any
            await self.request("get", ping, to=self.login.domain, timeout=timeout)
        self._proved = asked

    async def request(
        self,
        kind: str,
        payload: ET.Element,
        *,
        to: str | None = None,
        timeout: float | None = REQUEST_TIMEOUT,
        key: str = "",
    ) -> ET.Element:
        """Send an IQ and return the result stanza. Without `to` it is for our own account; `key` becomes its id.

        `timeout` is in seconds of connection: a gap does not count. None: as long as there is a session.

        Raises:
            StanzaError: the answer is an error.
            RequestTimeout: no answer in time.
            LinkError: not connected, or the session was lost meanwhile.
        """
        return await self.request_text(kind, serialise(payload), to=to, timeout=timeout, key=key)

    async def request_text(
        self,
        kind: str,
        payload: str,
        *,
        to: str | None = None,
        timeout: float | None = REQUEST_TIMEOUT,
        key: str = "",
    ) -> ET.Element:
        """Do as `request` does with a payload that is serialised already."""
        stanza_id = key or f"{self._prefix}{next(self._ids)}"
        answer: asyncio.Future[ET.Element] = asyncio.get_running_loop().create_future()
        senders = frozenset((to,)) if to else frozenset((None, self.login.jid, self.full, self.login.domain))
        if to == self.login.jid:
            senders |= {None}
        address = f" to='{escape(to)}'" if to else ""
        self._pending[stanza_id] = _Request(senders, answer, asyncio.get_running_loop().time())
        try:
            self._write(f"<iq type='{kind}' id='{escape(stanza_id)}'{address}>{payload}</iq>")
            reply = await (answer if timeout is None else self._within(timeout, answer, to))
        finally:
            self._pending.pop(stanza_id, None)
        if reply.get("type") == "error":
            raise stanza_error(reply)
        return reply

    async def _within(self, timeout: float, answer: asyncio.Future[ET.Element], to: str | None) -> ET.Element:
        """Wait for an answer for so many seconds of one connection."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        wait = timeout
        while wait > 0:
            await asyncio.wait((answer,), timeout=wait)
            if answer.done():
                return answer.result()
            wait = max(asked, self._wire.since) + timeout - loop.time() if self.connected else timeout
        raise RequestTimeout(f"{to or 'the server'} did not answer within {timeout:g} s")

    def send(self, stanza: ET.Element) -> None:
        """Send a stanza that needs no answer.

        Raises:
            LinkError: not connected, or the stanza is longer than servers take.
        """
        self._write(serialise(stanza))

    def _write(self, text: str) -> None:
        if len(text) > LONGEST:
            raise StanzaTooLong(f"a stanza of {len(text)} bytes is more than servers take: {text[:60]}…")
        self._wire.write(text)

    def _on_stanza(self, stanza: ET.Element) -> None:
        if stanza.tag == _IQ and stanza.get("type") in ("result", "error"):
            request = self._pending.get(stanza.get("id", ""))
            if request is not None and stanza.get("from") in request.senders and not request.answer.done():
                self._answered = asyncio.get_running_loop().time()
                request.answer.set_result(stanza)
            return
        self.receive(stanza)


def stanza_error(stanza: ET.Element) -> StanzaError:
    """Return the error that a stanza of type error carries (RFC 6120 8.3)."""
    condition, text, application = "undefined-condition", "", ""
    error = stanza.find(_ERROR)
    for child in error if error is not None else ():
        namespace, _, name = child.tag[1:].partition("}")
        if namespace != STANZAS:
            application = name
        elif name == "text":
            text = child.text or ""
        else:
            condition = name
    return StanzaError(condition, text, application)
