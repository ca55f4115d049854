"""A driver for the thermal zones of the Linux kernel: the whole of it."""

from pathlib import Path

from jidget_drivers import DriverOptions, InvalidReading, Property, Scalar, Sensor, Unit
from pydantic import Field


class ThermalZoneOptions(DriverOptions):
    """Which thermal zone."""

    path: Path = Field(default=Path("/sys/class/thermal/thermal_zone0/temp"), description="File of its temperature.")


class ThermalZone(Sensor[ThermalZoneOptions]):
    """A thermal zone of the Linux kernel."""

    properties = (Property(name="temperature", unit=Unit.CELSIUS, minimum=-50, maximum=150, precision=1),)

    async def read(self) -> dict[str, Scalar]:
        """Read the zone; the kernel writes thousandths of a degree (Documentation/driver-api/thermal/sysfs-api.rst)."""
        text = await self.in_thread(self.options.path.read_text)
        try:
            return {"temperature": int(text) / 1000}
        except ValueError:
            raise InvalidReading(f"{self.options.path} says {text!r}, which is no temperature") from None
