"""A property of a Homie device as a config."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from jidget.mqtt.model import EntityConfig
from jidget.mqtt.sources.source import Publisher, as_text

_FARTHEST = 2.0**53
"""No number of the convention is larger."""
_FINEST = 0.001
_USUAL_STEP = 0.01
_COLORS = {"rgb": r"\d{1,3}(\.\d+)?(,\d{1,3}(\.\d+)?){2}", "hsv": r"\d{1,3}(\.\d+)?(,\d{1,3}(\.\d+)?){2}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HomieProperty:
    """What a device tells of a property.

    Attributes:
        topic: where its value is.
        node: id of what it belongs to.
        node_name: what people call that.
        id: its own.
        name: what people call it.
        datatype: `integer`, `float`, `percent`, `boolean`, `string`, `enum`, `color`, `datetime`, `duration`, `json`.
        format: range, options or colour space.
        unit: of its numbers; empty for none.
        settable: whether it can be set.
        retained: whether its value lasts; else it tells something that has happened, or is only a command.
    """

    topic: str
    node: str
    node_name: str
    id: str
    name: str
    datatype: str
    format: str
    unit: str
    settable: bool
    retained: bool

    @classmethod
    def of(cls, base: str, node: str, node_name: str, name: str, attributes: Mapping[str, str]) -> Self:
        """Return what the attributes of versions 3 and 4 say."""
        return cls(
            topic=f"{base}/{node}/{name}",
            node=node,
            node_name=node_name or node,
            id=name,
            name=as_text(attributes.get("name")) or name,
            datatype=attributes.get("datatype", "string").strip().lower(),
            format=attributes.get("format", ""),
            unit="" if attributes.get("unit") == "#" else as_text(attributes.get("unit")),
            settable=attributes.get("settable") == "true",
            retained=attributes.get("retained") != "false",
        )


def described(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes of a property in a description of version 5 as versions 3 and 4 tell them."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in attributes.items()
        if isinstance(value, str | int | float)
    }


def property_config(publisher: Publisher, device_id: str, prop: HomieProperty) -> EntityConfig:
    """Return the config for a property."""
    kind, keys = _kind(prop)
    same = prop.name.casefold() == prop.node_name.casefold()
    if prop.settable:
        keys["command_topic"] = f"{prop.topic}/set"
    return publisher.entity(
        kind,
        f"homie_{device_id}_{prop.node}_{prop.id}",
        prop.id if prop.id == prop.node else f"{prop.node}_{prop.id}",
        name=prop.name if same else f"{prop.node_name} {prop.name}",
        state_topic=None if kind == "button" else prop.topic,
        **keys,
    )


def _kind(prop: HomieProperty) -> tuple[str, dict[str, Any]]:
    match prop.datatype:
        case "integer" | "float" | "percent":
            return _number(prop)
        case "boolean":
            return "switch" if prop.settable else "binary_sensor", {"payload_on": "true", "payload_off": "false"}
        case "enum" if options := _options(prop.format):
            return _enum(prop, options)
        case "datetime" if not prop.settable:
            return "sensor", {"device_class": "timestamp"}
        case "color" if prop.settable:
            return "text", {"pattern": _color(prop.format)}
    return "text" if prop.settable else "sensor", {}


def _enum(prop: HomieProperty, options: list[str]) -> tuple[str, dict[str, Any]]:
    if prop.settable and len(options) == 1 and not prop.retained:
        return "button", {"payload_press": options[0]}
    if prop.settable:
        return "select", {"options": options}
    return "sensor", {"device_class": "enum", "options": options}


def _number(prop: HomieProperty) -> tuple[str, dict[str, Any]]:
    unit = prop.unit or ("%" if prop.datatype == "percent" else None)
    if not prop.settable:
        return "sensor", {"unit_of_measurement": unit, "state_class": "measurement"}
    least, most, step = _range(prop)
    return "number", {"unit_of_measurement": unit, "min": least, "max": most, "step": step}


def _range(prop: HomieProperty) -> tuple[float, float, float]:
    """Return least, most and step: `0:100` or, in version 5, `[min]:[max][:step]`."""
    numbers = [*(_finite(each) for each in prop.format.split(":")), None, None, None][:3]
    least, most, step = numbers
    if prop.datatype == "percent" and least is None and most is None:
        least, most = 0, 100
    usual = 1.0 if prop.datatype == "integer" else _USUAL_STEP
    return (
        -_FARTHEST if least is None else least,
        _FARTHEST if most is None else most,
        step if step is not None and step >= _FINEST else usual,
    )


def _finite(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _options(text: str) -> list[str]:
    return [option for option in (each.strip() for each in text.split(",")) if option]


def _color(text: str) -> str:
    """Return what a colour looks like: version 4 names one space, version 5 those that it takes, in the value, too."""
    spaces = _options(text)
    if len(spaces) == 1 and spaces[0] in _COLORS:
        return f"^({spaces[0]},)?{_COLORS[spaces[0]]}$"
    return r"^[a-z]{3},.{1,60}$" if spaces else ".*"
