"""The Homie convention, versions 3, 4 (https://homieiot.github.io/specification/spec-core-v4_0_0/) and 5 (…v5_0_0/).

Versions 3 and 4 tell each attribute on a topic of its own, version 5 describes a whole device in one JSON object.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jidget.mqtt.model import Device, EntityConfig, Message
from jidget.mqtt.sources.homie_properties import HomieProperty, described, property_config
from jidget.mqtt.sources.source import (
    MOST_DEVICES,
    NOTHING,
    News,
    Publisher,
    Roster,
    Source,
    as_object,
    as_text,
    json_of,
    merged,
    text_of,
)

_STATE = "{{ 'online' if value in ('ready', 'alert', 'sleeping') else 'offline' }}"
_ID = re.compile(r"[^/+#$\s][^/+#\s]{0,100}")
_DEVICE_ATTRIBUTES = ("$name", "$nodes", "$implementation")
_NODE_ATTRIBUTES = ("$name", "$properties")
_PROPERTY_ATTRIBUTES = ("$name", "$datatype", "$format", "$settable", "$unit", "$retained")
_MOST_ATTRIBUTES = 5_000


@dataclass(slots=True)
class _Tree:
    """What a device of version 3 or 4 has told, by what follows its own topic."""

    filters: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)

    def listed(self, name: str) -> list[str]:
        """Return the ids in a list."""
        ids = (each.strip() for each in self.attributes.get(name, "").split(","))
        return [each for each in ids if _ID.fullmatch(each) and not each.endswith("]")]


class Homie(Source):
    """All devices that follow the convention, whatever the first level of their topics is."""

    filters = ("+/+/$homie", "+/5/+/$description")

    def __init__(self) -> None:
        """Start with none."""
        self._trees: dict[str, _Tree] = {}
        self._roster = Roster()

    def take(self, message: Message) -> News:
        """Take an attribute or a description."""
        base, _, name = message.topic.rpartition("/")
        if name == "$description":
            return self._describe(base, message)
        if name == "$homie":
            return self._meet(base, message)
        for root, depth in ((base, 0), (base.rpartition("/")[0], 1), (base.rpartition("/")[0].rpartition("/")[0], 2)):
            if root in self._trees and root.count("/") == 1 and message.topic.count("/") == 2 + depth:
                return self._hear(root, message)
        return NOTHING

    # ---- version 5 --------------------------------------------------------------------------------------------------

    def _describe(self, base: str, message: Message) -> News:
        told = json_of(message)
        if message.payload and (not isinstance(told, dict) or not as_text(told.get("homie")).startswith("5.")):
            return News(problems=("this is no Homie description",))
        return merged([self._roster.compare(base, _configs_5(base, as_object(told), message.topic))])

    # ---- versions 3 and 4 -------------------------------------------------------------------------------------------

    def _meet(self, base: str, message: Message) -> News:
        version = text_of(message).strip()
        if base in self._trees and not message.payload:
            return merged([self._roster.compare(base, ())], unwatched=self._trees.pop(base).filters)
        if not version.startswith(("3.", "4.")) or base in self._trees:
            return NOTHING
        if len(self._trees) >= MOST_DEVICES:
            return News(problems=(f"more than {MOST_DEVICES} devices: the rest is ignored",))
        tree = _Tree(
            (
                *(f"{base}/{name}" for name in _DEVICE_ATTRIBUTES),
                *(f"{base}/+/{name}" for name in _NODE_ATTRIBUTES),
                *(f"{base}/+/+/{name}" for name in _PROPERTY_ATTRIBUTES),
            )
        )
        self._trees[base] = tree
        return News(watched=tree.filters)

    def _hear(self, base: str, message: Message) -> News:
        tree = self._trees[base]
        name, text = message.topic.removeprefix(f"{base}/"), text_of(message)[:10_000]
        if tree.attributes.get(name) == text:
            return NOTHING
        if name not in tree.attributes and len(tree.attributes) >= _MOST_ATTRIBUTES:
            return News(problems=(f"more than {_MOST_ATTRIBUTES} attributes: the rest is ignored",))
        tree.attributes[name] = text
        return merged([self._roster.compare(base, _configs_4(base, tree))])


def _publisher(topic: str, device: Device, *bases: str) -> Publisher:
    """Return what the properties of a device have in common, which is there if all of these are."""
    states = [{"topic": f"{base}/$state", "value_template": _STATE} for base in bases]
    return Publisher(
        topic=topic, device=device, origin="Homie", shared={"availability": states, "availability_mode": "all"}
    )


def _configs_4(base: str, tree: _Tree) -> Iterator[EntityConfig]:
    told = tree.attributes
    device_id = base.rpartition("/")[2]
    device = Device(
        identifiers=(f"homie_{device_id}", device_id),
        name=as_text(told.get("$name")) or device_id,
        manufacturer=as_text(told.get("$implementation")),
    )
    publisher = _publisher(f"{base}/$homie", device, base)
    for node in tree.listed("$nodes"):
        for name in tree.listed(f"{node}/$properties"):
            attributes = {
                each[1:]: told[key] for each in _PROPERTY_ATTRIBUTES if (key := f"{node}/{name}/{each}") in told
            }
            if "datatype" in attributes or "name" in attributes:
                made = HomieProperty.of(base, node, as_text(told.get(f"{node}/$name")), name, attributes)
                yield property_config(publisher, device_id, made)


def _configs_5(base: str, told: dict[str, Any], topic: str) -> Iterator[EntityConfig]:
    device_id = base.rpartition("/")[2]
    root = as_text(told.get("root"))
    parent = as_text(told.get("parent")) or root
    device = Device(
        identifiers=(f"homie_{device_id}", device_id),
        name=as_text(told.get("name")) or device_id,
        version=as_text(told.get("version")),
        via=f"homie_{parent}" if parent else "",
    )
    carrier = f"{base.rpartition('/')[0]}/{root}"  # whose last will stands for all that are on it
    publisher = _publisher(topic, device, base, *([carrier] if _ID.fullmatch(root) else []))
    for node, about in as_object(told.get("nodes")).items():
        for name, attributes in as_object(as_object(about).get("properties")).items():
            if _ID.fullmatch(node) and _ID.fullmatch(name):
                attributes_4 = described(as_object(attributes))
                made = HomieProperty.of(base, node, as_text(as_object(about).get("name")), name, attributes_4)
                yield property_config(publisher, device_id, made)
