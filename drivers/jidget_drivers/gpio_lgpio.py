"""Pins on lgpio that do what gpiozero's own do not: finer PWM, and outputs that begin at the right level.

Imported only when a pin is claimed, by `jidget_drivers.gpio`: it imports lgpio, which touches the working directory.
"""

from typing import Any

import lgpio
from gpiozero.exc import PinInvalidState
from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin

__all__ = ["LGPIOFactory", "LgpioPin"]


class LgpioPin(LGPIOPin):  # type: ignore[misc]  # gpiozero has no type hints
    """A pin of a `/dev/gpiochip*`.

    gpiozero cuts a duty cycle down to a whole percent, which leaves a servo five positions (gpiozero issue 1209),
    starts PWM with a cycle at 0 %, which is fully on where low means on, and makes an output low before it gets its
    level. lgpio itself needs none of this (lgpio.tx_pwm, lgpio.gpio_claim_output).
    """

    _pwm: tuple[float, float] | None  # frequency in Hz, duty cycle in %; as in gpiozero

    def output_with_state(self, state: Any) -> None:
        """Make the pin an output that has its level from the first moment."""
        lgpio.gpio_claim_output(self.factory._handle, self._number, int(bool(state)))
        lgpio.gpio_write(self.factory._handle, self._number, int(bool(state)))  # it was an output already

    def _set_frequency(self, value: float | None) -> None:
        """Remember the frequency; the first state that is set starts the PWM, with that duty cycle."""
        if self._pwm is None:
            self._pwm = (value, 0.0) if value else None
        elif value or lgpio.tx_busy(self.factory._handle, self._number, lgpio.TX_PWM):
            super()._set_frequency(value)
        else:
            self._pwm = None  # it was never started, which lgpio would call an error

    def _set_state(self, value: float) -> None:
        if self._pwm is None:
            super()._set_state(value)
            return
        frequency, _ = self._pwm
        try:
            lgpio.tx_pwm(self.factory._handle, self._number, frequency, value * 100)
        except lgpio.error as error:
            raise PinInvalidState(f"{self!r} cannot do {value:.1%} at {frequency:g} Hz: {error}") from error
        self._pwm = (frequency, value * 100)
