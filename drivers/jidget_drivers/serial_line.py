"""Devices that write lines on a serial port: microcontrollers, scales, meters, GPS receivers."""

import asyncio
import re
from dataclasses import dataclass, field

from jidget_drivers.errors import DeviceUnavailable, WriteRefused
from jidget_drivers.properties import Scalar
from jidget_drivers.safe_patterns import SLOWEST, TooSlow, time_limit
from jidget_drivers.serial_line_formats import make_reader
from jidget_drivers.serial_line_options import SerialLineOptions
from jidget_drivers.serial_line_splitter import LineSplitter
from jidget_drivers.serial_source import SerialSource
from jidget_drivers.text_values import Nonsense, shorten, write_value

QUIET = 1.0
"""Seconds without a byte after opening, after which the first line counts as a whole one."""


@dataclass(slots=True)
class _Answer:
    """What a write waits for."""

    ack: re.Pattern[str]
    nack: re.Pattern[str] | None
    came: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: str = ""
    lost: DeviceUnavailable | None = None


class SerialLine(SerialSource[SerialLineOptions]):
    """A device that writes lines on a serial port, as patterns, JSON or NMEA describe them, and takes lines.

    Each line gives the values that are in it. Lines that fit nothing are ignored, and so is all of a line with a
    wrong checksum or with a value that is none: not a number, NaN, out of range. So are the first line after opening,
    which may be half of one, lines longer than `max_line`, and what a GPS receiver says without a fix.

    A number to be converted, such as knots or tenths, gets a `scale` in `[things.NAME.properties.PROPERTY]`.

    Patterns run on each line as it comes, so they should be cheap: those that repeat a group which itself varies are
    refused, and where they take more than a quarter of a second for a line the Thing becomes unavailable.
    """

    driver_name = "serial-line"
    hint = "Check baud, framing and the format."
    wiring = (
        "A USB device just plugs in; most Arduinos restart when their port is opened, which startup is for. Else TX of "
        "the device goes to RX of the port and RX to TX, and ground to ground. The pins of a Raspberry Pi are at "
        "3.3 V, and RS-232 needs a level converter. The Pi's own UART has to be enabled, without a login console on "
        "it: raspi-config, Interface Options, Serial Port."
    )

    def __init__(self, options: SerialLineOptions) -> None:
        super().__init__(options, options.settings, options.silence)
        self.properties = tuple(
            spec.declared(name, writable=spec.writable) for name, spec in options.properties.items()
        )
        self._read_line = make_reader(options)
        self._lines = LineSplitter(options.longest_line)
        self._quiet_since: float | None = None
        self._answer: _Answer | None = None

    async def open(self) -> None:
        """Open the port and listen, and let the device start before anything is sent to it."""
        await super().open()
        await asyncio.sleep(self.options.startup)

    def begin(self) -> None:
        """Forget the piece of a line that was received last."""
        self._lines = LineSplitter(self.options.longest_line)
        self._quiet_since = asyncio.get_running_loop().time()

    def received(self, data: bytes) -> None:
        """Tell of each line."""
        if self._quiet_since is not None:
            if asyncio.get_running_loop().time() - self._quiet_since >= QUIET:
                self._lines.expect_whole()
            self._quiet_since = None
        overlong = self._lines.overlong
        for line, whole in self._lines.feed(data):
            # What is not UTF-8 becomes U+FFFD, which no value has; a break on the line comes as NUL.
            self._take(line.decode("utf-8", "replace").strip(" \t\x00"), whole=whole)
        if self._lines.overlong > overlong:
            self.ignore("a line that is too long", f"more than {self.options.longest_line} bytes (max_line)")

    def _take(self, line: str, *, whole: bool) -> None:
        try:
            answered = self._answered(line)
            if not whole:
                return
            with time_limit():
                values = self._read_line(line)
        except Nonsense as error:
            self.ignore("a line that is not right", str(error))
            return
        except TooSlow:
            raise DeviceUnavailable(
                f"{self.options.port}: the patterns were given up after {SLOWEST:g} s with a line of {len(line)} "
                "characters. Write them more exactly, such as [^,]* for .* before a comma, or lower max_line"
            ) from None
        if values:
            self.tell(values)
        elif line and not answered:
            self.ignore("a line without any value", shorten(line))

    def _answered(self, line: str) -> bool:
        """See whether a line, or the end of one, is the answer that a write waits for."""
        answer = self._answer
        if answer is None or answer.came.is_set():
            return False
        with time_limit():
            refused = answer.nack is not None and answer.nack.search(line)
            accepted = not refused and answer.ack.search(line)
        if refused:
            answer.refusal = f"the device refused it: {shorten(line)}"
        elif not accepted:
            return False
        answer.came.set()
        return True

    def lost(self, error: DeviceUnavailable) -> None:
        """Tell a write that there will be no answer."""
        if self._answer is not None:
            self._answer.lost = error
            self._answer.came.set()

    async def write(self, name: str, value: Scalar) -> None:
        """Send the line that sets `name`; with an `ack`, wait for it, and then tell the value as the new one.

        Raises:
            WriteRefused: the device said no, or the text cannot stand in a line.
            DeviceUnavailable: the port is gone; nothing was sent.
            ConnectionResetError: the port went away before the device confirmed.
        """
        spec = self.options.properties[name]
        prop = next(prop for prop in self.properties if prop.name == name)
        line = write_value(spec.write or "", prop, value, spec.words)
        if spec.ack is None:
            await self.send(line)
            return
        self._answer = answer = _Answer(re.compile(spec.ack), re.compile(spec.nack) if spec.nack else None)
        try:
            await self.send(line)
            await answer.came.wait()
        except asyncio.CancelledError:
            self.drop_unsent()
            raise
        finally:
            self._answer = None
        if answer.lost is not None:
            raise ConnectionResetError(f"{answer.lost}, before it confirmed") from answer.lost
        if answer.refusal:
            raise WriteRefused(answer.refusal)
        self.tell({name: value})
