"""What the kernel and the Raspberry Pi's firmware tell of a machine's health: power, heat, Wi-Fi, wear of its flash.

Each source says when it is made whether this machine has it, without asking any hardware. Documents: Raspberry Pi
documentation, "vcgencmd, get_throttled"; kernel documentation driver-api/mmc/mmc-dev-attrs.rst; JESD84-B51 7.4.29
to 7.4.31 (EXT_CSD 267 to 269).
"""

import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from jidget_drivers.errors import DeviceUnavailable, InvalidReading
from jidget_drivers.properties import Kind, Property, Scalar
from jidget_drivers.sysfs import entries, optional_text, read_text
from jidget_drivers.units import Unit

COMMAND_LIMIT = 2.0
"""Seconds that the firmware gets to answer vcgencmd."""
MAILBOX = Path("/dev/vcio")
"""How vcgencmd asks the firmware; only for root and the group video."""


class HealthSource(ABC):
    """One thing that some machines can tell.

    Attributes:
        properties: what it tells.
        there: whether this machine can.
    """

    properties: tuple[Property, ...]
    there: bool

    @abstractmethod
    def read(self) -> dict[str, Scalar]:
        """Return the values there are now.

        Raises:
            DeviceUnavailable: the source does not answer.
            InvalidReading: it answers nonsense.
        """


class PiPower(HealthSource):
    """The present bits of get_throttled: 0 under-voltage, 1 frequency capped, 2 throttled, 3 soft temperature limit.

    Bits 16 to 19, "has occurred", are no use: the kernel clears them each time that anybody looks.
    """

    properties = (
        Property(
            name="under_voltage",
            kind=Kind.BOOLEAN,
            description="Whether the Raspberry Pi gets too little voltage now (less than about 4.63 V). Only on a Pi.",
        ),
        Property(
            name="throttled",
            kind=Kind.BOOLEAN,
            description="Whether it runs slower now, for heat or for want of voltage. Only on a Pi.",
        ),
    )

    def __init__(self, sysfs: Path) -> None:
        # soc on a Pi 1 to 4, soc@… or axi on later ones and other kernels
        platform = sysfs / "devices/platform"
        files = (*entries(platform, "*firmware/get_throttled"), *entries(platform, "*/*firmware/get_throttled"))
        self._file = files[0] if files else None
        model = optional_text(sysfs / "firmware/devicetree/base/model")
        self._command = None
        if self._file is None and model.startswith("Raspberry Pi") and os.access(MAILBOX, os.R_OK | os.W_OK):
            self._command = shutil.which("vcgencmd")
        self.there = bool(self._file or self._command)

    def read(self) -> dict[str, Scalar]:
        """Ask the firmware, by the kernel's file or by vcgencmd."""
        where, text = self._ask()
        digits = re.fullmatch(r"(?:throttled=)?(?:0x)?([0-9a-fA-F]{1,8})", text)
        if digits is None:
            raise InvalidReading(f"{where} says {text[:80]!r}, which are no throttling flags")
        bits = int(digits[1], 16)
        return {"under_voltage": bool(bits & 0b0001), "throttled": bool(bits & 0b1110)}

    def _ask(self) -> tuple[str, str]:
        if self._file is not None:
            return str(self._file), read_text(self._file)
        where = "vcgencmd get_throttled"
        try:
            done = subprocess.run(  # noqa: S603  # found on the PATH, fixed arguments, no shell
                [self._command or "vcgencmd", "get_throttled"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=COMMAND_LIMIT,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout or f"exit code {error.returncode}").strip()
            raise DeviceUnavailable(f"{where}: {said}. Put the user in the group video") from error
        except subprocess.TimeoutExpired as error:
            raise DeviceUnavailable(f"{where}: the firmware did not answer within {COMMAND_LIMIT:g} s") from error
        except OSError as error:
            raise DeviceUnavailable(f"{where}: {error.strerror}") from error
        return where, done.stdout.strip()


class WifiSignal(HealthSource):
    """The level that /proc/net/wireless gives; no value while the interface is not connected."""

    properties = (
        Property(
            name="wifi_signal",
            unit=Unit.DECIBEL_MILLIWATT,
            label="Wi-Fi signal",
            description="Strength of the Wi-Fi signal; -50 is strong, -80 weak. No value while not connected.",
            minimum=-127,
            maximum=0,
            precision=0,
        ),
    )

    def __init__(self, sysfs: Path, procfs: Path, interface: str) -> None:
        self._file = procfs / "net/wireless"
        wireless = [path.parent.name for path in sorted((sysfs / "class/net").glob("*/phy80211"))]
        self._interface = interface or (wireless[0] if wireless else "")
        # One that was asked for by name may be plugged in later.
        self.there = bool(self._interface) and self._file.exists()

    def read(self) -> dict[str, Scalar]:
        """Find the interface's line: status, link quality, level, noise; a dot marks what is new."""
        for line in read_text(self._file).splitlines():
            name, _, rest = line.partition(":")
            if name.strip() != self._interface:
                continue
            fields = rest.split()
            try:
                level = float(fields[2].rstrip("."))
            except (IndexError, ValueError):
                raise InvalidReading(f"{self._file} says {line.strip()!r}, which has no level") from None
            # 0 and -256 stand for nothing heard; positive levels are on a scale of the adapter's own.
            return {"wifi_signal": level} if -127 <= level < 0 else {}
        return {}


class EmmcWear(HealthSource):
    """How worn the eMMC says it is. SD cards do not tell; what NVMe and SATA disks tell needs root."""

    properties = (
        Property(
            name="disk_wear",
            unit=Unit.PERCENT,
            label="Disk wear",
            description="Share of its rated life that the eMMC has used up, rounded up to 10; 110 is beyond it.",
            minimum=0,
            maximum=110,
            precision=0,
        ),
        Property(
            name="disk_spare",
            kind=Kind.ENUM,
            options=("normal", "warning", "urgent"),
            label="Disk spare blocks",
            description="Spare blocks of the eMMC: at warning 80 % of them are used up, at urgent 90 %.",
        ),
    )

    def __init__(self, sysfs: Path) -> None:
        # the partitions that the controller keeps for itself, mmcblk0boot0 and so on, share the device
        found = entries(sysfs / "block", "mmcblk*/device/life_time")
        self._device = found[0].parent if found else None
        self.there = self._device is not None

    def read(self) -> dict[str, Scalar]:
        """Read both registers; what the eMMC leaves undefined (0) has no value."""
        if self._device is None:
            return {}
        values: dict[str, Scalar] = {}
        estimates = [
            _register(self._device / "life_time", text) for text in read_text(self._device / "life_time").split()
        ]
        worst = max(estimates, default=0)
        if not 0 <= worst <= 0x0B:
            raise InvalidReading(f"{self._device}/life_time says {worst:#04x}; the standard ends at 0x0b")
        if worst:
            values["disk_wear"] = worst * 10
        spare = self._device / "pre_eol_info"
        if spare.exists():
            state = _register(spare, read_text(spare))
            if state > 3:
                raise InvalidReading(f"{spare} says {state:#04x}; the standard ends at 0x03")
            if state:
                values["disk_spare"] = ("normal", "warning", "urgent")[state - 1]
        return values


def _register(file: Path, text: str) -> int:
    if not re.fullmatch(r"0x[0-9a-fA-F]{1,2}", text):
        raise InvalidReading(f"{file} says {text[:80]!r}, which is no register of an eMMC")
    return int(text, 16)


def sources(sysfs: Path, procfs: Path, wifi: str) -> tuple[HealthSource, ...]:
    """Return those of this machine."""
    every = (PiPower(sysfs), WifiSignal(sysfs, procfs, wifi), EmmcWear(sysfs))
    return tuple(source for source in every if source.there)


def all_properties() -> tuple[Property, ...]:
    """Return what any machine could tell."""
    return (*PiPower.properties, *WifiSignal.properties, *EmmcWear.properties)


def read_all(there: tuple[HealthSource, ...]) -> dict[str, Scalar]:
    """Return the values of all `there`."""
    return {name: value for source in there for name, value in source.read().items()}
