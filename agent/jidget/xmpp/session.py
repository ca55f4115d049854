"""The agent's session: logs in, keeps at it, and does on each login what has to be done, in order."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from jidget.durations import format_duration
from jidget.errors import JidgetError, LinkError, LoginRefused, ReplacedError, StanzaError
from jidget.supervise import Backoff
from jidget.xmpp.certificate import CertificateUntrusted
from jidget.xmpp.link import Link
from jidget.xmpp.nodes import NoPep
from jidget.xmpp.pep import Pep
from jidget.xmpp.presence import Presence
from jidget.xmpp.roster import Roster
from jidget.xmpp.router import Router
from jidget.xmpp.timing import Timing

log = logging.getLogger(__name__)


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
        timing: Timing | None = None,
    ) -> None:
        """Take the rooms it works with.

        Args:
            link: our connection.
            router: serves what comes in.
            presence: our presence.
            pep: our nodes.
            roster: None on somebody's personal account.
            on_provisioned: awaited when the nodes are there, and after an outage, before anything is published.
            on_change: called when the link came or went, and when it turned out whether readings can be published.
            timing: how long to wait for what.
        """
        self._link = link
        self._router = router
        self._presence = presence
        self._pep = pep
        self._roster = roster
        self._on_provisioned = on_provisioned
        self._back = asyncio.Event()
        self._gap_began = 0.0
        self._on_change = on_change
        self._timing = timing or Timing()
        self._backoff = Backoff(self._timing.first_pause, self._timing.longest_pause)
        self._replaced_at: float | None = None
        self._unpublished = ""
        self.since: float | None = None
        self.trouble = "not connected yet"
        self.password_worked = False
        link.tell_gaps(self._on_gap)

    async def run(self) -> None:
        """Stay logged in until cancelled.

        Raises:
            LoginRefused: the password never worked.
            ReplacedError: another client took our resource twice in a short time.
        """
        self._link.keep_answers(True)
        try:
            with self._link.network.listening():
                async with self._router.serving(self._link):
                    while True:
                        await self._wait_after(await self._connect_once())
        finally:
            self._link.keep_answers(False)
            await self._link.close()

    async def sign_off(self) -> None:
        """Tell everybody that we go; the stream is closed by cancelling `run`."""
        if self._link.connected:
            try:
                self._presence.leave()
            except LinkError as error:
                log.debug("no goodbye: %s", error)

    async def _connect_once(self) -> JidgetError:
        began: float | None = None
        self._back.clear()
        try:
            async with self._link.session() as stream:
                began = time.monotonic()
                self.password_worked = True
                address = self._link.login.address
                log.info("logged in to %s as %s (%s, %s)", address, self._link.full, stream.tls, stream.mechanism)
                error = await self._live()
        except JidgetError as failed:
            error = failed
        finally:
            self._pep.lost()
            was_up, self.since = self.since is not None, None
        if began is not None and time.monotonic() - began >= self._timing.stable:
            self._backoff.reset()
        ends_us = isinstance(error, LoginRefused) and not self.password_worked  # then it is our last word anyway
        if (was_up or str(error) != self.trouble) and not ends_us:
            log.warning("no link: %s", error)
        self.trouble = str(error)
        self._on_change()
        return error

    def _on_gap(self, error: JidgetError | None) -> None:
        """Tell of a gap: for those who ask us, that is no link, although nothing has to be done anew after it."""
        if error is None:
            log.info("the link is back, and the session goes on")
            self.since, self.trouble = time.time(), ""
            self._back.set()
        else:
            if str(error) != self.trouble:
                log.warning("no link: %s", error)
            if self.since is not None:
                self._gap_began = time.monotonic()
            self.since, self.trouble = None, str(error)
            self._pep.pause()
        self._on_change()

    async def _wait_after(self, error: JidgetError) -> None:
        pause = self._pause_after(error)
        if isinstance(error, LoginRefused | ReplacedError):
            await asyncio.sleep(pause)
        elif not self._link.begun:
            await self._link.network.pause(pause)

    def _pause_after(self, error: JidgetError) -> float:
        timing = self._timing
        match error:
            case LoginRefused() if not self.password_worked:
                raise error
            case LoginRefused():
                return timing.refused
            case ReplacedError():
                now = time.monotonic()
                if self._replaced_at is not None and now - self._replaced_at < timing.replaced_twice:
                    raise ReplacedError(
                        f"{error}, twice within {format_duration(timing.replaced_twice)}. Give one of the two another "
                        "resource in xmpp.jid, or stop it"
                    ) from error
                self._replaced_at = now
                return max(self._backoff.next(), timing.replaced)
            case CertificateUntrusted():
                return max(self._backoff.next(), timing.untrusted)
            case _:
                return self._backoff.next()

    async def _live(self) -> JidgetError:
        """Do all that a login asks for and stay until the session ends, or until that cannot be done; return why."""
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(self._work(), name="session work")
            alive = tasks.create_task(self._link.stay_alive(), name="liveness")
            done, rest = await asyncio.wait((working, alive), return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
        return (alive if alive in done else working).result()

    async def _work(self) -> LinkError:
        """Do all that a login asks for; return why that cannot go on: an answer that never came ends the stream."""
        reason = LinkError("the link was lost")
        try:
            await self._link.prove()  # before our presence: from now on commands can be told fresh from stale
            self._link.send_again()
            self.since, self.trouble = time.time(), ""
            self._on_change()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._presence.keep(), name="presence")
                tasks.create_task(self._sync_roster(), name="roster")
                tasks.create_task(self._provision(), name="provision")
                tasks.create_task(self._come_back(), name="after a gap")
        except* LinkError as group:
            reason = next(error for error in group.exceptions if isinstance(error, LinkError))
        return reason

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
                self._tell_unpublished(str(error))
                await asyncio.sleep(self._timing.provision)
                continue
            self._tell_unpublished("")
            await self._on_provisioned()
            self._pep.open()
            await self._pep.unready()
            await asyncio.sleep(self._backoff.next())

    async def _come_back(self) -> None:
        """After each gap let publishing go on; after a long one with the current values, as after a new login."""
        while True:
            await self._back.wait()
            self._back.clear()
            if time.monotonic() - self._gap_began >= self._timing.settle:
                await self._on_provisioned()
            if self._link.connected:
                self._pep.go_on()

    def _tell_unpublished(self, problem: str) -> None:
        """Log once that nothing is published and why, and once that it is again."""
        if problem and problem != self._unpublished:
            log.warning("readings are not published: %s", problem)
        elif self._unpublished and not problem:
            log.info("readings are published again")
        self._unpublished = problem
        self._on_change()
