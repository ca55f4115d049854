"""The link: requests and answers over the current session, and whether the server is still there.

A session outlives its connections (`jidget.xmpp.wire`): what was asked is answered after a gap, and nobody above needs
to know that there was one. What arrives is fresh only if the server has answered a ping that we sent a short time ago:
servers bring what waited for us, commands too, without saying how old it is.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from xml.etree import ElementTree as ET

from jidget.errors import JidgetError, LinkError, RequestTimeout, StanzaError
from jidget.safety.memory import boottime
from jidget.xmpp.login import Login
from jidget.xmpp.managed_stream import ManagedStream
from jidget.xmpp.network import Network
from jidget.xmpp.pending import Pending, Request, stanza_error
from jidget.xmpp.timing import Timing
from jidget.xmpp.wire import Wire
from jidget.xmpp.xml import CLIENT, PING, element, escape, serialise

REQUEST_TIMEOUT = 20.0
PATIENCE = 0.7
"""Parts of the liveness interval that the server may be silent for when it was asked: noticed within 20 s at most."""
BUSY, LONG = 1000.0, 4096
"""Bytes a second, and for each stanza, that come in where a long one is on its way to us."""
AFTER_RESUMING = 3.0
"""Seconds for the first answer after a session was taken over: if there is none, a new one must be begun."""
SLOWEST = 3000.0
"""Bytes a second: a server that takes a long stanza no faster (Prosody limits it so) is given the time for it."""
LONGEST = 250_000
"""Bytes of a stanza: servers end the stream over one of 256 KiB (Prosody's default)."""
_IQ = f"{{{CLIENT}}}iq"


class StanzaTooLong(LinkError):
    """A stanza is longer than servers take; it was not sent."""


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
        self._pending = Pending()
        self._ourselves = frozenset((None, login.jid, self.full, login.domain))
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

    def proof_age(self) -> float | None:
        """Return since how many seconds the server has proved that nothing it sends us now is older; None if never."""
        return boottime() - self._proved if self.connected and self._proved is not None else None

    def fresh(self) -> bool:
        """Whether the server proved within the last seconds that what it sends us now is not old (DESIGN 4.5)."""
        age = self.proof_age()
        return age is not None and age <= self._timing.fresh

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
            self._pending.fail()

    async def close(self) -> None:
        """Close what a session that ended may have left behind; call it when none is to follow."""
        await self._wire.close()

    def _on_closed(self, _closed: object) -> None:
        if not self._watched:  # else whoever watches takes over
            self._pending.fail()

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
            asked = loop.time()
            stream.ask()
            patience = PATIENCE * self._liveness + stream.management.largest / SLOWEST
            if not hears_us:
                patience = min(patience, AFTER_RESUMING + stream.management.size / SLOWEST)
            if await self._gives_sign(stream, patience):
                hears_us = True
                self._pending.fail_overdue(self._wire.since)
            elif not stream.closed.done():
                if not hears_us:  # Prosody 0.12 takes what we say for the rest of a stanza that was cut
                    stream.management.give_up()
                await stream.discard()
                silence = loop.time() - (self._pending.answered or asked)
                return LinkError(f"the server has been silent for {silence:.0f} s")
            await asyncio.wait((stream.closed,), timeout=max(0.0, asked + interval - loop.time()))
        return await stream.closed

    async def _gives_sign(self, stream: ManagedStream, patience: float) -> bool:
        """Ping; return whether the server answers that or something else, or has more of ours than before.

        What others say is no sign that we are heard. But where a long stanza comes in, the answer may be behind it.
        """
        loop = asyncio.get_running_loop()
        asked, had = loop.time(), stream.management.acknowledged
        proof = asyncio.create_task(self.prove(timeout=None), name="ping")
        try:
            while not stream.closed.done():
                began, brought, stanzas = loop.time(), stream.brought, stream.stanzas
                await asyncio.wait((proof, stream.closed), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if proof.done() and not proof.cancelled() and proof.exception() is None:
                    return True
                if self._pending.answered >= asked or stream.management.acknowledged != had:
                    return True
                least = max(BUSY * (loop.time() - began), LONG * (stream.stanzas - stanzas))
                if stream.brought - brought <= least or loop.time() - asked >= LONGEST / SLOWEST:
                    return False
        finally:
            proof.cancel()
        return False

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
        return await self.answer_to(self.ask(kind, payload, to=to, key=key), to=to, timeout=timeout)

    def ask(
        self,
        kind: str,
        payload: str,
        *,
        to: str | None = None,
        key: str = "",
        on_answer: Callable[[], None] | None = None,
    ) -> Request:
        """Send an IQ; wait for its answer with `answer_to`. `on_answer` is called, in the event loop, once it is there.

        Raises:
            LinkError: not connected, or the stanza is longer than servers take.
        """
        senders = self._ourselves if to is None else frozenset((to, None) if to == self.login.jid else (to,))
        address = f" to='{escape(to)}'" if to else ""
        if not self._watched and not self.connected:
            raise LinkError("not connected")  # and nobody is there to take over
        request = self._pending.add(key, senders, self._wire.queued / SLOWEST, on_answer)
        try:
            self._write(f"<iq type='{kind}' id='{escape(request.id)}'{address}>{payload}</iq>")
        except LinkError:
            self._pending.remove(request)
            raise
        return request

    async def answer_to(
        self, request: Request, *, to: str | None = None, timeout: float | None = REQUEST_TIMEOUT
    ) -> ET.Element:
        """Wait for the answer to what was asked; see `request`."""
        try:
            reply = await (request.answer if timeout is None else self._within(timeout, request, to))
        finally:
            self._pending.remove(request)
        if reply.get("type") == "error":
            raise stanza_error(reply)
        return reply

    async def _within(self, timeout: float, request: Request, to: str | None) -> ET.Element:
        """Wait for an answer for so many seconds of one connection, once the server has the request."""
        loop = asyncio.get_running_loop()
        wait = request.arrived + timeout - loop.time()
        while wait > 0:
            await asyncio.wait((request.answer,), timeout=wait)
            if request.answer.done():
                return request.answer.result()
            wait = max(request.arrived, self._wire.since) + timeout - loop.time() if self.connected else timeout
        raise RequestTimeout(f"{to or 'the server'} did not answer within {timeout:g} s")

    def send(self, stanza: ET.Element) -> None:
        """Send a stanza that needs no answer.

        Raises:
            LinkError: not connected, or the stanza is longer than servers take.
        """
        self._write(serialise(stanza))

    async def room(self) -> None:
        """Wait before something long is sent, until what was sent before is with the server."""
        await self._wire.room()

    def keep_answers(self, wanted: bool) -> None:
        """Say whether there is to be another session, for which answers are kept that this one loses."""
        self._wire.answers.wanted = wanted

    def send_again(self) -> None:
        """Send the answers that the last session has lost, and those that came when there was none.

        Raises:
            LinkError: not connected.
        """
        for text in self._wire.answers.take():
            self._wire.write(text)

    def _write(self, text: str) -> None:
        size = len(text) if text.isascii() else len(text.encode())
        if size > LONGEST:
            raise StanzaTooLong(f"a stanza of {size} bytes is more than servers take: {text[:60]}…")
        self._wire.write(text)

    def _on_stanza(self, stanza: ET.Element) -> None:
        if stanza.tag == _IQ and stanza.get("type") in ("result", "error"):
            self._pending.settle(stanza)
            return
        self.receive(stanza)
