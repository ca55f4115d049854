"""NMEA 0183 sentences: checksum, kinds, fields, positions. Pure.

References: NMEA 0183 V4.10, "sentence structure"; u-blox "Receiver Description Including Protocol Specification",
sections "NMEA Frame Structure", "NMEA Flags in Fix and No Fix Conditions" and the sentences GGA, GLL, RMC, VTG.
"""

import re
from dataclasses import dataclass

from jidget_drivers.text_values import Nonsense, shorten
from jidget_drivers.units import Unit

_SENTENCE = re.compile(r"[$!]([^$!*]*)\*([0-9A-Fa-f]{2})")
_ANGLE = re.compile(r"([0-9]{1,3})([0-9]{2}(?:\.[0-9]*)?)")
_HEMISPHERES = {Unit.LATITUDE: ("N", "S", 90.0), Unit.LONGITUDE: ("E", "W", 180.0)}
_DECIMALS = 7
"""Of a position in degrees: a centimetre."""

_WITHOUT_FIX = {
    "GGA": (6, frozenset(("0", "")), frozenset((1, 6, 7))),
    "GLL": (6, frozenset(("V", "")), frozenset((5, 6, 7))),
    "RMC": (2, frozenset(("V", "")), frozenset((1, 2, 9, 12))),
    "VTG": (9, frozenset(("N",)), frozenset((9,))),
}
"""By kind of sentence: the field that says whether there is a fix, its values for none, the fields that then hold."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence whose checksum was right.

    Attributes:
        address: its first field, such as `GPGGA`.
        fields: all fields, the address being number 0.
    """

    address: str
    fields: tuple[str, ...]

    def is_of(self, wanted: str) -> bool:
        """Whether it is what the configuration calls `wanted`: `GGA` of any talker, or a whole address."""
        return self.address == wanted or (not self.address.startswith("P") and self.address[2:] == wanted)

    def field(self, number: int) -> str:
        """Return a field; empty if it has none such, or without a fix tells nothing true there."""
        at, values, hold = _WITHOUT_FIX.get(self.address[2:], (0, frozenset[str](), frozenset[int]()))
        if at and number not in hold and self._raw(at) in values:
            return ""
        return self._raw(number)

    def _raw(self, number: int) -> str:
        return self.fields[number].strip() if number < len(self.fields) else ""


def parse_sentence(line: str) -> Sentence | None:
    """Return the sentence in a line; None if it has none.

    Raises:
        Nonsense: its checksum, the exclusive or of what is between $ and *, is wrong or missing.
    """
    found = _SENTENCE.search(line)
    if found is None:
        if "$" in line or "!" in line:
            raise Nonsense("a sentence without a checksum")
        return None
    checksum = 0
    for byte in found[1].encode("utf-8"):
        checksum ^= byte
    if checksum != int(found[2], 16):
        raise Nonsense(f"a wrong checksum: {found[2]}, where {checksum:02X} would be right")
    fields = tuple(found[1].split(","))
    return Sentence(fields[0], fields)


def degrees(angle: str, hemisphere: str, unit: Unit) -> float:
    """Return decimal degrees, south and west negative, of `dddmm.mmmm` and its hemisphere.

    Raises:
        Nonsense: it is no latitude, or no longitude.
    """
    positive, negative, limit = _HEMISPHERES[unit]
    found = _ANGLE.fullmatch(angle)
    if found is None or hemisphere not in (positive, negative) or float(found[2]) >= 60:
        raise Nonsense(f"{shorten(f'{angle},{hemisphere}')} is no position in {unit}")
    value = round(int(found[1]) + float(found[2]) / 60, _DECIMALS)
    if value > limit:
        raise Nonsense(f"{shorten(angle)} is beyond {limit:g} degrees")
    return value if hemisphere == positive else -value
