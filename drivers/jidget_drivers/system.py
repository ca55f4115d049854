"""The machine itself: load, memory, disk, uptime; where it can tell them, CPU temperature and signs of its health."""

import time
from collections.abc import Mapping
from pathlib import Path

import psutil
from pydantic import Field

from jidget_drivers.driver import DriverOptions, Sensor
from jidget_drivers.errors import DeviceUnavailable
from jidget_drivers.option_types import LocalPath
from jidget_drivers.properties import Kind, Property, Scalar
from jidget_drivers.sysfs import SYSFS, SYSFS_DESCRIPTION
from jidget_drivers.system_health import all_properties, read_all, sources
from jidget_drivers.units import Unit

# Names of hwmon chips and thermal zones that measure the CPU, best first: ARM boards, Intel, AMD.
_CPU_CHIPS = ("cpu_thermal", "soc_thermal", "coretemp", "k10temp", "zenpower")
# What else may stand in for it, by a part of its name. Not just any chip: an SSD's temperature is not the CPU's.
_CPU_LIKE = ("cpu", "soc", "core", "acpitz")


class SystemOptions(DriverOptions):
    """Which part of the machine to look at."""

    path: LocalPath = Field(default=Path("/"), description="Any file or directory on the file system `disk` tells of.")
    wifi: str = Field(
        default="",
        description="Network interface of `wifi_signal`, such as wlan0. Left out: the first wireless one.",
        examples=["wlan0"],
    )
    sysfs: LocalPath = Field(default=SYSFS, description=SYSFS_DESCRIPTION)
    procfs: LocalPath = Field(default=Path("/proc"), description="Where procfs is mounted, likewise.")


class System(Sensor[SystemOptions]):
    """The machine itself: CPU temperature, load, memory, disk, uptime, and signs of its health.

    `cpu_temperature` is there only on machines that can tell it; virtual ones usually cannot. So are `under_voltage`
    and `throttled` (a Raspberry Pi with its own kernel, or with vcgencmd and a user in the group video), `wifi_signal`
    (a machine with Wi-Fi), `disk_wear` and `disk_spare` (one with an eMMC of version 5 or later; SD cards do not tell).
    """

    properties: tuple[Property, ...] = (
        Property(
            name="cpu_temperature",
            unit=Unit.CELSIUS,
            label="CPU temperature",
            description="Temperature of the CPU, if the machine has a sensor for it.",
            minimum=-50,
            maximum=150,
            precision=1,
        ),
        Property(
            name="load",
            description="Processes running or waiting to run, averaged over one minute; a pure number.",
            minimum=0,
            precision=2,
        ),
        Property(
            name="memory",
            unit=Unit.PERCENT,
            description="Memory in use that could not be given to others.",
            minimum=0,
            maximum=100,
            precision=1,
        ),
        Property(
            name="disk",
            unit=Unit.PERCENT,
            description="Space in use on the file system of option `path`.",
            minimum=0,
            maximum=100,
            precision=1,
        ),
        Property(
            name="uptime", kind=Kind.INTEGER, unit=Unit.SECOND, description="Time since the machine started.", minimum=0
        ),
        *all_properties(),
    )

    def __init__(self, options: SystemOptions) -> None:
        super().__init__(options)
        self._chip = _cpu_chip(_temperatures())
        self._sources = sources(options.sysfs, options.procfs, options.wifi)
        absent = {prop.name for prop in all_properties()}
        absent -= {prop.name for source in self._sources for prop in source.properties}
        if self._chip is None:
            absent.add("cpu_temperature")
        self.properties = tuple(prop for prop in type(self).properties if prop.name not in absent)

    async def read(self) -> Mapping[str, Scalar]:
        """Ask the kernel; in a thread, because the disk may be a network share that hangs."""
        return await self.in_thread(self._read)

    def _read(self) -> dict[str, Scalar]:
        try:
            disk = psutil.disk_usage(str(self.options.path)).percent
        except OSError as error:
            raise DeviceUnavailable(
                f"cannot tell the space on {self.options.path}: {error.strerror}. Check option `path`"
            ) from error
        values: dict[str, Scalar] = {
            "load": psutil.getloadavg()[0],
            "memory": psutil.virtual_memory().percent,
            "disk": disk,
            # Not by psutil.boot_time(): the wall clock of a board without a battery jumps, this clock does not.
            "uptime": int(time.clock_gettime(time.CLOCK_BOOTTIME)),
        }
        if self._chip is not None:
            values["cpu_temperature"] = self._cpu_temperature(self._chip)
        return values | read_all(self._sources)

    def _cpu_temperature(self, chip: str) -> float:
        temperature = _temperatures().get(chip)
        if temperature is None:
            raise DeviceUnavailable(f"the temperature sensor {chip} has gone")
        return temperature


def _temperatures() -> dict[str, float]:
    """Return the first temperature of each chip by the chip's name; for a whole CPU that is the package."""
    if not hasattr(psutil, "sensors_temperatures"):  # psutil has it only on the systems that have it
        return {}
    return {chip: sensors[0].current for chip, sensors in psutil.sensors_temperatures().items() if sensors}


def _cpu_chip(temperatures: Mapping[str, float]) -> str | None:
    for chip in _CPU_CHIPS:
        if chip in temperatures:
            return chip
    return next((chip for chip in temperatures if any(part in chip for part in _CPU_LIKE)), None)
