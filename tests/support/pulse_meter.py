"""A `gpio-counter` and the contact it counts, on mock pins and with clocks of the test's own."""

from collections.abc import MutableMapping
from typing import Any

from gpiozero.pins.mock import MockFactory
from tests.support.hardware_gpio import Clock

from jidget_drivers import Scalar
from jidget_drivers.gpio_counter import GpioCounter
from jidget_drivers.gpio_counter_options import GpioCounterOptions

START = 1_800_000_000.0
"""How far the wall clock is ahead of the other."""


class Meter:
    """A meter at pin 22; each driver it makes finds what the last one kept."""

    def __init__(self, factory: MockFactory, clock: Clock, kept: MutableMapping[str, Scalar] | None = None) -> None:
        self.factory = factory
        self.clock = clock
        self.kept: MutableMapping[str, Scalar] = {} if kept is None else kept

    def driver(self, **options: Any) -> GpioCounter:
        given = {"pin": 22, "debounce": "0s", **options}
        driver = GpioCounter(
            GpioCounterOptions.model_validate(given), clock=self.clock, now=lambda: START + self.clock()
        )
        driver.kept = self.kept
        return driver

    def pulse(self, times: int = 1, every: float = 1.0) -> None:
        pin = self.factory.pin(22)
        for _ in range(times):
            self.clock.advance(every - 0.1)
            pin.drive_low()
            self.clock.advance(0.1)
            pin.drive_high()

    def crash(self, driver: GpioCounter) -> None:
        """End a driver as a killed process does: nobody closes it, but the pin is free."""
        driver._device.pin.when_changed = None
        driver._device.close()
