"""A session's way to the server: one connection after another, each taking over what the last one left (XEP-0198 5).

What is written is queued before it is sent, so that nothing is lost between two connections; where the server has
forgotten the session, or never kept one, it ends with its connection.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from jidget.errors import JidgetError, LinkError, LoginRefused, ReplacedError
from jidget.supervise import Backoff
from jidget.xmpp.answers import Answers
from jidget.xmpp.certificate import CertificateUntrusted
from jidget.xmpp.login import Login
from jidget.xmpp.managed_stream import ManagedStream
from jidget.xmpp.opening import open_stream
from jidget.xmpp.stream import OnStanza
from jidget.xmpp.stream_management import MOST_BYTES, TooMuch
from jidget.xmpp.timing import Timing
from jidget.xmpp.troubles import StreamEnded

LONGEST_PAUSE = 4.0
"""Seconds between attempts to take over: who sent a command in the meantime waits for its answer."""
ROOM = 32 * 1024
"""Bytes that may wait for the server when a long stanza is sent."""
LOOK_AGAIN = 5.0
_FINAL = (ReplacedError, StreamEnded, LoginRefused, CertificateUntrusted)
"""After these there is nothing to take over, or nobody to be trusted with it."""


class Wire:
    """One session after another, each over as many connections as it takes.

    Attributes:
        stream: the session's last connection; None without a session.
        since: when it was made, by the loop's clock.
        answers: what is kept over the end of a session.
        on_gap: told why there is no connection although the session goes on, and None when there is one again.
    """

    def __init__(
        self,
        login: Login,
        on_stanza: OnStanza,
        timing: Timing,
        *,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`pause` waits for some seconds, or less if there is news of the network."""
        self.stream: ManagedStream | None = None
        self.since = 0.0
        self.on_gap: Callable[[JidgetError | None], None] = lambda _: None
        self._login = login
        self._on_stanza = on_stanza
        self._timing = timing
        self._pause = pause
        self._next: ManagedStream | None = None
        self.answers = Answers()
        self._acknowledged = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether there is a connection; it may be dead without anybody knowing yet."""
        return self.stream is not None and not self.stream.closed.done()

    @property
    def queued(self) -> int:
        """Return how many bytes the server is not known to have."""
        return 0 if self.stream is None else self.stream.management.size

    async def open(self) -> ManagedStream:
        """Begin a session.

        Raises:
            JidgetError: as `open_stream` does.
        """
        self.stream = None  # of an attempt that was given up at the last moment
        stream, self._next = self._next, None
        if stream is None or stream.closed.done():
            stream = await open_stream(self._login, self._on_stanza, self._adopt, timeout=self._timing.login)
        self._adopt(stream)
        return stream

    @property
    def begun(self) -> bool:
        """Whether there is a new session already, begun where the last one was to be taken over."""
        return self._next is not None and not self._next.closed.done()

    async def end(self) -> None:
        """End the session; one that was begun in its place remains."""
        stream, self.stream = self.stream, None
        if stream is not None:
            await stream.close()  # always ends with `closed` done
            self.answers.left(stream.management.unacknowledged)

    async def close(self) -> None:
        """End all there is."""
        await self.end()
        stream, self._next = self._next, None
        if stream is not None:
            await stream.close()

    def write(self, text: str) -> None:
        """Send a stanza, now or by the next connection; without a session, an answer in the next one.

        Raises:
            LinkError: there is no session.
        """
        stream = self.stream
        if stream is None:
            if self.answers.keep(text):
                return
            raise LinkError("not connected")
        try:
            ask = stream.management.sent(text)
            if not stream.management.active and stream.unsent > MOST_BYTES:
                raise TooMuch  # noqa: TRY301  # the same trouble, where the server acknowledges nothing
        except TooMuch:
            stream.management.give_up()
            stream.fail(LinkError("the server does not take what it is sent"))
            raise LinkError("too much waits for the server") from None
        if self.connected:
            stream.write_stanza(text, ask=ask)
        elif not stream.management.resumable:
            raise LinkError("not connected")

    async def room(self) -> None:
        """Wait until little enough waits for the server that a long stanza holds up nobody for minutes."""
        while (stream := self.stream) is not None and stream.management.size > ROOM:
            self._acknowledged.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN):  # the session may have ended meanwhile
                    await self._acknowledged.wait()

    async def take_over(self, error: JidgetError) -> JidgetError | None:
        """Go on with the session over a new connection after `error` ended the last one; return why not, if so."""
        stream = self.stream
        if stream is None or isinstance(error, _FINAL) or not stream.management.resumable:
            return error
        await stream.discard()
        management, loop = stream.management, asyncio.get_running_loop()
        lost_at = loop.time()
        backoff = Backoff(self._timing.first_pause, min(self._timing.longest_pause, LONGEST_PAUSE))
        while management.resumable and loop.time() - lost_at < management.seconds:
            self.on_gap(error)
            await self._pause(backoff.next())
            try:
                following = await open_stream(
                    self._login, self._on_stanza, self._adopt, timeout=self._timing.login, earlier=management
                )
            except _FINAL as failed:
                return failed
            except JidgetError as failed:
                error = failed
                continue
            if following.resumed:
                self.on_gap(None)
                return None
            self._next = following
            return LinkError("the server has forgotten our session")
        return error

    def _adopt(self, stream: ManagedStream) -> None:
        """Write to this connection from now on."""
        if self.stream is None or stream.resumed:
            self.stream = stream
            stream.management.on_acknowledged = self._acknowledged.set
            self.since = asyncio.get_running_loop().time()
