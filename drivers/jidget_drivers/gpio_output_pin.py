"""The base of drivers of a GPIO pin that is an output, and stays one when they let go of it."""

from typing import Any, ClassVar, TypeVar

from pydantic import Field

from jidget_drivers.driver import DriverOptions, Sensor
from jidget_drivers.errors import DeviceUnavailable
from jidget_drivers.gpio import EXTRA, PIN_DESCRIPTION, PinName, claim, pin_errors, require_gpiozero, stay


class OutputPinOptions(DriverOptions):
    """Which pin."""

    pin: PinName = Field(description=PIN_DESCRIPTION)


OutputPinOptionsT = TypeVar("OutputPinOptionsT", bound=OutputPinOptions)


class OutputPin(Sensor[OutputPinOptionsT]):
    """A pin that is driven. A driver derives from it and uses `pin` between `open` and `close`.

    Class attributes:
        driver_name: what the configuration calls the driver, for messages.

    Args:
        options: those of the driver.
        off: the level, high or low, that the pin gets when it becomes an output.
    """

    driver_name: ClassVar[str]
    extra = EXTRA

    def __init__(self, options: OutputPinOptionsT, *, off: bool) -> None:
        super().__init__(options)
        require_gpiozero(self.driver_name)
        self._off = off
        self._device: Any = None

    async def open(self) -> None:
        """Make the pin an output that is off; if it still is an output of an earlier opening, leave it as it is."""
        await self.close()
        self._device = claim(self.options.pin)
        pin = self._device.pin
        pin.close = stay
        with pin_errors(self.options.pin):
            if pin.function != "output":
                pin.output_with_state(self._off)

    async def close(self) -> None:
        """Let go of the pin in this process; it stays an output."""
        device, self._device = self._device, None
        if device is not None:
            with pin_errors(self.options.pin):
                try:
                    self.let_go(device.pin)
                finally:
                    device.close()

    def let_go(self, pin: Any) -> None:
        """Leave gpiozero's `pin` as it may stay when nobody steers it; it stays as it is, unless a driver says else."""

    @property
    def pin(self) -> Any:
        """Return gpiozero's pin.

        Raises:
            DeviceUnavailable: it is not open.
        """
        if self._device is None:
            raise DeviceUnavailable(f"pin {self.options.pin}: it is not open")
        return self._device.pin
