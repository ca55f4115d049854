"""What a driver may raise. Each class is named by what the host then does; the text tells a person what to check."""


class DriverError(Exception):
    """Base of all errors that a driver raises on purpose."""


class DeviceUnavailable(DriverError, OSError):
    """The hardware cannot be reached now: the Thing becomes unavailable and the host tries again."""


class InvalidReading(DriverError, ValueError):
    """The hardware answered something that is not a measurement: nothing is published and the host tries again."""


class WriteRefused(DriverError, ValueError):
    """The value asked for cannot be applied: nothing was moved and the person who asked is told why."""


class MissingLibrary(DriverError, ImportError):
    """A library that the driver needs is not installed: an error of the configuration, told with what to install.

    Attributes:
        remedy: the command that installs it; empty where that is the driver's pip extra.
    """

    def __init__(self, text: str = "", *, remedy: str = "") -> None:
        super().__init__(text)
        self.remedy = remedy
