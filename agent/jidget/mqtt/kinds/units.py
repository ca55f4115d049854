"""What a sensor's unit becomes here: SenML units, and the metric ones that Home Assistant would show.

Home Assistant converts what a sensor of certain device classes tells to its unit system, metric by default:
https://www.home-assistant.io/docs/configuration/basic/. So does this module, which spares people inches of mercury.
"""

import math
from dataclasses import dataclass

from jidget_drivers import Unit
from jidget_drivers.units import unit_of

_HPA = {
    "Pa": 0.01,
    "kPa": 10.0,
    "bar": 1000.0,
    "cbar": 10.0,
    "mbar": 1.0,
    "mmHg": 9.80665 * 13.5951 / 100,
    "inHg": 25.4 * 9.80665 * 13.5951 / 100,
    "psi": 68.94757293168,
}
_M = {"in": 0.0254, "ft": 0.3048, "yd": 0.9144, "mi": 1609.344, "nmi": 1852.0}
_GALLON = 3.785411784  # litres, US
_CUBIC_FOOT = 0.3048**3
_CUBIC_METRES = {"ft³": ("m³", _CUBIC_FOOT), "CCF": ("m³", 100 * _CUBIC_FOOT)}
_VOLUMES = {**_CUBIC_METRES, "gal": ("L", _GALLON), "fl. oz.": ("mL", 1000 * _GALLON / 128)}
_FLUX = {"in/d": ("mm/d", 25.4), "in/h": ("mm/h", 25.4)}

# device class -> unit told -> (unit shown, factor)
_METRIC: dict[str, dict[str, tuple[str, float]]] = {
    "atmospheric_pressure": {unit: ("hPa", factor) for unit, factor in _HPA.items()},
    "pressure": {"psi": ("kPa", 6.894757293168), "inHg": ("hPa", _HPA["inHg"])},
    "wind_speed": {
        "m/s": ("km/h", 3.6),
        "mph": ("km/h", 1.609344),
        "ft/s": ("km/h", 1.09728),
        "in/s": ("km/h", 0.09144),
        "mm/s": ("km/h", 0.0036),
    },
    "speed": {"ft/s": ("km/h", 1.09728), "in/s": ("mm/s", 25.4), "mph": ("km/h", 1.609344), **_FLUX},
    "precipitation": {"in": ("mm", 25.4)},
    "precipitation_intensity": _FLUX,
    "distance": {
        "ft": ("m", _M["ft"]),
        "in": ("mm", 25.4),
        "mi": ("km", _M["mi"] / 1000),
        "nmi": ("km", _M["nmi"] / 1000),
        "yd": ("m", _M["yd"]),
    },
    "area": {
        "in²": ("cm²", 6.4516),
        "ft²": ("m²", _M["ft"] ** 2),
        "yd²": ("m²", _M["yd"] ** 2),
        "mi²": ("km²", (_M["mi"] / 1000) ** 2),
        "ac": ("ha", 66 * 660 * _M["ft"] ** 2 / 10_000),
    },
    "gas": _CUBIC_METRES,
    "water": {**_CUBIC_METRES, "gal": ("L", _GALLON)},
    "volume": _VOLUMES,
    "volume_storage": _VOLUMES,
}
# The special symbols for what `%` measures (RFC 8428): Home Assistant says it by the device class.
_PERCENT = {"humidity": Unit.RELATIVE_HUMIDITY, "battery": Unit.BATTERY_PERCENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How values are told and how they are shown.

    Attributes:
        spelling: the unit shown, as people write it; empty if there is none.
        unit: its SenML symbol; None if there is none, or none that is known here.
        factor: what is shown for one of what is told.
        fahrenheit: whether degrees Fahrenheit are told and degrees Celsius are shown.
        kelvin: likewise for kelvins.
    """

    spelling: str = ""
    unit: Unit | None = None
    factor: float = 1.0
    fahrenheit: bool = False
    kelvin: bool = False

    @property
    def converts(self) -> bool:
        """Return whether what is shown is not what is told."""
        return self.fahrenheit or self.kelvin or self.factor != 1.0

    def shown(self, told: float) -> float:
        """Return what is shown for a value as told."""
        if self.fahrenheit:
            return (told - 32) / 1.8
        if self.kelvin:
            return told - 273.15
        return told * self.factor

    def told(self, shown: float) -> float:
        """Return what the device would tell for a value as shown."""
        if self.fahrenheit:
            return shown * 1.8 + 32
        if self.kelvin:
            return shown + 273.15
        return shown / self.factor

    def rounded(self, told: str, value: float) -> float:
        """Return a shown value with as many decimals as `told` had, more where the unit has become larger."""
        decimals = len(told) - told.index(".") - 1 if "." in told else 0
        decimals += math.floor(max(0.0, -math.log10(self.factor)))
        return round(value, min(decimals, 15))

    def known_as(self) -> str:
        """Return the unit's spelling where it has no symbol, for a description; else nothing."""
        return self.spelling if self.unit is None else ""


def measure(told: str | None, device_class: str, *, only_temperature: bool = False) -> Measure:
    """Return how what is told in unit `told` is shown. A unit that is not known here keeps its spelling, no symbol.

    Args:
        told: `unit_of_measurement`, if there is one.
        device_class: of the sensor or number; empty for none.
        only_temperature: whether nothing else is converted: so it is with numbers, and with what has no unique id.
    """
    if not told:
        return Measure()
    if device_class == "temperature" and told in {"°F", "K"}:
        return Measure(spelling="°C", unit=Unit.CELSIUS, fahrenheit=told == "°F", kelvin=told == "K")
    spelling, factor = told, 1.0
    if not only_temperature:
        spelling, factor = _METRIC.get(device_class, {}).get(told, (told, 1.0))
    unit = _PERCENT.get(device_class) if spelling.strip() == "%" else None
    return Measure(spelling=spelling, unit=unit or unit_of(spelling), factor=factor)
