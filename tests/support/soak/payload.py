"""The sensor data that a consumer reads (DESIGN 4.3): items of the stream, and answers about the past."""

from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree as ET

from tests.support.sensor_data import NODE, batch_of
from tests.support.soak.ledger import Key, Reading

JIDGET = "urn:jidget:1"
_SPACE = f"{{{NODE}}}"
_EVENT = "{http://jabber.org/protocol/pubsub#event}"
_BATCH = f"{{{JIDGET}}}batch"


class Item(NamedTuple):
    """A batch as it was published."""

    gen: str
    seq: int
    readings: list[Reading]


class Page(NamedTuple):
    """A part of an answer about the past.

    Attributes:
        batches: what it says that it repeats: generation, first and last number.
        readings: all of them.
        more: whether there is more to ask for.
    """

    batches: list[tuple[str, int, int]]
    readings: list[Reading]
    more: bool


def items_of(message: ET.Element) -> Iterator[Item]:
    """Read the stream's items in an event."""
    for items in message.iterfind(f"{_EVENT}event/{_EVENT}items"):
        if items.get("node") == NODE:
            for item in items.iterfind(f"{_EVENT}item"):
                gen, seq = batch_of(item.get("id", ""))
                yield Item(gen, seq, list(_readings(item[0])))


def page_of(iq: ET.Element) -> Page:
    """Read the answer to a `<req/>`."""
    resp = iq.find(f"{_SPACE}resp")
    assert resp is not None, "the answer has no <resp/>"
    batches = [(b.get("gen", ""), int(b.get("from", "")), int(b.get("to", ""))) for b in resp.iterfind(_BATCH)]
    return Page(batches, list(_readings(resp)), resp.get("more") == "true")


def _readings(resp: ET.Element) -> Iterator[Reading]:
    for node in resp.iterfind(f"{_SPACE}nd"):
        for instant in node.iterfind(f"{_SPACE}ts"):
            for field in instant:
                key = Key(node.get("src", ""), node.get("id", ""), field.get("n", ""), instant.get("v", ""))
                yield Reading(key, field.get("v", ""))
