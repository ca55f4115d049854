"""A discovery payload's keys by type. What strangers publish has any type anywhere; a wrong one is `BadConfig`.

A key that is null counts as not given, which is kinder than Home Assistant where it refuses the entity.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, overload

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.model import mend
from jidget.mqtt.topics import filter_problem, topic_problem

_TRUE = frozenset({"1", "true", "yes", "on", "enable"})
_FALSE = frozenset({"0", "false", "no", "off", "disable"})


class Keys:
    """What one entity's discovery payload says, expanded."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        self._keys = keys

    def __contains__(self, name: str) -> bool:
        return name in self._keys

    def raw(self, name: str) -> Any:
        """Return what is there, of whatever type; None if nothing is."""
        return self._keys.get(name)

    @overload
    def text(self, name: str, default: str) -> str: ...
    @overload
    def text(self, name: str, default: None = None) -> str | None: ...
    def text(self, name: str, default: str | None = None) -> str | None:
        """Return a text; other JSON scalars as Python writes them, so that `payload_on: true` is `True`.

        Raises:
            BadConfig: it is a list or an object.
        """
        value = self._keys.get(name)
        if value is None:
            return default
        if isinstance(value, list | dict):
            raise BadConfig(f"{name} should be a text, it is {_told(value)}")
        return mend(value) if isinstance(value, str) else str(value)

    def text_unless_null(self, name: str, default: str) -> str | None:
        """Return a text, `default` if it is not given, None where it is null: "cannot do that" (a cover's stop)."""
        return None if name in self._keys and self._keys[name] is None else self.text(name, default)

    def needed(self, name: str) -> str:
        """Return a text that there must be.

        Raises:
            BadConfig: it is missing, or no text.
        """
        value = self.text(name)
        if value is None:
            raise BadConfig(f"{name} is missing")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a truth value; `yes`, `on`, `1` and their like count.

        Raises:
            BadConfig: it is something else.
        """
        value = self._keys.get(name)
        if value is None:
            return default
        if isinstance(value, str) and value.strip().lower() in _TRUE | _FALSE:
            return value.strip().lower() in _TRUE
        if isinstance(value, bool | int | float):
            return value != 0
        raise BadConfig(f"{name} should be true or false, it is {_told(value)}")

    @overload
    def number(self, name: str, default: float) -> float: ...
    @overload
    def number(self, name: str, default: None = None) -> float | None: ...
    def number(self, name: str, default: float | None = None) -> float | None:
        """Return a finite number; a text that holds one counts.

        Raises:
            BadConfig: it is something else.
        """
        value = self._keys.get(name)
        if value is None:
            return default
        try:
            if isinstance(value, str | int | float):
                number = float(value)
                if math.isfinite(number):
                    return number
        except (ValueError, OverflowError):
            pass
        raise BadConfig(f"{name} should be a number, it is {_told(value)}")

    @overload
    def integer(self, name: str, default: int, *, least: int | None = None) -> int: ...
    @overload
    def integer(self, name: str, default: None = None, *, least: int | None = None) -> int | None: ...
    def integer(self, name: str, default: int | None = None, *, least: int | None = None) -> int | None:
        """Return a whole number, decimals cut off; a text that holds one counts.

        Raises:
            BadConfig: it is something else, or below `least`.
        """
        number = self.number(name)
        if number is None:
            return default
        if least is not None and number < least:
            raise BadConfig(f"{name} should be at least {least}, it is {_told(self._keys[name])}")
        return int(number)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; a single one counts as a list of one; empty if it is not given.

        Raises:
            BadConfig: one of them is a list or an object.
        """
        value = self._keys.get(name)
        if value is None:
            return ()
        items = value if isinstance(value, list) else [value]
        for item in items:
            if isinstance(item, list | dict):
                raise BadConfig(f"{name} should be a list of texts, in it is {_told(item)}")
        return tuple(mend(item) if isinstance(item, str) else str(item) for item in items)

    def state_topic(self, name: str = "state_topic", *, needed: bool = False) -> str | None:
        """Return a topic filter to listen to.

        Raises:
            BadConfig: it is none, or it is missing and `needed`.
        """
        return self._topic(name, needed, filter_problem)

    def command_topic(self, name: str = "command_topic", *, needed: bool = False) -> str | None:
        """Return a topic to publish to: never one with wildcards.

        Raises:
            BadConfig: it is none, or it is missing and `needed`.
        """
        return self._topic(name, needed, topic_problem)

    def _topic(self, name: str, needed: bool, problem_of: Callable[[str], str]) -> str | None:
        topic = self._keys.get(name) if isinstance(self._keys.get(name), str) else self.text(name)
        if topic is None:
            if needed:
                raise BadConfig(f"{name} is missing")
            return None
        problem = problem_of(topic)
        if problem:
            raise BadConfig(f"{name} {topic[:80]!r}: {problem}")
        return topic


def _told(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
