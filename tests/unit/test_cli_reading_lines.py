"""Readings as lines for people: columns, remarks, the time on the wall."""

import io
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jidget.cli.reading_lines import ReadingLines, local_time
from jidget.cli.terminal import Painter
from jidget.xmpp.client import quiet_resource, random_resource
from jidget.xmpp.payload import Field

FIELD = Field(thing="greenhouse", agent="agent", property="temperature", value=21.4, unit="Cel", time=0, flags=())


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def now() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def test_values_stand_below_each_other_and_names_are_never_cut() -> None:
    lines = ReadingLines(Painter(io.StringIO()))
    short = replace(FIELD, thing="pump", property="state", value=True, unit="", time=now())
    long = replace(FIELD, time=now())
    lines.widen([short, long])
    first, second = lines.line(short, "now"), lines.line(long)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  pump\.state              on  \(now\)", first)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  greenhouse\.temperature  21\.4 °C", second)
    longer = lines.line(replace(long, property="temperature_of_the_soil"))
    assert "greenhouse.temperature_of_the_soil  21.4 °C" in longer
    assert lines.line(short).index("on") == longer.index("21.4"), "from now on there"


def test_flags_are_said_in_words() -> None:
    lines = ReadingLines(Painter(io.StringIO()))
    assert lines.line(replace(FIELD, flags=("h", "of", "m")), "now").endswith("  (now, late, clock not set, m)")


def test_a_terminal_is_shown_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    line = ReadingLines(Painter(io.StringIO())).line(FIELD, "now")
    assert "\x1b[36m21.4 °C\x1b[0m" in line
    assert "\x1b[2m(now)\x1b[0m" in line


def test_nothing_to_make_room_for() -> None:
    ReadingLines(Painter(io.StringIO())).widen([])


def test_times_are_those_on_the_wall_with_the_date_where_it_is_another_day() -> None:
    noon = int(datetime(2026, 7, 1, 12, 0, 5, tzinfo=UTC).timestamp() * 1000)
    assert local_time(noon) == "2026-07-01 14:00:05"
    today = datetime.now().astimezone()
    assert local_time(int(today.timestamp() * 1000)) == today.strftime("%H:%M:%S")


@pytest.mark.parametrize("year", [1, 9999])
def test_times_beyond_all_calendars_are_shown_as_they_are(year: int) -> None:
    edge = datetime(year, 1, 1, tzinfo=UTC) if year == 1 else datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert local_time(int(edge.timestamp() * 1000)).startswith(("0001-01-01", "9999-12-31"))


def test_our_resources_come_before_any_other_of_the_account() -> None:
    """ejabberd 23.01 tells contacts of readings by way of the last one."""
    assert random_resource() != random_resource()
    assert max(random_resource(), quiet_resource("zzz")) < min("agent", "Agent", "0", "A", "a")
