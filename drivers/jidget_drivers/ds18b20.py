"""1-wire thermometers through the kernel: DS18B20 and its relatives.

Maxim DS18B20 data sheet 19-7487, "Memory" and "Temperature register"; kernel documentation w1/slaves/w1_therm.rst.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from jidget_drivers.driver import DriverOptions, Sensor
from jidget_drivers.errors import DeviceUnavailable, InvalidReading
from jidget_drivers.option_types import LocalPath
from jidget_drivers.properties import Property, Scalar
from jidget_drivers.sysfs import SYSFS, SYSFS_DESCRIPTION, entries, find_one, read_number, read_text
from jidget_drivers.units import Unit

FAMILIES = {"10": "DS18S20", "22": "DS1822", "28": "DS18B20", "3b": "DS1825", "42": "DS28EA00"}
"""Thermometers that the kernel's w1_therm knows, by the first byte of their ids."""
LOWEST, HIGHEST = -55.0, 125.0
"""The range of all of them, in °C (data sheets, "Temperature range")."""
POWER_ON = 85_000
"""What the temperature register holds from power-on until the first conversion, in thousandths of °C."""

_ID = re.compile(rf"({'|'.join(FAMILIES)})-[0-9a-f]{{12}}")
_BYTES = re.compile(r"((?:[0-9a-f]{2} ){9}): crc=[0-9a-f]{2} (yes|no)")
_TEMPERATURE = re.compile(r"\bt=(-?\d+)$")
_CHECK = "Check its wiring: data to the bus, 4.7 kOhm from data to 3.3 V, ground, and its power"


def _check_id(text: str) -> str:
    wanted = text.strip().lower()
    if wanted and not _ID.fullmatch(wanted):
        raise ValueError(
            f"{text!r} is no id of a 1-wire thermometer: write it as the kernel does, such as 28-0316a2794ef1; "
            f"it begins with {', '.join(f'{family} ({name})' for family, name in FAMILIES.items())}"
        )
    return wanted


class Ds18b20Options(DriverOptions):
    """Which probe."""

    id: Annotated[str, AfterValidator(_check_id)] = Field(
        default="",
        description="Name of its directory in /sys/bus/w1/devices, such as 28-0316a2794ef1. Left out: the only one.",
        examples=["28-0316a2794ef1"],
    )
    sysfs: LocalPath = Field(default=SYSFS, description=SYSFS_DESCRIPTION)


class Ds18b20(Sensor[Ds18b20Options]):
    """A DS18B20 thermometer on a 1-wire bus; DS18S20, DS1822, DS1825 and DS28EA00 too.

    The kernel's driver w1_therm does the measuring, which takes up to 750 ms; several probes of one bus take turns, so
    with more than five on a bus give each a longer `timeout`.

    A probe that lost power answers 85 °C, its power-on value. That is never shown: a DS18B20 tells by another of its
    bytes whether it measured 85.0 °C, and where that byte does not say so (on a DS18S20, and on copies of the chip)
    a reading of exactly 85.0 °C is refused.
    """

    properties = (
        Property(
            name="temperature",
            unit=Unit.CELSIUS,
            description="Temperature of the probe.",
            minimum=LOWEST,
            maximum=HIGHEST,
            precision=2,
        ),
    )
    wiring = (
        "Data goes to GPIO 4 (pin 7) with a resistor of 4.7 kΩ up to 3.3 V, and power and ground to 3.3 V and GND. "
        "Write dtoverlay=w1-gpio in /boot/firmware/config.txt (gpiopin=N for another pin) and reboot; "
        "ls /sys/bus/w1/devices then shows one directory for each probe."
    )

    def __init__(self, options: Ds18b20Options) -> None:
        super().__init__(options)
        self._probe: Path | None = None

    async def open(self) -> None:
        """Find the probe; a measurement shows whether it answers."""
        self._probe = await self.in_thread(_find, self.options.sysfs / "bus/w1/devices", self.options.id)

    async def close(self) -> None:
        """Forget the probe, so that another one may take its place."""
        self._probe = None

    async def read(self) -> Mapping[str, Scalar]:
        """Measure once.

        Raises:
            DeviceUnavailable: the probe is away or does not answer.
            InvalidReading: its checksum is wrong, or it answered its power-on value or what it cannot measure.
        """
        if self._probe is None:
            raise DeviceUnavailable("it is not open")
        return {"temperature": await self.in_thread(_measure, self._probe)}


def _find(bus: Path, wanted: str) -> Path:
    if not bus.is_dir():
        raise DeviceUnavailable(
            f"{bus} is not there: the kernel knows no 1-wire bus. Enable the overlay: write dtoverlay=w1-gpio in "
            "/boot/firmware/config.txt and reboot; elsewhere load the module of the bus master"
        )
    probes = [path for path in entries(bus, "*-*") if path.name.split("-")[0].lower() in FAMILIES]
    return find_one(
        probes,
        lambda path: not wanted or path.name.lower() == wanted,
        what=f"1-wire thermometer {wanted}".strip(),
        describe=lambda path: path.name,
        if_none=_CHECK,
        if_several="Say which one with option `id`",
    )


def _measure(probe: Path) -> float:
    """Return what a probe measures, in °C; `w1_slave` where there is one, because it shows the probe's bytes."""
    file = probe / "w1_slave"
    if file.exists():
        scratchpad, thousandths = parse_slave(file, read_text(file))
    else:  # not every kernel has w1_slave; this one hides the checksum: it is right or there is no answer
        scratchpad, thousandths = None, round(read_number(probe / "temperature"))
    family = probe.name.split("-")[0].lower()
    if thousandths == POWER_ON and not _measured_85(family, scratchpad):
        raise InvalidReading(
            f"{probe.name} answers 85.0 °C, its power-on value: it lost power before it had measured. {_CHECK}"
        )
    if family == "3b" and scratchpad is not None and scratchpad[4] & 0x80:
        raise InvalidReading(f"{probe.name} is a MAX31850 thermocouple amplifier, not a DS1825: it is not supported")
    celsius = thousandths / 1000
    if not LOWEST <= celsius <= HIGHEST:
        raise InvalidReading(f"{probe.name} says {celsius:g} °C, which it cannot measure. {_CHECK}")
    return celsius


def parse_slave(file: Path, text: str) -> tuple[bytes, int]:
    """Return the probe's nine bytes and the temperature, in thousandths of °C, from what `w1_slave` says.

    Raises:
        DeviceUnavailable: it is empty, by which the kernel says that it got no answer.
        InvalidReading: the checksum is wrong, the bytes are all zero, or it is not what the kernel writes.
    """
    if not text:
        raise DeviceUnavailable(f"{file} is empty: the probe does not answer, or only with wrong checksums. {_CHECK}")
    head, _, tail = text.lower().partition("\n")
    found = _BYTES.fullmatch(head.strip())
    if found is not None and found[2] == "no":
        raise InvalidReading(f"{file}: the checksum is wrong. {_CHECK}; a long cable may need a smaller resistor")
    temperature = _TEMPERATURE.search(tail)
    if found is None or temperature is None:
        raise InvalidReading(f"{file} says {text[:120]!r}, which is not what the kernel writes")
    scratchpad = bytes.fromhex(found[1])
    if not any(scratchpad):  # their checksum is right: it is zero as well
        raise InvalidReading(f"{file} has nothing but zeros: the data line is shorted to ground. {_CHECK}")
    return scratchpad, int(temperature[1])


def _measured_85(family: str, scratchpad: bytes | None) -> bool:
    """Whether the probe's bytes prove that 85.0 °C was measured.

    Byte 6 is 0Ch from power-on until the first conversion, which leaves 10h minus the four bits after the binary point
    there: 10h at 85.0 °C. (Reserved in the data sheet; w1_therm.rst, "features", relies on the same.) A DS18S20 that
    has just got power and one that measured 85.0 °C have the same bytes.
    """
    return family != "10" and scratchpad is not None and scratchpad[:2] == b"\x50\x05" and scratchpad[6] == 0x10
