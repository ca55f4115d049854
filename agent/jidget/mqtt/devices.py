"""The devices that were discovered: which entities each has, and the Thing that is made of them.

A device's configs trickle in; its Thing is built anew once they have settled. What its entities know outlives that.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from jidget.mqtt.device import BridgedDevice, Member, Publisher
from jidget.mqtt.ids import Bound, Ids, property_candidates
from jidget.mqtt.model import Device
from jidget.things.host import Thing
from jidget_drivers import Scalar

OFFLINE = "offline, as the device says"
MAIN_PARTS = {"light": "on", "fan": "on", "siren": "on", "humidifier": "on"}
"""What the main value of an entity of several parts is called; that of any other kind is its `state`."""


class House(Protocol):
    """Where Things are let in."""

    async def admit(self, thing: Thing, /) -> None:
        """Let a Thing in, in the place of the one of the same id, if there is one."""

    async def dismiss(self, thing_id: str, /) -> None:
        """Let a Thing go."""


Maker = Callable[[str, Device, BridgedDevice], Thing]
"""Makes the Thing of a device, with what the configuration says of it."""


@dataclass(slots=True, eq=False)
class Found:
    """A device that was discovered.

    Attributes:
        bound: its names.
        device: as its publisher describes it now.
        members: its entities, by discovery topic and component.
        thing: what is in the house for it, if anything is.
        driver: that of the Thing.
        fresh: what was told before there was a Thing to report it.
    """

    bound: Bound
    device: Device
    members: dict[tuple[str, str], Member] = field(default_factory=dict)
    thing: Thing | None = None
    driver: BridgedDevice | None = None
    fresh: dict[str, Scalar] = field(default_factory=dict)


class Devices:
    """All of them, by Thing id."""

    def __init__(self, ids: Ids, house: House, make: Maker, publish: Publisher) -> None:
        """Take their names, where Things are let in, what makes them, and what publishes."""
        self._ids = ids
        self._house = house
        self._make = make
        self._publish = publish
        self._found: dict[str, Found] = {}
        self._away = "not connected to the broker yet"

    def __iter__(self) -> Iterator[Found]:
        return iter(self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    def get(self, thing_id: str) -> Found | None:
        """Return the device with this Thing's id."""
        return self._found.get(thing_id)

    def of(self, device: Device, wanted: str = "") -> Found:
        """Return the device with these identifiers; it is new if it was never seen.

        Raises:
            TooManyNames: it is new, and there are too many already.
        """
        self._ids.make_room(self._found.keys())
        bound = self._ids.device(device, wanted)
        found = self._found.get(bound.thing_id)
        if found is None:
            found = self._found[bound.thing_id] = Found(bound, device)
        found.device = device
        return found

    # ---- building ---------------------------------------------------------------------------------------------------

    async def build(self, found: Found) -> None:
        """Make a device's Thing of the entities it has now, and let it in; let it go if it has none."""
        self._name(found)
        members = [member for member in found.members.values() if member.properties or member.actions]
        thing_id = found.bound.thing_id
        if not members:
            if found.thing is not None:
                await self._house.dismiss(thing_id)
                found.thing = found.driver = None
            if not found.members and self._found.get(thing_id) is found:  # it may have come anew meanwhile
                del self._found[thing_id]
            return
        driver = BridgedDevice(members, self._publish)
        driver.lose(self._reason(found))
        thing = self._make(thing_id, found.device, driver)
        driver.on_assumed = lambda member: thing.recall(member.values())
        found.thing, found.driver = thing, driver
        for member in members:
            thing.recall(member.values())
        await self._house.admit(thing)
        fresh, found.fresh = found.fresh, {}
        driver.tell({name: value for name, value in fresh.items() if name in thing.properties})
        self._ids.keep()

    def _name(self, found: Found) -> None:
        """Give ids to the parts and actions of all entities; who has one keeps it.

        What a device is not there for, such as its firmware, comes late or never: it has no say in what the rest is
        called, and does not take a name such as `state` for itself.
        """
        members = list(found.members.values())
        several = sum(len(each.entity.parts) > 1 and not each.entity.config.category for each in members)
        for member in members:
            entity = member.entity
            alone = several <= 1 and not entity.config.category
            properties: dict[str, str] = {}
            for part in entity.parts:
                main = MAIN_PARTS.get(entity.config.kind, "state") if len(entity.parts) > 1 else ""
                candidates = property_candidates(entity.config, found.device.name, part.name or main, alone=alone)
                properties[part.name] = self._ids.property(found.bound, entity.config.identity, part.name, candidates)
            actions: dict[str, str] = {}
            for action in entity.actions:
                only = len(entity.actions) == 1 and not entity.parts
                candidates = property_candidates(
                    entity.config, found.device.name, "" if only else action.name, alone=alone
                )
                key = f"action {action.name}"
                actions[action.name] = self._ids.property(found.bound, entity.config.identity, key, candidates)
            member.properties, member.actions = properties, actions
        used = (name for each in members for names in (each.properties, each.actions) for name in names.values())
        self._ids.prune(found.bound, used)

    # ---- what they tell ---------------------------------------------------------------------------------------------

    def tell(self, found: Found, member: Member, *, retained: bool) -> None:
        """Pass on what an entity shows now. What the broker had kept may be of any age: it is shown, not reported."""
        values = member.values()
        if found.thing is None or found.driver is None:
            if not retained:
                found.fresh.update({name: value for name, value in values.items() if value is not None})
            return
        unknown = {name: None for name, value in values.items() if value is None}
        known = {name: value for name, value in values.items() if value is not None}
        if retained:
            found.thing.recall({**known, **unknown})
            return
        if unknown:
            found.thing.recall(unknown)
        found.driver.tell(known)

    def availability(self, found: Found, member: Member) -> None:
        """Take notice that an entity can, or can no longer, be reached."""
        if found.thing is None or found.driver is None:
            return
        found.thing.recall(member.values())
        self._reach(found)

    def link(self, trouble: str) -> None:
        """Take notice of whether there is a broker; `trouble` says why not, or is empty."""
        self._away = f"no broker: {trouble}" if trouble else ""
        for found in self._found.values():
            for member in found.members.values():
                member.heard.clear()
            self._reach(found)

    def _reach(self, found: Found) -> None:
        if found.thing is None or found.driver is None:
            return
        reason = self._reason(found)
        if reason != found.driver.away:
            found.driver.lose(reason)
            found.thing.hurry()

    def _reason(self, found: Found) -> str:
        """Say why a device cannot be reached; nothing if it can."""
        if self._away:
            return self._away
        return "" if any(member.availability.available for member in found.members.values()) else OFFLINE
