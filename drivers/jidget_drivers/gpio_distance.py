"""An ultrasonic distance sensor on two GPIO pins: HC-SR04, JSN-SR04T and the like."""

import math
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from jidget_drivers.driver import DriverOptions, Sensor
from jidget_drivers.errors import DeviceUnavailable, InvalidReading
from jidget_drivers.gpio import EXTRA, PIN_DESCRIPTION, PinName, claim, pin_errors, require_gpiozero
from jidget_drivers.properties import Property, Scalar
from jidget_drivers.units import Unit

TRIGGER_LENGTH = 10e-6
"""Seconds of the pulse that asks for a ping (HC-SR04 data sheet, Timing diagram)."""
PAUSE = 0.06
"""Seconds from ping to ping, so that no echo of the last is taken for one of the next (the same place)."""
ECHO_LIMIT = 0.3
"""Seconds to wait for an edge of the echo: modules that hear nothing hold it for 38 ms, some clones for 200."""
NEAREST = 0.02
"""Metres; the data sheet's least range. Nearer things are not seen or measured wrong."""


class GpioDistanceOptions(DriverOptions):
    """Which pins, and how far it can see."""

    trigger: PinName = Field(description=f"Pin of the module's Trig. {PIN_DESCRIPTION}")
    echo: PinName = Field(description="Pin of the module's Echo, by way of a voltage divider.")
    max_distance: float = Field(
        default=4.0, gt=NEAREST, le=10, description="Range of the module in m; an echo from beyond is no reading."
    )
    pings: int = Field(default=5, ge=1, le=9, description="Pings per reading, of which the median is taken.")
    air_temperature: float = Field(
        default=20.0, ge=-40, le=60, description="Temperature of the air in °C: 10 °C more make sound 1.8 % faster."
    )

    @model_validator(mode="after")
    def _check_pins(self) -> Self:
        if self.trigger == self.echo:
            raise ValueError("trigger and echo are two pins")
        return self


class GpioDistance(Sensor[GpioDistanceOptions]):
    """An ultrasonic distance sensor on two GPIO pins: HC-SR04, JSN-SR04T and the like.

    A reading is the median of a few pings, timed by the kernel's stamps of the echo's edges, and none at all unless
    most of them came back. Nothing in range is an error, not the greatest distance. Within some millimetres at best:
    soft, slanted and small things swallow or scatter sound.
    """

    properties = (
        Property(
            name="distance",
            unit=Unit.METRE,
            precision=3,
            minimum=NEAREST,
            maximum=10,
            description="Distance to what is in front of it.",
        ),
    )
    extra = EXTRA
    wiring = (
        "VCC to 5 V, GND to GND, Trig to the pin `trigger`. Echo gives 5 V: it goes through 1 kΩ to the pin `echo`, "
        "and from there 2 kΩ to GND, or it kills the pin. Modules for 3.3 V, such as the HC-SR04P, need no divider."
    )

    def __init__(self, options: GpioDistanceOptions, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(options)
        require_gpiozero("gpio-distance")
        self._clock = clock
        self._trigger: Any = None
        self._echo: Any = None
        self._ticks_are_ours = True
        self._echoes = _Echo()

    async def open(self) -> None:
        """Make the one pin an output that is low and listen for the edges of the other."""
        await self.close()
        self._trigger = claim(self.options.trigger)
        with pin_errors(self.options.trigger):
            self._trigger.pin.output_with_state(False)
        self._echo = claim(self.options.echo)
        pin = self._echo.pin
        with pin_errors(self.options.echo):
            pin.input_with_pull("floating")
            pin.edges = "both"
            self._ticks_are_ours = abs(pin.factory.ticks() - self._clock()) < 1
            pin.when_changed = self._changed  # held weakly by gpiozero

    async def close(self) -> None:
        """Let go of both pins."""
        trigger, self._trigger = self._trigger, None
        echo, self._echo = self._echo, None
        self._echoes.give_up()  # a measurement that goes on finds nothing to wait for
        try:
            if echo is not None:
                with pin_errors(self.options.echo):
                    try:
                        echo.pin.when_changed = None
                    finally:
                        echo.close()
        finally:
            if trigger is not None:
                with pin_errors(self.options.trigger):
                    trigger.close()

    def _changed(self, ticks: float, level: object) -> None:
        """Take an edge of the echo from gpiozero's thread."""
        self._echoes.edge(ticks if self._ticks_are_ours else self._clock(), bool(level))

    async def read(self) -> Mapping[str, Scalar]:
        """Ping a few times and return the median distance."""
        return {"distance": await self.in_thread(self._measure)}

    def _measure(self) -> float:
        distances: list[float] = []
        failures: Counter[str] = Counter()
        for ping in range(self.options.pings):
            if ping:
                time.sleep(PAUSE)
            try:
                distances.append(self._ping())
            except InvalidReading as error:
                failures[str(error)] += 1
            if failures.total() > self.options.pings // 2:
                break  # the others cannot make a reading of it any more
        if len(distances) * 2 <= self.options.pings:
            ((reason, _),) = failures.most_common(1)
            raise InvalidReading(f"{failures.total()} of {failures.total() + len(distances)} pings failed: {reason}")
        return statistics.median(distances)

    def _ping(self) -> float:
        """Return the distance in metres that one ping tells."""
        trigger, echo = self._trigger, self._echo
        if trigger is None or echo is None:
            raise DeviceUnavailable(f"pins {self.options.trigger} and {self.options.echo}: not open")
        with pin_errors(self.options.echo):
            if echo.pin.state:
                raise InvalidReading(
                    f"echo (pin {self.options.echo}) is high before the ping: check that Echo and Trig are not swapped "
                    "and that the grounds are joined"
                )
        self._echoes.begin()
        with pin_errors(self.options.trigger):
            trigger.pin.state = True
            time.sleep(TRIGGER_LENGTH)
            trigger.pin.state = False
        rose, fell = self._echoes.wait(ECHO_LIMIT)
        if rose is None:
            raise InvalidReading(
                f"no answer on echo (pin {self.options.echo}): check the 5 V supply, Trig on pin "
                f"{self.options.trigger}, Echo and its divider"
            )
        if fell is None:
            raise InvalidReading(f"echo (pin {self.options.echo}) stays high: check its divider and the 5 V supply")
        distance: float = (fell - rose) * speed_of_sound(self.options.air_temperature) / 2
        if distance > self.options.max_distance:
            raise InvalidReading(
                f"nothing within {self.options.max_distance:g} m sent the sound back: check where it points; soft or "
                "slanted things swallow it"
            )
        if distance < NEAREST:
            raise InvalidReading(f"the echo came at once: keep things at least {NEAREST * 100:g} cm away")
        return distance


class _Echo:
    """The one pulse that answers a ping, its edges told by gpiozero's thread."""

    def __init__(self) -> None:
        self._rose: float | None = None
        self._fell: float | None = None
        self._over = threading.Event()

    def begin(self) -> None:
        """Forget the last one."""
        self._rose = self._fell = None
        self._over.clear()

    def edge(self, tick: float, level: bool) -> None:
        """Take an edge. One that falls before any rose belongs to the ping before."""
        if level:
            self._rose = tick
        elif self._rose is not None:
            self._fell = tick
            self._over.set()

    def wait(self, limit: float) -> tuple[float | None, float | None]:
        """Wait for its end and return the ticks at which it rose and fell, None for what did not happen in time."""
        self._over.wait(limit)
        return self._rose, self._fell

    def give_up(self) -> None:
        """Let who waits go."""
        self._over.set()


def speed_of_sound(celsius: float) -> float:
    """Return the speed of sound in dry air in m/s: that of an ideal gas, 331.3 m/s at 0 °C."""
    return 331.3 * math.sqrt(1 + celsius / 273.15)
