"""The agent's session: logs in, keeps at it, and does on each login what has to be done, in order."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from jidget.errors import JidgetError, LinkError, LoginRefused, ReplacedError, StanzaError
from jidget.supervise import Backoff
from jidget.xmpp.certificate import CertificateUntrusted
from jidget.xmpp.link import Link
from jidget.xmpp.pep import NoPep, Pep
from jidget.xmpp.presence import Presence
from jidget.xmpp.roster import Roster
from jidget.xmpp.router import Router

log = logging.getLogger(__name__)

REPLACED_TWICE = 600.0
"""Seconds in which a second replacement by another client ends the process (DESIGN 3)."""
REFUSED_PAUSE = 900.0
"""Seconds between attempts with a password that once worked."""
UNTRUSTED_PAUSE = 300.0
PROVISION_PAUSE = 300.0
"""Seconds before a server that had no PEP for us is asked again."""
STABLE = 30.0
"""Seconds of link after which the next loss begins with short pauses again."""


class Session:
    """Keeps the agent logged in.

    Attributes:
        since: UTC seconds since when the link is up; None while it is down.
        trouble: why there is no link, for people; empty while there is one.
        password_worked: whether the server ever took our password.
    """

    def __init__(
        self,
        link: Link,
        router: Router,
        *,
        presence: Presence,
        pep: Pep,
        roster: Roster | None,
        on_provisioned: Callable[[], Awaitable[object]],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the rooms it works with.

        Args:
            link: our connection.
            router: serves what comes in.
            presence: our presence.
            pep: our nodes.
            roster: None on somebody's personal account.
            on_provisioned: awaited when the nodes are there, before anything is published.
            on_change: called when the link came or went.
        """
        self._link = link
        self._router = router
        self._presence = presence
        self._pep = pep
        self._roster = roster
        self._on_provisioned = on_provisioned
        self._on_change = on_change
        self._backoff = Backoff()
        self._replaced_at: float | None = None
        self.since: float | None = None
        self.trouble = "not connected yet"
        self.password_worked = False

    async def run(self) -> None:
        """Stay logged in until cancelled.

        Raises:
            LoginRefused: the password never worked.
            ReplacedError: another client took our resource twice in a short time.
        """
        async with self._router.serving(self._link):
            while True:
                error = await self._connect_once()
                await asyncio.sleep(self._pause_after(error))

    async def sign_off(self) -> None:
        """Tell everybody that we go; the stream is closed by cancelling `run`."""
        if self._link.connected:
            try:
                self._presence.leave()
            except LinkError as error:
                log.debug("no goodbye: %s", error)

    async def _connect_once(self) -> JidgetError:
        connected = time.monotonic()
        try:
            async with self._link.session() as stream:
                connected = time.monotonic()
                self.password_worked = True
                tls = stream.socket.version() if stream.socket is not None else "no TLS"
                log.info("logged in to %s as %s (%s)", self._link.login.address, self._link.full, tls)
                error = await self._live()
        except JidgetError as failed:
            error = failed
        finally:
            self._pep.lost()
            was_up, self.since = self.since is not None, None
        if time.monotonic() - connected >= STABLE:
            self._backoff.reset()
        if was_up or str(error) != self.trouble:
            log.warning("no link: %s", error)
        self.trouble = str(error)
        self._on_change()
        return error

    def _pause_after(self, error: JidgetError) -> float:
        match error:
            case LoginRefused() if not self.password_worked:
                raise error
            case LoginRefused():
                return REFUSED_PAUSE
            case ReplacedError():
                now = time.monotonic()
                if self._replaced_at is not None and now - self._replaced_at < REPLACED_TWICE:
                    raise ReplacedError(
                        f"{error}, twice within {REPLACED_TWICE / 60:.0f} minutes. Give one of the two another "
                        "resource in xmpp.jid, or stop it"
                    ) from error
                self._replaced_at = now
            case CertificateUntrusted():
                return max(self._backoff.next(), UNTRUSTED_PAUSE)
            case _:
                pass
        return self._backoff.next()

    async def _live(self) -> JidgetError:
        """Do all that a login asks for, then wait for the end of the stream; return why it ended."""
        async with asyncio.TaskGroup() as tasks:
            starting = tasks.create_task(self._start(), name="session start")
            error = await self._link.stay_alive()
            starting.cancel()
        return error

    async def _start(self) -> None:
        try:
            await self._link.prove()  # before our presence: from now on commands can be told fresh from stale
            self.since, self.trouble = time.time(), ""
            self._on_change()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._presence.keep(), name="presence")
                tasks.create_task(self._sync_roster(), name="roster")
                tasks.create_task(self._provision(), name="provision")
        except* LinkError as group:
            log.debug("the session's start was cut short: %s", group.exceptions[0])

    async def _sync_roster(self) -> None:
        if self._roster is not None:
            try:
                await self._roster.sync()
            except StanzaError as error:
                log.warning("the server refuses to change the roster: %s. People may have to add us by hand", error)

    async def _provision(self) -> None:
        """Make our nodes, and make them again whenever a publish found them gone."""
        while True:
            try:
                await self._pep.provision()
            except NoPep as error:
                log.warning("nothing is published: %s", error)
                self._on_change()
                await asyncio.sleep(PROVISION_PAUSE)
                continue
            self._on_change()
            await self._on_provisioned()
            self._pep.open()
            await self._pep.unready()
            await asyncio.sleep(self._backoff.next())
