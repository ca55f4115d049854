"""What the drivers of port expanders have in common: pins by name, and no pin for two Things."""

import threading
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from jidget_drivers.errors import DeviceUnavailable
from jidget_drivers.i2c_driver import I2cOptions, I2cSensor
from jidget_drivers.properties import PROPERTY_ID, Kind, Property, Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A pin in use.

    Attributes:
        name: of its property.
        pin: as printed on the board, such as A0.
        mask: its bit in the chip's ports.
        output: whether we drive it.
        active_low: whether low means on.
        pull_up: whether the chip's own resistor is on.
    """

    name: str
    pin: str
    mask: int
    output: bool
    active_low: bool
    pull_up: bool = False

    def is_on(self, levels: int) -> bool:
        """Whether it is on, going by the levels of all pins."""
        return bool(levels & self.mask) != self.active_low

    def level(self, on: bool) -> int:
        """Return its bit for on or off."""
        return self.mask if on != self.active_low else 0

    def as_property(self) -> Property:
        """Return the property that shows it."""
        if self.output:
            text = f"Whether output {self.pin} is on, read back."
            return Property(name=self.name, kind=Kind.BOOLEAN, writable=True, safe=False, description=text)
        return Property(name=self.name, kind=Kind.BOOLEAN, description=f"Whether input {self.pin} is on.")


def check_lines(lines: tuple[Line, ...]) -> None:
    """Make sure that there are pins, each of them once, with names that properties may have.

    Raises:
        ValueError: it is not so.
    """
    if not lines:
        raise ValueError('no pin is named: write outputs = { pump = "A0" } or inputs = { float = "B3" }, for example')
    for line in lines:
        if not PROPERTY_ID.fullmatch(line.name):
            raise ValueError(f"{line.name!r} cannot be a property: it must match {PROPERTY_ID.pattern}")
    for field in ("name", "pin"):
        found = [getattr(line, field) for line in lines]
        twice = sorted({one for one in found if found.count(one) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)}: named twice in outputs and inputs")


def mask_of(lines: tuple[Line, ...], *, output: bool) -> int:
    """Return the bits of all outputs, or of all inputs."""
    return sum(line.mask for line in lines if line.output is output)


_claims: dict[tuple[int, int], dict[object, int]] = {}
_claims_lock = threading.Lock()


ExpanderOptionsT = TypeVar("ExpanderOptionsT", bound=I2cOptions)


class Expander(I2cSensor[ExpanderOptionsT]):
    """Base of the drivers of port expanders. Closing leaves the outputs driven as they are."""

    def __init__(self, options: ExpanderOptionsT, lines: tuple[Line, ...]) -> None:
        super().__init__(options)
        self.lines = lines
        self.properties = tuple(line.as_property() for line in lines)
        self.outputs = mask_of(lines, output=True)
        self.inputs = mask_of(lines, output=False)

    async def close(self) -> None:
        """Let go of the pins in this process; the outputs stay driven as they are."""
        with _claims_lock:
            _claims.get(self._key(), {}).pop(self, None)
        await super().close()

    async def write(self, name: str, value: Scalar) -> None:
        """Drive the output `name`; no other pin moves."""
        line = next(line for line in self.lines if line.name == name)
        await self.in_thread(self.drive, line, bool(value))

    def measure(self) -> Mapping[str, Scalar]:
        """Read the levels on the pins themselves, not what was last written."""
        levels = self.levels()
        return {line.name: line.is_on(levels) for line in self.lines}

    @abstractmethod
    def levels(self) -> int:
        """Return the levels of all pins. Blocks.

        Raises:
            DeviceUnavailable: the chip is gone, or has lost what it was told.
        """

    @abstractmethod
    def drive(self, line: Line, on: bool) -> None:
        """Switch an output. Blocks.

        Raises:
            DeviceUnavailable: the chip is gone, or has lost what it was told; then nothing moved.
        """

    def power_lost(self) -> DeviceUnavailable:
        """Return the error for a chip that has forgotten what it was told."""
        return DeviceUnavailable(
            f"{self.chip.place} has lost its settings: its power was gone for a moment. Its outputs come back off"
        )

    def begin(self) -> None:
        """Take the pins, then the bus."""
        self._claim()
        super().begin()

    def _claim(self) -> None:
        with _claims_lock:
            claims = _claims.setdefault(self._key(), {})
            taken = [mask for driver, mask in claims.items() if driver is not self]
            for line in self.lines:
                if any(line.mask & mask for mask in taken):
                    raise DeviceUnavailable(
                        f"{self.chip.place}: another Thing of this configuration has pin {line.pin}. Each pin can "
                        "serve one Thing"
                    )
            claims[self] = self.outputs | self.inputs

    def _key(self) -> tuple[int, int]:
        return (self.options.bus, self.options.address)
