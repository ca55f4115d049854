"""Names that stay: the Thing's id of every device and the property's id of every entity, from first sight on.

A readable id is made from what the publisher calls things when they are first seen, and bound for ever to identifiers:
renaming a device, or meeting it again after years, changes neither its history nor who may use it.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from jidget.config.values import COMMAND_WORDS, THING_ID
from jidget.mqtt.model import Device, EntityConfig
from jidget.ports import Facts as OneFact

FACT = "mqtt device "
MOST_DEVICES = 10_000
"""Devices whose names are kept."""
MOST_PROPERTIES = 4_000
"""Of one device: beyond that those that it has not any more are forgotten."""
MOST_IDENTIFIERS = 100
"""Of one device: by more it is not recognised."""
_LONGEST = 63


class TooManyNames(Exception):
    """There are names for so many devices that there are none for another one."""


class Facts(OneFact, Protocol):
    """What is needed of the store."""

    def facts(self, prefix: str) -> Mapping[str, str]:
        """Return all facts whose names begin with `prefix`, by the rest of their names."""

    def drop_fact(self, name: str) -> None:
        """Keep a fact no longer."""


def slug(text: str) -> str:
    """Return a text as an id is written: small letters, digits and `_`; empty if nothing is left of it."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.casefold()).strip("_")


@dataclass(slots=True)
class Bound:
    """A device's names: its Thing's id, its identifiers, and its properties' ids by entity identity and part."""

    thing_id: str
    identifiers: set[str]
    properties: dict[str, str] = field(default_factory=dict)


class Ids:
    """All names that were ever given to discovered devices."""

    def __init__(self, facts: Facts, taken: Collection[str]) -> None:
        """Take the store, and the ids of Things that are in the configuration."""
        self._facts = facts
        self._taken = frozenset(taken)
        self._by_identifier: dict[str, Bound] = {}
        self._by_thing: dict[str, Bound] = {}
        self._unkept: dict[str, Bound] = {}
        self._numbers: dict[str, int] = {}
        self._born: set[str] = set()
        """Ids that were given in this process."""
        self._met: set[str] = set()
        """Ids of the configuration that a device has in this process: others that it means are the same Thing."""

    def wake(self) -> None:
        """Take over what the store knows; to be called once it is open."""
        for thing_id, text in self._facts.facts(FACT).items():
            try:
                known = json.loads(text)
                bound = Bound(thing_id, {str(each) for each in known["identifiers"]}, dict(known["properties"]))
            except (ValueError, KeyError, TypeError):  # of another version: it is named anew
                continue
            self._remember(bound)

    def knows(self, thing_id: str) -> bool:
        """Whether a device has this Thing's id."""
        return thing_id in self._by_thing

    def device(self, device: Device, wanted: str = "") -> Bound:
        """Return a device's names; `wanted` is the id of the overlay that the configuration has for it.

        A device whose id the configuration has given to another one meanwhile is named anew.

        Raises:
            TooManyNames: it was never seen, and there are names for too many others already.
        """
        own = next((self._by_identifier[i] for i in device.identifiers if i in self._by_identifier), None)
        known = own
        if wanted:
            known = self._by_thing.get(wanted)
            if known is not None and wanted not in self._met and known.identifiers.isdisjoint(device.identifiers):
                known = None  # the configuration meant another one before
            self._met.add(wanted)
        elif own is not None and own.thing_id in self._taken:
            known = None
        if known is None:
            if not wanted and len(self._by_thing) >= MOST_DEVICES:
                raise TooManyNames(f"there are names for {MOST_DEVICES} devices already: new ones are ignored")
            known = Bound(wanted or self._new(device), set(), {} if own is None else dict(own.properties))
            self._born.add(known.thing_id)
        new = [each for each in device.identifiers if each not in known.identifiers and self._may_have(known, each)]
        more = new[: max(0, MOST_IDENTIFIERS - len(known.identifiers))]
        if more:
            known.identifiers.update(more)
            self._unkept[known.thing_id] = known
        self._remember(known)
        return known

    def _may_have(self, bound: Bound, identifier: str) -> bool:
        """Whether a device may be recognised by an identifier: those of another one, or of its Thing, stay its own."""
        if bound.thing_id in self._taken:
            return True
        owner = self._by_identifier.get(identifier)
        return owner is None or owner is bound or owner.thing_id in self._taken

    def property(self, bound: Bound, identity: str, part: str, candidates: Iterable[str]) -> str:
        """Return the id of one part of an entity: as it was at first sight, else the first candidate that is free."""
        key = f"{identity}\n{part}"
        if key not in bound.properties:
            bound.properties[key] = _free(candidates, set(bound.properties.values()).__contains__, {})
            self._unkept[bound.thing_id] = bound
        return bound.properties[key]

    def make_room(self, there: Collection[str]) -> None:
        """Forget names once there are too many: of devices that came and went in this process; `there` are which are.

        Whoever may write to the broker can announce as many as he likes; those known from before stay.
        """
        if len(self._by_thing) < MOST_DEVICES:
            return
        gone = self._born.difference(there, self._taken)
        for thing_id in gone:
            del self._by_thing[thing_id]
            self._unkept.pop(thing_id, None)
            self._facts.drop_fact(f"{FACT}{thing_id}")
        if gone:
            self._born -= gone
            known = self._by_identifier.items()
            self._by_identifier = {each: bound for each, bound in known if bound.thing_id not in gone}

    def prune(self, bound: Bound, used: Iterable[str]) -> None:
        """Forget a device's property ids once there are too many: those that it has no use for now."""
        if len(bound.properties) > MOST_PROPERTIES:
            kept = frozenset(used)
            bound.properties = {key: name for key, name in bound.properties.items() if name in kept}
            self._unkept[bound.thing_id] = bound

    def keep(self) -> None:
        """Have all names outlive the process."""
        for thing_id, bound in list(self._unkept.items()):
            known = {"identifiers": sorted(bound.identifiers), "properties": bound.properties}
            if self._facts.keep_fact(f"{FACT}{thing_id}", json.dumps(known)):
                del self._unkept[thing_id]

    def _remember(self, bound: Bound) -> None:
        """Find a device by its names. What the configuration names counts only where nothing else is known."""
        self._by_thing[bound.thing_id] = bound
        for identifier in bound.identifiers:
            owner = self._by_identifier.get(identifier)
            if owner is None or owner.thing_id in self._taken:
                self._by_identifier[identifier] = bound

    def _new(self, device: Device) -> str:
        """Make an id for a device that was never seen."""
        base = slug(device.name) or slug(device.model) or slug(device.identifiers[0]) or "device"
        if not base[0].isalpha() or base in COMMAND_WORDS:
            base = f"device_{base}"
        base = base[: _LONGEST - 4].rstrip("_")
        made = _free((base,), lambda each: each in self._taken or each in self._by_thing, self._numbers)
        if not THING_ID.fullmatch(made):
            raise AssertionError(f"{made!r} is no Thing id")
        return made


def property_candidates(config: EntityConfig, device: str, part: str, *, alone: bool) -> list[str]:
    """Return ids for one part of an entity, the best first.

    What repeats the device's own name is cut off: `kitchen_plug_power` of "Kitchen plug" is `power`.

    Args:
        config: the entity's.
        device: what the publisher calls the device.
        part: its part; empty for the only value of an entity that has just one.
        alone: whether the device has no other entity of several parts.
    """
    own = slug(device)
    bases = [base for text in (config.object_id, config.name) if (base := _without(slug(text), own))]
    if not part:
        # that of a lock is no "lock": so its action is called
        plain = "state" if config.kind in ("switch", "binary_sensor", "lock") else config.kind
        found = [*bases, *(f"{base}_{config.kind}" for base in bases), plain]
    else:
        longer = [f"{base}_{part}" for base in bases] or [f"{config.kind}_{part}"]
        found = [part, *longer] if alone else longer
    return [_legal(each) for each in found]


def _without(base: str, device: str) -> str:
    if device and base == device:
        return ""
    return base.removeprefix(f"{device}_") if device else base


def _legal(base: str) -> str:
    base = base if base[:1].isalpha() else f"value_{base}".rstrip("_")
    return base[: _LONGEST - 4].rstrip("_")


def _free(candidates: Iterable[str], taken: Callable[[str], bool], numbers: dict[str, int]) -> str:
    """Return the first candidate that is free, else the first with a number behind it; `numbers` are the last ones."""
    listed = list(candidates)
    for candidate in listed:
        if not taken(candidate):
            return candidate
    number = numbers.get(listed[0], 2)
    while taken(numbered := f"{listed[0][: _LONGEST - len(str(number)) - 1]}_{number}"):
        number += 1
    numbers[listed[0]] = number
    return numbered
