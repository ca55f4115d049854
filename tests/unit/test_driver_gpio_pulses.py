"""Counting pulses from timestamped edges: debounce and rate, without any pin or clock."""

import threading

import pytest

from jidget_drivers.gpio_pulses import Edge, Pulses


def pulses(edge: Edge = Edge.FALLING, debounce: float = 0.01, window: float = 60.0, level: bool = True) -> Pulses:
    return Pulses(edge=edge, debounce=debounce, window=window, level=level, now=0.0)


@pytest.mark.parametrize(("edge", "counted"), [(Edge.FALLING, 3), (Edge.RISING, 3), (Edge.BOTH, 6)])
@pytest.mark.parametrize("debounce", [0.0, 0.01])
def test_each_pulse_counts_once(edge: Edge, counted: int, debounce: float) -> None:
    meter = pulses(edge, debounce)
    for second in (1, 2, 3):
        meter.edge(second, False)
        meter.edge(second + 0.1, True)
    assert meter.count(10, True) == counted


def test_bouncing_is_one_pulse_and_a_glitch_is_none() -> None:
    meter = pulses()
    for bounce in range(7):
        meter.edge(1 + bounce * 0.002, False)
        meter.edge(1.001 + bounce * 0.002, True)
    meter.edge(1.014, False)
    meter.edge(1.5, True)
    for bounce in range(5):  # opening bounces, too
        meter.edge(1.501 + bounce * 0.002, False)
        meter.edge(1.502 + bounce * 0.002, True)
    assert meter.count(2, True) == 1
    meter.edge(3.0, False)
    meter.edge(3.009, True)  # a lamp was switched
    assert meter.count(4, True) == 1


def test_exactly_the_debounce_time_is_enough() -> None:
    meter = pulses(debounce=0.5)
    meter.edge(1.0, False)
    meter.edge(1.5, True)
    assert meter.count(1.5, True) == 1


def test_a_contact_that_stays_closed_is_counted_without_a_further_edge() -> None:
    meter = pulses()
    meter.edge(1.0, False)
    assert meter.count(1.005, False) == 0
    assert meter.count(1.02, False) == 1
    meter.edge(500.0, True)
    assert meter.count(501, True) == 1  # not again


def test_a_level_whose_end_is_not_told_yet_does_not_count() -> None:
    meter = pulses()
    meter.edge(1.0, False)
    assert meter.count(1.02, True) == 0  # the pin is high again: the edge is on its way
    meter.edge(1.001, True)
    assert meter.count(1.03, True) == 0


@pytest.mark.parametrize("edge", [Edge.RISING, Edge.FALLING])
def test_the_level_at_the_start_is_no_pulse(edge: Edge) -> None:
    meter = pulses(edge, level=edge is Edge.RISING)
    assert meter.count(5, edge is Edge.RISING) == 0
    slow = pulses(Edge.RISING, level=False)
    slow.edge(0.003, True)  # the pull-up charges a long cable
    assert slow.count(5, True) == 0


def test_no_pulse_is_lost_to_reads_from_another_thread() -> None:
    meter = pulses(debounce=0.0)
    done = threading.Event()

    def tell() -> None:
        for number in range(20_000):
            meter.edge(number * 0.001, False)
        done.set()

    telling = threading.Thread(target=tell)
    telling.start()
    seen = [0]
    while not done.is_set():
        seen.append(meter.count(0.0, True))
        meter.rate(20.0)
    telling.join()
    assert meter.count(20.0, True) == 20_000
    assert seen == sorted(seen)


# ---- rate ---------------------------------------------------------------------------------------------------------


def beats(meter: Pulses, *ticks: float) -> None:
    for tick in ticks:
        meter.edge(tick, False)


def test_the_rate_is_not_known_until_two_pulses_or_a_silent_window() -> None:
    meter = pulses(debounce=0.0)
    assert meter.rate(59.9) is None
    assert meter.rate(60.0) == 0.0
    young = pulses(debounce=0.0)
    beats(young, 10.0)
    assert young.rate(11.0) is None
    beats(young, 14.0)
    assert young.rate(14.0) == pytest.approx(0.25)


@pytest.mark.parametrize("period", [0.002, 0.1, 3.0, 36.0])
def test_a_steady_rate_is_exact_however_slow_or_fast(period: float) -> None:
    meter = pulses(debounce=0.0)
    last = 0.0
    while last < 200:
        last += period
        beats(meter, last)
    assert meter.rate(last) == pytest.approx(1 / period)
    assert meter.rate(last + period * 0.9) == pytest.approx(1 / period)  # the next one is not late yet


def test_a_late_pulse_lowers_the_rate_and_a_silent_window_makes_it_nothing() -> None:
    meter = pulses(debounce=0.0)
    beats(meter, 1, 2, 3, 4)
    assert meter.rate(4) == pytest.approx(1)
    assert meter.rate(14) == pytest.approx(0.1)
    assert meter.rate(63.9) == pytest.approx(1 / 59.9)
    assert meter.rate(64) == 0.0


def test_pulses_rarer_than_the_window_go_by_their_last_interval() -> None:
    meter = pulses(debounce=0.0)
    beats(meter, 100, 190)
    assert meter.rate(190) == pytest.approx(1 / 90)
    assert meter.rate(230) == pytest.approx(1 / 90)
    assert meter.rate(250) == 0.0


def test_what_is_older_than_the_window_does_not_count() -> None:
    meter = pulses(debounce=0.0)
    beats(meter, *range(1, 100))  # one a second
    beats(meter, *(100 + n / 10 for n in range(700)))  # then ten
    assert meter.rate(169.9) == pytest.approx(10, rel=0.001)


def test_pulses_are_taken_at_the_moment_the_contact_closed() -> None:
    meter = pulses(debounce=0.5)
    for second in (10, 12, 14):
        meter.edge(second, False)
        meter.edge(second + 0.7, True)
    assert meter.count(15.2, True) == 3
    assert meter.rate(15.2) == pytest.approx(0.5)
