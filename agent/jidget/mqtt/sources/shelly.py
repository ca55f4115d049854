"""Shelly devices of the second generation and later, by their RPC over MQTT.

https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt. `ID/online` says that a device is there; then it
is asked what it has (`Shelly.GetDeviceInfo`, `.GetConfig`, `.GetStatus`), and tells changes itself on `ID/events/rpc`.
What it tells is retold as it would publish it on `ID/status/COMPONENT` if its "generic status updates" were on.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jidget.mqtt.model import Message, Publish
from jidget.mqtt.sources.shelly_components import Caller, ShellyDevice, entities
from jidget.mqtt.sources.source import (
    MOST_DEVICES,
    NOTHING,
    News,
    Roster,
    Source,
    as_list,
    as_object,
    as_text,
    json_of,
    merged,
    text_of,
)

_ID = re.compile(r"shelly[a-z0-9]+-[0-9a-f]{6,12}", re.IGNORECASE)
_QUESTIONS = ("Shelly.GetDeviceInfo", "Shelly.GetConfig", "Shelly.GetStatus")
_INFO, _CONFIG, _STATUS = range(len(_QUESTIONS))
_COMMAND = len(_QUESTIONS)
"""The id of requests that set something; the ids of questions are their places."""
_MOST_COMPONENTS = 200


@dataclass(slots=True)
class _Known:
    """What a device has told: in answer to our questions by place, and the status of its components."""

    answers: dict[int, dict[str, Any]] = field(default_factory=dict)
    status: dict[str, dict[str, Any]] = field(default_factory=dict)


class Shelly(Source):
    """All Shelly devices on a broker whose topic prefix has one level, as it has by default."""

    def __init__(self, client_id: str) -> None:
        """Take our name: devices answer on topics that begin with it."""
        self._own = f"jidget/{client_id}/shelly"
        self.filters = ("+/online", "+/events/rpc", f"{self._own}/+/rpc")
        self._known: dict[str, _Known] = {}
        self._roster = Roster()

    def take(self, message: Message) -> News:
        """Take what a device tells."""
        if message.topic.startswith(f"{self._own}/"):
            return self._answered(message.topic.removeprefix(f"{self._own}/").partition("/")[0], message)
        prefix, _, what = message.topic.partition("/")
        if what == "online":
            return self._is_online(prefix, message)
        return self._notified(prefix, message)

    def _is_online(self, prefix: str, message: Message) -> News:
        text = text_of(message)
        if not message.payload and prefix in self._known:
            del self._known[prefix]
            return merged([self._roster.compare(prefix, ())])
        return self._ask(prefix) if text == "true" and (prefix in self._known or _ID.fullmatch(prefix)) else NOTHING

    def _ask(self, prefix: str) -> News:
        if prefix not in self._known and len(self._known) >= MOST_DEVICES:
            return News(problems=(f"more than {MOST_DEVICES} devices: the rest is ignored",))
        self._known.setdefault(prefix, _Known())
        return News(asked=tuple(self._question(prefix, place) for place in range(len(_QUESTIONS))))

    def _question(self, prefix: str, place: int) -> Publish:
        payload = {"id": place, "src": f"{self._own}/{prefix}", "method": _QUESTIONS[place]}
        return Publish(topic=f"{prefix}/rpc", payload=json.dumps(payload))

    def _notified(self, prefix: str, message: Message) -> News:
        told = as_object(json_of(message))
        if not _ID.fullmatch(as_text(told.get("src"))):
            return NOTHING  # of another program
        asked = () if prefix in self._known else self._ask(prefix).asked
        known = self._known.get(prefix)
        if known is None:
            return NOTHING
        method, params = told.get("method"), as_object(told.get("params"))
        if method == "NotifyEvent":
            return News(asked=asked, retold=tuple(_events(prefix, params)))
        if method in ("NotifyStatus", "NotifyFullStatus"):
            changed = self._learn(known, params)
            news = self._compare(prefix, known) if method == "NotifyFullStatus" else NOTHING
            return merged([news], asked=asked, retold=tuple(_statuses(prefix, known, changed)))
        return News(asked=asked)

    def _answered(self, prefix: str, message: Message) -> News:
        told, known = as_object(json_of(message)), self._known.get(prefix)
        if known is None:
            return NOTHING
        place, error = told.get("id"), as_object(told.get("error"))
        if place == _COMMAND:  # whatever it has changed, or not: it says so only where something has
            refused = (f"it answered: {as_text(error.get('message')) or 'error'}",) if error else ()
            return News(asked=(self._question(prefix, _STATUS),), problems=refused)
        if not isinstance(place, int) or not 0 <= place < len(_QUESTIONS) or "result" not in told:
            return NOTHING
        known.answers[place] = as_object(told["result"])
        if place != _STATUS:
            return self._compare(prefix, known) if known.status else NOTHING
        changed = self._learn(known, known.answers[place])
        return merged([self._compare(prefix, known)], retold=tuple(_statuses(prefix, known, changed)))

    def _learn(self, known: _Known, told: dict[str, Any]) -> list[str]:
        """Take the status of components, whole or what has changed of it; return which."""
        changed = []
        for component, status in told.items():
            if isinstance(status, dict) and (component in known.status or len(known.status) < _MOST_COMPONENTS):
                known.status[component] = _overlaid(known.status.get(component, {}), status)
                changed.append(component)
        return changed

    def _compare(self, prefix: str, known: _Known) -> News:
        info, config = known.answers.get(_INFO, {}), known.answers.get(_CONFIG, {})
        caller = Caller(f"{prefix}/rpc", f"{self._own}/{prefix}", _COMMAND)
        device = ShellyDevice.of(prefix, caller, info, config, known.status)
        return merged([self._roster.compare(prefix, entities(device))])


def _overlaid(before: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Return a status with what has changed of it; tables in it are told whole or in part."""
    now = dict(before)
    for name, value in told.items():
        old = before.get(name)
        now[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return now


def _statuses(prefix: str, known: _Known, changed: list[str]) -> Iterator[Message]:
    for component in changed:
        payload = json.dumps(known.status[component]).encode()
        yield Message(topic=f"{prefix}/status/{component}", payload=payload)


def _events(prefix: str, params: dict[str, Any]) -> Iterator[Message]:
    """Go through what has happened: buttons that were pressed."""
    for event in as_list(params.get("events")):
        component, name = as_text(as_object(event).get("component")), as_text(as_object(event).get("event"))
        if component and name:
            payload = json.dumps({"event_type": name}).encode()
            yield Message(topic=f"{prefix}/events/{component}", payload=payload)
