"""What announces devices: the messages it wants, and what it makes of them."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jidget.mqtt.announcement import LONGEST_NAME
from jidget.mqtt.discovery import Changes
from jidget.mqtt.model import Category, Device, EntityConfig, Message, NotJson, Publish

MOST_DEVICES = 2_000
"""Devices that one source remembers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News(Changes):
    """What a message changes, and what comes of it.

    Attributes:
        watched: filters whose messages the source wants from now on, too.
        unwatched: filters that it needs no more.
        asked: what is to be published so that a device tells what is not kept by the broker.
        retold: what the message says in the words of the configs that the source made: it is taken as if it had come.
    """

    watched: tuple[str, ...] = ()
    unwatched: tuple[str, ...] = ()
    asked: tuple[Publish, ...] = ()
    retold: tuple[Message, ...] = ()

    @property
    def tells(self) -> bool:
        """Return whether somebody has announced something."""
        return bool(self.present or self.watched or self.asked)


NOTHING = News()


class Source(ABC):
    """One way in which devices announce themselves.

    Attributes:
        filters: whose messages it wants from the beginning.
        largest: bytes that a message of these filters may have where that is more than others may.
    """

    filters: Sequence[str] = ()
    largest: Mapping[str, int] = {}

    def begin(self) -> News:
        """Return what is known before any message."""
        return NOTHING

    @abstractmethod
    def take(self, message: Message) -> News:
        """Take a message; return what it changes. Never raises for what a payload holds."""


class Roster:
    """What a source has announced, by the one who announced it: to see what a new announcement changes."""

    def __init__(self) -> None:
        self._configs: dict[str, dict[str, EntityConfig]] = {}

    def __contains__(self, owner: str) -> bool:
        return owner in self._configs

    def compare(self, owner: str, configs: Iterable[EntityConfig]) -> Changes:
        """Take all that somebody announces now in the place of what was announced before; return what changes."""
        before = self._configs.get(owner, {})
        if not before and len(self._configs) >= MOST_DEVICES:
            return Changes(problems=(f"more than {MOST_DEVICES} devices: the rest is ignored",))
        now = {config.component: config for config in configs}
        if now:
            self._configs[owner] = now
        else:
            self._configs.pop(owner, None)
        return Changes(
            added=tuple(config for name, config in now.items() if name not in before),
            changed=tuple(config for name, config in now.items() if name in before and before[name] != config),
            removed=tuple(config for name, config in before.items() if name not in now),
        )


def merged(several: Iterable[Changes], **more: Any) -> News:
    """Return several changes as one."""
    changes = list(several)
    return News(
        added=tuple(config for each in changes for config in each.added),
        changed=tuple(config for each in changes for config in each.changed),
        removed=tuple(config for each in changes for config in each.removed),
        problems=tuple(problem for each in changes for problem in each.problems),
        **more,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """What the entities of one device have in common.

    Attributes:
        topic: where it was announced.
        device: whose they are.
        origin: the program that published it.
        shared: keys that all of them have, such as `availability`.
        prefix: what their `component` begins with, if several devices are announced on one topic.
        announced_on: the topics that announce this device and nothing else; None if it is `topic`.
    """

    topic: str
    device: Device
    origin: str
    shared: Mapping[str, Any]
    prefix: str = ""
    announced_on: tuple[str, ...] | None = None

    def entity(
        self,
        kind: str,
        unique_id: str,
        object_id: str,
        *,
        name: str = "",
        category: Category = "",
        enabled: bool = True,
        **keys: Any,
    ) -> EntityConfig:
        """Return the config of one entity; keys that are None are left out."""
        return EntityConfig(
            kind=kind,
            topic=self.topic,
            component=f"{self.prefix}{kind} {unique_id}",
            unique_id=unique_id,
            object_id=object_id,
            name=name,
            device=self.device,
            category=category,
            enabled=enabled,
            origin=self.origin,
            announced_on=self.announced_on,
            keys={**self.shared, "unique_id": unique_id, **{k: v for k, v in keys.items() if v is not None}},
        )


# ---- what strangers publish, by type -----------------------------------------------------------------------------


def as_text(value: Any) -> str:
    """Return a text without control characters and not too long; empty for what is no text and no number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value)[: 2 * LONGEST_NAME]
    return "".join(filter(str.isprintable, text)).strip()[:LONGEST_NAME]


def as_object(value: Any) -> dict[str, Any]:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_number(value: Any) -> float | None:
    """Return a number; None for anything else."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def json_of(message: Message) -> Any:
    """Return what a payload says as JSON; None where it is none."""
    try:
        return message.json
    except NotJson:
        return None


def text_of(message: Message) -> str:
    """Return a payload as text; empty where it is none."""
    try:
        return message.text
    except UnicodeDecodeError:
        return ""


_PLAIN = re.compile(r"""[^'"\\{}%#\x00-\x1f\x7f-\x9f\u2028\u2029]+""")


def path(*steps: str | int) -> str:
    """Return the template for a value inside the JSON. It fits what is looked up without Jinja2.

    Raises:
        ValueError: a step has characters that no key of a template may have.
    """
    for step in steps:
        if isinstance(step, str) and not _PLAIN.fullmatch(step):
            raise ValueError(f"{step[:40]!r} is no name of a value")
    return "{{ value_json" + "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in steps) + " }}"
