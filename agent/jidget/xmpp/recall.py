"""Asking an agent for what was: batches that did not arrive, and readings by time (see `jidget.xmpp.past`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree as ET

from jidget.errors import StanzaError
from jidget.xmpp.client import Client
from jidget.xmpp.payload import Field, read_fields, read_time, write_time
from jidget.xmpp.progress import OPEN_END
from jidget.xmpp.stream_reader import Delivery
from jidget.xmpp.xml import JIDGET, SENSOR_DATA, element

_REQ, _RESP, _ND, _TS = (f"{{{SENSOR_DATA}}}{name}" for name in ("req", "resp", "nd", "ts"))
_BATCH, _GENERATION = (f"{{{JIDGET}}}{name}" for name in ("batch", "generation"))

TIMEOUT = 120.0
"""Seconds for an answer: a full one, on a link that a server slows down to some kB/s."""
_LAST_INSTANT = 253_402_300_799_999
"""Milliseconds: the end of the year 9999, after which no time can be written."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A generation as the agent knows it: its last SEQ, and which one followed, if any."""

    gen: str
    last: int
    following: str | None


@dataclass(frozen=True, slots=True)
class Repeated:
    """Batches, told again.

    Attributes:
        deliveries: those of the asked for that are still kept, in order.
        more: whether there are further ones.
        extent: of the generation that was asked for; if the agent does not know that one, of the present one.
    """

    deliveries: tuple[Delivery, ...]
    more: bool
    extent: Extent


@dataclass(frozen=True, slots=True)
class Remembered:
    """Readings of the past, oldest first; `following` is the time to go on from (UTC milliseconds), None at the end."""

    fields: tuple[Field, ...]
    following: int | None


class Recall:
    """Asks one agent."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def extent(self) -> Extent:
        """Return the present generation. Raises as `batches` does."""
        return (await self.batches("", OPEN_END, OPEN_END)).extent

    async def batches(self, gen: str, first: int, last: int) -> Repeated:
        """Return batches by number, as many as come at once; without `gen` those of the present generation.

        Raises:
            StanzaError: refused, or answered by what makes no sense.
            LinkError: not answered.
        """
        asked = {"gen": gen or None, "from": str(first), "to": str(last)}
        resp = await self._ask({}, element(_BATCH, asked))
        deliveries = tuple(_deliveries(resp, gen, first, last))
        extent = resp.find(_GENERATION)
        more = resp.get("more") == "true"
        if extent is None or not extent.get("gen") or (more and not deliveries):
            raise _senseless()
        end = _seq(extent.get("last", ""))
        return Repeated(deliveries, more, Extent(extent.get("gen", ""), end, extent.get("next")))

    async def history(self, since: int, until: int | None = None) -> Remembered:
        """Return readings from `since` to `until` (UTC milliseconds, both included), as many as come at once.

        Raises as `batches` does.
        """
        asked = {"from": write_time(since), "to": None if until is None else write_time(until)}
        resp = await self._ask(asked)
        fields = tuple(sorted(read_fields(resp), key=lambda field: field.time))
        if resp.get("more") != "true":
            return Remembered(fields, None)
        try:
            last = max((read_time(instant.get("v", "")) for instant in resp.iter(_TS)), default=since - 1)
        except ValueError:
            raise _senseless() from None
        if last < since:
            raise _senseless()
        if last >= _LAST_INSTANT:
            return Remembered(fields, None)
        return Remembered(fields, last + 1)

    async def _ask(self, attributes: dict[str, str | None], *children: ET.Element) -> ET.Element:
        reply = await self._client.ask("get", element(_REQ, {"id": "past", **attributes}, *children), timeout=TIMEOUT)
        resp = reply.find(_RESP)
        if resp is None:
            raise _senseless()
        return resp


def _deliveries(resp: ET.Element, gen: str, first: int, last: int) -> Iterator[Delivery]:
    marks = [number for number, child in enumerate(resp) if child.tag == _BATCH]
    for begin, end in pairwise((*marks, len(resp))):
        mark, *rest = resp[begin:end]
        seq, of = _seq(mark.get("from", "")), mark.get("gen", "")
        if not of or of != (gen or of) or not first <= seq <= last:
            raise _senseless()
        first = seq + 1
        batch = element(_RESP, None, *(child for child in rest if child.tag == _ND))
        yield Delivery(of, seq, f"{of}-{seq}", tuple(read_fields(batch)))


def _seq(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(OPEN_END))):
        raise _senseless()
    return int(text)


def _senseless() -> StanzaError:
    return StanzaError("undefined-condition", "the answer is none to a question about the past")
