"""Looking at what the kernel shows in sysfs: thermal zones, 1-wire probes, hwmon and IIO chips. No sensor is asked.

Kernel documentation: filesystems/sysfs.rst; w1/w1-generic.rst, "sysfs layout".
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jidget_drivers.detected import Found, Remark
from jidget_drivers.ds18b20 import FAMILIES
from jidget_drivers.hwmon import Hwmon, HwmonOptions
from jidget_drivers.iio import Iio, IioOptions
from jidget_drivers.sysfs import SYSFS, device_path, entries, optional_text, within_path
from jidget_drivers.sysfs_chip import SysfsChip

_AT_ONCE = 5
"""1-wire probes on one bus that can take turns, 0.75 s each, within the agent's usual timeout."""
_ANY = "any"
"""A name for the option `chip` while nobody has chosen one."""
_OVERLAYS = "Load the overlay that names the chip, such as dtoverlay=i2c-sensor,bme280 in /boot/firmware/config.txt"


def thermal_zones(sysfs: Path) -> Iterator[Found | Remark]:
    """Yield the thermal zones."""
    zones = entries(sysfs / "class/thermal", "thermal_zone*")
    if not zones:
        yield Remark(family="thermal", text="There is no thermal zone. Virtual machines have none.")
    kinds = [optional_text(zone / "type") for zone in zones]
    for number, (zone, kind) in enumerate(zip(zones, kinds, strict=True)):
        options: dict[str, Any] = {}
        if kind:
            options["type"] = kind
        if kinds.count(kind) > 1 or (not kind and len(zones) > 1):
            options["index"] = kinds[:number].count(kind) if kind else number
        yield Found(
            family="thermal",
            driver="thermal-zone",
            name=kind or zone.name,
            what=f"thermal zone {kind or 'without type'} ({zone.name})",
            options=_with_sysfs(options, sysfs),
            keys=("type", "index"),
            properties=("temperature",),
        )


def one_wire(sysfs: Path) -> Iterator[Found | Remark]:
    """Yield the thermometers on 1-wire buses, and what else is on them."""
    bus = sysfs / "bus/w1/devices"
    if not bus.is_dir():
        text = (
            "The kernel knows no 1-wire bus. For DS18B20 probes on a Raspberry Pi write dtoverlay=w1-gpio in "
            "/boot/firmware/config.txt (or raspi-config, Interface Options, 1-Wire) and reboot."
        )
        yield Remark(family="1-wire", text=text, obstacle=True)
        return
    if not os.access(bus, os.R_OK | os.X_OK):
        yield Remark(family="1-wire", text=f"No permission to look into {bus}: run it as root.", obstacle=True)
        return
    there = [path.name for path in entries(bus, "*-*")]
    probes = [name for name in there if name.split("-")[0].lower() in FAMILIES]
    if not there:
        text = (
            "There is a 1-wire bus with nothing on it. Check the wiring of the probes: data with 4.7 kOhm to 3.3 V, "
            "ground, power; the kernel looks for new ones every ten seconds."
        )
        yield Remark(family="1-wire", text=text)
    for name in (name for name in there if name not in probes):
        yield Remark(family="1-wire", text=f"{name} is none of the thermometers that there is a driver for.")
    for name in probes:
        yield Found(
            family="1-wire",
            driver="ds18b20",
            name=f"probe {name.split('-')[1].lstrip('0')[-6:]}",
            what=f"{FAMILIES[name.split('-')[0].lower()]} {name} on a 1-wire bus",
            options=_with_sysfs({"id": name}, sysfs),
            keys=("id",),
            timeout=len(probes) * 1.0 + 2 if len(probes) > _AT_ONCE else None,
            properties=("temperature",),
        )


def hwmon_chips(sysfs: Path) -> Iterator[Found | Remark]:
    """Yield the hardware monitoring chips."""
    any_chip = Hwmon(HwmonOptions(chip=_ANY, sysfs=sysfs))
    yield from _chips("hwmon", any_chip, sysfs, lambda **options: Hwmon(HwmonOptions(**options)))


def iio_devices(sysfs: Path) -> Iterator[Found | Remark]:
    """Yield the IIO devices."""
    any_device = Iio(IioOptions(chip=_ANY, sysfs=sysfs))
    yield from _chips("iio", any_device, sysfs, lambda **options: Iio(IioOptions(**options)))


def _chips(
    family: str, looker: SysfsChip[Any], sysfs: Path, build: Callable[..., SysfsChip[Any]]
) -> Iterator[Found | Remark]:
    """Yield the chips that `looker` sees, each with the channels that the driver itself would show."""
    names = {chip: next(iter(looker.names(chip)), "") for chip in looker.chips()}
    if not names:
        yield Remark(family=family, text=f"The kernel shows no {family} chip. {_OVERLAYS}, if there should be one.")
    times = Counter(names.values())
    for chip, name in names.items():
        place = device_path(chip)
        if not name or not looker.labels(chip):
            text = f"{name or chip.name} ({place.name}) has no {'channel that could be shown' if name else 'name'}."
            yield Remark(family=family, text=text)
            continue
        options: dict[str, Any] = {"chip": name}
        if times[name] > 1:
            twins = [device_path(other) for other in names if names[other] == name and other != chip]
            where = _distinction(place, twins)
            if not where:
                text = f"{name} ({chip.name}) is there more than once, and nothing tells one from the other."
                yield Remark(family=family, text=text)
                continue
            options["device"] = where
        options = _with_sysfs(options, sysfs)
        zone = place.name.startswith("thermal_zone")
        yield Found(
            family=family,
            driver=family,
            name=f"{name} {options['device']}" if "device" in options else name,
            what=f"{family} chip {name} ({place.name})",
            options=options,
            keys=("chip", "device"),
            sure=not zone,
            properties=tuple(prop.name for prop in build(**options).properties),
            note=f"It is the sensor of {place.name}: one of the two is enough." if zone else "",
        )


def _distinction(place: Path, others: list[Path]) -> str:
    """Return the shortest end of a device's path that no other one has; empty if they have all of it."""
    parts = place.parts[1:]
    for count in range(1, len(parts) + 1):
        end = "/".join(parts[-count:])
        if not any(within_path(end, other) for other in others):
            return end
    return ""


def _with_sysfs(options: dict[str, Any], sysfs: Path) -> dict[str, Any]:
    return options if sysfs == SYSFS else {**options, "sysfs": str(sysfs)}
