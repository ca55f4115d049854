"""A GPIO pin that is dimmed: an LED strip, a fan, a heater mat, a servo."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from jidget_drivers.gpio import pin_errors
from jidget_drivers.gpio_output_pin import OutputPin, OutputPinOptions
from jidget_drivers.option_types import Duration
from jidget_drivers.properties import Property, Scalar
from jidget_drivers.units import Unit

DIMMER_FREQUENCY = 100.0
"""Hz; above what an eye sees, and cheap for the processor."""
SERVO_FREQUENCY = 50.0
"""Hz; one pulse in 20 ms is what hobby servos expect."""


class GpioPwmOptions(OutputPinOptions):
    """Which pin, and what it drives."""

    frequency: float | None = Field(
        default=None, ge=0.1, le=10_000, description="Cycles per second, in Hz. Left out: 100, or 50 for a servo."
    )
    active_low: bool = Field(default=False, description="Whether low means on.")
    min_pulse: Duration | None = Field(
        default=None, description='For a servo: length of its pulse at 0 %, such as "1ms". Needs max_pulse, too.'
    )
    max_pulse: Duration | None = Field(default=None, description='For a servo: length of its pulse at 100 %: "2ms".')

    @model_validator(mode="after")
    def _check_pulses(self) -> Self:
        if (self.min_pulse is None) != (self.max_pulse is None):
            raise ValueError("a servo needs both min_pulse and max_pulse; anything else needs neither")
        if self.min_pulse is not None and self.max_pulse is not None:
            if not 0 < self.min_pulse < self.max_pulse:
                raise ValueError("min_pulse must be longer than nothing and shorter than max_pulse")
            if self.max_pulse >= 1 / self.hertz:
                raise ValueError(f"max_pulse must be shorter than one cycle, {1000 / self.hertz:g} ms")
        return self

    @property
    def servo(self) -> bool:
        """Whether the pin steers a servo: by the length of its pulses, not by the share of time it is on."""
        return self.min_pulse is not None

    @property
    def hertz(self) -> float:
        """Return the frequency in Hz."""
        return self.frequency or (SERVO_FREQUENCY if self.servo else DIMMER_FREQUENCY)


class GpioPwm(OutputPin[GpioPwmOptions]):
    """A GPIO pin that is dimmed: an LED strip, a fan, a heater mat, a servo.

    With `min_pulse` and `max_pulse` it is a servo: 0 % is the one end of its way, 100 % the other. A servo gets no
    pulses, so does not move, until its level is set for the first time; until then the level is not known.

    The pulses are made by the agent's process (lgpio: software timed), so they end with it. Closing leaves the pin an
    output: fully on or fully off stays as it is, anything between becomes off; a servo's pulses stop, and it goes limp.
    """

    properties = (
        Property(
            name="level",
            unit=Unit.PERCENT,
            writable=True,
            minimum=0,
            maximum=100,
            precision=1,
            safe=0,
            description="Share of time that it is on, or position of the servo. 0 and 100 are read back from the pin; "
            "what lies between is what its pulses were set to.",
        ),
    )
    driver_name = "gpio-pwm"
    wiring = (
        "The pin drives a few mA at 3.3 V: connect the gate of a logic-level MOSFET, a driver board, or a servo's "
        "signal wire; never a motor or a strip itself. Feed servos and fans from a supply of their own and join the "
        "grounds. The pulses are timed by software and jitter by some tens of microseconds: fine for light, heat and "
        "two-wire fans; a servo may tremble; the 25 kHz that a PC fan's control wire wants cannot be made. Fit a "
        "resistor of about 10 kΩ that pulls the pin to off. If the agent is killed, the pin stays for a moment, until "
        "the agent is started again, at the level it just had, which may be on."
    )

    def __init__(self, options: GpioPwmOptions) -> None:
        super().__init__(options, off=options.active_low)

    def let_go(self, pin: Any) -> None:
        """Stop the pulses: off, unless it was fully on."""
        if pin.frequency is not None:
            self._hold(pin, on=False)

    async def read(self) -> Mapping[str, Scalar]:
        """Return the level; none of a servo that has not been told to go anywhere."""
        pin = self.pin
        with pin_errors(self.options.pin):
            if pin.frequency is None:
                on = bool(pin.state) != self.options.active_low
                return {} if self.options.servo else {"level": 100.0 if on else 0.0}
            return {"level": self._level(float(pin.state))}

    async def write(self, name: str, value: Scalar) -> None:  # noqa: ARG002  # the only property
        """Drive the pin. Fully on and fully off need no pulses: the pin is held."""
        pin = self.pin
        share = self._share(float(value))
        with pin_errors(self.options.pin):
            if share in {0.0, 1.0}:
                self._hold(pin, on=share == 1.0)
                return
            if pin.frequency is None:
                pin.frequency = self.options.hertz
            pin.state = 1 - share if self.options.active_low else share

    def _hold(self, pin: Any, *, on: bool) -> None:
        if pin.frequency is not None:
            pin.frequency = None  # stops wherever the cycle was, so the level comes after it
        pin.state = on != self.options.active_low

    def _share(self, level: float) -> float:
        """Return the share of each cycle that the output is on, 0 to 1."""
        options = self.options
        if options.min_pulse is None or options.max_pulse is None:
            return level / 100
        return (options.min_pulse + (options.max_pulse - options.min_pulse) * level / 100) * options.hertz

    def _level(self, state: float) -> float:
        """Return the level that a pin's duty cycle, 0 to 1, stands for."""
        options = self.options
        share = 1 - state if options.active_low else state
        if options.min_pulse is None or options.max_pulse is None:
            return round(share * 100, 6)
        level = (share / options.hertz - options.min_pulse) / (options.max_pulse - options.min_pulse) * 100
        return min(max(round(level, 6), 0.0), 100.0)
