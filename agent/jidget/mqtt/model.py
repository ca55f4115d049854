"""What travels inside the bridge: messages, publishes, and what a discovery payload says. Pure data."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

LARGEST_PAYLOAD = 256 * 1024
"""Bytes; what is longer is not looked at."""
Category = Literal["", "config", "diagnostic"]
US = "Jidget"
"""The `origin.name` of what agents like this one announce."""
_HALF = re.compile(r"[\ud800-\udfff]")


class NotJson(ValueError):
    """A payload that is no JSON."""


def parse_json(text: str) -> Any:
    """Return what a text says as JSON. Halves of characters, which nothing can pass on, become U+FFFD.

    Raises:
        NotJson: it is none, or nested too deeply.
    """
    try:
        told = json.loads(text)
        return _mended(told) if "\\ud" in text or "\\uD" in text else told
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from None


def mend(text: str) -> str:
    """Return a text without halves of characters (lone surrogates): U+FFFD stands for each."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)


def _mended(told: Any) -> Any:
    match told:
        case str():
            return mend(told)
        case list():
            return [_mended(item) for item in told]
        case dict():
            return {mend(key): _mended(value) for key, value in told.items()}
    return told


@dataclass(frozen=True, kw_only=True)
class Message:
    """What came in on a topic. Decoded and parsed once, however many entities look at it.

    Attributes:
        topic: exact, without wildcards.
        payload: as it came.
        retained: whether the broker had kept it: it may be of any age.
    """

    topic: str
    payload: bytes
    retained: bool = False

    @cached_property
    def text(self) -> str:
        """Return the payload as text; raises `UnicodeDecodeError` (a `ValueError`) where it is none."""
        return self.payload.decode("utf-8")

    @cached_property
    def json(self) -> Any:
        """Return the payload as JSON.

        Raises:
            NotJson: it is none, nested too deeply, or no text at all.
        """
        try:
            return parse_json(self.text)
        except UnicodeDecodeError as error:
            raise NotJson(str(error)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """What is to be published so that a device does something. Never retained unless its config says so."""

    topic: str
    payload: str | bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The device that an entity belongs to, as its publisher describes it.

    Attributes:
        identifiers: its own, never empty: connections (`mac:…`) where it has no others, else the discovery topic.
        name: what its publisher calls it; empty if it does not.
        area: where it is, as its publisher suggests.
        via: identifier of the device that it is reached through.
    """

    identifiers: tuple[str, ...]
    name: str = ""
    manufacturer: str = ""
    model: str = ""
    version: str = ""
    area: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityConfig:
    """One entity of a discovery payload: abbreviations and `~` expanded, device-level keys inherited.

    Attributes:
        kind: the component: `sensor`, `switch`, `light` …
        topic: the discovery topic it came on.
        component: its key in a device-based payload; empty in a single one.
        unique_id: as published; empty if there is none.
        object_id: what names it in ids: `object_id` or the last part of `default_entity_id` if given, else the
            component's key, else the last level of the topic.
        name: what people call it; empty where it is the device itself (`name` null or empty).
        device: whose it is; None if the payload names none.
        category: whether it is a setting or a diagnosis of the device.
        enabled: `enabled_by_default`.
        origin: `origin.name`: the program that published it.
        keys: the whole config, expanded, with `availability` and `device` as published (expanded, too).
        announced_on: the topics that announce this device and nothing else, so that clearing them takes it away; None
            where it is `topic`.
    """

    kind: str
    topic: str
    component: str = ""
    unique_id: str = ""
    object_id: str
    name: str = ""
    device: Device | None = None
    category: Category = ""
    enabled: bool = True
    origin: str = ""
    keys: Mapping[str, Any] = field(repr=False)
    announced_on: tuple[str, ...] | None = None

    @property
    def clearable(self) -> tuple[str, ...]:
        """Return the topics that announce its device and nothing else."""
        return (self.topic,) if self.announced_on is None else self.announced_on

    @property
    def identity(self) -> str:
        """Return what it is recognised by: its kind and unique id, else the topic and key it came under."""
        return f"{self.kind} {self.unique_id}" if self.unique_id else f"{self.topic} {self.component}".strip()
