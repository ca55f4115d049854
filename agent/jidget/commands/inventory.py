"""What there is: every property of every Thing, as programs on this machine are told (`jidget things --json`)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jidget.things.directory import Directory
from jidget.things.host import Thing
from jidget_drivers import Property

Details = Callable[[str, str], Mapping[str, Any]]
"""Returns what more is known of a Thing's property: where a discovered one comes from."""


def inventory(things: Directory | Iterable[Thing], details: Details = lambda _t, _p: {}) -> list[dict[str, Any]]:
    """Return an object for each property: JSON values by key, the same keys for all.

    `value` is the last one known, in `unit` (SenML), or null. `unique_id`, `topic`, `kind`, `part`, `state` and
    `attributes` are those of a device that was discovered over MQTT, else null: `state` as Home Assistant says it.
    """
    return [
        {**_describe(thing, prop), **_NOTHING_MORE, **details(thing.id, prop.name)}
        for thing in things
        for prop in thing.properties.values()
    ]


_NOTHING_MORE: Mapping[str, Any] = dict.fromkeys(("unique_id", "topic", "kind", "part", "state", "attributes"))


def _describe(thing: Thing, prop: Property) -> dict[str, Any]:
    seen = thing.values.get(prop.name)
    return {
        "thing": thing.id,
        "label": thing.label,
        "property": prop.name,
        "name": prop.label,
        "type": prop.kind.value,
        "unit": prop.unit.value if prop.unit is not None else None,
        "writable": prop.writable,
        "min": prop.minimum,
        "max": prop.maximum,
        "options": list(prop.options),
        "available": thing.availability.available,
        "reason": thing.availability.reason,
        "value": None if seen is None else seen.value,
        "time": None if seen is None else seen.time,
        "actions": sorted(thing.actions),
        "discovered": thing.discovered,
    }
