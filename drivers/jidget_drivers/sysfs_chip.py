"""What hwmon and iio chips have in common: a directory that is found by name, with a file or more for each channel.

A chip's channels are known without asking it: from option `channels`, or from the names of its files when the driver is
built. Reading these is looking at what the kernel knows; no sensor is touched.
"""

import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import Field, field_validator

from jidget_drivers.driver import DriverOptions, Sensor
from jidget_drivers.errors import DeviceUnavailable, DriverError, InvalidReading
from jidget_drivers.option_types import LocalPath
from jidget_drivers.properties import PROPERTY_ID, Property, Scalar, misfit
from jidget_drivers.sysfs import SYSFS, SYSFS_DESCRIPTION, device_path, find_one, slug, within_path
from jidget_drivers.units import Unit

log = logging.getLogger(__name__)

HUMIDITY_SLACK = (-6.0, 119.0)
"""What a sound humidity sensor may say, in %RH: the range of its formula, to be cut off at 0 and 100 (Silicon Labs
Si7021 data sheet 5.1.1). Beyond, it is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """What one kind of channel measures.

    Attributes:
        word: what it is, in an id: `temperature`.
        unit: the unit of the property; None for a pure number.
        factor: one of the kernel's units in ours.
        minimum: least value that is physically possible, in `unit`.
        maximum: greatest one, likewise.
        precision: decimals worth showing.
        note: what a person should know of its values; empty if the unit says it all.
    """

    word: str
    unit: Unit | None
    factor: float = 1.0
    minimum: float | None = None
    maximum: float | None = None
    precision: int | None = None
    note: str = ""

    def to_property(self, name: str, channel: str, label: str) -> Property:
        """Return the property `name` that shows `channel`."""
        what = f"{self.word.replace('_', ' ').capitalize()} of channel {channel}"
        return Property(
            name=name,
            unit=self.unit,
            label=label,
            description=f"{what}: {self.note}." if self.note else f"{what}.",
            minimum=self.minimum,
            maximum=self.maximum,
            precision=self.precision,
        )

    def from_kernel(self, value: float) -> float:
        """Convert what the kernel says; the binary noise of the multiplication goes."""
        converted = float(f"{value * self.factor:.12g}")
        if self.unit is Unit.RELATIVE_HUMIDITY and HUMIDITY_SLACK[0] <= converted <= HUMIDITY_SLACK[1]:
            return min(max(converted, 0.0), 100.0)
        return converted


class ChipOptions(DriverOptions):
    """Which chip, and which of its channels."""

    chip: str = Field(min_length=1, description="Its name, as in the file `name` of its directory.")
    device: str = Field(
        default="",
        description="Where two chips have one name: where this one is connected, a part of its path in /sys/devices "
        "such as 1-0048 (I²C bus 1, address 0x48), 0000:01:00.0 or 1-1.2 (USB port).",
    )
    channels: tuple[str, ...] | dict[str, str] = Field(
        default=(),
        description="Which channels: a list, or a table of property = channel to name them. Left out: all that are "
        "there when the agent starts.",
    )
    sysfs: LocalPath = Field(default=SYSFS, description=SYSFS_DESCRIPTION)

    @classmethod
    def property_id(cls, channel: str) -> str:
        """Return what the property of `channel` is called where nobody named it.

        Raises:
            ValueError: there is no such channel; the text says what would be one.
        """
        raise NotImplementedError

    @field_validator("channels")
    @classmethod
    def _are_channels(cls, channels: tuple[str, ...] | dict[str, str]) -> tuple[str, ...] | dict[str, str]:
        ids = [cls.property_id(channel) for channel in (channels.values() if isinstance(channels, dict) else channels)]
        for name in channels if isinstance(channels, dict) else ids:
            if not PROPERTY_ID.fullmatch(name):
                raise ValueError(f"{name!r} cannot be a property: it must match {PROPERTY_ID.pattern}")
        if twice := [name for name, times in Counter(ids).items() if times > 1]:
            raise ValueError(f"{', '.join(twice)} is there more than once")
        return channels

    def named(self) -> dict[str, str]:
        """Return the channels that were named, by property."""
        if isinstance(self.channels, dict):
            return self.channels
        return {self.property_id(channel): channel for channel in self.channels}


ChipOptionsT = TypeVar("ChipOptionsT", bound=ChipOptions)


class SysfsChip(Sensor[ChipOptionsT]):
    """Base of the drivers for chips that the kernel shows as directories in sysfs."""

    def __init__(self, options: ChipOptionsT) -> None:
        super().__init__(options)
        labels: Mapping[str, str] = {}
        self._channels = options.named()
        if not self._channels:
            labels = self._look()
            self._channels = ids_by_label(labels, options.property_id, lambda channel: self.quantity(channel).word)
        self.properties = tuple(
            self.quantity(channel).to_property(name, channel, labels.get(channel, ""))
            for name, channel in self._channels.items()
        )
        self._chip: Path | None = None
        self._left_out: set[str] = set()

    @abstractmethod
    def chips(self) -> Sequence[Path]:
        """Return the directories of all chips of this kind."""

    @abstractmethod
    def names(self, chip: Path) -> Sequence[str]:
        """Return what a chip is called, best first."""

    @abstractmethod
    def labels(self, chip: Path) -> Mapping[str, str]:
        """Return the channels of a chip with what the kernel calls them, empty where it has no name for one."""

    @abstractmethod
    def quantity(self, channel: str) -> Quantity:
        """Return what a channel measures; the options have been checked, so it is one."""

    @abstractmethod
    def measure(self, chip: Path, channel: str) -> float:
        """Return the value of a channel in the kernel's unit.

        Raises:
            DeviceUnavailable: it cannot be read.
            InvalidReading: it has no value, or not one to trust.
        """

    async def open(self) -> None:
        """Find the chip. Its channels are those it had when the driver was built, or those named in the options.

        Raises:
            DeviceUnavailable: it is not there, or has not these channels.
        """
        self._chip = await self.in_thread(self._take)

    async def close(self) -> None:
        """Forget the chip: its directory has another name when it comes back."""
        self._chip = None

    async def read(self) -> Mapping[str, Scalar]:
        """Read all channels once.

        Raises:
            DeviceUnavailable: no channel can be read, or one that was named cannot.
            InvalidReading: likewise, where a channel has no value to trust.
        """
        if self._chip is None:
            raise DeviceUnavailable("it is not open")
        return await self.in_thread(self._read, self._chip)

    def _look(self) -> Mapping[str, str]:
        try:
            return self.labels(self._find())
        except OSError:  # not there, or just going: open() says so
            return {}

    def _take(self) -> Path:
        chip = self._find()
        now = self.labels(chip)
        if not now:
            raise DeviceUnavailable(f"{chip} has no channels that could be shown")
        if not self.properties:
            raise DeviceUnavailable(
                f"{self.options.chip} was not there at the start: name its channels with option `channels`, or restart"
            )
        if absent := [channel for channel in self._channels.values() if channel not in now]:
            raise DeviceUnavailable(f"{chip} has no channel {', '.join(absent)}. It has: {', '.join(now)}")
        return chip

    def _find(self) -> Path:
        options = self.options
        found = find_one(
            self.chips(),
            lambda chip: (
                options.chip in self.names(chip)
                and (not options.device or within_path(options.device, device_path(chip)))
            ),
            what=f"chip {options.chip}{f' at {options.device}' if options.device else ''}",
            describe=self._describe,
            if_none="Check that it is connected, and that its overlay or module is loaded (dmesg)",
            if_several="Say which one with option `device`",
        )
        return found.resolve()  # hwmon2 may be another chip after this one was unplugged; its full path is its own

    def _describe(self, chip: Path) -> str:
        where = str(device_path(chip))
        return f"{next(iter(self.names(chip)), 'unnamed')} ({where.partition('/devices/')[2] or where})"

    def _read(self, chip: Path) -> dict[str, Scalar]:
        values: dict[str, Scalar] = {}
        failed: dict[str, DriverError] = {}
        for prop in self.properties:
            channel = self._channels[prop.name]
            try:
                value = self.quantity(channel).from_kernel(self.measure(chip, channel))
                if problem := misfit(prop, value):
                    raise InvalidReading(
                        f"{chip}: {channel}: {problem}: no such sensor measures that. Check its wiring"
                    )
            except DriverError as error:
                failed[prop.name] = error
            else:
                values[prop.name] = value
        if failed and (self.options.channels or not values):
            raise next(iter(failed.values()))
        self._tell(failed)
        return values

    def _tell(self, failed: Mapping[str, DriverError]) -> None:
        """Log once that a channel is left out, and once that it is back."""
        for name in failed.keys() - self._left_out:
            log.warning("%s: %s is left out: %s", self.options.chip, name, failed[name])
        for name in self._left_out - failed.keys():
            log.info("%s: %s has values again", self.options.chip, name)
        self._left_out = set(failed)


def ids_by_label(
    labels: Mapping[str, str], default: Callable[[str], str], word: Callable[[str], str]
) -> dict[str, str]:
    """Return channels by property: called by label (`vdd`), label and quantity (`vdd_voltage`), or channel (`in1`).

    The first of these that no other channel has.
    """
    choices: dict[str, tuple[str, ...]] = {}
    for channel, label in labels.items():
        short = slug(label)
        choices[channel] = (short, f"{short}_{word(channel)}", default(channel)) if short else (default(channel),)
    while True:
        times = Counter(options[0] for options in choices.values())
        double = [channel for channel, options in choices.items() if times[options[0]] > 1 and len(options) > 1]
        if not double:
            return {options[0]: channel for channel, options in choices.items()}
        for channel in double:
            choices[channel] = choices[channel][1:]
