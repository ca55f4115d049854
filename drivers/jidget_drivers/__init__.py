"""The driver contract of Jidget and its built-in drivers.

A driver turns one kind of hardware into a Thing. Write a `Sensor` (polled) or an `EventSource` (tells by itself),
name it in the entry-point group `jidget.drivers`, and the agent does the rest. See drivers/README.md.
"""

from jidget_drivers.driver import (
    Action,
    Driver,
    DriverOptions,
    EventSource,
    NoOptions,
    Sensor,
    action,
)
from jidget_drivers.errors import DeviceUnavailable, DriverError, InvalidReading, MissingLibrary, WriteRefused
from jidget_drivers.option_types import Duration, LocalPath
from jidget_drivers.properties import Kind, Property, Scalar
from jidget_drivers.units import Unit

__all__ = [
    "Action",
    "DeviceUnavailable",
    "Driver",
    "DriverError",
    "DriverOptions",
    "Duration",
    "EventSource",
    "InvalidReading",
    "Kind",
    "LocalPath",
    "MissingLibrary",
    "NoOptions",
    "Property",
    "Scalar",
    "Sensor",
    "Unit",
    "WriteRefused",
    "action",
]
