"""The judges of the soak: what is planted, they find."""

from pathlib import Path
from random import Random

import pytest
from tests.support.soak.episodes import Episode, during
from tests.support.soak.faults import FAULTS, plan
from tests.support.soak.ledger import LIFE, Key, Ledger, Reading, Span
from tests.support.soak.orders import FRESH, SLACK, Answer, Order, Orders
from tests.support.soak.record import Record
from tests.support.soak.result import Result
from tests.support.soak.sequences import Gap, Sequences


def reading(number: int, time: str = "", thing: str = "meter") -> Reading:
    return Reading(Key("agent", thing, "count", time or f"t{number:08}"), str(number))


def ledger_of(*numbers: int) -> Ledger:
    ledger = Ledger(["meter"])
    for number in numbers:
        ledger.take(reading(number))
    return ledger


# ---- readings -------------------------------------------------------------------------------------------------------


def test_a_reading_counts_once_however_often_it_comes() -> None:
    ledger = ledger_of(LIFE)
    assert not ledger.take(reading(LIFE))
    assert len(ledger.readings) == 1
    assert ledger.contradictions == []


def test_a_number_at_two_times_is_a_duplicate() -> None:
    ledger = ledger_of(LIFE)
    assert ledger.take(reading(LIFE, "later"))
    assert ledger.contradictions == [f"meter.count {LIFE} came twice: at t{LIFE:08} and at later"]


def test_a_key_with_two_values_is_a_contradiction() -> None:
    ledger = ledger_of(LIFE)
    ledger.take(reading(LIFE + 1, f"t{LIFE:08}"))
    assert ledger.contradictions == [f"meter.count at t{LIFE:08} is {LIFE}, and {LIFE + 1} as well"]


def test_what_is_no_counter_may_have_the_same_value_again() -> None:
    ledger = Ledger(["meter"])
    ledger.take(reading(7, "one", thing="valve"))
    ledger.take(reading(7, "two", thing="valve"))
    assert ledger.contradictions == []
    assert ledger.missing() == []


def test_nothing_is_missing_where_each_life_counts_from_its_beginning() -> None:
    assert ledger_of(LIFE + 1, LIFE, LIFE + 2, 3 * LIFE, 3 * LIFE + 1).missing() == []


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ((LIFE, LIFE + 2), (LIFE + 1, LIFE + 1)),
        ((LIFE, LIFE + 9), (LIFE + 1, LIFE + 8)),
        ((LIFE + 2,), (LIFE, LIFE + 1)),
        ((LIFE, 2 * LIFE + 1), (2 * LIFE, 2 * LIFE)),
    ],
)
def test_numbers_that_did_not_come_are_missing(numbers: tuple[int, ...], missing: tuple[int, int]) -> None:
    assert ledger_of(*numbers).missing() == [Span("meter", "count", *missing, f"t{numbers[-1]:08}")]


def test_what_was_made_and_did_not_come_is_absent_and_another_value_is_no_excuse() -> None:
    ledger = ledger_of(LIFE)
    made = dict([reading(LIFE), reading(LIFE + 1)])
    assert ledger.absent(made) == [reading(LIFE + 1).key]
    assert ledger.contradictions == []
    ledger.absent({reading(LIFE).key: "5"})
    assert ledger.contradictions == [f"meter.count at t{LIFE:08} was 5, and arrived as {LIFE}"]


# ---- batches --------------------------------------------------------------------------------------------------------


def test_gaps_are_seen_below_the_highest_number_of_each_generation() -> None:
    seen = Sequences()
    for gen, seq in (("aa", 1), ("aa", 5), ("bb", 2), ("aa", 3), ("aa", 5)):
        seen.take(gen, seq)
    assert seen.gaps() == [Gap("aa", 2, 2), Gap("aa", 4, 4), Gap("bb", 1, 1)]
    for gen, seq in (("aa", 4), ("bb", 1), ("aa", 2)):
        seen.take(gen, seq)
    assert seen.gaps() == []
    assert "aa" in seen
    assert "cc" not in seen


# ---- commands -------------------------------------------------------------------------------------------------------


def sent(orders: Orders, *moments: float) -> Order:
    order = orders.new()
    order.sent.extend(moments)
    return order


def test_a_command_that_ran_once_and_in_time_is_no_news() -> None:
    orders = Orders()
    order = sent(orders, 10.0, 11.0)
    orders.executed(order.value, 12.0)
    order.answered(Answer.DONE)
    assert (orders.twice(), orders.stale(), orders.untrue(), orders.strange) == ([], [], [], [])
    assert orders.repetitions == 1


def test_a_command_that_ran_twice_is_found() -> None:
    orders = Orders()
    order = sent(orders, 10.0, 11.0)
    orders.executed(order.value, 10.5)
    orders.executed(order.value, 11.5)
    assert orders.twice() == [order]


def test_a_command_that_ran_too_late_is_found_and_sending_it_again_makes_it_fresh() -> None:
    orders = Orders()
    late, again = sent(orders, 10.0), sent(orders, 10.0, 40.0)
    for order in (late, again):
        orders.executed(order.value, 10.0 + FRESH + SLACK + 1)
    assert orders.stale() == [late]


def test_a_repetition_after_it_ran_does_not_excuse_a_late_command() -> None:
    orders = Orders()
    order = sent(orders, 10.0, 60.0)
    orders.executed(order.value, 50.0)
    assert orders.stale() == [order]


def test_what_nobody_sent_is_found() -> None:
    orders = Orders()
    order = sent(orders, 10.0)
    orders.executed(99, 11.0)
    orders.executed(order.value, 9.0)
    assert orders.strange == [99, order.value]


def test_an_answer_that_is_not_true_is_found() -> None:
    orders = Orders()
    boast, lie, bounced = (sent(orders, 10.0) for _ in range(3))
    boast.answered(Answer.DONE)
    lie.answered(Answer.REFUSED)
    bounced.answered(Answer.BOUNCED)
    for order in (lie, bounced):
        orders.executed(order.value, 11.0)
    assert orders.untrue() == [boast, lie]


def test_a_server_that_could_not_deliver_a_repetition_does_not_change_what_the_agent_said() -> None:
    order = Order(1)
    order.answered(Answer.DONE)
    order.answered(Answer.BOUNCED)
    assert order.answer is Answer.DONE


def test_the_record_is_read_as_it_grows_and_only_in_whole_lines(tmp_path: Path) -> None:
    moved: list[int] = []
    file = tmp_path / "record"
    record = Record(file, "level", lambda line: moved.append(line.value))
    record.look()
    file.write_text("2026-01-01T00:00:00.000Z level 1\n2026-01-01T00:00:00.000Z other 5\n2026-01-01T00:00:0")
    record.look()
    assert moved == [1]
    with file.open("a") as more:
        more.write("0.000Z level 2\n")
    record.look()
    record.look()
    assert moved == [1, 2]


# ---- faults ---------------------------------------------------------------------------------------------------------


def test_the_same_seed_plans_the_same_faults_and_each_kind_has_its_turn() -> None:
    kinds = list(FAULTS.values())
    plans = [[fault.name for fault in plan(kinds, 40, Random(seed))] for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]
    assert set(plans[0]) == set(FAULTS)
    assert len(plans[0]) == 40
    assert len(plan(kinds, 3, Random(1))) == 3


def test_a_reading_is_blamed_on_the_fault_that_was_there() -> None:
    episodes = [
        Episode(number=number, kind="reset", struck=0.0, began=began) for number, began in ((1, "t10"), (2, "t20"))
    ]
    assert during(episodes, "t05") is None
    assert during(episodes, "t15") is episodes[0]
    assert during(episodes, "t25") is episodes[1]


@pytest.mark.parametrize(
    "wrong", ["lost", "duplicated", "twice", "stale", "strange", "untrue", "too_long", "stuck", "errors"]
)
def test_a_result_is_good_only_if_nothing_is_wrong(wrong: str) -> None:
    result = Result(server="prosody", seed=1, liveness=2.0)
    assert result.figures()["good"]
    setattr(result, wrong, 1)
    assert not result.good
    assert not result.figures()["good"]
    assert "seed 1" in result.table()
