"""Faults that the simulated driver makes on purpose, so that what must withstand them can be tested."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from jidget_drivers.driver import DriverOptions
from jidget_drivers.option_types import Duration, LocalPath
from jidget_drivers.properties import Kind, Property, Scalar


class FaultKind(StrEnum):
    """What goes wrong."""

    FAIL = "fail"
    CRASH = "crash"
    HANG = "hang"
    BLOCK = "block"
    SLOW = "slow"
    INVALID = "invalid"
    NAN = "nan"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_PROPERTY = "unknown_property"
    REFUSE = "refuse"
    IGNORE = "ignore"
    LATE = "late"


class Call(StrEnum):
    """Where it goes wrong."""

    OPEN = "open"
    READ = "read"
    WRITE = "write"
    ACTION = "action"


NONSENSE = frozenset((FaultKind.NAN, FaultKind.WRONG_TYPE, FaultKind.OUT_OF_RANGE, FaultKind.UNKNOWN_PROPERTY))
_ANYWHERE = frozenset((FaultKind.FAIL, FaultKind.CRASH, FaultKind.HANG, FaultKind.BLOCK, FaultKind.SLOW))
_POSSIBLE = {
    Call.OPEN: _ANYWHERE,
    Call.READ: _ANYWHERE | NONSENSE | {FaultKind.INVALID},
    Call.WRITE: _ANYWHERE | {FaultKind.REFUSE, FaultKind.IGNORE, FaultKind.LATE},
    Call.ACTION: _ANYWHERE | {FaultKind.REFUSE},
}


class Fault(DriverOptions):
    """One thing that goes wrong, at the calls named; without `at` and `every`, at every call."""

    on: Call = Field(default=Call.READ, description="Which calls: of opening, reading, writing, or an action.")
    do: FaultKind = Field(
        description="fail: cannot be reached. crash: an unexpected exception. hang: never answers. block: its thread "
        "never comes back. slow: answers after delay. Reads only: invalid (the driver noticed), nan, wrong_type, "
        "out_of_range, unknown_property. Writes only: ignore (accepted, nothing moves), late (moves after delay). "
        "Writes and actions: refuse."
    )
    at: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(), description="Numbers of the calls, the first being 1; the agent reads once after each write, too."
    )
    every: int | None = Field(default=None, ge=1, description="Every so many-th call.")
    while_file: LocalPath | None = Field(
        default=None, description="Only while this file exists: make it to break the Thing, remove it to repair it."
    )
    property: str | None = Field(
        default=None, description="Which property: of writes, any if left out; of nonsense, the first that can."
    )
    delay: Duration = Field(default=1.0, description="How long slow and late take.")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.do not in _POSSIBLE[self.on]:
            allowed = ", ".join(sorted(_POSSIBLE[self.on]))
            raise ValueError(f"do = {self.do.value!r} cannot happen on = {self.on.value!r}; there: {allowed}")
        if self.property is not None and self.on is not Call.WRITE and self.do not in NONSENSE:
            raise ValueError("property is for writes and for nan, wrong_type, out_of_range")
        return self

    def strikes(self, call: Call, number: int, name: str | None) -> bool:
        """Whether the `number`-th `call`, about property `name`, goes wrong."""
        if call is not self.on or (call is Call.WRITE and self.property not in (None, name)):
            return False
        if (self.at or self.every) and number not in self.at and not (self.every and number % self.every == 0):
            return False
        return self.while_file is None or self.while_file.exists()


def nonsense(fault: Fault, declared: Iterable[Property]) -> tuple[str, Scalar]:
    """Return the property that `fault` spoils and the nonsense it then reads.

    Raises:
        ValueError: no property can be spoilt that way.
    """
    if fault.do is FaultKind.UNKNOWN_PROPERTY:
        return "no_such_property", 1
    for prop in declared:
        if fault.property in (None, prop.name):
            value = _spoilt(fault.do, prop)
            if value is not None:
                return prop.name, value
    raise ValueError(f"faults: no property {fault.property or 'at all'} can be made {fault.do}")


def _spoilt(kind: FaultKind, prop: Property) -> Scalar | None:
    if kind is FaultKind.NAN:
        return float("nan") if prop.kind is Kind.NUMBER else None
    if kind is FaultKind.WRONG_TYPE:
        return 12345 if prop.kind in (Kind.STRING, Kind.ENUM) else "nonsense"
    if prop.kind is Kind.ENUM:
        return "no such option"
    if prop.maximum is not None:
        return int(prop.maximum) + 1 if prop.kind is Kind.INTEGER else prop.maximum + 1
    if prop.minimum is not None:
        return int(prop.minimum) - 1 if prop.kind is Kind.INTEGER else prop.minimum - 1
    return None
