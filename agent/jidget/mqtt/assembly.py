"""The bridge put together, both ways: what of it the rest of the house needs."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from jidget.commands.access import Access
from jidget.commands.service import Commands
from jidget.config.model import Config
from jidget.config.mqtt import MqttConfig
from jidget.mqtt.announcing.assembly import Announcing
from jidget.mqtt.bridge import Bridge
from jidget.mqtt.choice import Choice
from jidget.mqtt.device import BridgedDevice, Member
from jidget.mqtt.devices import Devices, House
from jidget.mqtt.ids import Facts, Ids
from jidget.mqtt.model import Device, Message, Publish
from jidget.mqtt.session import MqttSession
from jidget.mqtt.sources import sources_of
from jidget.mqtt.sources.precedence import Sources
from jidget.things.host import Thing
from jidget.things.overlay import overlaid
from jidget_drivers import WriteRefused


class Assembly:
    """The bridge of one configuration.

    Attributes:
        bridge: what comes from the broker.
        announcing: what goes there.
    """

    def __init__(
        self,
        config: Config,
        mqtt: MqttConfig,
        *,
        facts: Facts,
        house: House,
        things: Mapping[str, Thing],
        commands: Commands,
        access: Access,
    ) -> None:
        """Build it; nothing is connected yet.

        Args:
            config: the whole configuration.
            mqtt: its `[mqtt]`.
            facts: the store.
            house: where Things are let in.
            things: those of the configuration that have a driver.
            commands: carries out what the broker's users ask of those.
            access: what these may.
        """
        self._session = session = MqttSession(mqtt)
        self._ids = Ids(facts, {*config.things, *config.overlays, *mqtt.topics})
        self._config = config
        self._things = things
        self._devices = Devices(self._ids, house, self._make, session.publish)
        sources = Sources(sources_of(mqtt))
        self.bridge = Bridge(session, self._devices, sources=sources, choice=Choice(mqtt, config.overlays))
        self.announcing = Announcing(
            config, mqtt, session, facts=facts, things=things, commands=commands, access=access
        )
        session.on_link, session.on_ready = self._on_link, self.announcing.begin

    def wake(self) -> None:
        """Take over what the store knows; to be called once it is open."""
        self._ids.wake()
        self.announcing.wake()

    async def run(self) -> NoReturn:
        """Bridge both ways until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.bridge.run(), name="mqtt to xmpp")
            tasks.create_task(self.announcing.run(), name="things to mqtt")
        raise AssertionError("a bridge runs for ever")

    def _on_link(self, trouble: str | None) -> None:
        self.bridge.link(trouble)
        if trouble is not None:
            self.announcing.end()

    @property
    def remarks(self) -> Sequence[str]:
        """Return what `status` says of it."""
        return (*self.bridge.remarks, *self.announcing.remarks)

    def _make(self, thing_id: str, device: Device, driver: BridgedDevice) -> Thing:
        safety = f"things.{thing_id}.safety"
        self.bridge.ignored.pop(safety, None)
        return overlaid(
            self._config,
            thing_id,
            driver,
            {**self._things, **self._overlays()},
            label=device.name or device.model,
            area=device.area,
            quiet=driver.quiet,
            on_problem=lambda text: self.bridge.ignored.update({safety: text}),
        )

    def _overlays(self) -> Mapping[str, Thing]:
        """Return the discovered Things that the configuration has rules for."""
        found = {thing_id: self._devices.get(thing_id) for thing_id in self._config.overlays}
        return {thing_id: each.thing for thing_id, each in found.items() if each is not None and each.thing is not None}

    def details(self, thing_id: str, name: str) -> Mapping[str, Any]:
        """Return where a discovered property comes from; nothing for one that was not discovered."""
        found = self._devices.get(thing_id)
        about = None if found is None or found.driver is None else found.driver.about(name)
        if about is None:
            return {}
        member, part = about
        return {**_describe(member), "part": part.name}

    def others(self, thing_id: str) -> Sequence[Mapping[str, Any]]:
        """Return the entities of a discovered device that have no property: what they can do is all there is."""
        found = self._devices.get(thing_id)
        members = () if found is None or found.driver is None else found.driver.members
        return [{**_describe(m), "name": m.entity.config.name} for m in members if not m.properties]

    async def forget(self, thing_id: str) -> int:
        """Have the broker forget what announces a device; return on how many topics.

        Raises:
            DeviceUnavailable: there is no broker; nothing was cleared.
            WriteRefused: the broker does not let us, there is no such device, or others are announced with it.
            TimeoutError: the broker did not confirm it.
        """
        found = self._devices.get(thing_id)
        if found is None:
            raise WriteRefused(f"{thing_id} is not there any more")
        configs = [member.entity.config for member in found.members.values()]
        topics = sorted({topic for config in configs for topic in config.clearable})
        if not topics:
            origin = next((config.origin for config in configs if config.origin), "its publisher")
            raise WriteRefused(f"no announcement of {thing_id} alone is on the broker. Remove it in {origin}")
        others = {each.bound.thing_id for each in self._devices if any(topic in topics for topic, _ in each.members)}
        if others := others - {thing_id}:
            raise WriteRefused(
                f"{', '.join(sorted(others))} would be forgotten with {thing_id}: all in one announcement"
            )
        for topic in topics:
            await self._session.publish(Publish(topic=topic, payload=b"", qos=1, retain=True))
            self.bridge.receive(Message(topic=topic, payload=b""))  # which the broker does not tell us
        return len(topics)

    def knows(self, thing_id: str) -> bool:
        """Whether a Thing of this id was ever discovered, so that it may still come."""
        return self._ids.knows(thing_id)


def _describe(member: Member) -> Mapping[str, Any]:
    config = member.entity.config
    return {
        "unique_id": config.unique_id or None,
        "topic": config.topic,
        "kind": config.kind,
        "state": member.entity.state if member.available else "unavailable",
        "attributes": member.entity.attributes,
        "actions": sorted(member.actions.values()),
    }
