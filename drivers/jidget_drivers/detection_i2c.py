"""Looking at I²C buses: which there are; and, only when asked, which addresses answer and what may be there.

An address says little: chips share them. Candidates are the installed drivers whose options allow the address, so that
there is no second table, and other people's drivers count too. References: i2cdetect(8); kernel documentation
i2c/dev-interface.rst and i2c/i2c-sysfs.rst; the I²C specification UM10204, 3.1.12, for the reserved addresses.
"""

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from jidget_drivers import i2c
from jidget_drivers.catalogue import installed
from jidget_drivers.detected import Found, Remark, no_access
from jidget_drivers.errors import MissingLibrary
from jidget_drivers.i2c_driver import I2cSensor
from jidget_drivers.i2c_errors import opening_remedy, transfer_remedy
from jidget_drivers.sysfs import optional_text

DEVICES = Path("/dev")
"""Where device nodes are."""
FIRST, LAST = 0x08, 0x77
"""Addresses that chips may have."""

_SCREEN = re.compile(r"hdmi|ddc|aux|gmbus|nvidia|amdgpu|radeon|smbus", re.IGNORECASE)
"""Names of buses to screens and of mainboards; the writes of a scan have upset what is there."""
_SCREEN_DRIVERS = ("brcmstb-i2c",)
"""Drivers of such buses where their names do not say it: HDMI of a Raspberry Pi."""
_ONE_PIN = {"mcp23017": {"inputs": {"a0": "A0"}}, "pcf8574": {"inputs": {"p0": "P0"}}}
"""Options without which a driver has no properties; an input drives nothing."""


def buses(sysfs: Path) -> dict[int, str]:
    """Return the buses by number, with their names."""
    numbers = sorted(int(path.name.removeprefix("i2c-")) for path in DEVICES.glob("i2c-*") if path.name[4:].isdigit())
    return {number: optional_text(sysfs / f"class/i2c-dev/i2c-{number}/name") for number in numbers}


def look_at_buses(
    sysfs: Path, wanted: Iterable[int] | None, chips: Iterable[Found], tell: Callable[[str], None]
) -> Iterator[Found | Remark]:
    """Yield the chips on the buses that are to be scanned, and remarks on the others.

    Args:
        sysfs: where sysfs is mounted.
        wanted: numbers of the buses to scan; none: all but those of screens and mainboards; None: scan nothing.
        chips: what was found of hwmon and IIO, for addresses that the kernel has.
        tell: is told what is being done.
    """
    there = buses(sysfs)
    if wanted is None:
        yield from _unscanned(there)
        return
    numbers = list(wanted)
    for number in numbers or [number for number in there if not _of_screen(sysfs, number, there[number])]:
        yield from _scan(sysfs, number, list(chips), tell)
    if not numbers:
        yield from (
            Remark(
                family="i2c",
                text=f"Bus {number} ({name}) belongs to a screen or the mainboard and was left out; --i2c {number} "
                "scans it.",
            )
            for number, name in there.items()
            if _of_screen(sysfs, number, name)
        )
        if not there:
            yield _no_bus()


def _unscanned(there: dict[int, str]) -> Iterator[Remark]:
    if not there:
        yield _no_bus()
        return
    locked = [DEVICES / f"i2c-{n}" for n in there if not os.access(DEVICES / f"i2c-{n}", os.R_OK | os.W_OK)]
    if locked:
        yield Remark(family="i2c", text=no_access(locked[0], "i2c"), obstacle=True)
    names = ", ".join(f"{number} ({name})" if name else str(number) for number, name in there.items())
    text = (
        f"There are I²C buses: {names}. They were not scanned, since that can disturb what is connected; "
        "--i2c scans them, --i2c N only bus N."
    )
    yield Remark(family="i2c", text=text)


def _no_bus() -> Remark:
    text = (
        f"There is no I²C bus ({DEVICES}/i2c-*). On a Raspberry Pi enable it: raspi-config, Interface Options, I2C; or "
        "dtparam=i2c_arm=on in /boot/firmware/config.txt and i2c-dev in /etc/modules, then reboot."
    )
    return Remark(family="i2c", text=text, obstacle=True)


def _scan(sysfs: Path, bus: int, chips: list[Found], tell: Callable[[str], None]) -> Iterator[Found | Remark]:
    try:
        i2c.require_smbus2("scanning an I²C bus")
        adapter = i2c.open_adapter(bus)
    except MissingLibrary as error:
        yield Remark(family="i2c", text=f"{error}: pip install 'jidget[{i2c.EXTRA}]'.", obstacle=True)
        return
    except OSError as error:
        yield Remark(family="i2c", text=f"Bus {bus}: {opening_remedy(error, bus)}.", obstacle=True)
        return
    answered = 0
    try:
        for address in range(FIRST, LAST + 1):
            tell(f"looking at I²C bus {bus}: {address:#04x} …")
            try:
                if adapter.probe(address):
                    answered += 1
                    yield _candidate(bus, address)
            except OSError as error:
                if error.errno != errno.EBUSY:  # the other addresses would say the same
                    yield Remark(family="i2c", text=f"{transfer_remedy(error, bus, address)}.", obstacle=True)
                    return
                answered += 1
                yield _of_kernel(sysfs, bus, address, chips)
    finally:
        adapter.close()
    if not answered:
        text = f"Nothing answers on I²C bus {bus}. If there should be a chip, check its wiring and power."
        yield Remark(family="i2c", text=text)


def _candidate(bus: int, address: int) -> Found | Remark:
    """Return the chip at an address with the driver that is likeliest: the one for the fewest addresses."""
    fitting = sorted(
        (name for name in _chip_drivers() if takes(name, address)), key=lambda name: (_breadth(name), name)
    )
    place = f"a chip at address {address:#04x} on I²C bus {bus}"
    if not fitting:
        text = (
            f"There is {place}, for which no driver is known here. The kernel may have one (drivers hwmon and iio), or "
            "Adafruit (driver circuitpython)."
        )
        return Remark(family="i2c", text=text)
    first, *others = fitting
    note = "Another kind of chip may have this address too: `jidget read` shows whether it answers as it should."
    if others:
        note = (
            f"It may be for one of {', '.join(fitting)}: the chip or its board says which. Their other options are not "
            "the same: see `jidget drivers NAME`."
        )
    return Found(
        family="i2c",
        driver=first,
        name=f"{'chip' if others else first} {address:#04x}",
        what=place if others else f"{place}, maybe for {first}",
        options={"bus": bus, "address": address, **_ONE_PIN.get(first, {})},
        keys=("bus", "address"),
        sure=not others and not _complaints(first, address),
        others=(*others, "circuitpython"),
        note=note,
    )


def _of_kernel(sysfs: Path, bus: int, address: int, chips: list[Found]) -> Remark:
    """Say which driver of the kernel has an address, and which Thing shows it."""
    device = f"{bus}-{address:04x}"
    link = sysfs / "bus/i2c/devices" / device / "driver"
    holder = f"the kernel's driver {Path(os.path.realpath(link)).name}" if link.exists() else "a driver of the kernel"
    shown = [f"{chip.driver} ({chip.options['chip']})" for chip in chips if f"({device})" in chip.what]
    which = f"see {' and '.join(shown)}" if shown else "look for it with the drivers hwmon and iio"
    return Remark(
        family="i2c", text=f"The chip at address {address:#04x} on I²C bus {bus} belongs to {holder}: {which}."
    )


@cache
def _chip_drivers() -> dict[str, type[I2cSensor[Any]]]:
    """Return the installed drivers of I²C chips; one that cannot be loaded is left to `jidget drivers`."""
    found: dict[str, type[I2cSensor[Any]]] = {}
    for name, entry in installed().items():
        try:
            cls = entry.load()
        except (ImportError, AttributeError):
            continue
        if isinstance(cls, type) and issubclass(cls, I2cSensor):
            found[name] = cls
    return found


@cache
def _breadth(driver: str) -> int:
    """Return how many addresses the chips of a driver may have."""
    return sum(takes(driver, address) for address in range(FIRST, LAST + 1))


def takes(driver: str, address: int) -> bool:
    """Whether the options of a driver of I²C chips allow an address."""
    return not any("address" in error["loc"] or "address:" in error["msg"] for error in _complaints(driver, address))


def _complaints(driver: str, address: int) -> list[ErrorDetails]:
    """Return what a driver's options say against an address, and what they want besides."""
    try:
        _chip_drivers()[driver].options_type.model_validate({"address": address, **_ONE_PIN.get(driver, {})})
    except ValidationError as error:
        return error.errors()
    return []


def _of_screen(sysfs: Path, bus: int, name: str) -> bool:
    adapter = Path(os.path.realpath(sysfs / "bus/i2c/devices" / f"i2c-{bus}"))
    driver = Path(os.path.realpath(adapter.parent / "driver")).name
    return bool(_SCREEN.search(name)) or driver in _SCREEN_DRIVERS
