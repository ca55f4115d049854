"""What was: answers `<req/>` for history and for batches from the store, a page at a time (DESIGN 4.3).

History, `<req from='…' to='…'/>`: readings by time, oldest first, flagged `h`. With `more` there are further ones: ask
again from the last `<ts/>` + 1 ms. An instant is never split over two answers. Where very much had to be passed over
that the asker may not read, or did not ask for, an answer may end with an empty `<ts/>`: nothing else up to there.

Batches, `<req><batch xmlns='urn:jidget:1' gen='GEN' from='42' to='43'/></req>`, without `gen` of the present one:

    <resp xmlns='urn:nf:iot:sd:1.0' id='…' more='true'>
      <batch xmlns='urn:jidget:1' gen='GEN' from='42' to='42'/>
      <nd>…</nd>                                            what the asker may read of 42, as it was published
      <generation xmlns='urn:jidget:1' gen='GEN' last='57' next='GEN2'/>
    </resp>

A batch that is no longer kept has no `<batch/>`. With `more` there are further ones: ask again from the last SEQ + 1.
`<generation/>` says which SEQ is the last one of the generation that was asked for, and by which other one it was
followed; the present one has no `next`. To whom asks for one that the store does not know it tells of the present one.
"""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Protocol
from xml.etree import ElementTree as ET

from jidget.errors import StanzaError
from jidget.reading import Batch, Reading
from jidget.xmpp.payload import write_field, write_nodes, write_resp, write_time
from jidget.xmpp.sensordata import LONGEST_ANSWER, Query
from jidget.xmpp.xml import JIDGET, escape

READINGS_AT_ONCE = 500
"""Readings looked at in one go, some milliseconds of work; then others have the event loop."""
MOST_LOOKED_AT = 50_000
"""Readings looked at for one answer."""
BATCHES_AT_ONCE = 10
MOST_BATCHES = 1000
"""Batches in one answer, however little of them the asker may read."""
_ROOM = LONGEST_ANSWER - 1024
"""Bytes for what is in a `<resp/>`."""


class History(Protocol):
    """What is kept of the past."""

    @property
    def gen(self) -> str:
        """Return the present generation of the batch numbers."""

    @property
    def trouble(self) -> str:
        """Say why nothing of the past can be read now; empty while it can."""

    def extent(self, gen: str) -> tuple[int, str | None] | None:
        """Return a generation's last SEQ and the generation after it, if any; None for one that is not known."""

    def history(self, first: int, last: int, most: int) -> Sequence[Reading]:
        """Return readings by time (UTC milliseconds, both included): the oldest `most`, in order, no instant split."""

    def batches(self, gen: str, first: int, last: int, most: int) -> Sequence[Batch]:
        """Return batches by number, at most `most`, as far as they are kept."""


class Past:
    """Answers queries for the past."""

    def __init__(self, history: History, resource: str) -> None:
        """`resource` is the agent's: each `<nd/>` names it."""
        self._history = history
        self._resource = resource

    async def __call__(self, query: Query) -> ET.Element:
        """Return the `<resp/>`, with only what the query allows.

        Raises:
            StanzaError: what is kept cannot be read now, or an instant is too much for an answer.
        """
        if not query.things:
            return _element(write_resp(query.id, ()))
        if query.batches is not None:
            return await self._batches(query, *query.batches)
        return await self._readings(query)

    # ---- by time ------------------------------------------------------------------------------------------------

    async def _readings(self, query: Query) -> ET.Element:
        page, allowed = _Instants(self._resource), _Allowed(query)
        since = 0 if query.since is None else query.since
        until = sys.maxsize if query.until is None else query.until
        looked_at = 0
        while looked_at < MOST_LOOKED_AT:
            readings = self._history.history(since, until, READINGS_AT_ONCE)
            self._require_readable()
            for at, instant in groupby(readings, key=lambda reading: reading.time):
                shown = allowed.of(instant)
                if not shown or page.take(at, shown):
                    continue
                if page.empty:
                    raise StanzaError(
                        "not-acceptable",
                        f"what was read at {write_time(at)} is too much for one answer: name one Thing with "
                        "<nd id='…'/>, or some properties with <f n='…'/>",
                    )
                return page.resp(query, more=True)
            if len(readings) < READINGS_AT_ONCE:
                return page.resp(query, more=False)
            since = readings[-1].time + 1
            looked_at += len(readings)
            await asyncio.sleep(0)
        page.mark(since - 1, query.things[0].id)
        return page.resp(query, more=True)

    # ---- by number ----------------------------------------------------------------------------------------------

    async def _batches(self, query: Query, first: int, last: int) -> ET.Element:
        gen, allowed = query.gen or self._history.gen, _Allowed(query)
        parts: list[str] = []
        room, count = _ROOM, 0
        more = False
        while not more:
            batches = self._history.batches(gen, first, last, BATCHES_AT_ONCE)
            self._require_readable()
            for batch in batches:
                text = self._batch(batch, allowed)
                room -= _size(text)
                more = count >= MOST_BATCHES or (room < 0 and count > 0)
                if more:
                    break
                parts.append(text)
                count += 1
            if len(batches) < BATCHES_AT_ONCE:
                break
            first = batches[-1].seq + 1
            await asyncio.sleep(0)
        parts.append(self._generation(gen))
        return _element(write_resp(query.id, parts, more=more))

    def _batch(self, batch: Batch, allowed: "_Allowed") -> str:
        """Write a batch as it was published, after what says which one it is."""
        nodes = write_nodes(allowed.of(batch.readings), self._resource, historical=batch.backlog)
        seq = batch.seq
        return f"<batch xmlns='{JIDGET}' gen='{escape(batch.gen)}' from='{seq}' to='{seq}'/>{''.join(nodes)}"

    def _generation(self, gen: str) -> str:
        extent = self._history.extent(gen)
        if extent is None:
            gen = self._history.gen
            extent = self._history.extent(gen)
        self._require_readable()
        last, following = extent or (0, None)
        after = f" next='{escape(following)}'" if following else ""
        return f"<generation xmlns='{JIDGET}' gen='{escape(gen)}' last='{last}'{after}/>"

    def _require_readable(self) -> None:
        """Refuse rather than say that there was nothing."""
        if self._history.trouble:
            raise StanzaError("resource-constraint", f"{self._history.trouble}. Ask again later")


class _Instants:
    """Instants in the order of their times, as far as there is room in one answer."""

    def __init__(self, resource: str) -> None:
        self._src = escape(resource)
        self._things: dict[str, list[str]] = {}
        self._room = _ROOM

    @property
    def empty(self) -> bool:
        return not self._things

    def take(self, at: int, readings: Iterable[Reading]) -> bool:
        """Add what was read at one instant, all of it or, where there is no room for that, nothing."""
        fields: dict[str, list[str]] = {}
        for reading in readings:
            fields.setdefault(reading.thing, []).append(write_field(reading, historical=True))
        time = write_time(at)
        instants = {thing: f"<ts v='{time}'>{''.join(written)}</ts>" for thing, written in fields.items()}
        room = self._room - sum(map(_size, instants.values()))
        room -= sum(_size(self._node(thing, ())) for thing in instants if thing not in self._things)
        if room < 0:
            return False
        self._room = room
        for thing, instant in instants.items():
            self._things.setdefault(thing, []).append(instant)
        return True

    def mark(self, at: int, thing: str) -> None:
        """Say up to where was looked."""
        self._things.setdefault(thing, []).append(f"<ts v='{write_time(at)}'/>")

    def resp(self, query: Query, *, more: bool) -> ET.Element:
        nodes = (self._node(thing, instants) for thing, instants in self._things.items())
        return _element(write_resp(query.id, nodes, more=more))

    def _node(self, thing: str, instants: Iterable[str]) -> str:
        return f"<nd id='{escape(thing)}' src='{self._src}'>{''.join(instants)}</nd>"


class _Allowed:
    """Tells what a query wants of readings, and what its asker may have."""

    def __init__(self, query: Query) -> None:
        self._things = frozenset(thing.id for thing in query.things)
        self._properties = query.properties

    def of(self, readings: Iterable[Reading]) -> list[Reading]:
        names = self._properties
        return [r for r in readings if r.thing in self._things and (not names or r.property.name in names)]


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _element(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314  # written by ourselves a moment ago
