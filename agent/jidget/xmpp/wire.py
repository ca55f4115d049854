"""A session's way to the server: one connection after another, each taking over what the last one left (XEP-0198 5).

What is written is queued before it is sent, so that nothing is lost between two connections; where the server has
forgotten the session, or never kept one, it ends with its connection. What others wait for is then sent again in the
next session, if that comes soon: an answer that arrives twice, with the same id, is better than one that never does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from jidget.errors import JidgetError, LinkError, LoginRefused, ReplacedError
from jidget.supervise import Backoff
from jidget.xmpp.certificate import CertificateUntrusted
from jidget.xmpp.login import Login
from jidget.xmpp.managed_stream import ManagedStream
from jidget.xmpp.opening import open_stream
from jidget.xmpp.stream import OnStanza
from jidget.xmpp.stream_management import TooMuch
from jidget.xmpp.timing import Timing
from jidget.xmpp.troubles import StreamEnded

LONGEST_PAUSE = 4.0
"""Seconds between attempts to take over: who sent a command in the meantime waits for its answer."""
STILL_WANTED = 60.0
"""Seconds for which somebody waits for an answer that was lost with its session."""
_FINAL = (ReplacedError, StreamEnded, LoginRefused, CertificateUntrusted)
"""After these there is nothing to take over, or nobody to be trusted with it."""


class Wire:
    """One session after another, each over as many connections as it takes.

    Attributes:
        stream: the session's last connection; None without a session.
        since: when it was made, by the loop's clock.
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
        self._left: Sequence[str] = ()
        self._left_at = 0.0

    @property
    def connected(self) -> bool:
        """Whether there is a connection; it may be dead without anybody knowing yet."""
        return self.stream is not None and not self.stream.closed.done()

    async def open(self) -> ManagedStream:
        """Begin a session.

        Raises:
            JidgetError: as `open_stream` does.
        """
        stream, self._next = self._next, None
        if stream is None or stream.closed.done():
            stream = await open_stream(self._login, self._on_stanza, self._adopt, timeout=self._timing.login)
        self._adopt(stream)
        left, self._left = self._left, ()
        if asyncio.get_running_loop().time() - self._left_at <= STILL_WANTED:
            for text in left:
                self.write(text)
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
            self._left, self._left_at = stream.management.answers, asyncio.get_running_loop().time()

    async def close(self) -> None:
        """End all there is."""
        await self.end()
        stream, self._next = self._next, None
        if stream is not None:
            await stream.close()

    def write(self, text: str) -> None:
        """Send a stanza, now or by the next connection.

        Raises:
            LinkError: there is no session.
        """
        stream = self.stream
        if stream is None:
            raise LinkError("not connected")
        try:
            ask = stream.management.sent(text)
        except TooMuch:
            stream.fail(LinkError("the server does not acknowledge what it gets"))
            raise LinkError("too much waits for the server") from None
        if self.connected:
            stream.write(text)
            if ask:
                stream.ask()
        elif not stream.management.resumable:
            raise LinkError("not connected")

    async def take_over(self, error: JidgetError) -> JidgetError | None:
        """Go on with the session over a new connection after `error` ended the last one; return why not, if so."""
        stream = self.stream
        if stream is None or isinstance(error, _FINAL) or not stream.management.resumable:
            return error
        await stream.discard()
        management, loop = stream.management, asyncio.get_running_loop()
        lost_at = loop.time()
        backoff = Backoff(self._timing.first_pause, min(self._timing.longest_pause, LONGEST_PAUSE))
        while loop.time() - lost_at < management.seconds:
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
            self.since = asyncio.get_running_loop().time()
