"""Zigbee2MQTT's own account of its devices, for those who have not switched on its Home Assistant discovery.

https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html#zigbee2mqtt-bridge-devices and
https://www.zigbee2mqtt.io/guide/usage/exposes.html. Unique ids are those of its Home Assistant discovery, so that a
device stays what it is when that is switched on.

What devices show is not retained. Home Assistant's discovery has Zigbee2MQTT say it again when we come; without it the
devices themselves are asked, those that always listen.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from jidget.mqtt.discovery import Changes
from jidget.mqtt.model import Device, EntityConfig, Message, Publish
from jidget.mqtt.sources.source import (
    NOTHING,
    News,
    Publisher,
    Roster,
    Source,
    as_list,
    as_object,
    as_text,
    json_of,
    merged,
)
from jidget.mqtt.sources.zigbee_device import Exposed
from jidget.mqtt.sources.zigbee_exposes import entities, readable

LARGEST_LIST = 8 * 1024 * 1024
"""Bytes: a device takes about 5 KiB of the list."""
_STATE = "{{ value_json.state }}"


@dataclass(slots=True)
class _Bridge:
    """One Zigbee2MQTT, by its base topic."""

    info: dict[str, Any] | None = None
    devices: list[Any] = field(default_factory=list)
    announced: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    heard: dict[str, bytes] = field(default_factory=dict)

    def has_heard(self, what: str, payload: bytes) -> bool:
        """Return whether this is what was said last: it is said again whenever a device comes or is set up."""
        digest = blake2b(payload, digest_size=16).digest()
        before, self.heard[what] = self.heard.get(what), digest
        return before == digest


class Zigbee2Mqtt(Source):
    """All Zigbee2MQTTs on a broker whose base topic has one level or two."""

    filters = ("+/bridge/info", "+/bridge/devices", "+/+/bridge/info", "+/+/bridge/devices")
    largest = dict.fromkeys(filters, LARGEST_LIST)

    def __init__(self, prefix: str = "homeassistant") -> None:
        """Take the first levels of our discovery topics: what announces itself there is left alone here."""
        self._prefix = prefix
        self._bridges: dict[str, _Bridge] = {}
        self._roster = Roster()

    def take(self, message: Message) -> News:
        """Take what a bridge tells about itself or its devices."""
        base, _, what = message.topic.rsplit("/", 2)
        if base in self._bridges and self._bridges[base].has_heard(what, message.payload):
            return NOTHING
        told = json_of(message)
        if what == "info":
            if not isinstance(told, dict) or "coordinator" not in told:
                return NOTHING  # of another program
            self._bridges.setdefault(base, _Bridge()).info = told
        elif isinstance(told, list) and all(isinstance(each, dict) and "ieee_address" in each for each in told):
            self._bridges.setdefault(base, _Bridge()).devices = told
        elif not message.payload and base in self._bridges:
            self._bridges[base].devices = []
        else:
            return NOTHING
        return self._compare(base, self._bridges[base])

    def _compare(self, base: str, bridge: _Bridge) -> News:
        if bridge.info is None:
            return NOTHING  # it comes, and says what is switched on
        found: dict[str, list[EntityConfig]] = {}
        asked: list[Publish] = []
        problems: list[str] = []
        config = as_object(bridge.info.get("config"))
        if not self._announces_itself(config):
            if as_object(config.get("advanced")).get("output") == "attribute":
                problems.append('its states come one by one. Set advanced.output to "json" in Zigbee2MQTT')
            for device in bridge.devices:
                address = as_text(device.get("ieee_address"))
                if address and _is_usable(device):
                    found[address] = list(_entities_of(base, bridge.info, device, address))
                    if address not in bridge.asked:
                        bridge.asked.add(address)
                        asked += _questions(base, device)
        changes = [
            self._roster.compare(f"{base} {address}", found.get(address, ()))
            for address in dict.fromkeys((*bridge.announced, *found))
        ]
        bridge.announced = set(found)
        return merged([*changes, Changes(problems=tuple(problems))], asked=tuple(asked))

    def _announces_itself(self, config: dict[str, Any]) -> bool:
        told = config.get("homeassistant")
        if isinstance(told, dict):
            enabled = told.get("enabled", True)  # version 1 has the table only where it is on
            return bool(enabled) and told.get("discovery_topic", "homeassistant") == self._prefix
        return told is True


def _is_usable(device: dict[str, Any]) -> bool:
    return (
        device.get("type") != "Coordinator"
        and device.get("disabled") is not True
        and isinstance(device.get("definition"), dict)
        and bool(as_text(device.get("friendly_name")))
    )


def _questions(base: str, device: dict[str, Any]) -> Iterator[Publish]:
    """Ask a device for what it is there for. One that sleeps would not hear it."""
    wanted = readable(_exposes(device)) if device.get("type") == "Router" else []
    if wanted:
        yield Publish(
            topic=f"{base}/{as_text(device['friendly_name'])}/get", payload=json.dumps(dict.fromkeys(wanted, ""))
        )


def _exposes(device: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in as_list(device["definition"].get("exposes")) if isinstance(each, dict)]


def _entities_of(base: str, info: dict[str, Any], device: dict[str, Any], address: str) -> Iterator[EntityConfig]:
    definition = device["definition"]
    name = as_text(device["friendly_name"])
    coordinator = as_text(as_object(info.get("coordinator")).get("ieee_address"))
    publisher = Publisher(
        topic=f"{base}/bridge/devices",
        prefix=f"{address} ",
        announced_on=(),
        origin="Zigbee2MQTT",
        device=Device(
            identifiers=(f"zigbee2mqtt_{address}",),
            name=name,
            manufacturer=as_text(definition.get("vendor")),
            model=as_text(definition.get("description")) or as_text(definition.get("model")),
            version=as_text(device.get("software_build_id")),
            via=f"zigbee2mqtt_bridge_{coordinator}" if coordinator else "",
        ),
        shared=_availability(base, as_object(info.get("config")), name, address),
    )
    where = Exposed(publisher, base=base, topic=f"{base}/{name}", name=name, address=address)
    yield from entities(where, _exposes(device))
    if definition.get("supports_ota") is True:
        yield where.update()


def _availability(base: str, config: dict[str, Any], name: str, address: str) -> dict[str, Any]:
    """Return the topics that tell whether a device is there: the bridge's, and its own where the bridge watches it."""
    topics = [f"{base}/bridge/state"]
    watch = config.get("availability")
    watches = watch.get("enabled", True) if isinstance(watch, dict) else watch
    own = as_object(as_object(config.get("devices")).get(address)).get("availability")
    if own is not False and (watches is True or own):
        topics.append(f"{base}/{name}/availability")
    return {
        "availability": [{"topic": topic, "value_template": _STATE} for topic in topics],
        "availability_mode": "all",
    }
