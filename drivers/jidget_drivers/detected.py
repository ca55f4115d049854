"""What looking at the machine finds: hardware with a driver for it, and remarks on what could not be seen."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jidget_drivers.catalogue import installed
from jidget_drivers.errors import DriverError
from jidget_drivers.serial_port import find_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A piece of hardware that a Thing can be made of.

    Attributes:
        family: where it was found: `thermal`, `1-wire`, `hwmon`, `iio`, `serial`, `i2c`, `system`.
        driver: the driver for it; where `sure` is false, one that would fit.
        name: what to call the Thing, in words; not yet an id.
        what: what it is and where, in a line.
        options: the driver's options that lead to it.
        keys: names of those options that say which hardware it is; a Thing with the same ones uses the same hardware.
        sure: whether `driver` and `options` are known to be right. If not, it is a suggestion.
        others: drivers that may be the right one instead.
        timeout: seconds for one call, where the agent's default is too short.
        properties: what it will show, as far as that is known.
        note: what a person should know before using it; may be empty.
    """

    family: str
    driver: str
    name: str
    what: str
    options: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    sure: bool = True
    others: tuple[str, ...] = ()
    timeout: float | None = None
    properties: tuple[str, ...] = ()
    note: str = ""

    def is_used_by(self, driver: str, options: Mapping[str, Any]) -> bool:
        """Whether a Thing with this driver and these options, as its configuration has them, uses the same hardware."""
        if driver not in (self.driver, *self.others):
            return False
        return all(_same(key, self.options.get(key), _given(driver, options, key)) for key in self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What a person should know besides what was found.

    Attributes:
        family: what it is about, as in `Found`.
        text: one or more sentences; where something could not be looked at, with the remedy.
        obstacle: whether something could not be looked at.
    """

    family: str
    text: str
    obstacle: bool = False


def no_access(node: Path, usual: str) -> str:
    """Say how to get access to a device node; only a group that exists for such devices is recommended."""
    try:
        group = node.group()
    except (OSError, KeyError):
        group = usual
    group = usual if group == "root" else group
    return f"No access to {node}. Put the user in the group {group}: sudo usermod -aG {group} USER, then log in again."


def _given(driver: str, options: Mapping[str, Any], key: str) -> object:
    """Return an option as it is given, else its default; None if it is left open."""
    if key == "port":  # what the Modbus driver calls device
        return options.get("port", options.get("device"))
    if key in options:
        return options[key]
    entry = installed().get(driver)
    fields = entry.load().options_type.model_fields if entry is not None else {}
    return fields[key].get_default() if key in fields and not fields[key].is_required() else None


def _same(key: str, ours: object, theirs: object) -> bool:
    if key == "port":
        return isinstance(theirs, str) and _node(str(ours)) == _node(theirs)
    if key == "address" and theirs is None:  # a class of CircuitPython knows its own
        return False
    if theirs in (None, "") or ours in (None, ""):  # the only one there is
        return True
    if key == "bus" and isinstance(theirs, str):  # CircuitPython's: the board's own
        return theirs == "i2c"
    return str(ours).casefold() == str(theirs).casefold()


def _node(port: str) -> str:
    """Return the device that a serial port's name leads to."""
    with suppress(DriverError, ImportError):  # a USB device that is away, or no pyserial to look for it
        return os.path.realpath(find_port(port))
    return port
