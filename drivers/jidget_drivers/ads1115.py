"""Texas Instruments ADS1115: four analogue inputs of 16 bits (datasheet SBAS444E, December 2024)."""

import time
from collections.abc import Mapping
from typing import Literal, get_args

from pydantic import Field

from jidget_drivers.driver import DriverOptions
from jidget_drivers.errors import DeviceUnavailable, InvalidReading
from jidget_drivers.i2c_driver import I2cOptions, I2cSensor
from jidget_drivers.properties import Property, Scalar
from jidget_drivers.units import Unit

# Registers and the fields of the configuration, 8.1
_CONVERSION, _CONFIGURATION = 0, 1
_START = _DONE = 1 << 15
_ONCE = 1 << 8
_NO_COMPARATOR = 0b11

Input = Literal["a0", "a1", "a2", "a3", "a0_a1", "a0_a3", "a1_a3", "a2_a3"]
_MULTIPLEXER: dict[Input, int] = {
    "a0_a1": 0, "a0_a3": 1, "a1_a3": 2, "a2_a3": 3, "a0": 4, "a1": 5, "a2": 6, "a3": 7,
}  # fmt: skip
Range = Literal["6.144V", "4.096V", "2.048V", "1.024V", "0.512V", "0.256V"]
_RANGES: tuple[Range, ...] = get_args(Range)  # in the order of their codes
Rate = Literal[8, 16, 32, 64, 128, 250, 475, 860]
_RATES: tuple[Rate, ...] = get_args(Rate)
_SLOWEST = 0.15
"""Seconds that no conversion takes, at whatever rate."""


class Channel(DriverOptions):
    """How one input is measured."""

    range: Range = Field(
        default="4.096V",
        description="Greatest voltage: the smaller, the finer. Whatever it is, an input must not exceed VDD.",
    )


_SINGLE: dict[Input, Channel] = {"a0": Channel(), "a1": Channel(), "a2": Channel(), "a3": Channel()}


class Ads1115Options(I2cOptions):
    """Where the chip is, and which of its inputs are used."""

    address: int = Field(
        default=0x48, ge=0x48, le=0x4B, strict=True, description="0x48 to 0x4b (72 to 75): ADDR at GND, VDD, SDA, SCL."
    )
    channels: dict[Input, Channel] | None = Field(
        default=None,
        min_length=1,
        description=(
            "Which inputs, as tables by name: a0 to a3 against GND; a0_a1, a0_a3, a1_a3 and a2_a3 are the difference "
            "of two. Left out: a0 to a3."
        ),
    )
    rate: Rate = Field(
        default=128, description="Samples per second: the slower, the less noise; 8 takes 0.14 s for each channel."
    )


class Ads1115(I2cSensor[Ads1115Options]):
    """Texas Instruments ADS1115: four analogue inputs, 16 bits, each with a range of its own.

    Volts as they are; to show what a sensor behind it measures, give the property a calibration. An input beyond its
    range makes the reading invalid, never a number that looks right.
    """

    name = "ads1115"
    wiring = (
        "VDD to 3.3 V (pin 1), GND to pin 6, SDA to pin 3, SCL to pin 5. No input may go above VDD or below GND: for "
        "more than 3.3 V use a voltage divider."
    )

    def __init__(self, options: Ads1115Options) -> None:
        super().__init__(options)
        self._channels = _SINGLE if options.channels is None else options.channels
        self.properties = tuple(
            Property(
                name=name,
                unit=Unit.VOLT,
                label=name.upper().replace("_", " - "),
                description=_say(name),
                minimum=-_volts(channel.range),
                maximum=_volts(channel.range),
                precision=5,
            )
            for name, channel in self._channels.items()
        )

    def prepare(self) -> None:
        """Check that the chip keeps a configuration."""
        wanted = self._configuration(*next(iter(self._channels.items())))
        with self.chip.measuring():
            with self.chip.transaction():
                self._configure(wanted)
                kept = self._configured()
            if kept & ~_DONE != wanted:
                raise DeviceUnavailable(
                    f"{self.chip.place} does not keep what is written to it: it is no ADS1115, or the wires are loose"
                )
            # A conversion that somebody else has begun has to end: until then the chip would ignore ours.
            try:
                self._await_end(_SLOWEST)
            except InvalidReading as error:
                raise DeviceUnavailable(str(error)) from error

    def measure(self) -> Mapping[str, Scalar]:
        """Measure each channel once, one after the other, 7.4.2.1 (single-shot)."""
        with self.chip.measuring():
            return {name: self._measure(name, channel) for name, channel in self._channels.items()}

    def _measure(self, name: Input, channel: Channel) -> float:
        wanted = self._configuration(name, channel)
        self._configure(wanted | _START)
        duration = 1.1 / self.options.rate + 50e-6  # its clock may be 10 % slow; waking up takes 25 µs
        time.sleep(duration)
        state = self._await_end(duration)
        if state != wanted | _DONE:
            raise DeviceUnavailable(
                f"{self.chip.place} has forgotten what to measure: its power was gone for a moment, or another program "
                "uses it"
            )
        counts = int.from_bytes(self.chip.read_register(_CONVERSION, 2), signed=True)
        if counts in (0x7FFF, -0x8000):
            raise InvalidReading(
                f"{self.chip.place}: {name} is beyond {channel.range}. Choose a greater range, or check what is "
                "connected there"
            )
        return counts * _volts(channel.range) / 32768

    def _await_end(self, limit: float) -> int:
        """Wait for the end of a conversion, `limit` seconds at most, and return the configuration then."""
        last = time.monotonic() + limit
        while not (state := self._configured()) & _DONE:
            if time.monotonic() > last:
                raise InvalidReading(f"{self.chip.place} does not finish measuring")
            time.sleep(0.001)
        return state

    def _configure(self, value: int) -> None:
        self.chip.write(_CONFIGURATION, *value.to_bytes(2))

    def _configured(self) -> int:
        return int.from_bytes(self.chip.read_register(_CONFIGURATION, 2))

    def _configuration(self, name: Input, channel: Channel) -> int:
        gain, rate = _RANGES.index(channel.range), _RATES.index(self.options.rate)
        return _MULTIPLEXER[name] << 12 | gain << 9 | _ONCE | rate << 5 | _NO_COMPARATOR


def _volts(written: Range) -> float:
    return float(written.removesuffix("V"))


def _say(name: Input) -> str:
    plus, _, minus = name.upper().partition("_")
    return f"Voltage between {plus} and {minus or 'GND'}."
