"""What was: answers `<req/>` for history and for batches from the store, a page at a time (DESIGN 4.3)."""

import sys
from collections.abc import Sequence
from typing import Protocol
from xml.etree import ElementTree as ET

from jidget.reading import Batch, Reading
from jidget.xmpp.payload import write_nodes, write_resp
from jidget.xmpp.sensordata import Query
from jidget.xmpp.xml import JIDGET

PAGE = 1500
"""Readings in one answer: at most 130 bytes each, so that a page stays below 200 KiB."""
BATCHES = 30
"""Batches in one answer."""


class History(Protocol):
    """What is kept of the past."""

    @property
    def gen(self) -> str:
        """Return the generation of the batch numbers."""

    def history(self, first: int, last: int, most: int) -> Sequence[Reading]:
        """Return readings by time (UTC milliseconds, both included): the oldest `most`, in order."""

    def batches(self, gen: str, first: int, last: int, most: int) -> Sequence[Batch]:
        """Return batches by number, at most `most`, as far as they are kept."""


class Past:
    """Answers queries for the past. A page that is not the last says `more`: ask again from the last time + 1 ms."""

    def __init__(self, history: History, resource: str) -> None:
        self._history = history
        self._resource = resource

    async def __call__(self, query: Query) -> ET.Element:
        """Return the `<resp/>`, with only what the query allows."""
        if query.batches is not None:
            return self._batches(query, *query.batches)
        since = 0 if query.since is None else query.since
        until = sys.maxsize if query.until is None else query.until
        readings = self._history.history(since, until, PAGE)
        nodes = write_nodes(self._allowed(query, readings), self._resource, historical=True)
        resp = ET.fromstring(write_resp(query.id, nodes, more=len(readings) >= PAGE))  # noqa: S314  # ours
        if len(readings) >= PAGE and not nodes:  # all of this page is for others: say from where to go on
            resp.set("next", str(readings[-1].time + 1))
        return resp

    def _batches(self, query: Query, first: int, last: int) -> ET.Element:
        batches = self._history.batches(self._history.gen, first, last, BATCHES)
        readings = [reading for batch in batches for reading in self._allowed(query, batch.readings)]
        more = len(batches) == BATCHES and batches[-1].seq < last
        nodes = write_nodes(readings, self._resource, historical=True)
        resp = ET.fromstring(write_resp(query.id, nodes, more=more))  # noqa: S314  # ours
        if batches:
            told = {"gen": self._history.gen, "from": str(batches[0].seq), "to": str(batches[-1].seq)}
            resp.append(ET.Element(f"{{{JIDGET}}}batch", told))
        return resp

    @staticmethod
    def _allowed(query: Query, readings: Sequence[Reading]) -> list[Reading]:
        things = {thing.id for thing in query.things}
        return [
            reading
            for reading in readings
            if reading.thing in things and (not query.properties or reading.property.name in query.properties)
        ]
