"""Microchip MCP23017: sixteen more pins, outputs and inputs (datasheet DS20001952D)."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from jidget_drivers.driver import DriverOptions
from jidget_drivers.errors import DeviceUnavailable
from jidget_drivers.i2c_driver import I2cOptions
from jidget_drivers.i2c_expander import Expander, Line, check_lines

# Registers with IOCON.BANK = 0, each for port A and then for port B, table 3-5
_DIRECTION, _POLARITY, _CONTROL, _PULL_UP, _LEVELS, _LATCH = 0x00, 0x02, 0x0A, 0x0C, 0x12, 0x14
_ALL = 0x16
_BANK, _NOT_SEQUENTIAL = 0x80, 0x20  # of IOCON, 3.5.6

Pin = Literal[
    "A0", "A1", "A2", "A3", "A4", "A5", "A6", "A7",
    "B0", "B1", "B2", "B3", "B4", "B5", "B6", "B7",
]  # fmt: skip


class OutputPin(DriverOptions):
    """An output and how it switches."""

    pin: Pin = Field(description="The pin, A0 to B7.")
    active_low: bool = Field(default=False, description="Whether low means on, as on many relay boards.")


class InputPin(DriverOptions):
    """An input and how it is wired."""

    pin: Pin = Field(description="The pin, A0 to B7.")
    pull_up: bool = Field(default=True, description="The chip's own resistor (100 kΩ) to VDD, for a switch to GND.")
    active_low: bool | None = Field(
        default=None, description="Whether low means on. Left out: yes with pull_up, else no."
    )


class Mcp23017Options(I2cOptions):
    """Where the chip is, and which of its pins are what."""

    address: int = Field(
        default=0x20, ge=0x20, le=0x27, strict=True, description="0x20 to 0x27 (32 to 39) by the pins A0, A1, A2."
    )
    outputs: dict[str, Pin | OutputPin] = Field(
        default={}, description='Outputs by name: pump = "A0", or pump = { pin = "A0", active_low = true }.'
    )
    inputs: dict[str, Pin | InputPin] = Field(
        default={}, description='Inputs by name: float = "B3", or float = { pin = "B3", pull_up = false }.'
    )

    @model_validator(mode="after")
    def _consistent(self) -> "Mcp23017Options":
        check_lines(self.lines)
        return self

    @property
    def lines(self) -> tuple[Line, ...]:
        """The pins in use."""
        outputs = (_output(name, it) for name, it in self.outputs.items())
        inputs = (_input(name, it) for name, it in self.inputs.items())
        return (*outputs, *inputs)


def _mask(pin: Pin) -> int:
    return 1 << "AB".index(pin[0]) * 8 + int(pin[1])


def _output(name: str, it: Pin | OutputPin) -> Line:
    wired = it if isinstance(it, OutputPin) else OutputPin(pin=it)
    return Line(name=name, pin=wired.pin, mask=_mask(wired.pin), output=True, active_low=wired.active_low)


def _input(name: str, it: Pin | InputPin) -> Line:
    wired = it if isinstance(it, InputPin) else InputPin(pin=it)
    return Line(
        name=name,
        pin=wired.pin,
        mask=_mask(wired.pin),
        output=False,
        active_low=wired.pull_up if wired.active_low is None else wired.active_low,
        pull_up=wired.pull_up,
    )


@dataclass(frozen=True, slots=True)
class _Registers:
    """What the chip holds; port A is the low byte, port B the high one."""

    direction: int
    polarity: int
    pull_up: int
    levels: int
    latch: int

    @classmethod
    def parse(cls, block: bytes) -> "_Registers":
        places = (_DIRECTION, _POLARITY, _PULL_UP, _LEVELS, _LATCH)
        return cls(*(int.from_bytes(block[place : place + 2], "little") for place in places))


class Mcp23017(Expander[Mcp23017Options]):
    """Microchip MCP23017: sixteen pins more, as outputs (relays) and inputs (switches).

    Pins that are not named are never touched. An output that the chip already drives stays as it is when the agent
    starts or stops; any other begins as off, without a moment of on. If the chip's power was gone, its outputs are off
    until somebody switches them on again.
    """

    name = "mcp23017"
    wiring = (
        "VDD to 3.3 V (pin 1), VSS to GND (pin 6), SDA to pin 3, SCL to pin 5, RESET to VDD, A0 to A2 to GND or VDD. "
        "An output drives a relay board's input or a transistor, never a coil. Until the agent has set it up, a pin is "
        "an input: fit a resistor of about 10 kΩ that pulls an output to off. Use A7 and B7 as outputs only: as inputs "
        "they can disturb the bus."
    )

    def __init__(self, options: Mcp23017Options) -> None:
        super().__init__(options, options.lines)
        self._pull_ups = sum(line.mask for line in self.lines if line.pull_up)

    def prepare(self) -> None:
        """Set up our pins: what a new output drives before that it drives."""
        with self.chip.transaction():
            self._check_control()
            found = self._registers()
            fresh = self.outputs & found.direction
            off = sum(line.level(False) for line in self.lines if line.mask & fresh)
            ours = self.outputs | self.inputs
            self._update(_LATCH, found.latch, found.latch & ~fresh | off)
            self._update(_POLARITY, found.polarity, found.polarity & ~ours)
            self._update(_PULL_UP, found.pull_up, found.pull_up & ~ours | self._pull_ups)
            self._update(_DIRECTION, found.direction, found.direction & ~self.outputs | self.inputs)
            if not self._is_set_up(self._registers()):
                raise DeviceUnavailable(
                    f"{self.chip.place} does not keep what is written to it: it is no MCP23017, or the wires are loose"
                )

    def levels(self) -> int:
        """Return the levels of all pins."""
        with self.chip.transaction():
            return self._checked().levels

    def drive(self, line: Line, on: bool) -> None:
        """Switch an output: one bit of the latch."""
        with self.chip.transaction():
            latch = self._checked().latch
            self._update(_LATCH, latch, latch & ~line.mask | line.level(on))

    def _check_control(self) -> None:
        control, again = self.chip.read_register(_CONTROL, 2)  # the same register twice
        if control != again or control & (_BANK | _NOT_SEQUENTIAL):
            raise DeviceUnavailable(
                f"{self.chip.place} is not as an MCP23017 is after power-on (IOCON {control:#04x}, {again:#04x}): "
                "another program has changed it, or it is another chip. End that program and take the chip's power "
                "away for a moment"
            )

    def _registers(self) -> _Registers:
        return _Registers.parse(self.chip.read_register(0, _ALL))

    def _checked(self) -> _Registers:
        registers = self._registers()
        if not self._is_set_up(registers):
            raise self.power_lost()
        return registers

    def _is_set_up(self, registers: _Registers) -> bool:
        ours = self.outputs | self.inputs
        return (
            registers.direction & ours == self.inputs
            and registers.pull_up & ours == self._pull_ups
            and not registers.polarity & ours
        )

    def _update(self, register: int, before: int, after: int) -> None:
        """Write the ports of which something changes."""
        for port in (0, 1):
            old, new = before >> 8 * port & 0xFF, after >> 8 * port & 0xFF
            if new != old:
                self.chip.write(register + port, new)
