"""A GPIO pin that counts pulses: a water, gas or electricity meter, a rain gauge, an anemometer."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from jidget_drivers.driver import Sensor, action
from jidget_drivers.errors import DeviceUnavailable, WriteRefused
from jidget_drivers.gpio import EXTRA, claim, pin_errors, require_gpiozero
from jidget_drivers.gpio_counter_options import GpioCounterOptions
from jidget_drivers.gpio_pulses import Pulses
from jidget_drivers.properties import Kind, Property, Scalar

log = logging.getLogger(__name__)

KEEP_EVERY = 300.0
"""Seconds after which it is kept that the meter is still being counted, although no pulse came."""
_SIGNIFICANT = 6
"""Digits of a rate that mean something; the rest is the noise of timestamps."""


class GpioCounter(Sensor[GpioCounterOptions]):
    """A GPIO pin that counts pulses: a water, gas or electricity meter, a rain gauge, an anemometer.

    Each edge is counted as the kernel tells of it, whatever the agent is doing, up to some hundred pulses a second. The
    total outlives the agent: it is kept at each read and at the end. What came while nobody counted is not known and
    never guessed: `interruptions` tells how often that was since the total was set, the log from when to when. After a
    crash or a power cut the pulses since the last read are missing, too. `set_total` puts the meter's own reading in,
    and the interruptions back to 0.

    `rate` is left out until two pulses have come, or none for a whole `window`.
    """

    properties: tuple[Property, ...] = (
        Property(
            name="count",
            label="Total",
            description="What was counted, in option `unit`; kept over restarts.",
            minimum=0,
        ),
        Property(name="rate", description="How much of it there is in option `rate_unit`.", minimum=0),
        Property(
            name="interruptions",
            kind=Kind.INTEGER,
            description="How often counting paused since the total was set; pulses may be missing if it is not 0.",
            minimum=0,
        ),
    )
    extra = EXTRA
    wiring = (
        'A reed contact or an S0 output goes between the pin and GND, with the pin\'s own resistor (pull = "up"); '
        "the + of an S0 output goes to the pin. On a cable of more than a few metres add a resistor of "
        "1 to 10 kΩ to 3.3 V, or every switched lamp counts. Never put 5 V on a pin."
    )

    def __init__(
        self,
        options: GpioCounterOptions,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(options)
        require_gpiozero("gpio-counter")
        count, rate, interruptions = type(self).properties
        rate_unit, self._rate_factor = options.rate
        self._kind = options.total_kind
        self._decimals = None if self._kind is Kind.INTEGER else options.total_decimals
        self.properties = (
            Property(
                name=count.name,
                kind=self._kind,
                unit=options.unit,
                label=count.label,
                description=count.description,
                minimum=0,
                precision=self._decimals,
            ),
            Property(name=rate.name, unit=rate_unit, description=rate.description, minimum=0),
            interruptions,
        )
        self._clock = clock
        self._now = now
        self._device: Any = None
        self._pulses: Pulses | None = None
        self._ticks_are_ours = True
        self._base = 0.0  # the total when the pulses that count for it were `_offset`
        self._offset = 0
        self._interruptions = 0
        self._counting = False
        self._total_key = f"total_{options.unit}"  # a total in other units stays where it is

    async def open(self) -> None:
        """Make the pin an input, count its edges from here on, and take up the total of an earlier life."""
        await self.close()
        options = self.options
        self._device = claim(options.pin)
        pin = self._device.pin
        with pin_errors(options.pin):
            pin.input_with_pull("floating" if options.pull == "none" else options.pull)
            pin.edges = "both" if options.debounce > 0 else options.counted_edge.value
            # lgpio and the kernel count seconds of the monotonic clock; other factories have clocks of their own.
            self._ticks_are_ours = abs(pin.factory.ticks() - self._clock()) < 1
            pulses = Pulses(
                edge=options.counted_edge,
                debounce=options.debounce,
                window=options.window,
                level=bool(pin.state),
                now=self._clock(),
            )
            self._pulses = pulses
            pin.when_changed = self._changed  # held weakly by gpiozero
        self._take_up()

    async def close(self) -> None:
        """Keep the total, stop counting and let go of the pin."""
        device, self._device = self._device, None
        if device is None:
            return
        with pin_errors(self.options.pin):
            try:
                device.pin.when_changed = None
                if self._counting:
                    self._keep(self._total(device.pin), counting=False)
            finally:
                self._counting = False
                self._pulses = None
                device.close()

    def _changed(self, ticks: float, level: object) -> None:
        """Take an edge from gpiozero's thread."""
        pulses = self._pulses
        if pulses is not None:
            pulses.edge(ticks if self._ticks_are_ours else self._clock(), bool(level))

    async def read(self) -> Mapping[str, Scalar]:
        """Return the total, the rate if it can be known, and the interruptions; keep the total."""
        pin, pulses = self._opened()
        with pin_errors(self.options.pin):
            total = self._total(pin)
        stale = not 0 <= self._now() - float(self.kept["time"]) < KEEP_EVERY
        if stale or total != self.kept[self._total_key]:
            self._keep(total, counting=True)
        values: dict[str, Scalar] = {"count": self._shown(total), "interruptions": self._interruptions}
        rate = pulses.rate(self._clock())
        if rate is not None:
            values["rate"] = float(f"{rate * self._rate_factor:.{_SIGNIFICANT}g}")
        return values

    @action
    async def set_total(
        self,
        total: Annotated[float, Field(ge=0, allow_inf_nan=False, description="What the meter itself shows now.")],
    ) -> None:
        """Set the total to what the meter itself shows; it counts on from there, and the interruptions from 0."""
        if self._kind is Kind.INTEGER and not float(total).is_integer():
            raise WriteRefused(f"it counts whole numbers: {total:g} is none")
        pin, pulses = self._opened()
        with pin_errors(self.options.pin):
            self._offset = pulses.count(self._clock(), bool(pin.state))
        self._base = float(total)
        self._interruptions = 0
        self._keep(self._base, counting=True)

    def _opened(self) -> tuple[Any, Pulses]:
        if self._device is None or self._pulses is None:
            raise DeviceUnavailable(f"pin {self.options.pin}: it is not open")
        return self._device.pin, self._pulses

    def _total(self, pin: Any) -> float:
        if self._pulses is None:
            return self._base
        count = self._pulses.count(self._clock(), bool(pin.state))
        return self._base + (count - self._offset) * self.options.scale

    def _shown(self, total: float) -> Scalar:
        return round(total) if self._decimals is None else round(total, self._decimals)

    # ---- what outlives the process --------------------------------------------------------------------------------

    def _keep(self, total: float, *, counting: bool) -> None:
        """Keep the total, when it was true, and whether counting goes on: if so at the next start, it was a crash."""
        self.kept[self._total_key] = total
        self.kept["interruptions"] = self._interruptions
        self.kept["time"] = self._now()
        self.kept["counting"] = counting

    def _take_up(self) -> None:
        """Go on from what was kept, and tell what could not be counted since."""
        self._base, self._offset, self._interruptions = 0.0, 0, 0
        if self._total_key in self.kept:
            self._base = float(self.kept[self._total_key])
            self._interruptions = int(self.kept.get("interruptions", 0)) + 1  # a crash may keep one without the other
            log.warning("pin %s: %s", self.options.pin, self._say_gap())
        elif "time" in self.kept:
            log.warning(
                "pin %s: nothing was counted in %s before, so its total begins at 0; set it with set_total",
                self.options.pin,
                self.options.unit,
            )
        self._keep(self._base, counting=True)
        self._counting = True

    def _say_gap(self) -> str:
        kept_at = float(self.kept.get("time", 0.0))
        gap = self._now() - kept_at
        long = (
            f"for {timedelta(seconds=round(gap))}"
            if gap >= 0
            else "the clock was set back, so it is not known how long"
        )
        how = (
            "counting stopped at"
            if self.kept.get("counting") is False
            else "the agent ended without notice some time after"
        )
        return (
            f"{how} {time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime(kept_at))} ({long}); pulses since then are not in "
            f"the total of {self._shown(self._base)} {self.options.unit}. Look at the meter; set_total corrects it"
        )
