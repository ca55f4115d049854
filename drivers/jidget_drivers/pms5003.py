"""Plantower PMS5003 particulate matter sensor.

Reference: Plantower, "PMS5003 series data manual", V2.3 (2016), "Output result" and appendix I, "transport protocol,
active mode". The PMS7003 and the PMSA003 send the same frames.
"""

import struct

from pydantic import Field

from jidget_drivers.option_types import Duration
from jidget_drivers.properties import Property
from jidget_drivers.serial_frames import FrameFinder
from jidget_drivers.serial_port import SerialPortOptions, SerialSettings
from jidget_drivers.serial_source import SerialSource
from jidget_drivers.units import Unit

LENGTH = 32
START = b"\x42\x4d\x00\x1c"
"""Two start characters and the length of what follows: 13 data words and the checksum, 28 bytes."""
_CHECKED = LENGTH - 2


class Pms5003Options(SerialPortOptions):
    """Where the sensor is, and how long it may be silent."""

    silence: Duration = Field(
        default=15.0, gt=0, description="Without a reading for so long it counts as gone; it sends one every 2.3 s."
    )


class Pms5003(SerialSource[Pms5003Options]):
    """Particulate matter (PM1, PM2.5, PM10) from a Plantower PMS5003, PMS7003 or PMSA003, in its active mode.

    The values are those for atmospheric environment; trust them once its fan has run for 30 seconds.
    """

    driver_name = "pms5003"
    hint = "It must be in active mode, as it is after power-on, with SET and RESET high or not connected."
    properties = tuple(
        # No maximum: the manual says that it shows at least 1000, and not where it ends.
        Property(
            name=name,
            unit=Unit.MICROGRAM_PER_CUBIC_METRE,
            label=label,
            description=f"Mass of particles up to {size} µm in the air.",
            minimum=0,
            precision=0,
        )
        for name, label, size in (("pm1", "PM1", "1"), ("pm25", "PM2.5", "2.5"), ("pm10", "PM10", "10"))
    )
    wiring = (
        "VCC to 5 V (its fan needs it), GND to GND, TX of the sensor to RX of the port; its data pins are at 3.3 V. "
        "SET and RESET stay open."
    )

    def __init__(self, options: Pms5003Options) -> None:
        super().__init__(options, SerialSettings(port=options.port), options.silence)
        self._frames = FrameFinder(START, LENGTH, is_valid)

    def begin(self) -> None:
        """Forget the piece of a frame that was received last."""
        self._frames = FrameFinder(START, LENGTH, is_valid)

    def received(self, data: bytes) -> None:
        """Tell of each whole frame."""
        damaged = self._frames.damaged
        for frame in self._frames.feed(data):
            # Data words 4 to 6 are the concentrations under atmospheric environment, high byte first.
            pm1, pm25, pm10 = struct.unpack_from(">3H", frame, 10)
            self.tell({"pm1": pm1, "pm25": pm25, "pm10": pm10})
        if self._frames.damaged > damaged:
            self.ignore("a frame with a wrong checksum", "half of one, or a disturbed line")


def is_valid(frame: bytes) -> bool:
    """Whether the checksum, the sum of all bytes before it, is right."""
    return sum(frame[:_CHECKED]) == int.from_bytes(frame[_CHECKED:], "big")
