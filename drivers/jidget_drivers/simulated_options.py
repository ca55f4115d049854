"""Settings of the simulated driver: its properties and the faults it makes on purpose."""

from enum import StrEnum
from typing import Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, model_validator

from jidget_drivers.driver import DriverOptions
from jidget_drivers.option_types import Duration, LocalPath, UnitName
from jidget_drivers.properties import Kind, Property, Scalar, misfit
from jidget_drivers.simulated_faults import NONSENSE, Fault, nonsense
from jidget_drivers.units import Unit


class Waveform(StrEnum):
    """How the value of a simulated sensor moves."""

    SINE = "sine"
    SQUARE = "square"
    RAMP = "ramp"
    WALK = "walk"
    COUNTER = "counter"


class SimulatedProperty(DriverOptions):
    """One property. A writable one holds what was written to it; any other moves by its waveform."""

    type: Kind = Field(default=Kind.NUMBER, description="Type of its values.")
    unit: UnitName | None = Field(
        default=None, description="Unit of a number or integer: a SenML symbol or a usual spelling, such as Cel or °C."
    )
    label: str = Field(default="", description="What people call it.")
    writable: bool = Field(default=False, description="Whether it can be set.")
    min: float | None = Field(default=None, allow_inf_nan=False, description="Least value that makes sense.")
    max: float | None = Field(default=None, allow_inf_nan=False, description="Greatest value that makes sense.")
    options: tuple[str, ...] = Field(
        default=(), description="Values of an enum; for a string that is not writable, the texts it shows in turn."
    )
    precision: int | None = Field(
        default=None, ge=0, le=9, description="Decimals shown; 2 for a number that moves, else all there are."
    )
    waveform: Waveform | None = Field(
        default=None,
        description="How it moves. counter rises by one at each read; a boolean, enum or string only knows square: "
        "each of its values in turn. Left out: sine for numbers, square for the others.",
    )
    period: Duration = Field(default=60.0, gt=0, description="Time of one sine, square or ramp.")
    low: float | None = Field(default=None, description="Bottom of the waveform; left out: min, or 0.")
    high: float | None = Field(default=None, description="Top of the waveform; left out: max, or low + 100.")
    initial: StrictBool | StrictInt | StrictFloat | str | None = Field(
        default=None,
        description="First value of a writable property, or the value of a string that never changes. Left out: off, "
        "the first option, an empty text, low.",
    )
    seed: int | None = Field(default=None, description="Makes one walk differ from another.")

    @property
    def bottom(self) -> float:
        """Return the least value of the waveform."""
        if self.low is not None:
            return self.low
        return 0.0 if self.min is None or self.waveform is Waveform.COUNTER else self.min

    @property
    def top(self) -> float:
        """Return the greatest value of the waveform."""
        if self.high is not None:
            return self.high
        return self.bottom + 100 if self.max is None else self.max

    @property
    def moves_by(self) -> Waveform | None:
        """Return the waveform; None for a value that only writing changes."""
        if self.writable:
            return None
        if self.waveform is not None:
            return self.waveform
        return Waveform.SINE if self.type.is_numeric else Waveform.SQUARE

    @property
    def choices(self) -> tuple[Scalar, ...]:
        """Return the values a square waveform shows in turn."""
        match self.type:
            case Kind.BOOLEAN:
                return (False, True)
            case Kind.ENUM:
                return self.options
            case Kind.STRING:
                return self.options or (self.first,)
            case Kind.INTEGER:
                return (round(self.bottom), round(self.top))
            case Kind.NUMBER:
                return (self.bottom, self.top)

    @property
    def first(self) -> Scalar:
        """Return the value it has before anything was written."""
        if self.initial is not None:
            return self.initial
        match self.type:
            case Kind.BOOLEAN:
                return False
            case Kind.STRING:
                return ""
            case Kind.ENUM:
                return self.options[0]
            case Kind.INTEGER:
                return round(self.bottom)
            case Kind.NUMBER:
                return self.bottom

    def declared(self, name: str) -> Property:
        """Return it as the driver declares it, under `name`.

        Raises:
            ValueError: the name or the settings contradict each other.
        """
        moving = self.type is Kind.NUMBER and self.moves_by not in (None, Waveform.COUNTER)
        return Property(
            name=name,
            kind=self.type,
            unit=self.unit,
            label=self.label,
            writable=self.writable,
            minimum=self.min,
            maximum=self.max,
            options=self.options if self.type is Kind.ENUM else (),
            precision=2 if self.precision is None and moving else self.precision,
        )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        numeric = self.type.is_numeric
        if self.writable and self.waveform:
            raise ValueError("a writable property holds what was written: leave out waveform, or writable")
        if not numeric and self.waveform not in (None, Waveform.SQUARE):
            raise ValueError(f"a {self.type} cannot follow a {self.waveform}: leave waveform out, or write square")
        if not numeric and any(limit is not None for limit in (self.min, self.max, self.low, self.high)):
            raise ValueError(f"a {self.type} has no min, max, low or high")
        if self.options and (numeric or self.type is Kind.BOOLEAN or (self.type is Kind.STRING and self.writable)):
            raise ValueError(f"options are for an enum, or a string that is not writable; this is a {self.type}")
        if self.initial is not None and not self.writable and self.type is not Kind.STRING:
            raise ValueError("initial is for what can be set, and for strings: start the waveform with low")
        declared = self.declared("x")  # its own contradictions
        if numeric and self.bottom > self.top:
            raise ValueError(f"low ({self.bottom:g}) is above high ({self.top:g})")
        ends = self.choices if numeric and self.moves_by not in (None, Waveform.COUNTER) else (self.first,)
        for value in ends:
            problem = misfit(declared, value)
            if problem:
                raise ValueError(f"its own values would not fit it: {problem}")
        return self


def _one_property() -> dict[str, SimulatedProperty]:
    return {"temperature": SimulatedProperty(unit=Unit.CELSIUS, low=15, high=25)}


class SimulatedOptions(DriverOptions):
    """What the make-believe hardware is made of."""

    properties: dict[str, SimulatedProperty] = Field(
        default_factory=_one_property,
        min_length=1,
        description="Its properties by name. Left out: a temperature between 15 and 25 °C.",
    )
    faults: tuple[Fault, ...] = Field(default=(), description="What goes wrong on purpose; the first that fits counts.")
    state_file: LocalPath | None = Field(
        default=None, description="JSON file that keeps the written values, as a relay board keeps its relays."
    )
    record: LocalPath | None = Field(
        default=None, description="File that gets a line for each write and action that took effect: time, what, value."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        declared = {name: spec.declared(name) for name, spec in self.properties.items()}
        for fault in self.faults:
            if fault.property is not None and fault.property not in declared:
                raise ValueError(f"faults: there is no property {fault.property!r}; there are {', '.join(declared)}")
            if fault.do in NONSENSE:
                nonsense(fault, declared.values())
        return self
