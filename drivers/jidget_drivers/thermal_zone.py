"""Thermal zones of the kernel: what it watches to keep the machine cool.

Kernel documentation: driver-api/thermal/sysfs-api.rst, "Thermal zone attributes".
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from jidget_drivers.driver import DriverOptions, Sensor
from jidget_drivers.errors import DeviceUnavailable, InvalidReading
from jidget_drivers.option_types import LocalPath
from jidget_drivers.properties import Property, Scalar, misfit
from jidget_drivers.sysfs import SYSFS, SYSFS_DESCRIPTION, entries, find_one, optional_text, read_number
from jidget_drivers.units import Unit

_REMEDY = "Say which one with option `type` and, where several are of one type, `index`"


class ThermalZoneOptions(DriverOptions):
    """Which zone."""

    type: str = Field(
        default="",
        description="Its type, as in /sys/class/thermal/thermal_zone*/type. Left out: the only zone there is.",
        examples=["cpu-thermal", "x86_pkg_temp"],
    )
    index: int | None = Field(
        default=None, ge=0, description="Which of several zones of that type, by their numbers; the first is 0."
    )
    sysfs: LocalPath = Field(default=SYSFS, description=SYSFS_DESCRIPTION)


class ThermalZone(Sensor[ThermalZoneOptions]):
    """A thermal zone of the kernel: the temperature of a processor, a board, a battery."""

    properties = (
        Property(
            name="temperature",
            unit=Unit.CELSIUS,
            description="Temperature of the zone.",
            # No electronics works beyond; -274 °C is the kernel's THERMAL_TEMP_INVALID.
            minimum=-100,
            maximum=250,
            precision=1,
        ),
    )

    def __init__(self, options: ThermalZoneOptions) -> None:
        super().__init__(options)
        self._zone: Path | None = None

    async def open(self) -> None:
        """Find the zone."""
        self._zone = await self.in_thread(self._find)

    async def close(self) -> None:
        """Forget the zone: its number may be another's when it comes back."""
        self._zone = None

    async def read(self) -> Mapping[str, Scalar]:
        """Read the zone.

        Raises:
            DeviceUnavailable: the zone has gone.
            InvalidReading: it has no value, or one that is physically impossible.
        """
        if self._zone is None:
            raise DeviceUnavailable("it is not open")
        return {"temperature": await self.in_thread(self._measure, self._zone / "temp")}

    def _find(self) -> Path:
        wanted, index = self.options.type, self.options.index
        zones = entries(self.options.sysfs / "class/thermal", "thermal_zone*")
        of_type = [zone for zone in zones if not wanted or optional_text(zone / "type") == wanted]
        fitting = of_type if index is None else of_type[index : index + 1]
        found = find_one(
            zones,
            fitting.__contains__,
            what=f"thermal zone {wanted}".strip() + (f", index {index}" if index is not None else ""),
            describe=lambda zone: f"{optional_text(zone / 'type') or 'without type'} ({zone.name})",
            if_none="Virtual machines have none",
            if_several=_REMEDY,
        )
        return found.resolve()

    def _measure(self, file: Path) -> float:
        celsius = read_number(file) / 1000
        if problem := misfit(self.properties[0], celsius):
            raise InvalidReading(f"{file}: {problem}: the kernel has no valid temperature of this zone")
        return celsius
