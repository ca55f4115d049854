"""Properties that a person describes in the configuration: what all drivers that have such ask about them."""

from typing import Self

from pydantic import Field, model_validator

from jidget_drivers.driver import DriverOptions
from jidget_drivers.option_types import UnitName
from jidget_drivers.properties import Kind, Property


class ConfiguredProperty(DriverOptions):
    """What one property is. A driver derives from it and adds where the value is found and how it is set."""

    type: Kind = Field(default=Kind.NUMBER, description="Type of its values.")
    unit: UnitName | None = Field(
        default=None, description="Unit of a number or integer: a SenML symbol or a usual spelling, such as Cel or °C."
    )
    label: str = Field(default="", description="What people call it.")
    description: str = Field(default="", description="One line about it.")
    min: float | None = Field(
        default=None, allow_inf_nan=False, description="Least value that makes sense; below, a reading is invalid."
    )
    max: float | None = Field(
        default=None, allow_inf_nan=False, description="Greatest value that makes sense, likewise."
    )
    options: tuple[str, ...] = Field(default=(), description="Values of an enum.")
    precision: int | None = Field(default=None, ge=0, le=9, description="Decimals shown.")

    def declared(self, name: str, *, writable: bool = False) -> Property:
        """Return it as the driver declares it, under `name`.

        Raises:
            ValueError: the name or the settings contradict each other.
        """
        return Property(
            name=name,
            kind=self.type,
            unit=self.unit,
            label=self.label,
            description=self.description,
            writable=writable,
            minimum=self.min,
            maximum=self.max,
            options=self.options,
            precision=self.precision,
        )

    @model_validator(mode="after")
    def _suits_its_type(self) -> Self:
        self.declared("x")  # its own contradictions
        if not self.type.is_numeric and (self.min, self.max) != (None, None):
            raise ValueError(f"a {self.type} has no min or max")
        return self


class PropertyInText(ConfiguredProperty):
    """One property whose values are read from text and written as text: what `text_values` wants to know."""

    precision: int | None = Field(default=None, ge=0, le=9, description="Decimals shown and written.")
    on: str = Field(
        default="", description="What means true. Left out: 1, on, true and yes are read, and 1 is written."
    )
    off: str = Field(
        default="", description="What means false. Left out: 0, off, false and no are read, and 0 is written."
    )

    @property
    def words(self) -> tuple[str, str]:
        """Return what means true and false; empty for the usual."""
        return self.on, self.off

    @model_validator(mode="after")
    def _has_two_words(self) -> Self:
        if self.words != ("", "") and self.type is not Kind.BOOLEAN:
            raise ValueError(f"on and off are for a boolean; this is a {self.type}")
        if self.on and self.on.casefold() == self.off.casefold():
            raise ValueError(f"on and off are the same: {self.on!r}")
        return self
