"""Looking at the machine for hardware that Things can be made of. No sensor is asked and nothing is changed.

The one exception must be asked for: to scan an I²C bus is to talk to every chip on it.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from jidget_drivers.detected import Found, Remark
from jidget_drivers.detection_devices import gpio_chips, serial_ports
from jidget_drivers.detection_i2c import look_at_buses
from jidget_drivers.detection_sysfs import hwmon_chips, iio_devices, one_wire, thermal_zones
from jidget_drivers.sysfs import SYSFS

FAMILIES = ("system", "thermal", "1-wire", "hwmon", "iio", "i2c", "serial", "gpio")
"""What is looked for, in the order of the findings."""


def _silent(_: str) -> None:
    """Tell nobody."""


def detect(
    sysfs: Path = SYSFS, *, i2c: Iterable[int] | None = None, tell: Callable[[str], None] = _silent
) -> list[Found | Remark]:
    """Return what there is, family by family.

    Args:
        sysfs: where sysfs is mounted.
        i2c: numbers of the I²C buses to scan; none: all but those of screens and mainboards; None: scan nothing.
        tell: is told what is being done, in a few words, before something that may take long.
    """
    findings: list[Found | Remark] = [
        Found(family="system", driver="system", name="machine", what="the machine itself", options=_options(sysfs))
    ]
    if not (sysfs / "class").is_dir() or not os.access(sysfs / "class", os.R_OK | os.X_OK):
        text = (
            f"No sysfs can be read at {sysfs}. In a container, mount the host's there or name its place with --sysfs."
        )
        findings.append(Remark(family="system", text=text, obstacle=True))
    for look in (thermal_zones, one_wire, hwmon_chips, iio_devices):
        tell(f"looking at {sysfs} …")
        findings.extend(look(sysfs))
    chips = [one for one in findings if isinstance(one, Found) and one.family in ("hwmon", "iio")]
    findings.extend(look_at_buses(sysfs, i2c, chips, tell))
    tell("looking at device nodes …")
    findings.extend(serial_ports())
    findings.extend(gpio_chips())
    return findings


def _options(sysfs: Path) -> dict[str, str]:
    return {} if sysfs == SYSFS else {"sysfs": str(sysfs)}
