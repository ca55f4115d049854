"""A driver for the batteries that the Linux kernel shows: the whole of it."""

from pathlib import Path

from jidget_drivers import DriverOptions, InvalidReading, Property, Scalar, Sensor, Unit
from pydantic import Field


class BatteryOptions(DriverOptions):
    """Which battery."""

    path: Path = Field(default=Path("/sys/class/power_supply/BAT0/capacity"), description="File of its charge.")


class Battery(Sensor[BatteryOptions]):
    """The charge of a battery."""

    properties = (Property(name="charge", unit=Unit.BATTERY_PERCENT, minimum=0, maximum=100, precision=0),)

    async def read(self) -> dict[str, Scalar]:
        """Read the charge; the kernel writes whole percents (Documentation/ABI/testing/sysfs-class-power)."""
        text = await self.in_thread(self.options.path.read_text)
        try:
            return {"charge": int(text)}
        except ValueError:
            raise InvalidReading(f"{self.options.path} says {text!r}, which is no charge") from None
