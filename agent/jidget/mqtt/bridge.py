"""The bridge: what comes from the broker goes to the devices it is about; what they must do goes to the broker.

Nothing is ever set because a state has arrived: only because somebody asked for something. Devices whose announcement
says less than all are asked for the rest, once for each announcement.
"""

import asyncio
import logging
import math
from collections.abc import Sequence
from typing import NoReturn

from jidget.mqtt.announcement import LONGEST_NAME
from jidget.mqtt.availability import Availability
from jidget.mqtt.choice import Choice
from jidget.mqtt.device import Member
from jidget.mqtt.devices import Devices, Found
from jidget.mqtt.entity import BadConfig
from jidget.mqtt.failures import MqttError
from jidget.mqtt.ids import TooManyNames
from jidget.mqtt.kinds import build
from jidget.mqtt.model import Device, EntityConfig, Message, Publish
from jidget.mqtt.session import MqttSession
from jidget.mqtt.sources.precedence import Sources
from jidget.mqtt.sources.source import NOTHING, News
from jidget.mqtt.templates import Templates
from jidget.mqtt.topics import Topics

log = logging.getLogger(__name__)

SETTLE = 0.3
"""Seconds without news of a device after which its Thing is built."""
LATEST = 5.0
"""Seconds after the first news of a device after which it is built anyway."""
AT_ONCE = 20
"""Entities added before others get a turn."""
SLICE = 0.005
"""Seconds of building Things after which others get a turn."""
MOST_ENTITIES = 20_000
MOST_OF_A_DEVICE = 1_000
"""Entities of one device: all of them are built anew when one changes."""
MOST_QUESTIONS = 2_000
"""Questions to devices that wait to be asked."""
MOST_IGNORED = 200
"""Problems that are kept to be shown, and logged once; more only where debugging is logged."""

_Key = tuple[str, str]


class Bridge:
    """Everything on one broker.

    Attributes:
        ignored: what was not understood, by where it came from.
        trouble: why there is no broker; empty if there is one.
    """

    def __init__(self, session: MqttSession, devices: Devices, *, sources: Sources, choice: Choice) -> None:
        """Take the way to the broker, the devices, what announces them, and which entities are wanted."""
        self.ignored: dict[str, str] = {}
        self.trouble = ""
        self._session = session
        self._devices = devices
        self._sources = sources
        self._choice = choice
        self._templates = Templates()
        self._where: dict[_Key, Found] = {}
        self._topics: Topics[_Key] = Topics()
        self._availability: Topics[_Key] = Topics()
        self._uses: dict[str, int] = {}
        self._timers: dict[tuple[_Key, str], asyncio.TimerHandle] = {}
        self._dirty: dict[int, tuple[Found, float, float]] = {}
        self._settling = asyncio.Event()
        self._coming: dict[_Key, EntityConfig] = {}
        self._comes = asyncio.Event()
        self._all_added = asyncio.Event()
        self._all_added.set()
        self._questions: asyncio.Queue[Publish] = asyncio.Queue(MOST_QUESTIONS)
        session.on_message = self.receive
        session.largest = sources.largest
        session.on_link = self.link

    async def run(self) -> NoReturn:
        """Bridge until cancelled."""
        self._session.subscribe(dict.fromkeys(self._sources.filters, 0))
        self._take("configuration", self._sources.begin())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._session.run(), name="mqtt session")
            tasks.create_task(self._build(), name="mqtt devices")
            tasks.create_task(self._arrive(), name="mqtt arrivals")
            tasks.create_task(self._ask(), name="mqtt questions")
        raise AssertionError("a bridge runs for ever")

    def link(self, trouble: str | None) -> None:
        """Hear whether there is a broker, or why not."""
        self.trouble = trouble or ""
        self._devices.link(self.trouble)

    # ---- what comes in ----------------------------------------------------------------------------------------------

    def receive(self, message: Message) -> None:
        """Take a message. Never raises: whatever one publisher sends, the others are served."""
        try:
            self._receive(message)
        except Exception:
            self._broke(f"a message on {message.topic[:LONGEST_NAME]}")

    def _receive(self, message: Message) -> None:
        news = self._sources.take(message)
        if news is not NOTHING:
            self._take(message.topic, news)
        self._deliver(message)
        for retold in news.retold:
            self._deliver(retold, told_as=message.topic)

    def _deliver(self, message: Message, told_as: str = "") -> None:
        for key in self._availability.match(message.topic):
            found = self._where[key]
            if found.members[key].availability.receive(message):
                self._devices.availability(found, found.members[key])
        for key in self._topics.match(message.topic):
            self._tell(self._where[key], key, message, told_as or message.topic)

    def _tell(self, found: Found, key: _Key, message: Message, told_as: str) -> None:
        member = found.members[key]
        if not member.receive(message, told_as):
            return
        waited = not member.available
        member.expired = False
        self._expect(found, key, member)
        self._devices.tell(found, member, retained=message.retained)
        if waited:
            self._devices.availability(found, member)

    def _expect(self, found: Found, key: _Key, member: Member) -> None:
        """See that what was told is forgotten when it has expired, or goes back when it is over."""
        self._forget(key)
        loop = asyncio.get_running_loop()
        expires, reverts = member.entity.expires_after, member.entity.reverts_after
        if expires is not None:
            self._timers[key, "expires"] = loop.call_later(expires, self._expire, found, key, member)
        if reverts is not None:
            self._timers[key, "reverts"] = loop.call_later(reverts, self._revert, found, key, member)

    def _forget(self, key: _Key) -> None:
        for what in ("expires", "reverts"):
            timer = self._timers.pop((key, what), None)
            if timer is not None:
                timer.cancel()

    def _expire(self, found: Found, key: _Key, member: Member) -> None:
        self._forget(key)
        member.expired = True
        member.entity.expire()
        self._devices.availability(found, member)

    def _revert(self, found: Found, key: _Key, member: Member) -> None:
        del self._timers[key, "reverts"]
        member.entity.revert()
        self._devices.tell(found, member, retained=False)

    # ---- discovery --------------------------------------------------------------------------------------------------

    def _take(self, topic: str, news: News) -> None:
        for number, problem in enumerate(news.problems, 1):
            where = topic if number == 1 else f"{topic} ({number})"
            self._ignore(where, problem.removeprefix(f"{topic}: "))
        for config in news.removed:
            self._coming.pop(_key(config), None)
            self._remove(config)
        if len(news.present) > AT_ONCE:
            self._coming.update({_key(config): config for config in news.present})
            self._all_added.clear()
            self._comes.set()
        else:
            for config in news.present:
                self._coming.pop(_key(config), None)
                self._add(config)
        if news.watched:
            self._session.subscribe(dict.fromkeys(news.watched, 0))
        if news.unwatched:
            self._session.unsubscribe(each for each in news.unwatched if each not in self._uses)
        for question in news.asked:
            if not self._questions.full():
                self._questions.put_nowait(question)

    async def _arrive(self) -> NoReturn:
        """Add what was announced all at once, with turns for others."""
        while True:
            await self._comes.wait()
            self._comes.clear()
            while self._coming:
                for key in list(self._coming)[:AT_ONCE]:
                    self._add(self._coming.pop(key))
                await asyncio.sleep(0)
            self._all_added.set()

    async def _ask(self) -> NoReturn:
        """Ask devices what the broker has not kept. Who does not hear it says later that it is there, and is asked."""
        while True:
            question = await self._questions.get()
            await self._all_added.wait()
            await self._session.subscribed()  # who answers at once must find us listening
            try:
                await self._session.publish(question)
            except (MqttError, TimeoutError) as error:
                log.info("mqtt: %s was not asked: %s", question.topic, error)

    def _add(self, config: EntityConfig) -> None:
        where = f"{config.topic} {config.component}".strip()
        try:
            self._take_in(config, where)
        except Exception:
            self._broke(where)

    def _take_in(self, config: EntityConfig, where: str) -> None:
        key = _key(config)
        if key in self._where:
            self._remove(config)
        if len(self._where) >= MOST_ENTITIES:
            self._ignore("discovery", f"more than {MOST_ENTITIES} entities: the rest is ignored")
            return
        device = config.device or Device(identifiers=(config.identity,), name=config.name or config.object_id)
        if not self._choice.wants(config, device):
            return
        if objection := self._choice.objection(config):
            self._ignore(where, objection)
            return
        try:
            entity = build(config, self._templates)
            availability = Availability(config, self._templates)
            found = self._devices.of(device, self._choice.overlay(config, device))
        except BadConfig as error:
            self._ignore(where, str(error))
            return
        except TooManyNames as error:
            self._ignore("discovery", str(error))
            return
        if len(found.members) >= MOST_OF_A_DEVICE:
            self._ignore(where, f"{found.bound.thing_id} has more than {MOST_OF_A_DEVICE} entities")
            return
        member = found.members[key] = Member(entity, availability, quiet=self._choice.quiet(config))
        self._where[key] = found
        self._use(key, member)
        self.ignored.pop(where, None)
        self._changed(found)

    def _remove(self, config: EntityConfig) -> None:
        key = _key(config)
        found = self._where.pop(key, None)
        if found is None:
            return
        member = found.members.pop(key)
        self._forget(key)
        self._unuse(key, member)
        self._changed(found)

    def _use(self, key: _Key, member: Member) -> None:
        for topic in member.entity.topics:
            self._topics.add(topic, key)
        for topic in member.availability.topics:
            self._availability.add(topic, key)
        topics = member.entity.topics | member.availability.topics
        for topic in topics:
            self._uses[topic] = self._uses.get(topic, 0) + 1
        if topics:  # again, where others have it already: the broker then repeats what it keeps, for this one
            self._session.subscribe(dict.fromkeys(topics, 0))

    def _unuse(self, key: _Key, member: Member) -> None:
        for topic in member.entity.topics:
            self._topics.remove(topic, key)
        for topic in member.availability.topics:
            self._availability.remove(topic, key)
        unused = []
        for topic in member.entity.topics | member.availability.topics:
            self._uses[topic] -= 1
            if not self._uses[topic]:
                del self._uses[topic]
                unused.append(topic)
        if unused:
            self._session.unsubscribe(unused)

    def _broke(self, where: str) -> None:
        """Say that we failed at what a publisher sent, which nobody should bring about; with the trace, once."""
        if where not in self.ignored:
            log.exception("mqtt: %s was handled wrongly", where)
        self._ignore(where, "the bridge failed at it, which it should not: see the log")

    def _ignore(self, where: str, problem: str) -> None:
        """Say once what was not understood."""
        if self.ignored.get(where) == problem:
            return
        if where not in self.ignored and len(self.ignored) >= MOST_IGNORED:
            log.debug("mqtt: %s is ignored: %s", where, problem)
            return
        log.warning("mqtt: %s is ignored: %s", where, problem)
        self.ignored[where] = problem

    @property
    def remarks(self) -> Sequence[str]:
        """Return what `status` says of the bridge: what is wrong, and what it did not understand."""
        said = [self.trouble] if self.trouble else []
        if self.ignored:
            where, problem = next(iter(self.ignored.items()))
            more = f", and {len(self.ignored) - 1} more, see the log" if len(self.ignored) > 1 else ""
            said.append(f"mqtt: {where} is ignored: {problem}{more}")
        return said

    # ---- building ---------------------------------------------------------------------------------------------------

    def _changed(self, found: Found) -> None:
        now = asyncio.get_running_loop().time()
        _, since, _ = self._dirty.get(id(found), (found, now, now))
        self._dirty[id(found)] = (found, since, now)
        self._settling.set()

    async def _build(self) -> NoReturn:
        """Build the Things of devices whose configs have settled; at first once all has come that the broker keeps."""
        loop = asyncio.get_running_loop()
        while True:
            await self._settling.wait()
            now = loop.time()
            quiet = math.inf if self._session.beginning else SETTLE
            due = {key: min(last + quiet, since + LATEST) for key, (_, since, last) in self._dirty.items()}
            ready = [self._dirty.pop(key)[0] for key, at in due.items() if at <= now]
            if not ready and due:
                await asyncio.sleep(min(SETTLE, min(due.values()) - now))
                continue
            if not self._dirty:
                self._settling.clear()
            turn = loop.time()
            for found in ready:
                try:
                    await self._devices.build(found)
                except Exception:
                    self._broke(f"the device {found.bound.thing_id}")
                if loop.time() - turn > SLICE:
                    await asyncio.sleep(0)
                    turn = loop.time()


def _key(config: EntityConfig) -> _Key:
    return config.topic, config.component
