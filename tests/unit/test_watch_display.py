"""What `jidget watch` shows: each reading once, no more than were wanted, and what it keeps in mind of them."""

import json

import pytest

from jidget.cli import watch_display
from jidget.cli.watch_display import Display
from jidget.xmpp.payload import Field
from jidget.xmpp.progress import Gap


def field(count: int, *, thing: str = "meter", at: int | None = None) -> Field:
    return Field(
        thing=thing, agent="agent", property="count", value=count, unit="", time=count if at is None else at, flags=()
    )


def fields(*numbers: int) -> list[Field]:
    return [field(number) for number in numbers]


def shown(capsys: pytest.CaptureFixture[str]) -> list[object]:
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [record.get("event") or record["value"] for record in records]


def display(count: int | None = None) -> Display:
    return Display("pi@example.org", as_json=True, count=count)


def test_a_reading_that_comes_in_two_batches_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    one = display()
    assert one.show(fields(1, 2), "a-1")
    assert one.show(fields(2, 3), "b-1")
    assert shown(capsys) == [1, 2, 3]


def test_it_ends_in_the_middle_of_a_batch_and_goes_on_there(capsys: pytest.CaptureFixture[str]) -> None:
    first = display(3)
    assert first.show(fields(1, 2), "a-1")
    assert not first.show(fields(3, 4, 5), "a-2")
    assert first.enough.is_set()
    assert not first.show(fields(6), "a-3")
    assert shown(capsys) == [1, 2, 3]
    second = display()
    second.restore(first.reached, first.readings, first.unfinished)
    assert second.show(fields(3, 4, 5), "a-2")
    assert second.unfinished == []
    assert shown(capsys) == [4, 5]


def test_what_a_person_saw_as_current_does_not_come_as_new(capsys: pytest.CaptureFixture[str]) -> None:
    one = Display("pi@example.org", as_json=False, count=1)
    one.show_now(fields(1))
    assert not one.enough.is_set(), "current values are not counted"
    assert one.show(fields(1), "a-1")
    assert one.show(fields(2), "a-2")
    assert one.enough.is_set()
    told = [line.removesuffix("  (now)").split()[-1] for line in capsys.readouterr().out.splitlines()]
    assert told == ["1", "2"]


def test_by_time_only_what_is_newer_than_the_last_of_its_property_is_new() -> None:
    one = display()
    one.show([field(5), field(9, thing="gate")], "a-1")
    one.show(fields(3), "a-0", leads=False)
    assert one.reached == 9
    assert one.readings == {"meter": {"count": 5}, "gate": {"count": 9}}
    asked = [field(4), field(5), field(6), field(9, thing="gate"), field(10, thing="gate"), field(1, thing="new")]
    assert [(f.thing, f.value) for f in one.unseen(asked)] == [("meter", 6), ("gate", 10), ("new", 1)]


def test_gaps_are_told_as_documented(capsys: pytest.CaptureFixture[str]) -> None:
    gaps = [Gap("a-2", "a-2"), Gap("a-4", "a-9")]
    display().show_gaps(gaps)
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first, second) == (
        {"event": "gap", "from": "a-2", "to": "a-2"},
        {"event": "gap", "from": "a-4", "to": "a-9"},
    )
    Display("pi@example.org", as_json=False, count=None).show_gaps(gaps)
    assert capsys.readouterr().out == "batch a-2 is missing\nbatches a-4 to a-9 are missing\n"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(watch_display, "MOST_RECENT", 10)
    monkeypatch.setattr(watch_display, "MOST_NAMES", 5)
    one = display()
    for number in range(100):
        one.show([field(number, thing=f"thing{number}")], "a-1")
    assert len(one.readings) == 5
    one.show([field(100, thing="thing4")], "a-2")
    assert one.readings["thing4"] == {"count": 100}
    capsys.readouterr()
    one.show([field(99, thing="thing99"), field(1, thing="thing1")], "a-3")
    assert shown(capsys) == [1], "so long ago that it is not remembered"
