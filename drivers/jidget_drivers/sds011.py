"""Nova Fitness SDS011 particulate matter sensor.

References: Nova Fitness, "Laser PM2.5 Sensor specification, SDS011", V1.3 (2015), "UART communication protocol";
"Laser Dust Sensor Control Protocol", V1.3 (2015), section 3, 5) "Set working period".
"""

from pydantic import Field

from jidget_drivers.option_types import Duration
from jidget_drivers.properties import Property, misfit
from jidget_drivers.serial_frames import FrameFinder
from jidget_drivers.serial_port import SerialPortOptions, SerialSettings
from jidget_drivers.serial_source import SerialSource
from jidget_drivers.units import Unit

LENGTH = 10
HEAD, TAIL = b"\xaa", b"\xab"
COMMAND, MEASURED, REPLY = 0xB4, 0xC0, 0xC5
WORKING_PERIOD = 8
ANY_SENSOR = b"\xff\xff"
ATTEMPTS = 5
"""How often it is asked for its working period before that is given up; it is asked when it has just measured, since
it does not hear while it sleeps."""


class Sds011Options(SerialPortOptions):
    """Where the sensor is, how often it measures, how long it may be silent."""

    working_period: int | None = Field(
        default=None,
        ge=0,
        le=30,
        description="Minutes between measurements; it sleeps in between, which makes its laser, good for 8000 hours, "
        "last for years. 0 is all the time, every second. It remembers this. Left out: as it was set.",
    )
    silence: Duration = Field(
        default=30.0, gt=0, description="Without a reading for so long, and one working_period, it counts as gone."
    )


def _matter(name: str, label: str, size: str) -> Property:
    return Property(
        name=name,
        unit=Unit.MICROGRAM_PER_CUBIC_METRE,
        label=label,
        description=f"Mass of particles up to {size} µm in the air.",
        minimum=0,
        maximum=999.9,
        precision=1,
    )


class Sds011(SerialSource[Sds011Options]):
    """Particulate matter (PM2.5, PM10) from a Nova Fitness SDS011, in its active mode.

    With `working_period` it measures every so many minutes instead of every second.
    """

    driver_name = "sds011"
    hint = "It must be in active mode, as it comes; one that was set to a working period needs working_period."
    properties = (_matter("pm25", "PM2.5", "2.5"), _matter("pm10", "PM10", "10"))
    wiring = (
        "With the USB adapter that comes with it, nothing. Else 5V to 5 V (its fan needs it), GND to GND, TXD of the "
        "sensor to RX of the port and, for working_period, RXD to TX; its data pins are at 3.3 V."
    )

    def __init__(self, options: Sds011Options) -> None:
        period = 60.0 * (options.working_period or 0)
        super().__init__(options, SerialSettings(port=options.port), options.silence + period)
        self._frames = FrameFinder(HEAD, LENGTH, is_valid)
        self._attempts = 0

    def begin(self) -> None:
        """Forget the piece of a frame that was received last."""
        self._frames = FrameFinder(HEAD, LENGTH, is_valid)
        self._attempts = 0 if self.options.working_period is None else ATTEMPTS

    def received(self, data: bytes) -> None:
        """Tell of each measurement, and see to the working period."""
        damaged = self._frames.damaged
        for frame in self._frames.feed(data):
            if frame[1] == MEASURED:
                self._measured(frame)
            elif frame[2] == WORKING_PERIOD:
                self._replied(minutes=frame[4])
        if self._frames.damaged > damaged:
            self.ignore("a frame with a wrong checksum", "half of one, or a disturbed line")

    def _measured(self, frame: bytes) -> None:
        # Tenths of ug/m3, low byte first: PM2.5 in bytes 2 and 3, PM10 in 4 and 5.
        values = {
            "pm25": int.from_bytes(frame[2:4], "little") / 10,
            "pm10": int.from_bytes(frame[4:6], "little") / 10,
        }
        problems = [problem for prop in self.properties if (problem := misfit(prop, values[prop.name]))]
        if problems:
            self.ignore("a value beyond what it can measure", problems[0])
        else:
            self.tell(values)
        if self._attempts > 0:
            self._attempts -= 1
            self.send_now(command(WORKING_PERIOD))
            if not self._attempts:
                self.ignore("no reply about its working period", "is its RXD connected?")

    def _replied(self, minutes: int) -> None:
        """Set the working period if it is another: each setting is a write to its memory."""
        wanted = self.options.working_period
        if minutes == wanted:
            self._attempts = 0
        elif wanted is not None and self._attempts > 0:
            self.send_now(command(WORKING_PERIOD, 1, wanted))


def is_valid(frame: bytes) -> bool:
    """Whether it is a measurement or a reply with the right checksum: the low byte of the sum of the six data bytes."""
    return frame[1] in (MEASURED, REPLY) and frame[-1:] == TAIL and sum(frame[2:8]) & 0xFF == frame[8]


def command(*data: int) -> bytes:
    """Return the 19 bytes of a command to any sensor on the line: 13 bytes of data, zeros where none are given."""
    body = bytes(data).ljust(13, b"\x00") + ANY_SENSOR
    return HEAD + bytes((COMMAND,)) + body + bytes((sum(body) & 0xFF,)) + TAIL
