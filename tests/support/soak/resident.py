"""Somebody who is always logged in: whenever the stream ends they log in again, as the same resource."""

import asyncio
from collections.abc import Callable
from xml.etree import ElementTree as ET

from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.xmlstream import StanzaBase
from tests.support.accounts import Account
from tests.support.asking import CLIENT, Refused
from tests.support.client import LoginFailedError
from tests.support.people import Person
from tests.support.signals import Signal

_PAUSE = 0.1
"""Seconds between attempts to log in: we are never the reason why something takes long."""


class NoAnswer(Exception):
    """The answer did not come: in time, or at all, because there is no stream."""


class _Visit(Person):
    """One login."""

    def __init__(self, account: Account, agent: str, resource: str, hear: Callable[[ET.Element], None]) -> None:
        self._hear = hear
        super().__init__(account, agent, resource, follows=True)

    def _keep(self, stanza: StanzaBase) -> StanzaBase:
        self._hear(stanza.xml)
        return stanza


class Resident:
    """One resource of an account that stays.

    Attributes:
        agent: the full JID of the agent.
        here: whether it is logged in and available.
        logins: how often it logged in.
        changed: wakes whoever waits for these.
    """

    def __init__(self, account: Account, agent: str, resource: str) -> None:
        self.account = account
        self.agent = agent
        self.resource = resource
        self.here = False
        self.logins = 0
        self.changed = Signal()
        self._visit: _Visit | None = None
        self._asked: dict[str, asyncio.Future[ET.Element]] = {}
        self._ids = 0
        self._broken: asyncio.Future[None] | None = None
        self._welcome = asyncio.Event()
        self._welcome.set()

    def hear(self, stanza: ET.Element) -> None:
        """Take a stanza that is no answer to `ask`. For subclasses; an exception ends `stay`."""

    async def stay(self) -> None:
        """Stay logged in until cancelled.

        Raises:
            Exception: what `hear` raised.
        """
        self._broken = asyncio.get_running_loop().create_future()
        while True:
            await self._welcome.wait()
            try:
                await self._visit_once(self._broken)
            except (LoginFailedError, TimeoutError, IqError, IqTimeout, OSError):
                pass  # the server is away, or thinks that we are: again
            finally:
                self._leave()
            if self._broken.done():
                self._broken.result()
            await asyncio.sleep(_PAUSE)

    def go(self) -> None:
        """Be gone, without a word, until `come_back`."""
        self._welcome.clear()
        if self._visit is not None:
            self._visit.xmpp.abort()

    def come_back(self) -> None:
        """Log in again after `go`."""
        self._welcome.set()

    def send(self, stanza: str) -> bool:
        """Send XML; return whether there is a stream to send it by."""
        if self._visit is None or not self.here:
            return False
        self._visit.xmpp.send_raw(stanza)
        return True

    async def ask(self, kind: str, payload: str, *, to: str = "", timeout: float = 5.0) -> ET.Element:
        """Send an IQ to the agent, or to somebody else, and return its answer.

        Raises:
            Refused: the answer is an error.
            NoAnswer: there is none.
        """
        self._ids += 1
        stanza_id = f"ask-{self._ids}"
        answer = self._asked[stanza_id] = asyncio.get_running_loop().create_future()
        try:
            if not self.send(f"<iq type='{kind}' id='{stanza_id}' to='{to or self.agent}'>{payload}</iq>"):
                raise NoAnswer
            async with asyncio.timeout(timeout):
                stanza: ET.Element = await answer
        except TimeoutError:
            raise NoAnswer from None
        finally:
            del self._asked[stanza_id]
        if stanza.get("type") == "error":
            error = stanza.find(f"{CLIENT}error")
            raise NoAnswer if error is None else Refused(error)
        return stanza

    async def _visit_once(self, broken: asyncio.Future[None]) -> None:
        visit = _Visit(self.account, self.agent, self.resource, self._listen)
        try:
            await self._stay_as(visit, broken)
        finally:
            if (sending := visit.xmpp._run_out_filters) is not None:  # slixmpp leaves it to wait for ever
                sending.cancel()

    async def _stay_as(self, visit: _Visit, broken: asyncio.Future[None]) -> None:
        async with visit:
            gone = visit.xmpp.disconnected
            appearing = asyncio.ensure_future(visit.appear())
            await asyncio.wait((appearing, gone, broken), return_when=asyncio.FIRST_COMPLETED)
            if not appearing.done():
                appearing.cancel()
                return
            appearing.result()
            self._visit, self.here = visit, True
            self.logins += 1
            self.changed()
            await asyncio.wait((gone, broken), return_when=asyncio.FIRST_COMPLETED)

    def _leave(self) -> None:
        self._visit, self.here = None, False
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(NoAnswer())
        self.changed()

    def _listen(self, stanza: ET.Element) -> None:
        answer = self._asked.get(stanza.get("id", "")) if stanza.tag == f"{CLIENT}iq" else None
        if answer is not None and stanza.get("type") in ("result", "error"):
            if not answer.done():
                answer.set_result(stanza)
            return
        try:
            self.hear(stanza)
        except Exception as error:  # slixmpp would log it and go on; it is for whoever runs us
            if self._broken is not None and not self._broken.done():
                self._broken.set_exception(error)
