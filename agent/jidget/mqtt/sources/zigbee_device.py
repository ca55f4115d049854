"""One Zigbee device: where it publishes, and what its features say of themselves."""

import json
from dataclasses import dataclass
from typing import Any

from jidget.mqtt.model import Category, EntityConfig
from jidget.mqtt.sources.source import Publisher, as_list, as_text, path

TOLD, SETTABLE, READABLE = 1, 2, 4
"""Bits of `access`: it is in what the device publishes; it can be set; the device can be asked for it."""


@dataclass(frozen=True, slots=True)
class Exposed:
    """Where the entities of one Zigbee device are.

    Attributes:
        publisher: what they have in common.
        base: base topic of the bridge.
        topic: where the device publishes.
        name: what people call the device.
        address: its IEEE address.
    """

    publisher: Publisher
    base: str
    topic: str
    name: str
    address: str

    def entity(
        self, kind: str, object_id: str, feature: dict[str, Any], *, called: str = "", **keys: Any
    ) -> EntityConfig:
        """Return a config for what a feature tells; `keys` may name its own `name`, `category` and `enabled`.

        Args:
            kind: of the entity.
            object_id: Zigbee2MQTT's; it is in the unique id.
            feature: what is told.
            called: what the entity is called besides the device's name; default: as its `object_id`.
            keys: of the config.
        """
        category = feature.get("category")
        own: Category = category if category in ("config", "diagnostic") else ""
        label = as_text(feature.get("label"))
        name = " ".join(filter(None, (label, as_text(feature.get("endpoint"))))) if label else object_id
        named = {"name": name, "category": own, **keys}
        return self.publisher.entity(
            kind, f"{self.address}_{object_id}_{self.base}", f"{self.name}_{called or object_id}", qos=0, **named
        )

    def main(self, kind: str, feature: dict[str, Any], **keys: Any) -> EntityConfig:
        """Return a config for what the device, or one endpoint of it, is there for."""
        endpoint = as_text(feature.get("endpoint"))
        name = f"{self.name}_{endpoint}" if endpoint else self.name
        return self.publisher.entity(
            kind, f"{self.address}_{joined(kind, endpoint)}_{self.base}", name, name=endpoint.capitalize(), **keys
        )

    def told(self, feature: dict[str, Any]) -> dict[str, Any]:
        """Return the keys for a value that the device publishes; none if it does not."""
        if not access(feature) & TOLD:
            return {}
        return {"state_topic": self.topic, "value_template": path(prop(feature))}

    def setter(self, feature: dict[str, Any]) -> str:
        """Return the topic that sets a value."""
        return f"{self.topic}/set/{prop(feature)}"

    def update(self) -> EntityConfig:
        """Return the config for the device's firmware."""
        versions = {
            "installed_version": "{{ value_json['update']['installed_version'] }}",
            "latest_version": "{{ value_json['update']['latest_version'] }}",
        }
        return self.publisher.entity(
            "update",
            f"{self.address}_update_{self.base}",
            f"{self.name}_update",
            name="Update",
            category="config",
            state_topic=self.topic,
            value_template=json.dumps(versions),
            command_topic=f"{self.base}/bridge/request/device/ota_update/update",
            payload_install=json.dumps({"id": self.address}),
        )


def joined(*words: str) -> str:
    """Return words with `_` between those that are there."""
    return "_".join(word for word in words if word)


def prop(feature: dict[str, Any]) -> str:
    """Return the key of a feature in what the device publishes."""
    return as_text(feature.get("property")) or as_text(feature.get("name"))


def access(feature: dict[str, Any]) -> int:
    """Return what can be done with a feature, in bits."""
    told = feature.get("access")
    return told if isinstance(told, int) else 0


def features_of(expose: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the features of what has several."""
    return [each for each in as_list(expose.get("features")) if isinstance(each, dict) and prop(each)]
