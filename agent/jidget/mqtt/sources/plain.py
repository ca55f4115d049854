"""Topics that nobody announces: the configuration says what is on them (`[mqtt.topics.NAME]`)."""

from collections.abc import Iterator, Mapping
from typing import Any

from jidget.config.topics import PlainThing, PlainValue, identifier, steps_of
from jidget.mqtt.model import Device, EntityConfig, Message
from jidget.mqtt.sources.source import NOTHING, News, Publisher, Source, path

_LARGE = 1e9
_USUAL_STEP = 0.01


class Plain(Source):
    """The Things of `[mqtt.topics]`."""

    def __init__(self, things: Mapping[str, PlainThing]) -> None:
        """Take them by id."""
        self._things = things

    def begin(self) -> News:
        """Return all of them."""
        return News(added=tuple(each for name, thing in self._things.items() for each in _entities(name, thing)))

    def take(self, message: Message) -> News:  # noqa: ARG002  # nothing announces them
        """Return no news: nothing announces them."""
        return NOTHING


def _entities(thing_id: str, thing: PlainThing) -> Iterator[EntityConfig]:
    available = thing.available
    shared: dict[str, Any] = {"qos": thing.qos}
    if available is not None:
        shared["availability"] = [
            {
                "topic": available.topic,
                "payload_available": available.online,
                "payload_not_available": available.offline,
                **({"value_template": path(*steps_of(available.path))} if available.path else {}),
            }
        ]
    publisher = Publisher(
        topic=f"mqtt.topics.{thing_id}",
        # its model is its label where it has no name, which would be cut off from the ids of its properties
        device=Device(identifiers=(identifier(thing_id),), model=thing.label or thing_id, area=thing.area),
        origin="the configuration",
        announced_on=(),
        shared=shared,
    )
    for name, value in thing.properties.items():
        kind, keys = _kind(value)
        yield publisher.entity(
            kind,
            f"{identifier(thing_id)}.{name}",
            name,
            name=value.label or name.replace("_", " "),
            state_topic=value.topic,
            value_template=path(*steps_of(value.path)) if value.path else None,
            command_topic=value.set_topic,
            command_template=value.set_payload,
            retain=value.retain or None,
            expire_after=value.expires,
            **keys,
        )


def _kind(value: PlainValue) -> tuple[str, dict[str, Any]]:
    settable = value.set_topic is not None
    match value.type:
        case "boolean":
            return "switch" if settable else "binary_sensor", {"payload_on": value.on, "payload_off": value.off}
        case "choice":
            keys: dict[str, Any] = {"options": list(value.options)}
            return ("select", keys) if settable else ("sensor", {**keys, "device_class": "enum"})
        case "text":
            return "text" if settable else "sensor", {}
    keys = {"unit_of_measurement": value.unit or None, "state_class": "measurement"}
    if not settable:
        return "sensor", keys
    return "number", {
        **keys,
        "min": -_LARGE if value.min is None else value.min,
        "max": _LARGE if value.max is None else value.max,
        "step": _USUAL_STEP if value.step is None else value.step,
    }
