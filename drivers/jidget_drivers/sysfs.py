"""Files that the kernel writes when they are read: their numbers, and their errors in words that help.

Kernel documentation: filesystems/sysfs.rst; what the errors mean is in hwmon/sysfs-interface.rst and
driver-api/thermal/sysfs-api.rst.
"""

import errno
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from jidget_drivers.errors import DeviceUnavailable, InvalidReading

SYSFS = Path("/sys")
SYSFS_DESCRIPTION = "Where sysfs is mounted; another place only in a container that sees the host's there."
LONGEST = 65_536
"""Bytes read of a file, at most: the kernel's own files have one page."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_NOT_NOW = {
    errno.ENODATA: "it has no value: the sensor is switched off or has nothing connected",
    errno.EAGAIN: "it has no value yet",
    errno.EBUSY: "it is busy: another program is using it",
    errno.EINVAL: "it cannot tell now: the sensor is switched off or not ready",
    errno.ERANGE: "its value is out of the range it can measure",
}
"""Errors by which a sensor that is there says that it has no value: the next one may be right."""


def read_text(path: Path) -> str:
    """Return what `path` says, without the line end; possibly nothing.

    Raises:
        DeviceUnavailable: the file cannot be read: what it tells of is away, does not answer, or we may not.
        InvalidReading: the kernel says that there is no value now.
    """
    try:
        with path.open("rb", buffering=0) as file:
            return (file.read(LONGEST) or b"").decode("utf-8", "replace").strip("\0 \t\r\n")
    except OSError as error:
        if error.errno in _NOT_NOW:
            raise InvalidReading(f"{path}: {_NOT_NOW[error.errno]} ({error.strerror})") from error
        raise DeviceUnavailable(f"{path}: {_what_to_check(error)}") from error


def read_number(path: Path) -> float:
    """Return the number in `path`.

    Raises:
        DeviceUnavailable: see `read_text`.
        InvalidReading: it has none, or something else.
    """
    text = read_text(path)
    if not text:
        raise InvalidReading(f"{path} is empty: the kernel got no value from the sensor")
    if not _NUMBER.fullmatch(text):
        raise InvalidReading(f"{path} says {text[:80]!r}, which is no number")
    return float(text)


def optional_text(path: Path) -> str:
    """Return what `path` says; nothing if there is no such file or it cannot be read. For names and labels only."""
    try:
        return read_text(path)
    except (DeviceUnavailable, InvalidReading):
        return ""


def entries(directory: Path, pattern: str) -> list[Path]:
    """Return what matches `pattern` in `directory`, hwmon2 before hwmon10; nothing where there is no such directory."""

    def by_number(path: Path) -> tuple[str, int]:
        digits = re.search(r"\d+$", path.name)
        return re.sub(r"\d+$", "", path.name), int(digits[0]) if digits else -1

    return sorted(directory.glob(pattern), key=by_number)


def slug(text: str) -> str:
    """Return `text` as a property id would have it, such as `core_0` for `Core 0`; empty if nothing is left of it."""
    cleaned = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return cleaned[:60].rstrip("_") if re.match(r"[a-z]", cleaned) else ""


def find_one(
    found: Sequence[Path],
    fits: Callable[[Path], bool],
    *,
    what: str,
    describe: Callable[[Path], str],
    if_none: str,
    if_several: str,
) -> Path:
    """Return the one of the directories `found` that `fits`.

    Args:
        found: the directories to choose from.
        fits: whether one is meant.
        what: what is looked for, in words.
        describe: what to call a directory in an error.
        if_none: what to check where none fits.
        if_several: what to do where several fit.

    Raises:
        DeviceUnavailable: none fits, or several do; the text lists what there is.
    """
    fitting = [path for path in found if fits(path)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise DeviceUnavailable(f"{what}: there are {len(fitting)}: {', '.join(map(describe, fitting))}. {if_several}")
    there = ", ".join(map(describe, found)) or "none"
    raise DeviceUnavailable(f"{what}: there is none. Found: {there}. {if_none}")


def device_path(entry: Path) -> Path:
    """Return the device that a chip's directory belongs to, such as `/sys/devices/…/i2c-1/1-0048`.

    Unlike `hwmon2` or `iio:device0`, whose numbers change from start to start, it says where the chip is connected.
    """
    parent = Path(os.path.realpath(entry)).parent
    return parent.parent if parent.name in ("hwmon", "iio") else parent


def within_path(part: str, path: Path) -> bool:
    """Whether `part`, one or more whole names such as `1-0048` or `1-1.2/1-1.2:1.0`, stands in `path`."""
    return f"/{part.strip('/')}/" in f"{path}/"


def _what_to_check(error: OSError) -> str:
    match error.errno:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO | errno.ENOTDIR:
            return f"it has gone ({error.strerror}). Check that it is connected and its kernel module loaded"
        case errno.EACCES | errno.EPERM:
            return f"{error.strerror}: `ls -l` says which user or group may read it"
        case errno.EIO | errno.EREMOTEIO | errno.ETIMEDOUT | errno.EPROTO:
            return f"the hardware does not answer ({error.strerror}). Check its wiring and power"
        case _:
            return f"{error.strerror or error}"
