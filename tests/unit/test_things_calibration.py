"""Calibration: there and back."""

import math

import pytest

from jidget.things.calibration import Calibration
from jidget_drivers import Kind, Property, Scalar, Unit

NUMBER = Property(name="p", unit=Unit.CELSIUS, minimum=0, maximum=100, writable=True)
INTEGER = Property(name="p", kind=Kind.INTEGER, minimum=0, maximum=10, writable=True)


@pytest.mark.parametrize(
    ("calibration", "raw", "shown"),
    [
        (Calibration(), 21.37, 21.37),
        (Calibration(offset=-0.4), 21.4, 21.0),
        (Calibration(scale=2), 21, 42),
        (Calibration(scale=0.5, offset=1), 3, 2.5),
        (Calibration(precision=1), 21.37, 21.4),
        (Calibration(precision=1), 21, 21),
        (Calibration(offset=5, precision=0), True, True),
        (Calibration(offset=5), "eco", "eco"),
    ],
)
def test_raw_values_are_scaled_shifted_and_rounded(calibration: Calibration, raw: Scalar, shown: Scalar) -> None:
    value = calibration.from_raw(raw)
    assert value == pytest.approx(shown)
    assert isinstance(value, bool) is isinstance(raw, bool)


@pytest.mark.parametrize("calibration", [Calibration(offset=-0.4), Calibration(scale=-3, offset=7), Calibration()])
@pytest.mark.parametrize("raw", [0.0, 0.1, 33.3, 100.0])
def test_what_is_shown_can_be_set_and_is_then_shown(calibration: Calibration, raw: float) -> None:
    assert calibration.to_raw(NUMBER, calibration.from_raw(raw)) == pytest.approx(raw)


def test_limits_move_with_the_values() -> None:
    seen = Calibration(scale=-2, offset=10).applied_to(NUMBER)
    assert (seen.minimum, seen.maximum) == (-190, 10)
    assert Calibration(offset=1).applied_to(Property(name="p")).minimum is None


@pytest.mark.parametrize("scale", [0.1, 0.3, 1 / 3, 1.1, -0.7])
def test_arithmetic_carries_no_value_over_the_drivers_limits(scale: float) -> None:
    calibration = Calibration(scale=scale, offset=0.1)
    seen = calibration.applied_to(NUMBER)
    assert seen.minimum is not None
    assert seen.maximum is not None
    for edge in (seen.minimum, seen.maximum):
        raw = calibration.to_raw(NUMBER, edge)
        assert isinstance(raw, float)
        assert 0 <= raw <= 100


def test_a_driver_of_whole_numbers_is_given_whole_numbers() -> None:
    calibration = Calibration(scale=0.5)
    seen = calibration.applied_to(INTEGER)
    assert seen.kind is Kind.NUMBER
    for shown, raw in ((2.5, 5), (2.6, 5), (5.0, 10), (0.0, 0)):
        value = calibration.to_raw(INTEGER, shown)
        assert (value, type(value)) == (raw, int)


def test_whole_numbers_stay_within_limits_that_are_not_whole() -> None:
    narrow = Property(name="p", kind=Kind.INTEGER, minimum=0.5, maximum=11.5)
    calibration = Calibration(scale=0.5)
    assert calibration.to_raw(narrow, 5.75) == 11
    assert calibration.to_raw(narrow, 0.25) == 1


def test_the_safe_value_moves_too() -> None:
    prop = Property(name="p", writable=True, safe=10.0)
    assert Calibration(scale=2, offset=1).applied_to(prop).safe == 21.0
    switch = Property(name="p", kind=Kind.BOOLEAN, writable=True, safe=False)
    assert Calibration(offset=1).applied_to(switch).safe is False


def test_labels_and_precision_are_replaced() -> None:
    seen = Calibration(precision=1, label="Air").applied_to(NUMBER)
    assert (seen.precision, seen.label, seen.minimum) == (1, "Air", 0)
    assert Calibration().applied_to(NUMBER) is NUMBER


@pytest.mark.parametrize("scale", [0.0, math.nan, math.inf])
def test_what_cannot_be_undone_is_no_calibration(scale: float) -> None:
    with pytest.raises(ValueError, match="cannot be undone"):
        Calibration(scale=scale)
