"""How Sensirion's humidity sensors speak: words of 16 bits, each followed by a checksum.

Sensirion datasheet SHT3x-DIS, 4.12; datasheet SHT4x, 4.4.
"""

from collections.abc import Iterator

from jidget_drivers.errors import InvalidReading
from jidget_drivers.properties import Property
from jidget_drivers.units import Unit

# The limits are the operating range: the ends of the scale, such as -45 °C, are what a broken sensor tells.
TEMPERATURE = Property(
    name="temperature",
    unit=Unit.CELSIUS,
    description="Temperature of the air.",
    minimum=-40,
    maximum=125,
    precision=2,
)
HUMIDITY = Property(
    name="humidity",
    unit=Unit.RELATIVE_HUMIDITY,
    description="Relative humidity.",
    minimum=0,
    maximum=100,
    precision=1,
)


def crc8(data: bytes) -> int:
    """Return the checksum of `data`: CRC-8, polynomial 0x31, beginning with 0xFF."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ 0x31 if crc & 0x80 else crc << 1
        crc &= 0xFF
    return crc


def words(answer: bytes, place: str) -> tuple[int, ...]:
    """Return the words of an answer, checked.

    Args:
        answer: three bytes for each word: high, low, checksum.
        place: which chip, for the error.

    Raises:
        InvalidReading: a checksum is wrong.
    """

    def checked() -> Iterator[int]:
        for start in range(0, len(answer), 3):
            word, crc = answer[start : start + 2], answer[start + 2]
            if crc8(word) != crc:
                raise InvalidReading(
                    f"{place}: checksum of {word.hex()} is {crc:#04x}, not {crc8(word):#04x}. Check the cable's "
                    "length, pull-up resistors and power"
                )
            yield int.from_bytes(word)

    return tuple(checked())
