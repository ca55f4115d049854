"""What there is: every property of every Thing, as programs on this machine are told (`jidget things --json`)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from jidget.things.directory import Directory
from jidget.things.host import Thing
from jidget_drivers import Property

Details = Callable[[str, str], Mapping[str, Any]]
"""Returns what more is known of a Thing's property: where a discovered one comes from."""
Others = Callable[[str], Sequence[Mapping[str, Any]]]
"""Returns the same of what a Thing can do without showing anything of it: a discovered button."""


def inventory(
    things: Directory | Iterable[Thing], details: Details = lambda _t, _p: {}, others: Others = lambda _t: ()
) -> list[dict[str, Any]]:
    """Return an object for each property: JSON values by key, the same keys for all.

    `value` is the last one known, in `unit` (SenML), or null. `unique_id`, `topic`, `kind`, `part`, `state` and
    `attributes` are those of a device that was discovered over MQTT, else null: `state` as Home Assistant says it.
    `actions` are those of the Thing; of what was discovered, those of that entity alone. An entity that shows nothing,
    such as a button, has an object, too: its `property` is null.
    """
    return [each for thing in things for each in _objects(thing, details, others)]


_NOTHING_MORE: Mapping[str, Any] = dict.fromkeys(("unique_id", "topic", "kind", "part", "state", "attributes"))


def _objects(thing: Thing, details: Details, others: Others) -> Iterator[dict[str, Any]]:
    for prop in thing.properties.values():
        yield {**_describe(thing, prop), **_NOTHING_MORE, **details(thing.id, prop.name)}
    for other in others(thing.id):
        yield {**_describe(thing, None), **_NOTHING_MORE, **other}


def _describe(thing: Thing, prop: Property | None) -> dict[str, Any]:
    seen = None if prop is None else thing.values.get(prop.name)
    return {
        "thing": thing.id,
        "label": thing.label,
        "property": None if prop is None else prop.name,
        "name": "" if prop is None else prop.label,
        "type": None if prop is None else prop.kind.value,
        "unit": prop.unit.value if prop is not None and prop.unit is not None else None,
        "writable": prop is not None and prop.writable,
        "min": None if prop is None else prop.minimum,
        "max": None if prop is None else prop.maximum,
        "options": [] if prop is None else list(prop.options),
        "available": thing.availability.available,
        "reason": thing.availability.reason,
        "value": None if seen is None else seen.value,
        "time": None if seen is None else seen.time,
        "actions": sorted(thing.actions),
        "discovered": thing.discovered,
    }
