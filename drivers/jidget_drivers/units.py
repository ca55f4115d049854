"""Units: SenML symbols inside, other spellings made at the edges by the one table below.

Source: IANA "Sensor Measurement Lists (SenML)" registry, units and secondary units (RFC 8428 12.1, RFC 8798).
"""

from difflib import get_close_matches
from enum import StrEnum


class Unit(StrEnum):
    """A unit of measurement by its SenML symbol. Prefer main units; see the RFCs for each one's meaning."""

    METRE = "m"
    KILOGRAM = "kg"
    GRAM = "g"
    SECOND = "s"
    AMPERE = "A"
    KELVIN = "K"
    CANDELA = "cd"
    MOLE = "mol"
    HERTZ = "Hz"
    RADIAN = "rad"
    NEWTON = "N"
    PASCAL = "Pa"
    JOULE = "J"
    WATT = "W"
    COULOMB = "C"
    VOLT = "V"
    FARAD = "F"
    OHM = "Ohm"
    SIEMENS = "S"
    TESLA = "T"
    HENRY = "H"
    CELSIUS = "Cel"
    LUMEN = "lm"
    LUX = "lx"
    BECQUEREL = "Bq"
    SIEVERT = "Sv"
    SQUARE_METRE = "m2"
    CUBIC_METRE = "m3"
    LITRE = "l"
    METRE_PER_SECOND = "m/s"
    METRE_PER_SQUARE_SECOND = "m/s2"
    CUBIC_METRE_PER_SECOND = "m3/s"
    LITRE_PER_SECOND = "l/s"
    WATT_PER_SQUARE_METRE = "W/m2"
    PH = "pH"
    DECIBEL = "dB"
    DECIBEL_MILLIWATT = "dBm"
    BIT = "bit"
    BIT_PER_SECOND = "bit/s"
    LATITUDE = "lat"
    LONGITUDE = "lon"
    COUNT = "count"
    RATIO = "/"
    PERCENT = "%"
    RELATIVE_HUMIDITY = "%RH"
    BATTERY_PERCENT = "%EL"
    BATTERY_SECONDS = "EL"
    EVENT_RATE = "1/s"
    EVENT_PER_MINUTE = "1/min"
    BEAT_PER_MINUTE = "beat/min"
    DEGREE = "deg"
    VOLT_AMPERE = "VA"
    VOLT_AMPERE_REACTIVE = "var"
    JOULE_PER_METRE = "J/m"
    KILOGRAM_PER_CUBIC_METRE = "kg/m3"
    # secondary units (RFC 8798): only where the field always says so
    MILLISECOND = "ms"
    MINUTE = "min"
    HOUR = "h"
    MEGAHERTZ = "MHz"
    KILOWATT = "kW"
    KILOVOLT_AMPERE = "kVA"
    KILOVAR = "kvar"
    AMPERE_HOUR = "Ah"
    WATT_HOUR = "Wh"
    KILOWATT_HOUR = "kWh"
    VAR_HOUR = "varh"
    KILOVAR_HOUR = "kvarh"
    KILOVOLT_AMPERE_HOUR = "kVAh"
    WATT_HOUR_PER_KILOMETRE = "Wh/km"
    MILLIVOLT = "mV"
    MILLIAMPERE = "mA"
    HECTOPASCAL = "hPa"
    MILLIMETRE = "mm"
    CENTIMETRE = "cm"
    KILOMETRE = "km"
    KILOMETRE_PER_HOUR = "km/h"
    PARTS_PER_MILLION = "ppm"
    PARTS_PER_BILLION = "ppb"
    MICROGRAM_PER_CUBIC_METRE = "ug/m3"
    MICROSIEMENS_PER_CENTIMETRE = "uS/cm"
    MILLIMETRE_PER_HOUR = "mm/h"
    METRE_PER_HOUR = "m/h"
    MEGABIT_PER_SECOND = "Mbit/s"
    BYTE_PER_SECOND = "B/s"
    MEGABYTE_PER_SECOND = "MB/s"
    GIGABYTE = "GB"
    MEBIBYTE = "MiB"
    MEGABYTE = "MB"
    KIBIBYTE = "KiB"
    BYTE = "B"


# How people write a unit, where that differs from the SenML symbol. The first spelling is the one we show;
# all of them are understood on input (chat, configuration, Home Assistant payloads). Case matters: mW is not MW.
_SPELLINGS: dict[Unit, tuple[str, ...]] = {
    Unit.CELSIUS: ("°C", "℃", "C", "degC"),
    Unit.RELATIVE_HUMIDITY: ("%", "% RH", "%rH"),
    Unit.BATTERY_PERCENT: ("%",),
    Unit.OHM: ("Ω", "ohm"),
    Unit.DEGREE: ("°",),
    Unit.SQUARE_METRE: ("m²",),
    Unit.CUBIC_METRE: ("m³",),
    Unit.METRE_PER_SQUARE_SECOND: ("m/s²",),
    Unit.CUBIC_METRE_PER_SECOND: ("m³/s",),
    Unit.WATT_PER_SQUARE_METRE: ("W/m²",),
    Unit.MICROGRAM_PER_CUBIC_METRE: ("µg/m³", "μg/m³", "ug/m³"),
    Unit.KILOGRAM_PER_CUBIC_METRE: ("kg/m³",),
    Unit.MICROSIEMENS_PER_CENTIMETRE: ("µS/cm", "μS/cm"),
    Unit.LITRE: ("L",),
    Unit.LITRE_PER_SECOND: ("L/s",),
    Unit.COUNT: ("",),
    Unit.RATIO: ("",),
    Unit.PH: ("pH",),
    Unit.BATTERY_SECONDS: ("s",),
    Unit.EVENT_RATE: ("/s", "1/s"),
    Unit.EVENT_PER_MINUTE: ("/min", "1/min"),
    Unit.BEAT_PER_MINUTE: ("bpm",),
    Unit.LATITUDE: ("°",),
    Unit.LONGITUDE: ("°",),
    Unit.BIT_PER_SECOND: ("bit/s", "bps"),
    Unit.KELVIN: ("K",),
    Unit.SECOND: ("s", "sec", "seconds"),
    Unit.HECTOPASCAL: ("hPa", "mbar"),
    Unit.LUX: ("lx", "lux"),
}

_BY_SYMBOL = {unit.value: unit for unit in Unit}


def people_spelling(unit: Unit | None) -> str:
    """Return how a person writes `unit`, for example `°C`; empty for none or a bare count."""
    if unit is None:
        return ""
    spellings = _SPELLINGS.get(unit)
    return spellings[0] if spellings else unit.value


def same_unit(text: str, unit: Unit | None) -> bool:
    """Whether `text`, as a person typed it after a number, names `unit`. Nothing names no unit."""
    wanted = text.strip()
    if not wanted:
        return True
    if unit is None:
        return False
    return wanted == unit.value or wanted in _SPELLINGS.get(unit, ())


def unit_of(text: str) -> Unit | None:
    """Return the unit that people write as `text`, or None.

    The symbol wins (`C` is coulomb), then main units before special ones (`%` is the plain percent).
    """
    wanted = text.strip()
    if not wanted:
        return None
    if wanted in _BY_SYMBOL:
        return _BY_SYMBOL[wanted]
    return next((unit for unit, spellings in _SPELLINGS.items() if wanted in spellings), None)


def parse_unit(text: str) -> Unit:
    """Return the unit that a person named by its SenML symbol or a way people write it (`°C`).

    Raises:
        ValueError: it names none; the text says what would.
    """
    unit = unit_of(text)
    if unit is None:
        near = get_close_matches(text.strip(), [unit.value for unit in Unit], n=3, cutoff=0.5)
        hint = f" Near it: {', '.join(near)}." if near else ""
        raise ValueError(f"{text!r} is no unit.{hint} Write a SenML symbol such as Cel, %RH, hPa, V, W, lx, % or °C")
    return unit
