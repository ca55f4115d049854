"""A consumer's view of an agent's stream: each reading once, gaps noticed (DESIGN 4.3)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from jidget.xmpp.payload import Field, read_fields
from jidget.xmpp.xml import SENSOR_DATA

REMEMBERED = 4096
"""Batches remembered to recognise one that comes twice."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Batches FROM to TO (`GEN-SEQ`) did not arrive."""

    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A reading and the item that brought it."""

    seq: str
    field: Field


class StreamReader:
    """Turns the items of an agent's stream node into readings, each once, and gaps."""

    def __init__(self, agent: str) -> None:
        """`agent` is the resource whose readings are wanted; empty for every agent of the account."""
        self._agent = agent
        self._seen: set[str] = set()
        self._order: deque[str] = deque()
        self._highest: dict[tuple[str, str], int] = {}

    def take(self, item: str, payload: ET.Element) -> Iterator[Arrived | Gap]:
        """Yield what an item brings: nothing if it came before or is not for us."""
        if payload.tag != f"{{{SENSOR_DATA}}}resp":
            return
        fields = [field for field in read_fields(payload) if not self._agent or field.agent == self._agent]
        if not fields:
            return
        source = f"{fields[0].agent} {item}"
        if source in self._seen:
            return
        self._seen.add(source)
        self._order.append(source)
        if len(self._order) > REMEMBERED:
            self._seen.discard(self._order.popleft())
        yield from self._gap(fields[0].agent, item)
        for field in fields:
            yield Arrived(item, field)

    def _gap(self, agent: str, item: str) -> Iterator[Gap]:
        gen, dash, number = item.rpartition("-")
        if not (dash and number.isdecimal()):
            return
        seq = int(number)
        highest = self._highest.get((agent, gen))
        if highest is not None and seq > highest + 1:
            yield Gap(f"{gen}-{highest + 1}", f"{gen}-{seq - 1}")
        if highest is None or seq > highest:
            self._highest[agent, gen] = seq
