"""What one discovery payload says. Pure: no state, no exceptions; what cannot be used is a problem."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from jidget.mqtt.expansion import copied, expanded, expanded_device, with_base
from jidget.mqtt.model import LARGEST_PAYLOAD, Category, Device, EntityConfig

LONGEST_NAME = 250
"""Characters of a name, an id, a version …: what is longer is cut off."""
MOST_COMPONENTS = 1000
"""Of one device."""
MOST_PROBLEMS = 20
"""Told of one payload."""
INHERITED = (
    "availability",
    "availability_mode",
    "availability_template",
    "availability_topic",
    "command_topic",
    "encoding",
    "message_expiry_interval",
    "payload_available",
    "payload_not_available",
    "state_topic",
    "qos",
)
"""Keys of a device payload that count for each of its components that does not have them."""

_TOPIC = re.compile(r"(?P<kind>\w+)/(?:(?P<node>[a-zA-Z0-9_-]+)/)?(?P<object>[a-zA-Z0-9_-]+)/config", re.ASCII)
_OFF = frozenset({"0", "false", "no", "off", "disable"})
_DEVICE = "device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What one payload says.

    Attributes:
        understood: whether it says anything; if not, all stays as it was.
        configs: all entities that there are on this topic from now on.
        broken: components that are announced, but wrongly.
        migrates: whether the entities of this topic are about to be announced on another one.
        problems: what was not understood, a sentence each.
    """

    understood: bool = True
    configs: tuple[EntityConfig, ...] = ()
    broken: frozenset[str] = frozenset()
    migrates: bool = False
    problems: tuple[str, ...] = ()


class _Unusable(ValueError):
    """A payload, or a part of one; the text says why."""


def parse(topic: str, payload: bytes, prefix: str = "homeassistant") -> Announcement:
    """Read a message on a discovery topic. An empty one announces nothing: what was there is gone."""
    match = _TOPIC.fullmatch(topic.removeprefix(f"{prefix}/"))
    if match is None or not topic.startswith(f"{prefix}/"):
        return Announcement(understood=False, problems=(f"{topic[:LONGEST_NAME]}: this is no discovery topic",))
    try:
        keys = _object(payload) if payload else {}
        migrates = keys.get("migrate_discovery", keys.get("migr_discvry"))
        if migrates is True:
            return Announcement(migrates=True)
        if match["kind"] == _DEVICE:
            return _parse_device(topic, keys)
        return Announcement(configs=(_single(topic, match, keys),)) if keys else Announcement()
    except _Unusable as error:
        return Announcement(understood=False, problems=(f"{topic}: {error}",))


def _object(payload: bytes) -> dict[str, Any]:
    if len(payload) > LARGEST_PAYLOAD:
        raise _Unusable(f"{len(payload)} bytes are too many, {LARGEST_PAYLOAD} are the most")
    try:
        keys = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _Unusable(f"this is no JSON: {error}") from None
    if not isinstance(keys, dict):
        raise _Unusable("this is JSON, but no object")
    return keys


def _single(topic: str, match: re.Match[str], keys: dict[str, Any]) -> EntityConfig:
    keys = expanded(keys)
    device = keys.get(_DEVICE)
    if isinstance(device, dict):
        keys[_DEVICE] = expanded_device(device)
    return _config(match["kind"], topic, match["object"], with_base(keys), _device(keys.get(_DEVICE), topic))


# ---- device payloads ---------------------------------------------------------------------------------------------


def _parse_device(topic: str, keys: dict[str, Any]) -> Announcement:
    if not keys:
        return Announcement()
    keys = expanded(keys)
    described = keys.get(_DEVICE)
    if not isinstance(described, dict):
        raise _Unusable("it has no device")
    described = expanded_device(described)
    shared = {key: keys[key] for key in (*INHERITED, "origin") if key in keys} | {_DEVICE: described}
    configs: dict[str, EntityConfig] = {}
    broken: set[str] = set()
    names: set[str] = set()
    problems: list[str] = []
    device = _device(described, topic)
    for components, owner, child in _groups(keys, device, topic, problems):
        extra = shared if child is None else {**shared, _DEVICE: {**described, "child_device": child}}
        for name, component in components.items():
            try:
                _check_name(name, names)
                names.add(name)
                config = _component(topic, name, component, extra, owner)
            except _Unusable as error:
                broken.add(name)
                problems.append(f"{topic}: component {_text(name)!r}: {error}")
                continue
            if config is not None:
                configs[name] = config
    if not configs and not broken and problems:
        return Announcement(understood=False, problems=tuple(problems))
    return Announcement(
        configs=tuple(configs.values()),
        broken=frozenset(broken - configs.keys()),
        problems=tuple(problems[:MOST_PROBLEMS]),
    )


def _check_name(name: str, names: Collection[str]) -> None:
    if name in names:
        raise _Unusable("there are two of this name")
    if len(names) >= MOST_COMPONENTS:
        raise _Unusable(f"there are more than {MOST_COMPONENTS}")


def _groups(
    keys: Mapping[str, Any], device: Device | None, topic: str, problems: list[str]
) -> list[tuple[dict[str, Any], Device | None, dict[str, Any] | None]]:
    """Return components with their device, and what was said of it if it is a child."""
    groups: list[tuple[dict[str, Any], Device | None, dict[str, Any] | None]] = []
    components = keys.get("components")
    if isinstance(components, dict):
        groups.append((components, device, None))
    elif components is not None or "child_devices" not in keys:
        problems.append(f"{topic}: it has no components")
    children = keys.get("child_devices", [])
    for child in children if isinstance(children, list) else [children]:
        table = expanded_device(expanded(child)) if isinstance(child, dict) else {}
        components = table.pop("components", None)
        identifiers = _texts(table.get("identifiers"))
        if not isinstance(components, dict) or not identifiers:
            problems.append(f"{topic}: a child device has no identifiers or no components")
            continue
        groups.append((components, _child(table, device), table))
    return groups


def _component(
    topic: str, name: str, component: Any, shared: Mapping[str, Any], device: Device | None
) -> EntityConfig | None:
    if not isinstance(component, dict):
        raise _Unusable("this is no object")
    keys = expanded(component)
    kind = keys.pop("platform", None)
    if not isinstance(kind, str) or not re.fullmatch(r"\w+", kind, re.ASCII):
        raise _Unusable(f"its platform is {str(kind)[:40]!r}")
    if not keys:
        return None  # removed
    for key, value in shared.items():
        if key in {_DEVICE, "origin"}:
            keys[key] = value
        else:
            keys.setdefault(key, copied(value))
    return _config(kind, topic, name, with_base(keys), device, component=name)


# ---- what they mean ----------------------------------------------------------------------------------------------


def _config(
    kind: str, topic: str, object_id: str, keys: dict[str, Any], device: Device | None, *, component: str = ""
) -> EntityConfig:
    wanted = _text(keys.get("object_id")) or _text(keys.get("default_entity_id")).rpartition(".")[2]
    category = keys.get("entity_category")
    origin = keys.get("origin")
    return EntityConfig(
        kind=kind,
        topic=topic,
        component=component,
        unique_id=_text(keys.get("unique_id")),
        object_id=wanted or _text(object_id),
        name=_text(keys["name"]) if "name" in keys else _usual_name(kind, keys),
        device=device,
        category=_category(category),
        enabled=_enabled(keys.get("enabled_by_default", True)),
        origin=_text(origin.get("name")) if isinstance(origin, dict) else "",
        keys=keys,
    )


def _usual_name(kind: str, keys: Mapping[str, Any]) -> str:
    """Return what an entity is called that has no `name` at all: after what it measures, else after its kind."""
    return (_text(keys.get("device_class")) or kind).replace("_", " ").capitalize()


def _category(value: Any) -> Category:
    return "config" if value == "config" else "diagnostic" if value == "diagnostic" else ""


def _enabled(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in _OFF
    return value != 0 if isinstance(value, bool | int | float) else True


def _device(keys: Any, topic: str) -> Device | None:
    if not isinstance(keys, dict):
        return None
    connections = keys.get("connections")
    pairs = [_texts(pair) for pair in connections] if isinstance(connections, list) else []
    identifiers = (
        _texts(keys.get("identifiers")) or tuple(":".join(pair) for pair in pairs if len(pair) == 2) or (topic,)
    )
    device = Device(
        identifiers=identifiers,
        name=_text(keys.get("name")),
        manufacturer=_text(keys.get("manufacturer")),
        model=_text(keys.get("model")) or _text(keys.get("model_id")),
        version=_text(keys.get("sw_version")),
        area=_text(keys.get("suggested_area")),
        via=_text(keys.get("via_device")),
    )
    child = keys.get("child_device")
    return _child(child, device) if isinstance(child, dict) and _texts(child.get("identifiers")) else device


def _child(keys: Mapping[str, Any], parent: Device | None) -> Device:
    """Return a device that is a part of another: it is of the same make, and in the same place."""
    identifiers, name = _texts(keys.get("identifiers")), _text(keys.get("name"))
    if parent is None:
        return Device(identifiers=identifiers, name=name)
    return Device(
        identifiers=identifiers,
        name=name or parent.name,
        manufacturer=parent.manufacturer,
        model=parent.model,
        version=parent.version,
        area=parent.area,
        via=parent.identifiers[0],
    )


def _texts(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(text for text in map(_text, items) if text)


def _text(value: Any) -> str:
    """Return a text of a payload, without control characters, and not too long; other scalars as Python writes them."""
    if value is None or isinstance(value, list | dict):
        return ""
    text = str(value)[: 2 * LONGEST_NAME]
    return (text if text.isprintable() else "".join(filter(str.isprintable, text))).strip()[:LONGEST_NAME]
