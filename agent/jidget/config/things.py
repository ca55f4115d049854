"""The Things as people write them: `[things.NAME]`, with a driver, or laid over a device that is discovered."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from jidget.config.safety import Output, Safety
from jidget.config.values import Alias, Deadband, Factor, Label, Number, Pause, PropertyId, Seconds, Whole, duration


class Table(BaseModel):
    """A table of the configuration: unknown keys are errors, nothing changes, errors show no values by themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ThingReport(Table):
    """What one Thing overrides of `[report]`; None where it does not. A deadband may be a table by property."""

    min_interval: Seconds | None = Field(default=None, description="No more often than this")
    max_interval: Pause | None = Field(default=None, description="At least this often, even if nothing changed")
    deadband: Deadband | None = Field(
        default=None, description="Change that is worth publishing: a number, or numbers by property"
    )


class PropertyConfig(Table):
    """Calibration and names of one property: value = raw * scale + offset."""

    offset: Number = Field(default=0.0, description="Added to the raw value, after scale")
    scale: Factor = Field(default=1.0, description="The raw value is multiplied by this")
    precision: Annotated[Whole, Field(ge=0, le=12)] | None = Field(
        default=None, description="Decimals shown and published; the driver's own if left out"
    )
    label: Label = Field(default="", description="What people call it")
    aliases: tuple[Alias, ...] = Field(default=(), description="Other names people may use", examples=[["temp"]])


class _Named(Table):
    """What people call a Thing, and how it is reported and kept safe, wherever it comes from."""

    label: Label = Field(default="", description="What people call it")
    aliases: tuple[Alias, ...] = Field(default=(), description="Other names people may use", examples=[["lamp"]])
    timeout: Pause = duration("5s", "How long the hardware may take to answer")
    report: ThingReport = Field(default=ThingReport(), description="What this Thing overrides of [report]")
    safety: Safety | None = Field(
        default=None,
        description="Safety rules of its only output, or tables of rules by property",
        examples=[{"max_on": "15m"}],
    )
    properties: dict[PropertyId, PropertyConfig] = Field(
        default={}, description="Calibration and names by property", examples=[{"temperature": {"offset": -0.4}}]
    )


class ThingConfig(_Named):
    """One Thing: what its host must know, and its driver's options as they stand in the file."""

    driver: Annotated[str, Field(min_length=1)] = Field(
        description="Name of the driver; `jidget drivers` lists them", examples=["system"]
    )
    interval: Pause = duration("10s", "Time between two readings of a polled sensor")
    toggles: Output | None = Field(
        default=None, description="Output that each press of this button switches over", examples=["lamp"]
    )
    # repr=False: only the driver knows which of its options are secret
    options: dict[str, Any] = Field(
        default={}, repr=False, description="The driver's own settings: `jidget drivers NAME`"
    )


class Overlay(_Named):
    """What is said of a device that is discovered on the broker: from then on it has this id."""

    match: Annotated[str, Field(min_length=1)] = Field(
        description="Its unique id or identifier: `jidget things --json` tells it", examples=["0x00158d0001a2b3c4"]
    )


def _kind(value: object) -> str:
    """Return which of the two a table is."""
    if isinstance(value, Overlay) or (isinstance(value, dict) and "match" in value and "driver" not in value):
        return "Overlay"
    return "ThingConfig"


AnyThing = Annotated[
    Annotated[ThingConfig, Tag("ThingConfig")] | Annotated[Overlay, Tag("Overlay")], Discriminator(_kind)
]
