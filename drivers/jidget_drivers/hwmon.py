"""Hardware monitoring chips: what `sensors` shows.

Kernel documentation: hwmon/sysfs-interface.rst gives the names of the files and their units.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from jidget_drivers.errors import InvalidReading
from jidget_drivers.sysfs import entries, optional_text, read_number
from jidget_drivers.sysfs_chip import ChipOptions, Quantity, SysfsChip
from jidget_drivers.units import Unit

QUANTITIES = {
    # The widest range of the chips that the kernel knows; an open or shorted diode says 255 °C, or less than -100.
    "temp": Quantity(word="temperature", unit=Unit.CELSIUS, factor=1e-3, minimum=-100, maximum=250, precision=2),
    "in": Quantity(
        word="voltage", unit=Unit.VOLT, factor=1e-3, precision=3, note="at the pin of the chip, before any divider"
    ),
    "curr": Quantity(word="current", unit=Unit.AMPERE, factor=1e-3, precision=3),
    "power": Quantity(word="power", unit=Unit.WATT, factor=1e-6, precision=3),
    "energy": Quantity(word="energy", unit=Unit.JOULE, factor=1e-6, minimum=0, precision=1, note="since the start"),
    "humidity": Quantity(
        word="humidity", unit=Unit.RELATIVE_HUMIDITY, factor=1e-3, minimum=0, maximum=100, precision=1
    ),
    "fan": Quantity(
        word="speed", unit=Unit.EVENT_PER_MINUTE, minimum=0, maximum=1_000_000, precision=0, note="turns per minute"
    ),
    "pwm": Quantity(
        word="drive", unit=Unit.PERCENT, factor=100 / 255, minimum=0, maximum=100, precision=1, note="of full speed"
    ),
}
"""What each type of channel measures, by the first letters of its files."""

_CHANNEL = re.compile(rf"({'|'.join(QUANTITIES)})(\d{{1,4}})")
_FILE = re.compile(rf"({_CHANNEL.pattern})(_input|_average)?")


class HwmonOptions(ChipOptions):
    """Which chip, and which of its channels."""

    chip: str = Field(
        min_length=1, description="Its name, as in /sys/class/hwmon/hwmon*/name.", examples=["cpu_thermal", "ina219"]
    )

    @classmethod
    def property_id(cls, channel: str) -> str:
        """Return the channel itself: it has the form of an id."""
        if not _CHANNEL.fullmatch(channel):
            kinds = ", ".join(QUANTITIES)
            raise ValueError(f"{channel!r} is no channel: write temp1, in0 and the like; there are {kinds}")
        return channel


class Hwmon(SysfsChip[HwmonOptions]):
    """A hardware monitoring chip of the kernel: temperatures, voltages, currents, power, humidity, fans.

    What `sensors` shows: mainboards, CPUs, disks (drivetemp, nvme), power meters (ina2xx), fan controllers, SHT3x. Its
    channels become properties, called by the kernel's labels (`core_0`, `tctl`) or, where it has none, by their own
    names (`temp1`, `in0`, `fan2`). Fan drives (`pwm1`) are shown, not set.

    A channel that reports a fault or has no value is left out; one that is named in option `channels` makes the Thing
    unavailable instead. Name them, too, if the chip may be connected later (a USB sensor): channels that are not named
    must be there when the agent starts.
    """

    wiring = (
        "Nothing for what is on the board. For a chip on I²C, load the overlay that names it, such as "
        "dtoverlay=i2c-sensor,sht3x or dtoverlay=i2c-sensor,lm75,addr=0x48 in /boot/firmware/config.txt; "
        "cat /sys/class/hwmon/hwmon*/name then shows it."
    )

    def chips(self) -> Sequence[Path]:
        """Return all chips."""
        return entries(self.options.sysfs / "class/hwmon", "hwmon*")

    def names(self, chip: Path) -> Sequence[str]:
        """Return the chip's name."""
        return [optional_text(chip / "name")]

    def labels(self, chip: Path) -> Mapping[str, str]:
        """Return channels with their labels, in the order of the documentation, then by number."""
        found = {(match[2], int(match[3])): match[1] for file in chip.iterdir() if (match := _is_value(file.name))}
        order = list(QUANTITIES)
        channels = (found[key] for key in sorted(found, key=lambda key: (order.index(key[0]), key[1])))
        return {channel: optional_text(chip / f"{channel}_label") for channel in channels}

    def quantity(self, channel: str) -> Quantity:
        """Return what the letters before the number stand for."""
        return QUANTITIES[channel.rstrip("0123456789")]

    def measure(self, chip: Path, channel: str) -> float:
        """Read a channel: its present value, or the average where the chip has only that."""
        fault = chip / f"{channel}_fault"
        if fault.exists() and read_number(fault):
            raise InvalidReading(f"{fault}: the chip reports a fault: nothing connected, or a short. Check its wiring")
        if channel.startswith("pwm"):
            return read_number(chip / channel)
        average = chip / f"{channel}_average"
        now = chip / f"{channel}_input"
        return read_number(average if average.exists() and not now.exists() else now)


def _is_value(name: str) -> re.Match[str] | None:
    match = _FILE.fullmatch(name)
    if match is None:
        return None
    return match if (match[4] is None) == (match[2] == "pwm") else None
