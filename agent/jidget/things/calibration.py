"""Calibration of one property: value = raw * scale + offset, rounded to a precision. Pure."""

import math
from dataclasses import dataclass, replace

from jidget_drivers import Kind, Property, Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How a raw value becomes the one shown: scaled, shifted, rounded; and what the property is called."""

    offset: float = 0.0
    scale: float = 1.0
    precision: int | None = None
    label: str = ""

    def __post_init__(self) -> None:
        if self.scale == 0 or not (math.isfinite(self.scale) and math.isfinite(self.offset)):
            raise ValueError(f"scale {self.scale:g} and offset {self.offset:g} cannot be undone")

    @property
    def _moves(self) -> bool:
        return self.offset != 0.0 or self.scale != 1.0

    def from_raw(self, value: Scalar) -> Scalar:
        """Return the value shown for a raw one; anything but a number stays as it is."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        if self._moves:
            value = value * self.scale + self.offset
        return round(value, self.precision) if self.precision is not None and isinstance(value, float) else value

    def to_raw(self, prop: Property, value: Scalar) -> Scalar:
        """Return what the driver, whose property is `prop`, must be given so that `value` is shown.

        A whole number stays one, and what arithmetic carries a hair over the driver's limits is put back on them.
        """
        if isinstance(value, bool) or not isinstance(value, int | float) or not self._moves:
            return value
        raw = (value - self.offset) / self.scale
        low = -math.inf if prop.minimum is None else prop.minimum
        high = math.inf if prop.maximum is None else prop.maximum
        if prop.kind is not Kind.INTEGER:
            return min(max(raw, low), high)
        whole = round(raw)
        if whole > high:
            return math.floor(high)
        return math.ceil(low) if whole < low else whole

    def applied_to(self, prop: Property) -> Property:
        """Return the property as seen outside: limits and safe value moved, label and precision replaced."""
        changes: dict[str, object] = {}
        if self._moves:
            limits = [None if v is None else v * self.scale + self.offset for v in (prop.minimum, prop.maximum)]
            if self.scale < 0:
                limits.reverse()
            changes |= {"minimum": limits[0], "maximum": limits[1]}
            if prop.kind is Kind.INTEGER:
                changes["kind"] = Kind.NUMBER
            if prop.safe is not None:
                changes["safe"] = self.from_raw(prop.safe)
        if self.precision is not None:
            changes["precision"] = self.precision
        if self.label:
            changes["label"] = self.label
        return replace(prop, **changes) if changes else prop  # type: ignore[arg-type]  # each value fits its field
