"""Tasmota's own discovery (https://tasmota.github.io/docs/MQTT/, `SetOption19 0`, as it is by default).

`tasmota/discovery/MAC/config` describes what is wired to a device, `…/sensors` what it measures. What it tells on
`stat/…` in answer to commands is retold here as if it came on the topics where it reports by itself (`tele/…`).
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from jidget.mqtt.model import EntityConfig, Message, Publish
from jidget.mqtt.sources.source import (
    NOTHING,
    News,
    Roster,
    Source,
    as_object,
    json_of,
    merged,
    text_of,
)
from jidget.mqtt.sources.tasmota_device import TasmotaDevice
from jidget.mqtt.sources.tasmota_outputs import outputs
from jidget.mqtt.sources.tasmota_sensors import inputs, sensors
from jidget.mqtt.topics import filter_problem

_MAC = re.compile(r"[0-9A-F]{12}")


@dataclass(slots=True)
class _Known:
    """What a device has announced."""

    device: TasmotaDevice | None = None
    sensors: Any = None
    watched: tuple[str, ...] = ()


class Tasmota(Source):
    """All Tasmota devices on a broker."""

    filters = ("tasmota/discovery/+/config", "tasmota/discovery/+/sensors")

    def __init__(self) -> None:
        """Start with none."""
        self._known: dict[str, _Known] = {}
        self._watched: dict[str, TasmotaDevice] = {}
        self._roster = Roster()

    def take(self, message: Message) -> News:
        """Take an announcement, or what a device tells."""
        levels = message.topic.split("/")
        if levels[:2] == ["tasmota", "discovery"] and len(levels) == 4:
            return self._announce(levels[2], levels[3], message)
        if (device := self._watched.get(message.topic)) is not None:  # its last will
            return News(asked=_questions(device)) if text_of(message) == device.online else NOTHING
        device = self._watched.get(f"{message.topic.rpartition('/')[0]}/+")
        return NOTHING if device is None else News(retold=tuple(_retold(device, message)))

    def _announce(self, mac: str, what: str, message: Message) -> News:
        if not _MAC.fullmatch(mac):
            return News(problems=("its topic has no MAC address",))
        told = json_of(message)
        if message.payload and not isinstance(told, dict):
            return News(problems=("this is no JSON object",))
        known = self._known.setdefault(mac, _Known())
        if what == "sensors":
            known.sensors = as_object(told).get("sn")
        elif not message.payload:
            known.device = None
        else:
            device = TasmotaDevice.of(mac, as_object(told), message.topic)
            if isinstance(device, str):
                return News(problems=(device,))
            known.device = device
        wanted = () if known.device is None else known.device.watched
        news = merged([self._roster.compare(mac, _entities(known))], **self._watch(known, wanted))
        if known.device is None and known.sensors is None:
            del self._known[mac]
        return news

    def _watch(self, known: _Known, wanted: Iterable[str]) -> dict[str, tuple[str, ...]]:
        before, known.watched = known.watched, tuple(each for each in wanted if not filter_problem(each))
        for each in before:
            self._watched.pop(each, None)
        if known.device is not None:
            self._watched.update(dict.fromkeys(known.watched, known.device))
        return {
            "watched": tuple(each for each in known.watched if each not in before),
            "unwatched": tuple(each for each in before if each not in known.watched),
        }


def _entities(known: _Known) -> Iterator[EntityConfig]:
    if known.device is not None:
        yield from outputs(known.device)
        yield from inputs(known.device)
        yield from sensors(known.device, as_object(known.sensors))


def _questions(device: TasmotaDevice) -> tuple[Publish, ...]:
    """Return what makes a device tell its state (`STATE`) and its readings (`STATUS 10`)."""
    return (
        Publish(topic=f"{device.command}STATE", payload=""),
        Publish(topic=f"{device.command}STATUS", payload="10"),
    )


def _retold(device: TasmotaDevice, message: Message) -> Iterator[Message]:
    """Say what came on `stat/…` as if it came on `tele/…`."""
    told = json_of(message)
    if not isinstance(told, dict):
        return  # `stat/…/POWER` says again what the JSON says
    readings, state = told.get("StatusSNS"), told.get("StatusSTS")
    if isinstance(readings, dict):
        yield _as(device.sensor, readings, message)
    elif isinstance(state, dict):
        yield _as(device.state, state, message)
    elif any(isinstance(value, dict) for value in told.values()):
        yield Message(topic=device.sensor, payload=message.payload, retained=message.retained)
        yield Message(topic=device.state, payload=message.payload, retained=message.retained)
    else:
        yield Message(topic=device.state, payload=message.payload, retained=message.retained)


def _as(topic: str, told: dict[str, Any], message: Message) -> Message:
    return Message(topic=topic, payload=json.dumps(told).encode(), retained=message.retained)
