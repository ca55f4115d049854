"""A GPIO pin as an input: a button, a reed contact, a motion sensor."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from pydantic import Field

from jidget_drivers.driver import DriverOptions, EventSource
from jidget_drivers.errors import DeviceUnavailable
from jidget_drivers.gpio import EXTRA, PIN_DESCRIPTION, Edges, PinName, claim, pin_errors, require_gpiozero
from jidget_drivers.option_types import Duration
from jidget_drivers.properties import Kind, Property, Scalar


class GpioInputOptions(DriverOptions):
    """Which pin, and how it is wired."""

    pin: PinName = Field(description=PIN_DESCRIPTION)
    pull: Literal["up", "down", "none"] = Field(
        default="up", description="The pin's own resistor: up for a switch to ground, down for one to 3.3 V."
    )
    active_low: bool | None = Field(
        default=None, description='Whether low means on. Left out: yes with pull = "up", else no.'
    )
    debounce: Duration = Field(
        default=0.01, description='A level counts once it has held this long; "0s" tells of every edge.'
    )


class GpioInput(EventSource[GpioInputOptions]):
    """A GPIO pin that tells when it changes: a button, a reed contact, a motion sensor."""

    properties = (
        Property(name="state", kind=Kind.BOOLEAN, description="Whether the input is on: the button pressed."),
    )
    extra = EXTRA
    wiring = (
        'A switch goes between the pin and GND, with the pin\'s own resistor (pull = "up"); on means closed. '
        'A sensor with an output of 3.3 V goes straight to the pin, with pull = "down". Never put 5 V on a pin.'
    )

    def __init__(self, options: GpioInputOptions) -> None:
        super().__init__(options)
        require_gpiozero("gpio-input")
        self._active_low = options.pull == "up" if options.active_low is None else options.active_low
        self._device: Any = None
        self._edges: Edges | None = None

    async def open(self) -> None:
        """Make the pin an input and listen for its edges."""
        await self.close()
        self._edges = Edges()
        self._device = claim(self.options.pin)
        pin = self._device.pin
        with pin_errors(self.options.pin):
            pin.input_with_pull("floating" if self.options.pull == "none" else self.options.pull)
            pin.edges = "both"
            pin.when_changed = self._changed  # held weakly by gpiozero

    async def close(self) -> None:
        """Stop listening and let go of the pin."""
        device, self._device = self._device, None
        if device is not None:
            with pin_errors(self.options.pin):
                try:
                    device.pin.when_changed = None
                finally:
                    device.close()

    def _changed(self, _ticks: object, level: object) -> None:
        """Take an edge from gpiozero's thread."""
        edges = self._edges
        if edges is not None:
            edges.put(bool(level))

    async def watch(self) -> AsyncIterator[Mapping[str, Scalar]]:
        """Yield the state as it is, then each change."""
        edges = self._edges
        if edges is None or self._device is None:
            raise DeviceUnavailable(f"pin {self.options.pin}: it is not open")
        edges.clear()
        last = self._on(self._level())
        yield {"state": last}
        while True:
            if self.options.debounce > 0:
                await edges.settle(self.options.debounce)
                levels = []
            else:
                levels = await edges.take()
            # The pin itself has the last word: an edge may have been lost on the way.
            for level in (*levels, self._level()):
                state = self._on(level)
                if state != last:
                    last = state
                    yield {"state": state}

    def _level(self) -> bool:
        with pin_errors(self.options.pin):
            if self._device is None:
                raise DeviceUnavailable("it was closed")
            return bool(self._device.pin.state)

    def _on(self, level: bool) -> bool:
        return level != self._active_low
