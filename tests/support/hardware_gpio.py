"""GPIO hardware on gpiozero's mock pins: pins that can do PWM, a clock of the test's own, an ultrasonic module."""

from collections.abc import Callable, Iterator
from itertools import repeat
from time import monotonic
from typing import Any

import gpiozero
import pytest
from gpiozero.pins import mock
from gpiozero.pins.mock import MockFactory, MockPWMPin

TRIGGER, ECHO = 23, 24
"""The pins of the ultrasonic module, as in examples/drivers/gpio-distance.toml."""


class Clock:
    """Seconds that pass as the test says, from `start` on or on top of another clock."""

    def __init__(self, start: float | Callable[[], float] = 1000.0) -> None:
        self._start = start
        self._passed = 0.0

    def __call__(self) -> float:
        return (self._start() if callable(self._start) else self._start) + self._passed

    def advance(self, seconds: float) -> None:
        self._passed += seconds


class UltrasonicTrigger(MockPWMPin):  # type: ignore[misc]  # gpiozero has no type hints
    """Trig of an HC-SR04: when its pulse ends, Echo is high for as long as `answers` says next.

    An answer is seconds, or None for a module that stays silent, or infinity for an echo that never ends.
    """

    def __init__(self, factory: MockFactory, info: Any, echo: MockPWMPin, clock: Clock) -> None:
        super().__init__(factory, info)
        self.echo = echo
        self.clock = clock
        self.pings = 0
        self.answers: Iterator[float | None] = repeat(0.005)

    def _set_state(self, value: float) -> None:
        ends = self._state and not value
        super()._set_state(value)
        if not ends:
            return
        self.pings += 1
        answer = next(self.answers)
        if answer is None:
            return
        self.clock.advance(0.0005)
        self.echo.drive_high()
        if answer != float("inf"):
            self.clock.advance(answer)
            self.echo.drive_low()


def mock_pins(monkeypatch: pytest.MonkeyPatch, clock: Clock | None = None) -> MockFactory:
    """Let gpiozero make mock pins, with an ultrasonic module on two of them."""
    clock = clock or Clock(monotonic)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    monkeypatch.setattr(mock, "monotonic", clock)
    factory = MockFactory(pin_class=MockPWMPin)
    monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
    factory.pin(TRIGGER, pin_class=UltrasonicTrigger, echo=factory.pin(ECHO), clock=clock)
    return factory
