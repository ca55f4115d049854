"""Industrial I/O: the kernel's sensors of temperature, humidity, pressure, light, motion, gases, and its ADCs.

Kernel documentation: ABI/testing/sysfs-bus-iio gives the names of the files and the units after scale and offset.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from jidget_drivers.errors import InvalidReading
from jidget_drivers.sysfs import entries, optional_text, read_number, slug
from jidget_drivers.sysfs_chip import ChipOptions, Quantity, SysfsChip
from jidget_drivers.units import Unit

QUANTITIES = {
    # Thermocouple amplifiers are among them: type T begins at -270 °C, type B ends at 1800 °C.
    "temp": Quantity(word="temperature", unit=Unit.CELSIUS, factor=1e-3, minimum=-270, maximum=1820, precision=2),
    "humidityrelative": Quantity(
        word="humidity", unit=Unit.RELATIVE_HUMIDITY, factor=1e-3, minimum=0, maximum=100, precision=1
    ),
    "pressure": Quantity(word="pressure", unit=Unit.HECTOPASCAL, factor=10, minimum=0, precision=2),
    "illuminance": Quantity(word="illuminance", unit=Unit.LUX, minimum=0, precision=2),
    "intensity": Quantity(word="intensity", unit=None, minimum=0, note="a pure number, of the sensor's own scale"),
    "uvindex": Quantity(word="uv_index", unit=None, minimum=0, precision=1),
    "proximity": Quantity(word="proximity", unit=None, note="a pure number, mostly greater for what is nearer"),
    "distance": Quantity(word="distance", unit=Unit.METRE, minimum=0, precision=4),
    "voltage": Quantity(word="voltage", unit=Unit.VOLT, factor=1e-3, precision=6),
    "current": Quantity(word="current", unit=Unit.AMPERE, factor=1e-3, precision=6),
    "power": Quantity(word="power", unit=Unit.WATT, factor=1e-3, precision=6),
    "energy": Quantity(word="energy", unit=Unit.JOULE, minimum=0),
    "resistance": Quantity(word="resistance", unit=Unit.OHM, minimum=0),
    "capacitance": Quantity(word="capacitance", unit=Unit.FARAD, factor=1e-9),
    "accel": Quantity(word="acceleration", unit=Unit.METRE_PER_SQUARE_SECOND, precision=4),
    "gravity": Quantity(word="gravity", unit=Unit.METRE_PER_SQUARE_SECOND, precision=4),
    "anglvel": Quantity(word="angular_velocity", unit=None, precision=5, note="radians per second"),
    "angl": Quantity(word="angle", unit=Unit.RADIAN, precision=5),
    "incli": Quantity(word="inclination", unit=Unit.DEGREE, precision=3),
    "magn": Quantity(word="magnetic_field", unit=Unit.TESLA, factor=1e-4),
    "concentration": Quantity(
        word="concentration", unit=Unit.PARTS_PER_MILLION, factor=1e4, minimum=0, maximum=1e6, precision=3
    ),
    "massconcentration": Quantity(
        word="mass_concentration", unit=Unit.MICROGRAM_PER_CUBIC_METRE, minimum=0, precision=2
    ),
    "electricalconductivity": Quantity(
        word="conductivity", unit=Unit.MICROSIEMENS_PER_CENTIMETRE, factor=1e4, minimum=0, precision=2
    ),
    "ph": Quantity(word="ph", unit=Unit.PH, minimum=-2, maximum=16, precision=3),
    "count": Quantity(word="count", unit=None),
    "steps": Quantity(word="steps", unit=None, minimum=0),
}
"""What each type of channel measures, by the kernel's word for it."""

_CHANNEL = re.compile(rf"({'|'.join(QUANTITIES)})(\d*(?:-\1\d+)?)((?:_[a-z0-9]+)*)")
_FILE = re.compile(r"in_(.+)_(?:input|raw)")
_NOT_MEASURED = {"mean", "peak", "trough", "correction"}
"""Ends of the names of what is not a channel but a statistic of one, or an adjustment."""
_SCALE_IS_ONE = {"current"}
"""Types of which the documentation says that without a scale their values are in the unit."""


class IioOptions(ChipOptions):
    """Which chip, and which of its channels."""

    chip: str = Field(
        min_length=1,
        description="Its name or label, as in /sys/bus/iio/devices/iio:device*/name.",
        examples=["bme280", "ads1115"],
    )

    @classmethod
    def property_id(cls, channel: str) -> str:
        """Return `temperature` for `temp`, `humidity` for `humidityrelative`, the channel itself for the others."""
        match = _CHANNEL.fullmatch(channel)
        if match is None:
            raise ValueError(
                f"{channel!r} is no channel: write what stands between in_ and _raw or _input in the names of its "
                "files, such as temp, humidityrelative, voltage0, accel_x"
            )
        word = QUANTITIES[match[1]].word if match[1] in ("temp", "humidityrelative") else match[1]
        return slug(f"{word}{match[2]}{match[3]}")


class Iio(SysfsChip[IioOptions]):
    """A sensor or ADC of the kernel's Industrial I/O: climate, light, motion, gases, voltages.

    The kernel has drivers for hundreds of chips (BME280, Si7021, SCD30, TSL2561, MPU6050, ADS1115, DHT22 …): with the
    right overlay they need no driver here. Channels become properties, called by the kernel's labels or their own names
    (`temperature`, `humidity`, `pressure`, `illuminance`, `voltage0`, `accel_x`, `concentration_co2`).

    A channel that has no value is left out; one that is named in option `channels` makes the Thing
    unavailable instead. Name them, too, if the chip may be connected later (a USB sensor): channels that are not named
    must be there when the agent starts.
    """

    wiring = (
        "As the chip's own data sheet says. Then load the overlay that names it, such as dtoverlay=i2c-sensor,bme280 "
        "or dtoverlay=dht11,gpiopin=4 in /boot/firmware/config.txt; cat /sys/bus/iio/devices/*/name then shows it."
    )

    def chips(self) -> Sequence[Path]:
        """Return all chips."""
        return entries(self.options.sysfs / "bus/iio/devices", "iio:device*")

    def names(self, chip: Path) -> Sequence[str]:
        """Return the chip's name and its label, if it has one."""
        return [name for name in (optional_text(chip / "name"), optional_text(chip / "label")) if name]

    def labels(self, chip: Path) -> Mapping[str, str]:
        """Return channels with their labels, in the order of their names."""
        files = sorted(file.name for file in chip.iterdir())
        channels = dict.fromkeys(match[1] for file in files if (match := _FILE.fullmatch(file)))
        return {
            channel: optional_text(chip / f"in_{channel}_label")
            for channel in channels
            if _CHANNEL.fullmatch(channel) and channel.rpartition("_")[2] not in _NOT_MEASURED
        }

    def quantity(self, channel: str) -> Quantity:
        """Return what the channel's first word stands for."""
        return QUANTITIES[_type_of(channel)]

    def measure(self, chip: Path, channel: str) -> float:
        """Read a channel: what the kernel has processed, else (raw + offset) * scale."""
        processed = chip / f"in_{channel}_input"
        if processed.exists():
            return read_number(processed)
        raw = read_number(chip / f"in_{channel}_raw")
        scale = _setting(chip, channel, "scale")
        if scale is None:
            if self.quantity(channel).unit is not None and _type_of(channel) not in _SCALE_IS_ONE:
                raise InvalidReading(f"{chip}: {channel} has no scale: the kernel does not know what its values mean")
            scale = 1.0
        return (raw + (_setting(chip, channel, "offset") or 0.0)) * scale


def _type_of(channel: str) -> str:
    return re.split(r"[\d_-]", channel, maxsplit=1)[0]


def _setting(chip: Path, channel: str, what: str) -> float | None:
    """Return the scale or offset of a channel: its own, or that which it shares; None if there is none."""
    for shared in _sharing(channel):
        file = chip / f"{shared}{what}"
        if file.exists():
            return read_number(file)
    return None


def _sharing(channel: str) -> Iterator[str]:
    """Yield how names of settings begin that hold for `channel`, the nearest first."""
    head, underscore, modifier = channel.partition("_")
    plain = re.sub(r"\d+", "", head)
    yield f"in_{channel}_"
    yield f"in_{plain}{underscore}{modifier}_"
    yield f"in_{head}_"
    yield f"in_{plain}_"
    yield f"in_{plain.partition('-')[0]}_"
    yield "in_"
    yield ""
