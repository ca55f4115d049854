"""What a number measures, as Home Assistant classifies it, as far as its unit or its name says so beyond doubt. Pure.

Source: https://www.home-assistant.io/integrations/sensor/#device-class, which units each class may have.
"""

from jidget_drivers import Property, Unit
from jidget_drivers.units import people_spelling

_BY_UNIT = {
    unit: device_class
    for device_class, units in {
        "temperature": (Unit.CELSIUS, Unit.KELVIN),
        "humidity": (Unit.RELATIVE_HUMIDITY,),
        "battery": (Unit.BATTERY_PERCENT,),
        "pressure": (Unit.PASCAL, Unit.HECTOPASCAL),
        "illuminance": (Unit.LUX,),
        "irradiance": (Unit.WATT_PER_SQUARE_METRE,),
        "voltage": (Unit.VOLT, Unit.MILLIVOLT),
        "current": (Unit.AMPERE, Unit.MILLIAMPERE),
        "power": (Unit.WATT, Unit.KILOWATT),
        "apparent_power": (Unit.VOLT_AMPERE,),
        "reactive_power": (Unit.VOLT_AMPERE_REACTIVE,),
        "energy": (Unit.WATT_HOUR, Unit.KILOWATT_HOUR),
        "frequency": (Unit.HERTZ, Unit.MEGAHERTZ),
        "distance": (Unit.METRE, Unit.MILLIMETRE, Unit.CENTIMETRE, Unit.KILOMETRE),
        "speed": (Unit.METRE_PER_SECOND, Unit.KILOMETRE_PER_HOUR),
        "weight": (Unit.KILOGRAM, Unit.GRAM),
        "duration": (Unit.SECOND, Unit.MILLISECOND, Unit.MINUTE, Unit.HOUR),
        "signal_strength": (Unit.DECIBEL_MILLIWATT,),
        "data_size": (Unit.BIT, Unit.BYTE, Unit.KIBIBYTE, Unit.MEGABYTE, Unit.MEBIBYTE, Unit.GIGABYTE),
        "data_rate": (Unit.BIT_PER_SECOND, Unit.MEGABIT_PER_SECOND, Unit.BYTE_PER_SECOND, Unit.MEGABYTE_PER_SECOND),
        "precipitation_intensity": (Unit.MILLIMETRE_PER_HOUR,),
        "conductivity": (Unit.MICROSIEMENS_PER_CENTIMETRE,),
        "ph": (Unit.PH,),
    }.items()
    for unit in units
}
_BY_NAME = {
    Unit.MICROGRAM_PER_CUBIC_METRE: {"pm1": "pm1", "pm25": "pm25", "pm2_5": "pm25", "pm10": "pm10"},
    Unit.PARTS_PER_MILLION: {"co2": "carbon_dioxide", "co": "carbon_monoxide"},
}
_WITHOUT_UNIT = {Unit.PH}
_NO_MEASUREMENT = {"energy"}
"""Classes whose values are totals; whether and when they begin anew nobody says."""


def measured(prop: Property) -> dict[str, str]:
    """Return the keys of a number's announcement that say what it measures."""
    unit = prop.unit
    if unit is None:
        return {}
    keys = {}
    if spelling := "" if unit in _WITHOUT_UNIT else people_spelling(unit):
        keys["unit_of_measurement"] = spelling
    device_class = _BY_UNIT.get(unit) or _BY_NAME.get(unit, {}).get(prop.name, "")
    if device_class:
        keys["device_class"] = device_class
    return keys


def state_class(prop: Property) -> dict[str, str]:
    """Return what has a number's history kept as minimum, mean and maximum; nothing for a total."""
    return {} if measured(prop).get("device_class") in _NO_MEASUREMENT else {"state_class": "measurement"}
