"""What announces devices, with entities made of it as a bridge makes them, but without a broker."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.strict_skips import ABSENT

from jidget.mqtt.availability import Availability
from jidget.mqtt.entity import BadConfig, Entity
from jidget.mqtt.kinds import build
from jidget.mqtt.model import Message, Publish
from jidget.mqtt.sources.precedence import Sources
from jidget.mqtt.sources.source import News, Source
from jidget.mqtt.templates import Templates
from jidget.mqtt.topics import matches


class Heard:
    """What was made of messages.

    Attributes:
        entities: by unique id.
        watched: filters that are wanted.
        asked: what was asked of devices.
        problems: what was not understood.
    """

    def __init__(self, *sources: Source) -> None:
        self._sources = Sources(sources)
        self._templates = Templates()
        self._availability: dict[str, Availability] = {}
        self.entities: dict[str, Entity] = {}
        self.watched = set(self._sources.filters)
        self.asked: list[Publish] = []
        self.problems: list[str] = []
        self._apply(self._sources.begin())

    def hear(self, topic: str, payload: object, *, retained: bool = False) -> News:
        """Take a message; what is no text is published as JSON. Return its news."""
        text = payload if isinstance(payload, str | bytes) else json.dumps(payload)
        message = Message(topic=topic, payload=text.encode() if isinstance(text, str) else text, retained=retained)
        news = self._sources.take(message)
        self._apply(news)
        for each in (message, *news.retold):
            self._tell(each)
        return news

    def _apply(self, news: News) -> None:
        for config in (*news.removed, *news.present):
            self.entities.pop(config.unique_id, None)
        for config in news.present:
            try:
                self.entities[config.unique_id] = build(config, self._templates)
                self._availability[config.unique_id] = Availability(config, self._templates)
            except BadConfig as error:
                self.problems.append(str(error))
        self.watched = (self.watched | set(news.watched)) - set(news.unwatched)
        self.asked += news.asked
        self.problems += news.problems

    def _tell(self, message: Message) -> None:
        for name, entity in self.entities.items():
            self._availability[name].receive(message)
            if any(matches(each, message.topic) for each in entity.topics):
                entity.receive(message)

    def alone(self, unique_id: str) -> "Heard":
        """Return one with this entity only, which has heard nothing yet."""
        one = Heard()
        one._apply(News(added=(self.of(unique_id).config,)))
        return one

    def of(self, unique_id: str) -> Entity:
        """Return an entity; complain if there is none."""
        assert unique_id in self.entities, sorted(self.entities)
        return self.entities[unique_id]

    def value(self, unique_id: str, part: str = "") -> Any:
        """Return what a part of an entity shows."""
        return self.of(unique_id).values.get(part)

    def available(self, unique_id: str) -> bool:
        """Whether an entity can be reached."""
        return self._availability[unique_id].available

    def sets(self, unique_id: str, value: Any, part: str = "") -> list[tuple[str, str]]:
        """Return what is published to set a part: topics and payloads."""
        return [(each.topic, str(each.payload)) for each in self.of(unique_id).write(part, value)]

    def does(self, unique_id: str, action: str, **arguments: Any) -> list[tuple[str, str]]:
        """Return what is published for an action: topics and payloads."""
        (found,) = [each for each in self.of(unique_id).actions if each.name == action]
        return [(each.topic, str(each.payload)) for each in found.plan(**arguments)]


GARBAGE = (b"", b"\xff\x00", b"{", b"null", b"[]", b"7", b'"text"', b"{}", b'[{"ieee_address": []}]', b"[" * 5000)
"""Payloads that announce nothing."""


def spoiled(told: Any) -> list[Any]:
    """Return copies of a JSON value, each with one value in it replaced by one of another type."""
    if isinstance(told, dict):
        some = [{**told, key: other} for key, value in told.items() for other in spoiled(value)]
        return [*some, *({k: v for k, v in told.items() if k != key} for key in told), None, 5]
    if isinstance(told, list):
        return [[*told[:at], other, *told[at + 1 :]] for at, value in enumerate(told) for other in spoiled(value)] + [
            {}
        ]
    return [None, 5, -1.5e300, "x" * 500, [told], {"a": told}, True, "\x00{{ 1 }}'\""]


NATIVE = Path(__file__).parents[3] / "shared" / "data" / "mqtt" / "native.jsonl"


def native(prefix: str) -> list[tuple[str, Any]]:
    """Return topics and payloads of recorded messages whose topic begins like this; skips where there are none."""
    if not NATIVE.exists():
        pytest.skip(f"{ABSENT}the recorded messages")
    rows = [json.loads(line) for line in NATIVE.read_text(encoding="utf-8").splitlines()]
    return [(row["topic"], row["payload"]) for row in rows if row["topic"].startswith(prefix)]
