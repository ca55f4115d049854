"""A device on a broker as a driver: so that from here on nobody can tell it from a GPIO pin."""

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jidget.mqtt.availability import Availability
from jidget.mqtt.entity import Entity, EntityAction, Part
from jidget.mqtt.model import Message, Publish
from jidget_drivers import Action, DeviceUnavailable, EventSource, NoOptions, Property, Scalar, WriteRefused
from jidget_drivers.properties import misfit

MOST_EVENTS = 100
"""Events of a device that wait to be looked at."""
Publisher = Callable[[Publish], Awaitable[None]]
"""Publishes now. Raises `DeviceUnavailable` where nothing was sent, `TimeoutError` where nobody knows."""


@dataclass(slots=True, eq=False)
class Member:
    """An entity of a device.

    Attributes:
        entity: what it shows and can do.
        availability: whether it can be reached.
        properties: ids of its parts.
        actions: ids of its actions.
        expired: whether what it told is too old to count.
        quiet: whether it is left out where everything is shown.
        heard: topics on which something came over this connection.
    """

    entity: Entity
    availability: Availability
    properties: Mapping[str, str] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)
    expired: bool = False
    quiet: bool = False
    heard: set[str] = field(default_factory=set)

    def receive(self, message: Message, told_as: str) -> bool:
        """Take a message, which came on the topic `told_as`; return whether it told a value.

        What the broker had kept it repeats when others subscribe to the same topic: whoever has heard it, or something
        newer, takes no notice.
        """
        if message.topic in self.entity.topics:
            if message.retained and told_as in self.heard:
                return False
            self.heard.add(told_as)
        return self.entity.receive(message)

    @property
    def available(self) -> bool:
        """Whether it can be reached, and has told something lately where it is to do so."""
        waits = self.entity.expires_after is not None and (self.expired or not self.entity.values)
        return self.availability.available and not waits

    def values(self) -> dict[str, Scalar | None]:
        """Return what it shows, by property; None for what is not known."""
        known = self.entity.values if self.available else {}
        return {name: known.get(part) for part, name in self.properties.items()}


class BridgedDevice(EventSource[NoOptions]):
    """A device on an MQTT broker.

    Attributes:
        members: its entities.
        away: why it is out of reach; empty if it is not.
        on_assumed: told which entity is taken to have obeyed, as no topic tells.
    """

    def __init__(self, members: Sequence[Member], publish: Publisher) -> None:
        """Take its entities, and what publishes."""
        super().__init__(NoOptions())
        self.members = tuple(members)
        self._publish = publish
        self._parts: dict[str, tuple[Member, Part]] = {
            member.properties[part.name]: (member, part) for member in members for part in member.entity.parts
        }
        self.properties = tuple(_property(name, member, part) for name, (member, part) in self._parts.items())
        self._by_name = {prop.name: prop for prop in self.properties}
        self.away = ""
        self.on_assumed: Callable[[Member], None] = lambda _: None
        self._assumed: set[str] = set()
        self._told: deque[dict[str, Scalar]] = deque(maxlen=MOST_EVENTS)
        self._news = asyncio.Event()

    # ---- what the bridge tells --------------------------------------------------------------------------------------

    def tell(self, values: Mapping[str, Scalar]) -> None:
        """Pass values on; of several for one property the last one counts, but of events each."""
        if not self._told or any(self._by_name[name].event and name in self._told[-1] for name in values):
            self._told.append({})
        for name, value in values.items():
            if misfit(self._by_name[name], value):
                continue  # its kind lets through what no property of this type can show
            self._told[-1][name] = value
        self._news.set()

    def lose(self, reason: str) -> None:
        """Be out of reach, for this reason; empty: be in reach again."""
        self.away = reason
        self._told.clear()
        self._news.set()

    # ---- the driver -------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Be there, if it is."""
        if self.away:
            raise DeviceUnavailable(self.away)

    async def watch(self) -> AsyncIterator[Mapping[str, Scalar]]:
        """Yield what it tells, what has come meanwhile in one go; first nothing, as it is there before it tells."""
        yield {}
        while True:
            await self._news.wait()
            self._news.clear()
            if self.away:
                raise DeviceUnavailable(self.away)
            while self._told:
                if values := self._told.popleft():
                    yield values

    @property
    def quiet(self) -> frozenset[str]:
        """Return the properties that are left out where everything is shown."""
        return frozenset(name for name, (member, _) in self._parts.items() if member.quiet)

    def about(self, name: str) -> tuple[Member, Part] | None:
        """Return which part of which entity a property is."""
        return self._parts.get(name)

    def tells(self, name: str) -> bool:
        """Return whether there is a topic for what becomes of a write."""
        return name not in self._assumed and bool(self._parts[name][0].entity.topics)

    async def write(self, name: str, value: Scalar) -> None:
        """Publish what sets a property."""
        member, part = self._parts[name]
        self._require(member, name)
        entity = member.entity
        for publish in entity.write(part.name, value):
            await self._publish(publish)
        before = entity.values.get(part.name)
        entity.wrote(part.name, value)
        if entity.values.get(part.name) != before:
            self._assumed.add(name)
            self.on_assumed(member)

    def actions(self) -> dict[str, Action]:
        """Return what can be done with it."""
        return {
            member.actions[each.name]: self._action(member, each)
            for member in self.members
            for each in member.entity.actions
        }

    def _action(self, member: Member, what: EntityAction) -> Action:
        name = member.actions[what.name]

        async def act(**arguments: Any) -> None:
            self._require(member, name)
            for publish in what.plan(**arguments):
                await self._publish(publish)
            if what.done is not None:
                before = dict(member.entity.values)
                what.done(**arguments)
                if member.entity.values != before:
                    self.on_assumed(member)

        act.__name__ = name
        act.__doc__ = what.summary
        act.__annotations__ = dict(what.plan.__annotations__)
        act.__signature__ = inspect.signature(what.plan)  # type: ignore[attr-defined]  # inspect(3) looks for it
        return Action(name=name, summary=what.summary, method=act)

    def _require(self, member: Member, name: str) -> None:
        """Refuse what cannot be reached: nothing is published that might be carried out when nobody expects it."""
        if self.away:
            raise DeviceUnavailable(self.away)
        if not member.availability.available:
            raise WriteRefused(f"{name} is offline, as the device says, so nothing was published")


def _property(name: str, member: Member, part: Part) -> Property:
    config = member.entity.config
    spoken = part.name.replace("_", " ")
    label = f"{config.name} {spoken}".strip() if part.name and config.name else config.name or spoken
    return replace(part.property, name=name, label=part.property.label or label)
