"""The link: requests and answers over the current stream, and whether the server is still there.

XEP-0198 belongs here when it comes: what the rooms above see (requests, sending, freshness) stays the same.
"""

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from xml.etree import ElementTree as ET

from jidget.errors import JidgetError, LinkError, RequestTimeout, StanzaError
from jidget.xmpp.login import Login
from jidget.xmpp.opening import open_stream
from jidget.xmpp.stream import Stream
from jidget.xmpp.timing import Timing
from jidget.xmpp.xml import CLIENT, PING, STANZAS, element, escape, serialise

log = logging.getLogger(__name__)

REQUEST_TIMEOUT = 20.0
_IQ = f"{{{CLIENT}}}iq"
_ERROR = f"{{{CLIENT}}}error"


def boottime() -> float:
    """Return seconds that go on counting while the machine sleeps, and that nobody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Link:
    """Our side of one account's connection; the stream under it comes and goes.

    Attributes:
        login: as whom.
        receive: given every stanza that is not the answer to a request of ours.
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
        self._stream: Stream | None = None
        self._pending: dict[str, tuple[frozenset[str | None], asyncio.Future[ET.Element]]] = {}
        self._ids = itertools.count(1)
        self._prefix = secrets.token_hex(4)
        self._heard = 0.0
        self._proved: float | None = None

    @property
    def full(self) -> str:
        """Return our full JID."""
        return f"{self.login.jid}/{self.login.resource}"

    @property
    def connected(self) -> bool:
        """Whether a bound stream is there; it may be dead without anybody knowing yet."""
        return self._stream is not None

    def fresh(self) -> bool:
        """Whether the server proved within the last seconds that what it sends us now is not old (DESIGN 4.5)."""
        return self._proved is not None and boottime() - self._proved <= self._timing.fresh

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Stream]:
        """Log in for the time of the context; outstanding requests fail with it.

        Raises:
            JidgetError: as `open_stream` does.
        """
        stream = await open_stream(self.login, self._on_stanza, timeout=self._timing.login)
        self._stream = stream
        stream.closed.add_done_callback(self._fail_pending)
        try:
            yield stream
        finally:
            self._stream = self._proved = None
            await stream.close()  # always ends with `closed` done

    def _fail_pending(self, _closed: object) -> None:
        for _, answer in self._pending.values():
            if not answer.done():
                answer.set_exception(LinkError("the link was lost before the answer came"))
        self._pending.clear()

    async def stay_alive(self) -> JidgetError:
        """Ask the server for a sign of life now and then until the stream ends; return why it did.

        A server that says nothing at all for twice the liveness interval is given up. It is asked more often than that
        where it must be for commands to count as fresh.
        """
        stream = self._require()
        loop = asyncio.get_running_loop()
        interval = min(self._liveness, self._timing.fresh / 2)
        while not stream.closed.done():
            asked = loop.time()
            try:
                await self.prove()
            except RequestTimeout:
                if self._heard < asked:
                    await stream.discard()
                    return LinkError(f"the server has been silent for {loop.time() - self._heard:.0f} s")
            except LinkError:
                break
            await asyncio.wait((stream.closed,), timeout=max(0.0, asked + interval - loop.time()))
        return await stream.closed

    async def prove(self) -> None:
        """Have the server answer a ping (XEP-0199): a proof that what arrives from now on is not from before it.

        Raises:
            LinkError: no answer.
        """
        asked = boottime()
        ping = element(f"{{{PING}}}ping")
        with suppress(StanzaError):  # a refusal is an answer as good as any
            await self.request("get", ping, to=self.login.domain, timeout=self._liveness)
        self._proved = asked

    async def request(
        self,
        kind: str,
        payload: ET.Element,
        *,
        to: str | None = None,
        timeout: float = REQUEST_TIMEOUT,
        key: str = "",
    ) -> ET.Element:
        """Send an IQ and return the result stanza. Without `to` it is for our own account; `key` becomes its id.

        Raises:
            StanzaError: the answer is an error.
            RequestTimeout: no answer in time.
            LinkError: not connected, or the link was lost meanwhile.
        """
        return await self.request_text(kind, serialise(payload), to=to, timeout=timeout, key=key)

    async def request_text(
        self, kind: str, payload: str, *, to: str | None = None, timeout: float = REQUEST_TIMEOUT, key: str = ""
    ) -> ET.Element:
        """Do as `request` does with a payload that is serialised already."""
        stream = self._require()
        stanza_id = key or f"{self._prefix}{next(self._ids)}"
        answer: asyncio.Future[ET.Element] = asyncio.get_running_loop().create_future()
        senders = frozenset((to,)) if to else frozenset((None, self.login.jid, self.full, self.login.domain))
        if to == self.login.jid:
            senders |= {None}
        self._pending[stanza_id] = (senders, answer)
        address = f" to='{escape(to)}'" if to else ""
        try:
            stream.write(f"<iq type='{kind}' id='{escape(stanza_id)}'{address}>{payload}</iq>")
            async with asyncio.timeout(timeout):
                reply = await answer
        except TimeoutError:
            raise RequestTimeout(f"{to or 'the server'} did not answer within {timeout:g} s") from None
        finally:
            self._pending.pop(stanza_id, None)
        if reply.get("type") == "error":
            raise stanza_error(reply)
        return reply

    def send(self, stanza: ET.Element) -> None:
        """Send a stanza that needs no answer.

        Raises:
            LinkError: not connected.
        """
        self._require().write(stanza)

    def _require(self) -> Stream:
        if self._stream is None:
            raise LinkError("not connected")
        return self._stream

    def _on_stanza(self, stanza: ET.Element) -> None:
        self._heard = asyncio.get_running_loop().time()
        if stanza.tag == _IQ and stanza.get("type") in ("result", "error"):
            senders, answer = self._pending.get(stanza.get("id", ""), (frozenset(), None))
            if answer is not None and stanza.get("from") in senders and not answer.done():
                answer.set_result(stanza)
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
