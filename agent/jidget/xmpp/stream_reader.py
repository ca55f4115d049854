"""A consumer's view of an agent's stream: batches as they arrive, each once (DESIGN 4.3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from jidget.xmpp.payload import Field, read_fields
from jidget.xmpp.progress import OPEN_END, Gap, Progress
from jidget.xmpp.xml import SENSOR_DATA

REMEMBERED = 4096
"""Items with ids of other kinds that are remembered, to recognise one that comes twice."""
_RESP, _ND = (f"{{{SENSOR_DATA}}}{name}" for name in ("resp", "nd"))


@dataclass(frozen=True, slots=True)
class Arrived:
    """A reading and the item that brought it."""

    seq: str
    field: Field


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch as a consumer gets it, by the stream or by asking.

    Attributes:
        gen: its generation; empty where the item's id is not `GEN-SEQ`.
        seq: its number.
        id: the item's id.
        fields: its readings.
    """

    gen: str
    seq: int
    id: str
    fields: tuple[Field, ...]


class StreamReader:
    """Reads the items of an agent's stream node.

    Attributes:
        progress: which batches there are.
    """

    def __init__(self, agent: str, progress: Progress | None = None) -> None:
        """`agent` is the resource whose readings are wanted: several agents may share an account."""
        self.progress = progress or Progress()
        self._agent = agent
        self._others: dict[str, None] = {}

    def open(self, item: str, payload: ET.Element) -> Delivery | None:
        """Return what an item brings; None if it came before or is not for us."""
        if payload.tag != _RESP or all(node.get("src") != self._agent for node in payload.iterfind(_ND)):
            return None
        gen, seq = _number(item)
        if self.progress.has(gen, seq) if gen else item in self._others:
            return None
        fields = tuple(field for field in read_fields(payload) if field.agent == self._agent)
        return Delivery(gen, seq, item, fields)

    def note(self, delivery: Delivery) -> list[Gap]:
        """Note that somebody took care of it: it does not come again. Returns what `Progress.note` does."""
        if delivery.gen:
            return self.progress.note(delivery.gen, delivery.seq)
        self._others[delivery.id] = None
        if len(self._others) > REMEMBERED:
            del self._others[next(iter(self._others))]
        return []

    def take(self, item: str, payload: ET.Element) -> Iterator[Arrived]:
        """Yield what an item brings, for whoever does not mind gaps."""
        delivery = self.open(item, payload)
        if delivery is not None:
            self.note(delivery)
            for field in delivery.fields:
                yield Arrived(item, field)


def _number(item: str) -> tuple[str, int]:
    """Return GEN and SEQ of an item's id; GEN is empty where it is of another kind."""
    gen, dash, text = item.rpartition("-")
    if not (gen and dash and text.isascii() and text.isdecimal() and len(text) <= len(str(OPEN_END))):
        return "", 0
    return gen, int(text)
