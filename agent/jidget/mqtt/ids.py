"""Names that stay: the Thing's id of every device and the property's id of every entity, from first sight on.

A readable id is made from what the publisher calls things when they are first seen, and bound for ever to identifiers:
renaming a device, or meeting it again after years, changes neither its history nor who may use it.
"""

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from jidget.config.values import COMMAND_WORDS, THING_ID
from jidget.mqtt.model import Device, EntityConfig

FACT = "mqtt device "
_LONGEST = 63


class Facts(Protocol):
    """What is needed of the store."""

    def facts(self, prefix: str) -> Mapping[str, str]:
        """Return all facts whose names begin with `prefix`, by the rest of their names."""

    def keep_fact(self, name: str, text: str) -> bool:
        """Keep a fact; return whether it is in the file."""


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
        """
        known = next((self._by_identifier[i] for i in device.identifiers if i in self._by_identifier), None)
        others = not wanted and known is not None and known.thing_id in self._taken
        if known is None or others or (wanted and known.thing_id != wanted):
            old, known = known, Bound(wanted or self._new(device), set(device.identifiers))
            self._unkept[known.thing_id] = known
            if old is not None:
                known.properties = dict(old.properties)
        if not known.identifiers.issuperset(device.identifiers):
            known.identifiers.update(device.identifiers)
            self._unkept[known.thing_id] = known
        self._remember(known)
        return known

    def property(self, bound: Bound, identity: str, part: str, candidates: Iterable[str]) -> str:
        """Return the id of one part of an entity: as it was at first sight, else the first candidate that is free."""
        key = f"{identity}\n{part}"
        if key not in bound.properties:
            bound.properties[key] = _free(candidates, set(bound.properties.values()))
            self._unkept[bound.thing_id] = bound
        return bound.properties[key]

    def keep(self) -> None:
        """Have all names outlive the process."""
        for thing_id, bound in list(self._unkept.items()):
            known = {"identifiers": sorted(bound.identifiers), "properties": bound.properties}
            if self._facts.keep_fact(f"{FACT}{thing_id}", json.dumps(known)):
                del self._unkept[thing_id]

    def _remember(self, bound: Bound) -> None:
        self._by_thing[bound.thing_id] = bound
        for identifier in bound.identifiers:
            self._by_identifier[identifier] = bound

    def _new(self, device: Device) -> str:
        """Make an id for a device that was never seen."""
        base = slug(device.name) or slug(device.model) or slug(device.identifiers[0]) or "device"
        if not base[0].isalpha() or base in COMMAND_WORDS:
            base = f"device_{base}"
        base = base[: _LONGEST - 4].rstrip("_")
        made = _free((base,), {*self._taken, *self._by_thing})
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
        found = [*bases, "state" if config.kind in ("switch", "binary_sensor") else config.kind]
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


def _free(candidates: Iterable[str], taken: set[str]) -> str:
    """Return the first candidate that is free, else the first with a number behind it."""
    listed = list(candidates)
    for candidate in listed:
        if candidate not in taken:
            return candidate
    number = 2
    while f"{listed[0]}_{number}" in taken:
        number += 1
    return f"{listed[0]}_{number}"
