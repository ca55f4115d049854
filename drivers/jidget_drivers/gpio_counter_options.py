"""What a pulse meter counts: the options of `gpio-counter`, and which unit a rate has."""

from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from jidget_drivers.driver import DriverOptions
from jidget_drivers.gpio import PIN_DESCRIPTION, PinName
from jidget_drivers.gpio_pulses import Edge
from jidget_drivers.option_types import Duration, UnitName
from jidget_drivers.properties import Kind
from jidget_drivers.units import Unit

# What is counted, how fast that can be told, and what one of it per second is then. The first is the default.
_RATES: dict[Unit, dict[Unit, float]] = {
    Unit.COUNT: {Unit.EVENT_RATE: 1, Unit.EVENT_PER_MINUTE: 60, Unit.HERTZ: 1},
    Unit.LITRE: {Unit.LITRE_PER_SECOND: 1, Unit.CUBIC_METRE_PER_SECOND: 0.001},
    Unit.CUBIC_METRE: {Unit.CUBIC_METRE_PER_SECOND: 1, Unit.LITRE_PER_SECOND: 1000},
    Unit.WATT_HOUR: {Unit.WATT: 3600, Unit.KILOWATT: 3.6},
    Unit.KILOWATT_HOUR: {Unit.WATT: 3_600_000, Unit.KILOWATT: 3600},
    Unit.KILOVAR_HOUR: {Unit.VOLT_AMPERE_REACTIVE: 3_600_000, Unit.KILOVAR: 3600},
    Unit.JOULE: {Unit.WATT: 1, Unit.KILOWATT: 0.001},
    Unit.AMPERE_HOUR: {Unit.AMPERE: 3600},
    Unit.MILLIMETRE: {Unit.MILLIMETRE_PER_HOUR: 3600},
    Unit.METRE: {Unit.METRE_PER_SECOND: 1, Unit.KILOMETRE_PER_HOUR: 3.6},
    Unit.KILOMETRE: {Unit.KILOMETRE_PER_HOUR: 3600, Unit.METRE_PER_SECOND: 1000},
}
_LEAST_DECIMALS = 3
_MOST_DECIMALS = 9


class GpioCounterOptions(DriverOptions):
    """Which pin, what a pulse is, and what it stands for."""

    pin: PinName = Field(description=PIN_DESCRIPTION)
    pull: Literal["up", "down", "none"] = Field(
        default="up", description="The pin's own resistor: up for a contact to ground, down for one to 3.3 V."
    )
    edge: Edge | None = Field(
        default=None,
        description='Which change is a pulse. Left out: with pull = "up" falling, so that a contact counts as it '
        'closes; else rising. "both" counts each change.',
    )
    debounce: Duration = Field(
        default=0.005,
        description='A level counts once it has held this long; "0s" counts every edge, where nothing bounces.',
    )
    scale: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="What one pulse stands for, in `unit`: 10 for a water meter with 10 litres per pulse, 0.001 for an "
        "electricity meter with 1000 pulses per kWh.",
    )
    unit: UnitName = Field(
        default=Unit.COUNT,
        description=f"Unit of the total: one of {', '.join(_RATES)}. Wind: metres of wind per pulse, so that the rate "
        "is m/s.",
    )
    rate_unit: UnitName | None = Field(
        default=None,
        description="Unit of the rate, which gives its time base, such as W or kW for kWh, 1/s or 1/min for count. "
        f"Left out: {', '.join(next(iter(rates)) + ' for ' + unit for unit, rates in _RATES.items())}.",
    )
    window: Duration = Field(
        default=60.0,
        description="Time over which the rate is taken, and after which, without a pulse, it is 0. Make it longer than "
        "the longest pause between pulses that is not standstill.",
    )

    @model_validator(mode="after")
    def _check_units(self) -> Self:
        rates = _RATES.get(self.unit)
        if rates is None:
            raise ValueError(f"unit {self.unit} cannot be a total: write one of {', '.join(_RATES)}")
        if self.rate_unit is not None and self.rate_unit not in rates:
            raise ValueError(f"rate_unit {self.rate_unit} does not go with unit {self.unit}: {', '.join(rates)} would")
        if self.window <= 0:
            raise ValueError('window must be longer than nothing: "60s"')
        return self

    @property
    def counted_edge(self) -> Edge:
        """Which change is a pulse."""
        return self.edge or (Edge.FALLING if self.pull == "up" else Edge.RISING)

    @property
    def rate(self) -> tuple[Unit, float]:
        """Return the unit of the rate, and what one pulse per second is in it."""
        rates = _RATES[self.unit]
        unit = self.rate_unit or next(iter(rates))
        return unit, rates[unit] * self.scale

    @property
    def total_kind(self) -> Kind:
        """Whether the total is a whole number."""
        return Kind.INTEGER if self.unit is Unit.COUNT and self.scale.is_integer() else Kind.NUMBER

    @property
    def total_decimals(self) -> int:
        """Return the decimals that the total needs so that one pulse shows."""
        exponent = Decimal(str(self.scale)).normalize().as_tuple().exponent
        decimals = -exponent if isinstance(exponent, int) else 0
        return min(max(decimals, _LEAST_DECIMALS), _MOST_DECIMALS)
