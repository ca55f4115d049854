"""Topics and filters of MQTT (MQTT 5 4.7): which filters a topic matches, and which of both a broker takes. Pure."""

import re
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

LONGEST = 65_535
"""Bytes of a topic or filter in UTF-8 (MQTT 5 1.5.4)."""
MOST_LEVELS = 128
"""Brokers end the connection of who asks for more; mosquitto draws the line at 200."""

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Characters for which a broker may end the connection (MQTT 5 1.5.4)."""
_SHARED = ("$share/", "$queue/")


def filter_problem(text: str) -> str:
    """Return why nobody can subscribe to `text`; empty if one can.

    A broker ends the connection of who tries, so one such filter would cut off all others.
    """
    if text.startswith(_SHARED):
        return "a shared subscription takes messages away from others"
    levels = text.split("/")
    if any(len(level) > 1 and ("+" in level or "#" in level) for level in levels) or "#" in levels[:-1]:
        return "+ and # stand for whole levels, # for the last ones"
    return _problem(text, levels)


def topic_problem(text: str) -> str:
    """Return why nobody can publish to `text`; empty if one can."""
    if "+" in text or "#" in text:
        return "a topic to publish to has no wildcards"
    return _problem(text, text.split("/"))


def matches(pattern: str, topic: str) -> bool:
    """Whether a filter matches a topic. For many filters see `Topics`."""
    if pattern == topic:
        return True
    if topic.startswith("$") and pattern[:1] in ("+", "#"):
        return False
    wanted, levels = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(w in ("+", level) for w, level in zip(wanted, levels, strict=True))


class Topics(Generic[T]):
    """Values by filter, found by topic. What a match costs depends on the topic's levels, hardly on how many there are.

    Values are hashable. The same value may stand under several filters, and a filter may have several values.
    """

    def __init__(self) -> None:
        self._exact: dict[str, dict[T, None]] = {}
        self._root: _Node[T] = _Node()

    def add(self, pattern: str, value: T) -> None:
        """Have `value` found by the topics that `pattern` matches. Again is once."""
        if not has_wildcard(pattern):
            self._exact.setdefault(pattern, {})[value] = None
            return
        node = self._root
        for level in pattern.split("/"):
            node = node.children.setdefault(level, _Node())
        node.values[value] = None

    def remove(self, pattern: str, value: T) -> None:
        """Undo `add`. Nothing happens if there was none."""
        if not has_wildcard(pattern):
            values = self._exact.get(pattern, {})
            values.pop(value, None)
            if not values:
                self._exact.pop(pattern, None)
            return
        way = [self._root]
        levels = pattern.split("/")
        for level in levels:
            below = way[-1].children.get(level)
            if below is None:
                return
            way.append(below)
        way[-1].values.pop(value, None)
        while len(way) > 1 and way[-1].empty:
            way.pop()
            del way[-1].children[levels[len(way) - 1]]

    def match(self, topic: str) -> list[T]:
        """Return the values whose filters match, each once."""
        found = list(self._exact.get(topic, ()))
        for node in self._reached(topic):
            found += node.values
        return found if len(found) < 2 else list(dict.fromkeys(found))

    def __bool__(self) -> bool:
        return bool(self._exact) or not self._root.empty

    def _reached(self, topic: str) -> "Iterator[_Node[T]]":
        """Yield the ends of all filters with wildcards that match."""
        if self._root.empty:
            return
        nodes = [self._root]
        system = topic.startswith("$")  # wildcards in the first place leave such topics out (MQTT 5 4.7.2)
        for depth, level in enumerate(topic.split("/")):
            below: list[_Node[T]] = []
            for node in nodes:
                if depth or not system:
                    if rest := node.children.get("#"):
                        yield rest
                    if each := node.children.get("+"):
                        below.append(each)
                if exact := node.children.get(level):
                    below.append(exact)
            if not below:
                return
            nodes = below
        for node in nodes:
            yield node
            if rest := node.children.get("#"):  # "a/#" matches "a", too
                yield rest


class _Node(Generic[T]):
    """A level of the filters with wildcards."""

    __slots__ = ("children", "values")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.values: dict[T, None] = {}

    @property
    def empty(self) -> bool:
        return not self.children and not self.values


def has_wildcard(pattern: str) -> bool:
    """Whether a valid filter may match more than one topic."""
    return "+" in pattern or "#" in pattern


def _problem(text: str, levels: list[str]) -> str:
    if not text:
        return "it is empty"
    if _FORBIDDEN.search(text):
        return "it has characters that no topic may have"
    if len(text.encode()) > LONGEST:
        return f"it is longer than {LONGEST} bytes"
    if len(levels) > MOST_LEVELS:
        return f"it has more than {MOST_LEVELS} levels"
    return ""
