"""Which rows of the corpus can be replayed at the same time: those of which none sees what only another one should.

Rows of one device share its topics, and all rows of one program its own topic. Two rows go together if what each is
told on the topics that both read is the same, message by message; then there is one order of all their messages in
which each sees exactly its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from tests.support.mqtt_replay import can_be_replayed, discovered, member_of

from jidget.mqtt.entity import BadConfig
from jidget.mqtt.model import EntityConfig
from jidget.mqtt.templates import Templates
from jidget.mqtt.topics import has_wildcard, matches

Told = tuple[str, str]
"""Topic and payload."""
Event = tuple[str, int]
"""A topic, and which of the messages on it."""


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the corpus.

    Attributes:
        number: its place in the file.
        row: as it is there.
        config: the entity it is about.
        filters: what that entity reads.
    """

    number: int
    row: dict[str, Any]
    config: EntityConfig
    filters: frozenset[str]

    @cached_property
    def told(self) -> Sequence[Told]:
        """Return its messages."""
        return [(step["topic"], step["payload"]) for step in self.row["states"]]

    @cached_property
    def topics(self) -> frozenset[str]:
        """Return the topics of its messages."""
        return frozenset(topic for topic, _ in self.told)

    @cached_property
    def events(self) -> Sequence[Event]:
        """Return its messages as the counted ones of their topics."""
        counts: dict[str, int] = {}
        found = []
        for topic, _ in self.told:
            found.append((topic, counts.get(topic, 0)))
            counts[topic] = counts.get(topic, 0) + 1
        return found

    @cached_property
    def _wild(self) -> bool:
        """Whether it may read topics that are not known to it: it has wildcards, or reads what it was never told."""
        return any(has_wildcard(each) for each in self.filters) or not self.filters <= self.topics

    def reads(self, topic: str) -> bool:
        """Whether its entity is told what is published there."""
        return topic in self.topics or any(matches(each, topic) for each in self.filters)

    def goes_with(self, other: "Row") -> bool:
        """Whether both may be there at the same time."""
        if self.config.topic == other.config.topic or self.config.identity == other.config.identity:
            return False
        if not self._wild and not other._wild and self.topics.isdisjoint(other.topics):
            return True
        mine = [told for told in self.told if other.reads(told[0])]
        return mine == [told for told in other.told if self.reads(told[0])]


@dataclass(slots=True, eq=False)
class Batch:
    """Rows that can be replayed together."""

    rows: list[Row] = field(default_factory=list)

    def takes(self, row: Row) -> bool:
        """Take a row in; return whether it goes with the others."""
        if not all(row.goes_with(other) for other in self.rows):
            return False
        self.rows.append(row)
        try:
            self._sorter().prepare()
        except CycleError:
            self.rows.pop()
            return False
        return True

    def rounds(self) -> Iterator[list[tuple[Told, list[tuple[Row, int]]]]]:
        """Yield messages that can be published in one go, each with the rows that are told, and where in the row."""
        sorter = self._sorter()
        sorter.prepare()
        while sorter.is_active():
            ready = sorter.get_ready()
            yield [self._at(event) for event in ready]
            sorter.done(*ready)

    def _at(self, event: Event) -> tuple[Told, list[tuple[Row, int]]]:
        where = [(row, row.events.index(event)) for row in self.rows if event in row.events]
        row, index = where[0]
        return row.told[index], where

    def _sorter(self) -> TopologicalSorter[Event]:
        sorter: TopologicalSorter[Event] = TopologicalSorter()
        for row in self.rows:
            for before, event in zip((None, *row.events), row.events, strict=False):
                sorter.add(event, *(() if before is None else (before,)))
        return sorter


def batches_of(corpus: Iterable[dict[str, Any]]) -> list[Batch]:
    """Return the rows that can be replayed, as few batches as a simple search finds."""
    templates = Templates()
    found: list[Batch] = []
    for number, row in enumerate(corpus):
        if not can_be_replayed(row):
            continue
        try:
            member = member_of(row, templates)
            filters = member.entity.topics | member.availability.topics
            each = Row(number, row, member.entity.config, filters)
        except BadConfig:  # it is announced all the same
            each = Row(number, row, discovered(row), frozenset())
        if not any(batch.takes(each) for batch in found):
            found.append(Batch([each]))
    return found
