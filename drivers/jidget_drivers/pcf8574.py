"""NXP and TI PCF8574, PCF8574A: eight more pins (NXP PCF8574 Rev. 5, May 2013; TI SCPS068J).

The chip has one register, which cannot be read back. A 0 drives its pin low. A 1 lets go of it: a weak current
(0.1 mA) pulls it high, and it can be read as an input (quasi-bidirectional, NXP 8.1). After power-on all are 1.
"""

from typing import Literal

from pydantic import Field, model_validator

from jidget_drivers.driver import DriverOptions
from jidget_drivers.i2c_driver import I2cOptions
from jidget_drivers.i2c_expander import Expander, Line, check_lines

Pin = Literal["P0", "P1", "P2", "P3", "P4", "P5", "P6", "P7"]
_FIRST, _LAST, _FIRST_A, _LAST_A = 0x20, 0x27, 0x38, 0x3F

_latches: dict[tuple[int, int], int] = {}
"""What was last written to each chip (bus, address), by whichever driver; read and changed with the bus held."""


class PinOptions(DriverOptions):
    """A pin and how it is wired."""

    pin: Pin = Field(description="The pin, P0 to P7.")
    active_low: bool = Field(default=True, description="Whether low means on.")


class Pcf8574Options(I2cOptions):
    """Where the chip is, and which of its pins are what."""

    address: int = Field(
        default=_FIRST,
        ge=_FIRST,
        le=_LAST_A,
        strict=True,
        description="0x20 to 0x27 (32 to 39) by the pins A0, A1, A2; a PCF8574A has 0x38 to 0x3f (56 to 63).",
    )
    outputs: dict[str, Pin | PinOptions] = Field(
        default={}, description='Outputs by name: pump = "P0", or pump = { pin = "P0", active_low = false }.'
    )
    inputs: dict[str, Pin | PinOptions] = Field(
        default={}, description='Inputs by name: float = "P3", or float = { pin = "P3", active_low = false }.'
    )

    @model_validator(mode="after")
    def _consistent(self) -> "Pcf8574Options":
        if _LAST < self.address < _FIRST_A:
            raise ValueError("address: a PCF8574 has 0x20 to 0x27, a PCF8574A has 0x38 to 0x3f")
        check_lines(self.lines)
        return self

    @property
    def lines(self) -> tuple[Line, ...]:
        """The pins in use."""
        return (
            *(_line(name, it, output=True) for name, it in self.outputs.items()),
            *(_line(name, it, output=False) for name, it in self.inputs.items()),
        )


def _line(name: str, it: Pin | PinOptions, *, output: bool) -> Line:
    wired = it if isinstance(it, PinOptions) else PinOptions(pin=it)
    return Line(name=name, pin=wired.pin, mask=1 << int(wired.pin[1]), output=output, active_low=wired.active_low)


class Pcf8574(Expander[Pcf8574Options]):
    """NXP or TI PCF8574, PCF8574A: eight pins more, as outputs (relays) and inputs (switches).

    When the agent starts, outputs stay as they are found, and so do the levels of pins that no Thing names. The chip
    cannot tell what was written to it: name a pin that something else drives as an input, or it may be held low.
    If the chip's power was gone, its outputs are off until somebody switches them on again.
    """

    name = "pcf8574"
    wiring = (
        "VCC to 3.3 V (pin 1), GND to pin 6, SDA to pin 3, SCL to pin 5, A0 to A2 to GND or VCC. A pin sinks 25 mA but "
        "gives only 0.1 mA: let low mean on, as relay boards for this chip do. With active_low = false an output is on "
        "from power-on until the agent has set it. Switches go between a pin and GND."
    )

    def __init__(self, options: Pcf8574Options) -> None:
        super().__init__(options, options.lines)
        self._driven_low = 0  # which of our outputs we last left low; kept while closed

    def prepare(self) -> None:
        """Let go of our inputs; leave our outputs as found, or off if the chip has lost its power."""
        with self.chip.transaction():
            levels = self._levels()
            lost = self._driven_low & levels
            off = sum(line.level(False) for line in self.lines if line.mask & lost)
            self._put(self._latch(levels) & ~lost | off | self.inputs)

    def levels(self) -> int:
        """Return the levels of all pins."""
        with self.chip.transaction():
            levels = self._levels()
        self._check(levels)
        return levels

    def drive(self, line: Line, on: bool) -> None:
        """Switch an output."""
        with self.chip.transaction():
            levels = self._levels()
            self._check(levels)
            self._put(self._latch(levels) & ~line.mask | line.level(on))

    def _levels(self) -> int:
        return self.chip.read(1)[0]

    def _check(self, levels: int) -> None:
        """Notice that the chip has let go of what we drive low: after power-on it drives nothing."""
        if levels & self._driven_low:
            raise self.power_lost()

    def _latch(self, levels: int) -> int:
        """Return what the chip holds.

        A pin that is high is not driven low any more, whatever was written: writing that again would switch on another
        Thing's output after a power cut.
        """
        return _latches.get(self._key(), levels) | levels

    def _put(self, latch: int) -> None:
        self.chip.write(latch)
        _latches[self._key()] = latch
        self._driven_low = self.outputs & ~latch
