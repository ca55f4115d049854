"""The judge of how long outputs are on: what is planted, it finds."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.soak.outputs import TOLERANCE, Outages, Output, Stretch, stretches_of
from tests.support.soak.record import Line, Record

WALL = 1_800_000_000.0
"""The wall clock when the other one begins."""


def output_of(*moves: tuple[float, int], **spans: float) -> Output:
    """Return an output with a `max_on` of 10 s that was set so, each at its time; `v7` is how long 7 was meant for."""
    lines = [Line(value=value, at=at, seen=at) for at, value in moves]
    return Output(name="pump.state", max_on=10.0, spans={int(v[1:]): s for v, s in spans.items()}, lines=lines)


def judged(output: Output, *outages: tuple[float, float], until: float = 1000.0) -> list[Stretch]:
    """Return its stretches that are too long."""
    down = Outages()
    for began, ended in outages:
        down.begin(began)
        down.end(ended)
    return [stretch for stretch in stretches_of([output], down, until) if stretch.too_long]


# ---- verdicts -------------------------------------------------------------------------------------------------------


def test_an_output_that_keeps_its_limit_is_no_news() -> None:
    output = output_of((0.0, 0), (100.0, 1), (110.0 + TOLERANCE / 2, 0), (200.0, 1), (203.0, 0))
    assert judged(output) == []
    kept, short = stretches_of([output], Outages(), 1000.0)
    assert (kept.excess, kept.expired) == (TOLERANCE / 2, True)
    assert (short.excess, short.overdue, short.expired) == (-7.0, 0.0, False)


def test_an_output_that_is_on_for_too_long_is_found() -> None:
    (found,) = judged(output_of((100.0, 1), (112.5, 0)))
    assert (found.excess, found.overdue) == (2.5, 2.5)
    assert str(found) == (
        "pump.state was on for 12.50 s; max_on is 10 s, the agent was stopped or dead for 0.00 s,"
        " and worked for 2.50 s after the limit"
    )


def test_an_output_that_nobody_ever_switches_off_is_found() -> None:
    assert judged(output_of((100.0, 1)), until=105.0) == []
    assert len(judged(output_of((100.0, 1)), until=112.0)) == 1


def test_only_the_time_that_the_agent_stood_still_while_it_was_on_excuses_it() -> None:
    output = output_of((100.0, 1), (120.0, 0))
    assert judged(output, (105.0, 119.5)) == []
    assert judged(output, (90.0, 105.0), (108.0, 113.0), (113.2, 130.0)) == []
    assert judged(output, (50.0, 99.0), (121.0, 200.0)) != []
    assert judged(output, (105.0, 113.0)) != []


def test_a_deadline_goes_on_while_the_agent_does_not() -> None:
    """So an agent that counts anew after a crash is found out, whatever part of the limit was left."""
    (found,) = judged(output_of((100.0, 1), (104.0, 1), (114.0, 0)), (101.0, 104.0))
    assert (found.excess, found.overdue) == (1.0, 4.0)


def test_an_agent_that_is_still_away_is_excused_until_now() -> None:
    outages = Outages()
    outages.begin(104.0)
    outages.begin(500.0)  # dead as well: it was stopped before
    (stretch,) = output_of((100.0, 1)).stretches(outages, 600.0)
    assert (stretch.down, stretch.excess, stretch.overdue) == (496.0, -6.0, 0.0)


@pytest.mark.parametrize("again", [1, 2])
def test_a_limit_does_not_begin_anew_when_it_is_set_again_or_to_another_value(again: int) -> None:
    """So an agent is found out that restores a value and forgets since when it was on."""
    assert len(judged(output_of((100.0, 1), (105.0, again), (114.0, 0)))) == 1


def test_what_was_commanded_for_a_time_is_judged_by_that_until_something_else_is_commanded() -> None:
    assert judged(output_of((100.0, 7), (102.0, 0), v7=2.0)) == []
    assert judged(output_of((100.0, 7), (101.0, 8), (107.0, 0), v7=2.0)) == []
    for late in (output_of((100.0, 7), (105.0, 0), v7=2.0), output_of((100.0, 7), (105.0, 8), (106.0, 0), v7=2.0)):
        (found,) = judged(late)
        assert (found.rule, found.excess) == ("for", 3.0)
    (restored,) = judged(output_of((100.0, 7), (101.0, 7), (105.0, 0), v7=2.0), (100.5, 101.0))
    assert (restored.rule, restored.down, restored.excess) == ("for", 0.5, 2.5)


# ---- records --------------------------------------------------------------------------------------------------------


class Watched:
    """A record, and clocks to look at it by.

    Attributes:
        now: seconds of the steady clock.
        ahead: by how many seconds the wall clock has been set since the beginning.
    """

    def __init__(self, file: Path) -> None:
        self.now = 0.0
        self.ahead = 0.0
        self.output = output_of()
        self.record = Record(
            file, "state", self.output.lines.append, clock=lambda: self.now, wall=lambda: WALL + self.ahead + self.now
        )
        self._file = file

    def write(self, at: float, value: bool) -> None:
        """Do as the driver does, at a moment."""
        self.now = at
        stamp = datetime.fromtimestamp(WALL + self.ahead + at, UTC).isoformat(timespec="milliseconds")
        with self._file.open("a") as file:
            file.write(f"{stamp.replace('+00:00', 'Z')} state {json.dumps(value)}\n")

    def look(self, at: float) -> list[tuple[int, float]]:
        """Look at the record, at a moment; return what is known of it then."""
        self.now = at
        self.record.look()
        return [(line.value, round(line.at, 3)) for line in self.output.lines]


def test_a_record_is_judged_by_its_own_times_however_late_it_is_looked_at(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "record")
    watched.write(2.0, True)
    watched.write(15.0, False)
    assert watched.look(40.0) == [(1, 2.0), (0, 15.0)]
    (found,) = judged(watched.output)
    assert found.excess == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_wall_clock_that_jumps_moves_a_line_no_further_than_to_the_looks_around_it(
    tmp_path: Path, jump: float
) -> None:
    watched = Watched(tmp_path / "record")
    watched.look(1.9)
    watched.write(2.0, True)
    watched.ahead = jump
    ((_, on),) = watched.look(2.1)
    assert 1.9 <= on <= 2.1
    watched.write(15.0, False)
    assert watched.look(15.1)[1] == (0, 15.0)
    assert len(judged(watched.output)) == 1
