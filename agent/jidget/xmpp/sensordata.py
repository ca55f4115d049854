"""Sensor data on request (Neuro-Foundation `urn:nf:iot:sd:1.0`, DESIGN 4.3): `<req/>` is answered by one `<resp/>`.

What is narrowed by `<nd/>` and `<f/>` is what they name exactly, nothing near. A Thing that cannot be reached answers
with an `<err/>` where its values would be, so that nobody takes silence for "has no values".
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from jidget.commands.access import Access, Person
from jidget.errors import StanzaError
from jidget.reading import Reading
from jidget.spelling import did_you_mean
from jidget.things.directory import Directory
from jidget.things.host import Thing
from jidget.things.state import ThingUnavailable
from jidget.things.values import shorten
from jidget.xmpp.link import Link
from jidget.xmpp.payload import read_time, write_nodes, write_resp, write_time
from jidget.xmpp.router import Incoming, Router
from jidget.xmpp.xml import JIDGET, SENSOR_DATA, escape

LONGEST_ANSWER = 200 * 1024
"""Bytes of a `<resp/>`: servers end the stream over a stanza of 256 KiB."""

_REQ, _ND, _F = (f"{{{SENSOR_DATA}}}{name}" for name in ("req", "nd", "f"))
_BATCH = f"{{{JIDGET}}}batch"
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_LONGEST_SEQ = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a `<req/>` asks for, narrowed to what the asker may read. Times are UTC milliseconds.

    Attributes:
        id: what the answer repeats.
        things: whose values.
        properties: only these; empty for all.
        historical: whether past values are wanted: by `h`, `from` or `to`.
        since: not older than this.
        until: not newer than this.
        batches: first and last SEQ of the batches to be repeated.
        gen: of which generation; empty for the present one.
    """

    id: str
    things: tuple[Thing, ...]
    properties: frozenset[str]
    historical: bool = False
    since: int | None = None
    until: int | None = None
    batches: tuple[int, int] | None = None
    gen: str = ""


Past = Callable[[Query], Awaitable[ET.Element]]
"""Answers a query for past values, or for batches, with one `<resp/>`."""


class SensorData:
    """Answers `<req/>`.

    Attributes:
        features: what disco tells of us because of it.
    """

    features = (SENSOR_DATA,)

    def __init__(self, link: Link, directory: Directory, access: Access, *, past: Past | None = None) -> None:
        """Take what it works on; without `past`, questions about it are refused."""
        self._link = link
        self._directory = directory
        self._access = access
        self._past = past
        self._one_at_a_time = asyncio.Lock()

    def attach(self, router: Router) -> None:
        """Answer requests that come by `router`."""
        router.on_iq("get", _REQ, self._req)

    async def _req(self, incoming: Incoming) -> tuple[ET.Element, ...]:
        person = self._access.person(incoming.sender.bare)
        if person is None:
            raise StanzaError("forbidden", "you are not on the access list")
        query = self._query(incoming, person)
        if not query.historical and query.batches is None:
            return (await self._now(query),)
        if self._past is None:
            raise StanzaError(
                "feature-not-implemented",
                "this version keeps no history: ask without from, to, h and batch for the values of now",
            )
        async with self._one_at_a_time:  # an answer may be long, and others want to be heard between two of them
            await self._link.room()
            return (await self._past(query),)

    # ---- what is asked ------------------------------------------------------------------------------------------

    def _query(self, incoming: Incoming, person: Person) -> Query:
        req = incoming.payload
        if req.get("when") is not None:
            raise StanzaError("feature-not-implemented", "a readout cannot be scheduled: leave out when, ask later")
        since, until = _time(req, "from"), _time(req, "to")
        if since is not None and until is not None and since > until:
            raise _bad("from is later than to")
        names, properties, batch = _narrowing(req)
        things = self._things(names, person)
        _require_properties(things, properties)
        return Query(
            id=req.get("id", incoming.id),
            things=things,
            properties=frozenset(properties),
            historical=_flag(req, "h") or since is not None or until is not None,
            since=since,
            until=until,
            batches=None if batch is None else _batches(batch),
            gen="" if batch is None else batch.get("gen", ""),
        )

    def _things(self, names: Sequence[str], person: Person) -> tuple[Thing, ...]:
        visible = {
            thing.id: thing for thing in self._directory if person.may_read(thing.id, discovered=thing.discovered)
        }
        for name in names:
            if name in visible:
                continue
            if self._directory.get(name) is not None:
                raise StanzaError("forbidden", f"you may not read {name}")
            raise StanzaError("item-not-found", f'there is no "{shorten(name)}".{_near(name, visible)}')
        return tuple(visible[name] for name in names or visible)

    # ---- the values of now --------------------------------------------------------------------------------------

    async def _now(self, query: Query) -> ET.Element:
        """Read all Things at the same time. What does not fit is left out and `more` set: ask for it by `<nd/>`."""
        async with asyncio.TaskGroup() as tasks:
            reads = [(thing, tasks.create_task(_refresh(thing), name=f"read {thing.id}")) for thing in query.things]
        nodes: list[str] = []
        room = LONGEST_ANSWER
        for thing, read in reads:
            node = self._node(thing, read.result(), query.properties)
            room -= len(node.encode())
            if room < 0 and not nodes:
                raise StanzaError("not-acceptable", f"{thing.id} is too much for one answer: name some with <f n='…'/>")
            if room < 0:
                return _element(write_resp(query.id, nodes, more=True))
            nodes.append(node)
        return _element(write_resp(query.id, nodes))

    def _node(self, thing: Thing, away: str, properties: frozenset[str]) -> str:
        resource = self._link.login.resource
        if away:
            now = write_time(int(time.time() * 1000))
            return f"<nd id='{thing.id}' src='{escape(resource)}'><ts v='{now}'><err>{escape(away)}</err></ts></nd>"
        readings = [
            Reading(thing.id, thing.properties[name], seen.value, seen.time)
            for name, seen in thing.values.items()
            if not properties or name in properties
        ]
        return "".join(write_nodes(readings, resource))


async def _refresh(thing: Thing) -> str:
    """Read a Thing; return why that was not possible, or nothing."""
    try:
        async with asyncio.timeout(2 * thing.timeout + 1):  # its own reading, and that of who came before
            await thing.read_now()
    except ThingUnavailable as error:
        return str(error)
    except TimeoutError:
        return f"{thing.id} is busy and did not answer in time"
    return ""


def _narrowing(req: ET.Element) -> tuple[list[str], list[str], ET.Element | None]:
    """Return the Things and properties that are named, each once, and what asks for batches."""
    things: dict[str, None] = {}
    properties: dict[str, None] = {}
    batch: ET.Element | None = None
    for child in req:
        if child.tag == _ND:
            things[_attribute(child, "nd", "id")] = None
        elif child.tag == _F:
            properties[_attribute(child, "f", "n")] = None
        elif child.tag == _BATCH and batch is None:
            batch = child
        else:
            raise _bad(f"<{shorten(child.tag)}> is not expected here: write <nd id='…'/>, <f n='…'/> or one <batch/>")
    return list(things), list(properties), batch


def _batches(batch: ET.Element) -> tuple[int, int]:
    first = _attribute(batch, "batch", "from")
    last = batch.get("to", first)
    if not all(text.isascii() and text.isdecimal() and len(text) <= _LONGEST_SEQ for text in (first, last)):
        raise _bad("from and to of <batch/> are plain numbers")
    if int(first) > int(last):
        raise _bad("from is greater than to in <batch/>")
    return int(first), int(last)


def _require_properties(things: Sequence[Thing], properties: Sequence[str]) -> None:
    known = {name: None for thing in things for name in thing.properties}
    for name in properties:
        if name not in known:
            raise StanzaError("item-not-found", f'there is no property "{shorten(name)}".{_near(name, known)}')


def _near(name: str, known: dict[str, Thing] | dict[str, None]) -> str:
    listing = f" There are: {', '.join(list(known)[:8])}{' …' if len(known) > 8 else ''}" if known else ""
    return did_you_mean(shorten(name), known) or listing


def _attribute(child: ET.Element, tag: str, name: str) -> str:
    value = child.get(name)
    if not value:
        raise _bad(f"<{tag}/> lacks {name}")
    return value


def _flag(req: ET.Element, name: str) -> bool:
    text = req.get(name, "false").strip()
    if text not in _FLAGS:
        raise _bad(f'{name} is true or false, not "{shorten(text)}"')
    return _FLAGS[text]


def _time(req: ET.Element, name: str) -> int | None:
    text = req.get(name)
    if text is None:
        return None
    try:
        return read_time(text.strip())
    except (ValueError, OverflowError):
        raise _bad(f'{name} is a time such as 2026-11-20T12:00:00Z, not "{shorten(text)}"') from None


def _bad(text: str) -> StanzaError:
    return StanzaError("bad-request", text)


def _element(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314  # written by ourselves a moment ago
