"""The composition root: builds everything from the configuration, runs it in one TaskGroup, stops it in order."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from slixmpp import JID

from jidget import __version__
from jidget.commands.access import Access
from jidget.commands.glance import glance
from jidget.commands.interrupted import Interrupted
from jidget.commands.inventory import inventory
from jidget.commands.local import Local
from jidget.commands.notices import Notices
from jidget.commands.service import Commands
from jidget.config.model import Config
from jidget.errors import JidgetError
from jidget.lifecycle import feed_watchdog, first_error
from jidget.reading import Reading
from jidget.readings.configured import policy_of
from jidget.readings.continuity import Continuity
from jidget.readings.household import Household
from jidget.readings.now import NowWriter
from jidget.readings.policy import ReportPolicy
from jidget.readings.publisher import Publisher
from jidget.readings.sampler import Sampler
from jidget.safety.buttons import Buttons
from jidget.safety.guard import Guard
from jidget.safety.keeper import Keeper
from jidget.safety.memory import OutputMemory
from jidget.safety.output import Output
from jidget.sdnotify import notify
from jidget.store.kept import Kept
from jidget.store.known_password import KnownPassword
from jidget.store.safe_journal import SafeJournal
from jidget.store.store import Store
from jidget.store.upkeep import Retention
from jidget.things.directory import Directory
from jidget.things.host import Thing
from jidget.things.loader import load_things
from jidget.things.rulebook import buttons_of
from jidget.xmpp.adhoc import AdHoc
from jidget.xmpp.chat import Chat
from jidget.xmpp.control import Control
from jidget.xmpp.disco import Disco
from jidget.xmpp.link import Link
from jidget.xmpp.login import login_of
from jidget.xmpp.past import Past
from jidget.xmpp.pep import Pep
from jidget.xmpp.presence import Presence
from jidget.xmpp.roster import Roster
from jidget.xmpp.router import Admission, Router
from jidget.xmpp.sensordata import SensorData
from jidget.xmpp.services import FEATURES, Services
from jidget.xmpp.session import Session
from jidget.xmpp.timing import Timing
from jidget_drivers import WriteRefused

if TYPE_CHECKING:
    from jidget.mqtt.assembly import Assembly

log = logging.getLogger(__name__)

LAST_MOVES = 5.0
"""Seconds that outputs get to go to safe when the agent is stopped."""
LAST_WORDS = 3.0
"""Seconds that the last readings get to arrive when the agent is stopped."""


class App:
    """The agent."""

    def __init__(self, config: Config, timing: Timing | None = None) -> None:
        """Build everything; no hardware and no network is touched yet.

        Raises:
            ConfigError: a Thing's driver or options are wrong.
        """
        xmpp = config.xmpp
        self._personal = xmpp.account == "person"
        things = load_things(config)
        self.directory = Directory(things)
        self.access = Access(config.access, xmpp.jid)
        keeping = config.store
        retention = Retention(keep=keeping.keep, most_bytes=keeping.max_size)
        self.store = Store(keeping.path, retention, full=keeping.durability == "full")
        self.store.on_change = self._on_store
        self.router = Router(self._admit)
        self._timing = timing or Timing()
        self.link = Link(login_of(xmpp), self.router.receive, liveness=xmpp.liveness, timing=self._timing)
        self.journal = SafeJournal(self.store)
        self.memory = OutputMemory(self.store)
        self.kept = [Kept(self.store, thing.id) for thing in things]
        for thing, kept in zip(things, self.kept, strict=True):
            thing.driver.kept = kept
        guard = Guard(self.directory, self.memory)
        self.buttons = Buttons(guard, buttons_of(config, {thing.id: thing for thing in things}))
        self.keeper = Keeper(guard, things, on_input=self.buttons.observed, on_away=self.buttons.forget)
        self.known_password = KnownPassword(self.store, self.link.login.jid, self.link.login.password)
        self.commands = Commands(
            self.directory,
            self.access,
            self.journal,
            self.keeper,
            me=lambda: self.link.full,
            remarks=self._remarks,
            forget=None if config.mqtt is None else self._forget,
        )
        self.continuity = Continuity(self.store)
        self.pep = Pep(self.link, whitelist=self._feed_list if self._personal else None, extent=self.continuity.extent)
        self.now = NowWriter(self.directory, self.pep)
        self.publisher = Publisher(self.store, self.pep, time.time)
        policies = {thing_id: policy_of(config, thing) for thing_id, thing in config.things.items()}
        self.sampler = Sampler(list(self.directory), policies, self._take)
        self.bridge = self._assemble(config, {thing.id: thing for thing in things})
        self.local = Local(config.store.path, self.directory, self._inventory)
        self._status = ""
        self.session = self._build_session(config)
        for thing in self.directory:
            thing.on_availability = self._on_availability

    def _assemble(self, config: Config, things: Mapping[str, Thing]) -> "Assembly | None":
        """Return the bridge, if there is to be one; without, nothing of it is imported."""
        if config.mqtt is None:
            return None
        from jidget.mqtt.assembly import Assembly  # noqa: PLC0415  # costs what a bridge costs

        def policy(thing_id: str) -> ReportPolicy:
            return policy_of(config, config.overlays.get(thing_id))

        house = Household(self.directory, self.keeper, self.sampler, policy, self._on_availability)
        return Assembly(
            config,
            config.mqtt,
            facts=self.store,
            house=house,
            things=things,
            commands=self.commands,
            access=self.access,
        )

    def _build_session(self, config: Config) -> Session:
        link, router = self.link, self.router
        roster = None
        if not self._personal:
            roster = Roster(
                link, listed=self._feed_list, wanted=self._sees_feed, shared=config.xmpp.account == "agents"
            )
            roster.attach(router)
        adhoc = AdHoc(link, self.commands)
        disco = Disco(
            ("client", "bot", f"Jidget {link.login.resource}"),
            {*FEATURES, *adhoc.features, *SensorData.features, *Control.features},
        )
        disco.attach(router)
        adhoc.attach(router, disco)
        past = Past(self.store, link.login.resource)
        SensorData(link, self.directory, self.access, past=past).attach(router)
        Control(self.commands).attach(router)
        Services().attach(router)
        chat = Chat(link, self.commands.chat, account=config.xmpp.account, known=self._known)
        chat.attach(router)
        self.presence = Presence(link, disco, self._glance, priority=-1 if self._personal else 5, timing=self._timing)
        self.interrupted = Interrupted(
            self.journal,
            self.directory,
            self.access,
            chat,
            reachable=lambda: self.presence.shown,
            expected=lambda thing_id: self.bridge is not None and self.bridge.knows(thing_id),
        )
        self.notices = Notices(self.access, chat, reachable=lambda: self.presence.shown)
        self.keeper.on_forced, self.keeper.on_stuck = self.notices.forced, self._on_stuck
        self.buttons.on_press = self.notices.pressed
        self.presence.on_shown = self._on_shown
        return Session(
            link,
            router,
            presence=self.presence,
            pep=self.pep,
            roster=roster,
            on_provisioned=self._on_provisioned,
            on_change=self._on_link,
            timing=self._timing,
        )

    # ---- running ----------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then stop in order: no new readings, the last ones sent, goodbye, off.

        Raises:
            JidgetError: what cannot be mended by trying again.
        """
        count = len(self.directory)
        log.info("Jidget %s: %d %s", __version__, count, "Thing" if count == 1 else "Things")
        try:
            async with self.store, asyncio.TaskGroup() as tasks:
                for kept in self.kept:
                    kept.wake()
                self.keeper.wake()
                if self.bridge is not None:
                    self.bridge.wake()
                await self.interrupted.look()
                self.session.password_worked = await self.known_password.look()
                sampler = tasks.create_task(self.sampler.run(), name="sampler")
                others = [
                    tasks.create_task(self.keeper.run(), name="outputs"),
                    tasks.create_task(self.buttons.run(), name="buttons"),
                    tasks.create_task(self.store.run(), name="store"),
                    tasks.create_task(self.publisher.run(), name="publisher"),
                    tasks.create_task(self.now.run(), name="now"),
                    tasks.create_task(self.interrupted.run(), name="interrupted commands"),
                    tasks.create_task(self.notices.run(), name="notices"),
                    tasks.create_task(self.local.run(), name="local questions"),
                    tasks.create_task(self._stay_logged_in(), name="session"),
                    tasks.create_task(feed_watchdog(), name="watchdog"),
                ]
                if self.bridge is not None:
                    others.append(tasks.create_task(self.bridge.run(), name="bridge"))
                notify("READY=1")
                await stop.wait()
                notify("STOPPING=1")
                await self._stop(sampler, others)
        except* JidgetError as group:
            raise first_error(group) from None

    async def _stay_logged_in(self) -> None:
        """Stay logged in until cancelled. Where that cannot be mended, nobody may start us again: leave all safe."""
        try:
            await self.session.run()
        except Exception:
            await self.keeper.leave(LAST_MOVES)
            raise

    async def _stop(self, sampler: asyncio.Task[None], others: Sequence[asyncio.Task[None]]) -> None:
        log.info("stopping")
        await self.keeper.leave(LAST_MOVES)
        sampler.cancel()
        await asyncio.wait((sampler,))
        if self.link.connected:
            if not await self.publisher.drained(LAST_WORDS):
                log.warning("not everything was taken by the server in time")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS):
                    await self.now.write()
        await self.session.sign_off()
        for task in others:
            task.cancel()

    # ---- what the parts need of each other ---------------------------------------------------------------------

    def _take(self, readings: Sequence[Reading]) -> None:
        self.store.append(readings)
        self.publisher.notify()
        self.now.notify()
        self.presence.notify()
        if self.bridge is not None:
            self.bridge.announcing.reported(readings)

    def _on_availability(self, thing: Thing) -> None:
        self.presence.notify()
        self.interrupted.notify()
        if self.bridge is not None:
            self.bridge.announcing.availability(thing)

    async def _forget(self, thing_id: str) -> int:
        if self.bridge is None:
            raise WriteRefused("there is no broker")
        return await self.bridge.forget(thing_id)

    def _inventory(self) -> Sequence[Mapping[str, object]]:
        if self.bridge is None:
            return inventory(self.directory)
        return inventory(self.directory, self.bridge.details, self.bridge.others)

    def _on_shown(self) -> None:
        self.interrupted.notify()
        self.notices.notify()

    def _on_stuck(self, output: Output, text: str) -> None:
        self.notices.stuck(output, text)
        self.presence.notify()

    async def _on_provisioned(self) -> None:
        await self.continuity.compare(self.pep.told)
        await self.now.write()

    def _on_link(self) -> None:
        self.keeper.link(up=self.session.since is not None)
        self.presence.notify()
        self.notices.notify()
        if self.session.password_worked:
            self.known_password.note()
        status = self.session.trouble or self.pep.problem or f"online as {self.link.full}"
        if status != self._status:
            self._status = status
            notify(f"STATUS={status}")

    def _on_store(self) -> None:
        self.presence.notify()
        self.publisher.look_again()
        self.interrupted.look_again()
        self.memory.catch_up()
        for kept in self.kept:
            kept.catch_up()
        if self.bridge is not None:
            self.bridge.announcing.catch_up()
        self.local.look_again()

    def _remarks(self) -> Sequence[str]:
        """Return what `status` begins with: what is wrong with the agent itself."""
        dropping = "store.max_size is reached: readings that were not sent are dropped" if self.store.overflows else ""
        bridge = self.bridge.remarks if self.bridge is not None else ()
        return [r for r in (*self.keeper.alarms, self.store.trouble, dropping, self.pep.problem, *bridge) if r]

    def _admit(self, sender: JID) -> Admission:
        if sender.full in (self.link.login.jid, self.link.login.domain):
            return Admission.SERVER
        person = self.access.person(sender.bare)
        if person is None:
            return Admission.STRANGER
        return Admission.OWNER if person.is_owner else Admission.KNOWN

    def _known(self, jid: str) -> bool:
        return self.access.person(jid) is not None

    def _sees_feed(self, jid: str) -> bool:
        person = self.access.person(jid)
        return person is not None and person.sees_feed

    def _feed_list(self) -> Sequence[str]:
        me = self.link.login.jid
        return [jid for jid in self.access.listed if "@" in jid and jid != me and self._sees_feed(jid)]

    def _glance(self) -> tuple[str, str]:
        remarks = (
            "safety pending" if self.keeper.alarms else "",
            "readings are not published" if self.pep.problem else "",
            "readings are kept in memory only" if self.store.trouble else "",
            "readings are dropped: the store is full" if self.store.overflows else "",
        )
        return glance(self.directory, remarks)
