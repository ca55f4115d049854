"""A GPIO pin as an output: a relay, a valve, a lamp."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from jidget_drivers.driver import DriverOptions, Sensor
from jidget_drivers.errors import DeviceUnavailable
from jidget_drivers.gpio import EXTRA, PIN_DESCRIPTION, PinName, claim, pin_errors, require_gpiozero, stay
from jidget_drivers.properties import Kind, Property, Scalar


class GpioOutputOptions(DriverOptions):
    """Which pin, and what switches."""

    pin: PinName = Field(description=PIN_DESCRIPTION)
    active_low: bool = Field(default=False, description="Whether low means on, as on many relay boards.")


class GpioOutput(Sensor[GpioOutputOptions]):
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
    extra = EXTRA
    wiring = (
        "The pin drives a few mA at 3.3 V: connect a relay board's input or a transistor, never a coil or a motor. "
        "Before the agent starts, and if the machine hangs, nobody drives the pin: fit a resistor of about 10 kΩ that "
        "pulls it to off. When the agent's process has ended, Raspberry Pi OS keeps the pin driven as it was; with "
        "dtparam=strict_gpiod, or another kernel, it becomes an input."
    )

    def __init__(self, options: GpioOutputOptions) -> None:
        super().__init__(options)
        require_gpiozero("gpio-output")
        self._device: Any = None

    async def open(self) -> None:
        """Make the pin an output that is off; if it still is an output of an earlier opening, leave it as it is."""
        await self.close()
        self._device = claim(self.options.pin)
        pin = self._device.pin
        pin.close = stay
        with pin_errors(self.options.pin):
            if pin.function != "output":
                pin.output_with_state(self._level(False))

    async def close(self) -> None:
        """Let go of the pin in this process; it stays an output, driven as it is."""
        device, self._device = self._device, None
        if device is not None:
            with pin_errors(self.options.pin):
                device.close()

    async def read(self) -> Mapping[str, Scalar]:
        """Read the level on the pin itself, not what was last written."""
        pin = self._pin()
        with pin_errors(self.options.pin):
            return {"state": bool(pin.state) != self.options.active_low}

    async def write(self, name: str, value: Scalar) -> None:  # noqa: ARG002  # the only property
        """Drive the pin."""
        pin = self._pin()
        with pin_errors(self.options.pin):
            pin.state = self._level(bool(value))

    def _pin(self) -> Any:
        if self._device is None:
            raise DeviceUnavailable(f"pin {self.options.pin}: it is not open")
        return self._device.pin

    def _level(self, on: bool) -> bool:
        return on != self.options.active_low
