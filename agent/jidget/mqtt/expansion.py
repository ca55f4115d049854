"""Keys of discovery payloads as they are meant: full names for short ones, whole topics for those with a `~`."""

from collections.abc import Mapping
from typing import Any

from jidget.mqtt import abbreviations


def expanded(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return a component's keys by their full names, in `availability` and `origin`, too."""
    full = _renamed(keys, abbreviations.COMPONENT)
    listed = full.get("availability")
    if isinstance(listed, dict):
        full["availability"] = _renamed(listed, abbreviations.COMPONENT)
    elif isinstance(listed, list):
        full["availability"] = [
            _renamed(entry, abbreviations.COMPONENT) if isinstance(entry, dict) else entry for entry in listed
        ]
    if isinstance(full.get("origin"), dict):
        full["origin"] = _renamed(full["origin"], abbreviations.ORIGIN)
    return full


def expanded_device(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of `device`, or of a child device, by their full names."""
    full = _renamed(keys, abbreviations.DEVICE)
    if isinstance(full.get("child_device"), dict):
        full["child_device"] = _renamed(full["child_device"], abbreviations.DEVICE)
    return full


def _renamed(keys: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    full = {key: value for key, value in keys.items() if key not in names}
    full.update({names[key]: value for key, value in keys.items() if key in names})
    return full


def copied(value: Any) -> Any:
    """Return a copy of `availability`, so that each component puts its own base into it."""
    if isinstance(value, list):
        return [dict(item) if isinstance(item, dict) else item for item in value]
    return dict(value) if isinstance(value, dict) else value


def with_base(keys: dict[str, Any]) -> dict[str, Any]:
    """Put what `~` stands for into topics that begin or end with it."""
    if "~" not in keys:
        return keys
    base = keys.pop("~")
    for key, value in keys.items():
        if key.endswith("topic"):
            keys[key] = _based(value, str(base))
    listed = keys.get("availability")
    for entry in listed if isinstance(listed, list) else [listed]:
        if isinstance(entry, dict) and "topic" in entry:
            entry["topic"] = _based(entry["topic"], str(base))
    return keys


def _based(topic: Any, base: str) -> Any:
    if not isinstance(topic, str):
        return topic
    if topic.startswith("~"):
        return base + topic[1:]
    return topic[:-1] + base if topic.endswith("~") else topic
