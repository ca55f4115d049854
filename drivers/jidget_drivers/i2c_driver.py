"""What the drivers of I²C chips have in common: two options, and blocking calls kept in the driver's thread."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeVar

from pydantic import Field

from jidget_drivers.driver import DriverOptions, Sensor
from jidget_drivers.i2c import EXTRA, Chip, require_smbus2
from jidget_drivers.properties import Scalar


class I2cOptions(DriverOptions):
    """Where the chip is. A driver gives `address` the chip's own default and range."""

    bus: int = Field(default=1, ge=0, strict=True, description="N of /dev/i2c-N; 1 is the one on a Pi's header.")
    address: int = Field(ge=0x08, le=0x77, strict=True, description="The chip's address on the bus.")


I2cOptionsT = TypeVar("I2cOptionsT", bound=I2cOptions)


class I2cSensor(Sensor[I2cOptionsT]):
    """Base of the drivers of I²C chips. A chip's driver has `name`, `prepare` and `measure`."""

    extra = EXTRA
    name: ClassVar[str] = ""

    def __init__(self, options: I2cOptionsT) -> None:
        super().__init__(options)
        require_smbus2(self.name)
        self.chip = Chip(self.name, options.bus, options.address)

    async def open(self) -> None:
        """Open the bus and make the chip ready."""
        await self.close()
        try:
            await self.in_thread(self.begin)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of the bus; the chip stays as it is."""
        self.chip.close()

    async def read(self) -> Mapping[str, Scalar]:
        """Measure once; all values are of that measurement."""
        return await self.in_thread(self.measure)

    def begin(self) -> None:
        """Open the bus and make the chip ready. Blocks."""
        self.chip.open()
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Find out whether the right chip is there, and set it up. Blocks.

        Raises:
            DeviceUnavailable: it is not.
        """

    @abstractmethod
    def measure(self) -> Mapping[str, Scalar]:
        """Measure once and return the values by property. Blocks.

        Raises:
            DeviceUnavailable: the chip cannot be reached.
            InvalidReading: it answered nonsense.
        """
