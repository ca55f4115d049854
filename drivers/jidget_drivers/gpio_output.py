"""A GPIO pin as an output: a relay, a valve, a lamp."""

from collections.abc import Mapping

from pydantic import Field

from jidget_drivers.gpio import pin_errors
from jidget_drivers.gpio_output_pin import OutputPin, OutputPinOptions
from jidget_drivers.properties import Kind, Property, Scalar


class GpioOutputOptions(OutputPinOptions):
    """Which pin, and what switches."""

    active_low: bool = Field(default=False, description="Whether low means on, as on many relay boards.")


class GpioOutput(OutputPin[GpioOutputOptions]):
    """A GPIO pin that switches something: a relay, a valve, a lamp.

    It is off when the agent starts. Closing leaves the pin driven as it is: an input would float, and a relay board
    may take that for on.
    """

    properties = (
        Property(
            name="state",
            kind=Kind.BOOLEAN,
            writable=True,
            safe=False,
            description="Whether the output is on, read back.",
        ),
    )
    driver_name = "gpio-output"
    wiring = (
        "The pin drives a few mA at 3.3 V: connect a relay board's input or a transistor, never a coil or a motor. "
        "Before the agent starts, and if the machine hangs, nobody drives the pin: fit a resistor of about 10 kΩ that "
        "pulls it to off. When the agent's process has ended, Raspberry Pi OS keeps the pin driven as it was; with "
        "dtparam=strict_gpiod, or another kernel, it becomes an input."
    )

    def __init__(self, options: GpioOutputOptions) -> None:
        super().__init__(options, off=options.active_low)

    async def read(self) -> Mapping[str, Scalar]:
        """Read the level on the pin itself, not what was last written."""
        pin = self.pin
        with pin_errors(self.options.pin):
            return {"state": bool(pin.state) != self.options.active_low}

    async def write(self, name: str, value: Scalar) -> None:  # noqa: ARG002  # the only property
        """Drive the pin."""
        pin = self.pin
        with pin_errors(self.options.pin):
            pin.state = self._level(bool(value))

    def _level(self, on: bool) -> bool:
        return on != self.options.active_low
