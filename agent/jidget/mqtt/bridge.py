"""The bridge: what comes from the broker goes to the devices it is about; what they must do goes to the broker.

Nothing is ever published because a state has arrived: only because somebody asked for something.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from jidget.mqtt.availability import Availability
from jidget.mqtt.choice import Choice
from jidget.mqtt.device import Member
from jidget.mqtt.devices import Devices, Found
from jidget.mqtt.discovery import Discoveries
from jidget.mqtt.entity import BadConfig
from jidget.mqtt.kinds import build
from jidget.mqtt.model import Device, EntityConfig, Message
from jidget.mqtt.session import MqttSession
from jidget.mqtt.templates import Templates
from jidget.mqtt.topics import Topics, matches

log = logging.getLogger(__name__)

SETTLE = 0.3
"""Seconds without news of a device after which its Thing is built."""
LATEST = 2.0
"""Seconds after the first news of a device after which it is built anyway."""
AT_ONCE = 20
"""Things built before others get a turn."""
MOST_ENTITIES = 20_000
MOST_IGNORED = 200
"""Problems that are kept to be shown; the log has them all, each once."""

_Key = tuple[str, str]


class Bridge:
    """Everything on one broker.

    Attributes:
        ignored: what was not understood, by where it came from.
        trouble: why there is no broker; empty if there is one.
    """

    def __init__(self, session: MqttSession, devices: Devices, *, prefix: str, choice: Choice) -> None:
        """Take the way to the broker, the devices, the discovery prefix, and which entities are wanted."""
        self.ignored: dict[str, str] = {}
        self.trouble = ""
        self._session = session
        self._devices = devices
        self._prefix = prefix
        self._choice = choice
        self._discoveries = Discoveries(prefix)
        self._templates = Templates()
        self._where: dict[_Key, Found] = {}
        self._topics: Topics[_Key] = Topics()
        self._uses: dict[str, int] = {}
        self._timers: dict[tuple[_Key, str], asyncio.TimerHandle] = {}
        self._dirty: dict[int, tuple[Found, float]] = {}
        self._settling = asyncio.Event()
        self._last_news = 0.0
        session.on_message = self.receive
        session.on_link = self._on_link

    async def run(self) -> NoReturn:
        """Bridge until cancelled."""
        self._session.subscribe({f"{self._prefix}/+/+/config": 1, f"{self._prefix}/+/+/+/config": 1})
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._session.run(), name="mqtt session")
            tasks.create_task(self._build(), name="mqtt devices")
        raise AssertionError("a bridge runs for ever")

    def _on_link(self, trouble: str | None) -> None:
        self.trouble = trouble or ""
        self._devices.link(self.trouble)

    # ---- what comes in ----------------------------------------------------------------------------------------------

    def receive(self, message: Message) -> None:
        """Take a message. Never raises for what is in it."""
        if message.topic.startswith(f"{self._prefix}/") and message.topic.endswith("/config"):
            self._discover(message)
        for key in list(self._topics.match(message.topic)):
            found = self._where.get(key)
            if found is not None:
                self._tell(found, key, message)

    def _tell(self, found: Found, key: _Key, message: Message) -> None:
        member = found.members[key]
        if member.availability.receive(message):
            self._devices.availability(found, member)
        if _is_about(member, message) and member.entity.receive(message):
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

    def _discover(self, message: Message) -> None:
        changes = self._discoveries.take(message.topic, message.payload)
        for number, problem in enumerate(changes.problems, 1):
            where = message.topic if number == 1 else f"{message.topic} ({number})"
            self._ignore(where, problem.removeprefix(f"{message.topic}: "))
        for config in changes.removed:
            self._remove(config)
        for config in changes.present:
            self._add(config)

    def _add(self, config: EntityConfig) -> None:
        key = (config.topic, config.component)
        where = f"{config.topic} {config.component}".strip()
        if key in self._where:
            self._remove(config)
        if len(self._where) >= MOST_ENTITIES:
            self._ignore("discovery", f"more than {MOST_ENTITIES} entities: the rest is ignored")
            return
        device = config.device or Device(identifiers=(config.identity,), name=config.name or config.object_id)
        if not self._choice.wants(config, device):
            return
        try:
            entity = build(config, self._templates)
            availability = Availability(config, self._templates)
        except BadConfig as error:
            self._ignore(where, str(error))
            return
        found = self._devices.of(device, self._choice.overlay(config, device))
        found.members[key] = Member(entity, availability, quiet=self._choice.quiet(config))
        self._where[key] = found
        self._use(key, {*entity.topics, *availability.topics})
        self.ignored.pop(where, None)
        self._changed(found)

    def _remove(self, config: EntityConfig) -> None:
        key = (config.topic, config.component)
        found = self._where.pop(key, None)
        if found is None:
            return
        member = found.members.pop(key)
        self._forget(key)
        self._unuse(key, {*member.entity.topics, *member.availability.topics})
        self._changed(found)

    def _use(self, key: _Key, topics: set[str]) -> None:
        for topic in topics:
            self._topics.add(topic, key)
            self._uses[topic] = self._uses.get(topic, 0) + 1
        if topics:  # again, where others have it already: the broker then repeats what it keeps, for this one
            self._session.subscribe(dict.fromkeys(topics, 1))

    def _unuse(self, key: _Key, topics: set[str]) -> None:
        unused = []
        for topic in topics:
            self._topics.remove(topic, key)
            self._uses[topic] -= 1
            if not self._uses[topic]:
                del self._uses[topic]
                unused.append(topic)
        if unused:
            self._session.unsubscribe(unused)

    def _ignore(self, where: str, problem: str) -> None:
        """Say once what was not understood."""
        if self.ignored.get(where) == problem:
            return
        log.warning("mqtt: %s is ignored: %s", where, problem)
        if where in self.ignored or len(self.ignored) < MOST_IGNORED:
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
        self._last_news = now
        self._dirty.setdefault(id(found), (found, now))
        self._settling.set()

    async def _build(self) -> NoReturn:
        """Build the Things of devices whose configs have settled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._settling.wait()
            first = min((since for _, since in self._dirty.values()), default=loop.time())
            due = min(self._last_news + SETTLE, first + LATEST)
            if due > loop.time():
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await asyncio.get_running_loop().create_future()
                continue
            self._settling.clear()
            dirty, self._dirty = list(self._dirty.values()), {}
            for number, (found, _) in enumerate(dirty, 1):
                await self._devices.build(found)
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)


def _is_about(member: Member, message: Message) -> bool:
    topics = member.entity.topics
    return message.topic in topics or any(matches(each, message.topic) for each in topics)
