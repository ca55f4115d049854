"""Sensor data as the contract has it (DESIGN 4.3), read by nobody's code but this: what deviates fails the test."""

import re
from datetime import datetime
from typing import NamedTuple
from xml.etree import ElementTree as ET

NODE = "urn:nf:iot:sd:1.0"
NOW_NODE = f"{NODE}#now"
_SPACE = f"{{{NODE}}}"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_ITEM = re.compile(r"(?P<gen>[0-9a-f]{8})-(?P<seq>[1-9]\d*)")
_VALUES = {
    "q": re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?"),
    "l": re.compile(r"-?\d+"),
    "b": re.compile(r"true|false"),
    "e": re.compile(r".+"),
    "s": re.compile(r".*", re.DOTALL),
}
_FLAGS = frozenset(("h", "of", "ctr"))


class Row(NamedTuple):
    """A field of the sensor data."""

    thing: str
    agent: str
    prop: str
    type: str
    value: str
    unit: str | None
    time: str
    flags: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.thing}.{self.prop}"

    @property
    def milliseconds(self) -> int:
        return round(datetime.fromisoformat(self.time).timestamp() * 1000)


def batch_of(item: str) -> tuple[str, int]:
    """Return GEN and SEQ of a stream item's id."""
    match = _ITEM.fullmatch(item)
    assert match, f"{item} is not GEN-SEQ"
    return match["gen"], int(match["seq"])


def rows_of(resp: ET.Element, item: str) -> list[Row]:
    """Return the fields of an item's payload after checking every element and attribute of it."""
    assert resp.tag == f"{_SPACE}resp"
    assert resp.attrib == {"id": item}
    things = [node.get("id") for node in resp]
    assert len(set(things)) == len(things), "more than one <nd> for a Thing"
    rows: list[Row] = []
    for node in resp:
        assert node.tag == f"{_SPACE}nd"
        assert node.attrib.keys() == {"id", "src"}
        instants = [instant.get("v", "") for instant in node]
        assert instants == sorted(set(instants)), "instants twice or out of order"
        for instant in node:
            assert instant.tag == f"{_SPACE}ts"
            assert instant.attrib.keys() == {"v"}
            assert _TIME.fullmatch(instant.get("v", ""))
            assert len(instant) > 0
            rows += [_row(node, instant, field) for field in instant]
    return rows


def _row(node: ET.Element, instant: ET.Element, field: ET.Element) -> Row:
    kind = field.tag.removeprefix(_SPACE)
    given = field.attrib
    known = {"n", "v"} | {"q": {"u"}, "e": {"t"}}.get(kind, set())
    assert given.keys() - _FLAGS == known, f"<{kind}> has {sorted(given)}"
    assert _VALUES[kind].fullmatch(given["v"]), f"{given['v']!r} is no value of <{kind}>"
    assert all(given[flag] == "true" for flag in given.keys() & _FLAGS)
    assert given.get("t", given["n"]) == given["n"]
    assert len(field) == 0
    assert not field.text
    return Row(
        thing=node.get("id", ""),
        agent=node.get("src", ""),
        prop=given["n"],
        type=kind,
        value=given["v"],
        unit=given.get("u"),
        time=instant.get("v", ""),
        flags=frozenset(given.keys() & _FLAGS),
    )
