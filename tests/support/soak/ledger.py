"""What arrived, each reading once, and what does not fit: two values under one key, a number at two times."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

LIFE = 1_000_000
"""The counters begin at a multiple of this in each life of the agent, so that no number is ever used twice."""


class Key(NamedTuple):
    """What tells one reading from all others (DESIGN 4.3); the account is always the same here."""

    agent: str
    thing: str
    prop: str
    time: str


class Reading(NamedTuple):
    """A reading as it is written on the wire."""

    key: Key
    value: str


class Span(NamedTuple):
    """Numbers of one counter in one life that never came, first and last, and the time of the next one that did."""

    thing: str
    prop: str
    first: int
    last: int
    until: str


class Ledger:
    """Readings of a whole run.

    Attributes:
        readings: value by key.
    """

    def __init__(self, counters: Iterable[str]) -> None:
        """`counters` are the Things each of whose values comes once."""
        self.readings: dict[Key, str] = {}
        self._contradictions: dict[object, str] = {}
        self._counters = frozenset(counters)
        self._numbers: dict[tuple[str, str], dict[int, str]] = {}

    @property
    def contradictions(self) -> list[str]:
        """Return what survives deduplication and should not, for people, each once."""
        return list(self._contradictions.values())

    def take(self, reading: Reading) -> bool:
        """Enter a reading; return whether it is new."""
        key, value = reading
        known = self.readings.get(key)
        if known is not None:
            if known != value:
                text = f"{key.thing}.{key.prop} at {key.time} is {known}, and {value} as well"
                self._contradictions.setdefault(key, text)
            return False
        self.readings[key] = value
        if key.thing in self._counters:
            self._count(key, int(value))
        return True

    def missing(self) -> list[Span]:
        """Return the numbers that are missing between the first of a life and the last that came of it."""
        found: list[Span] = []
        for (thing, prop), times in self._numbers.items():
            expected = 0
            for number in sorted(times):
                if number // LIFE > expected // LIFE:
                    expected = number // LIFE * LIFE
                if number > expected:
                    found.append(Span(thing, prop, expected, number - 1, times[number]))
                expected = number + 1
        return found

    def absent(self, made: Mapping[Key, str]) -> list[Key]:
        """Return what was made and did not come; what came with another value is a contradiction."""
        for key, value in made.items():
            if self.readings.get(key, value) != value:
                text = f"{key.thing}.{key.prop} at {key.time} was {value}, and arrived as {self.readings[key]}"
                self._contradictions.setdefault(key, text)
        return [key for key in made if key not in self.readings]

    def _count(self, key: Key, number: int) -> None:
        numbers = self._numbers.setdefault((key.thing, key.prop), {})
        if number in numbers:
            text = f"{key.thing}.{key.prop} {number} came twice: at {numbers[number]} and at {key.time}"
            self._contradictions.setdefault((key.thing, key.prop, number), text)
        numbers.setdefault(number, key.time)
