"""Serial ports through pyserial: finding one, opening it for us alone, and saying its errors in words that help.

Everything here blocks; `serial_source` calls it in the driver's thread. pyserial is imported when a driver is built,
not with this module, so that only who configures a serial port needs it.

References: termios(3), ioctl_tty(2) "Exclusive mode", udev's 60-serial.rules for /dev/serial/by-id.
"""

import errno
import fcntl
import importlib
import os
import re
import termios
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from jidget_drivers.driver import DriverOptions
from jidget_drivers.errors import DeviceUnavailable, MissingLibrary

EXTRA = "serial"
BY_ID = Path("/dev/serial/by-id")
"""Where udev links USB serial ports by names that survive replugging."""

_USB = re.compile(r"usb:([0-9a-f]{4}):([0-9a-f]{4})(?::(.+))?", re.IGNORECASE)
_MOST_NAMED = 4
"""Ports or processes named in a message; more would hide what it says."""


def check_port(port: str) -> str:
    """Return `port` if it names a serial port: a path, or `usb:VENDOR:PRODUCT[:SERIAL]`.

    Raises:
        ValueError: it does not; the text says what would.
    """
    if not port.startswith("/") and not _USB.fullmatch(port):
        raise ValueError(
            f"{port!r} is no serial port: write its path, such as {BY_ID}/usb-… or /dev/ttyAMA0, "
            'or "usb:VENDOR:PRODUCT" or "usb:VENDOR:PRODUCT:SERIAL" with the hexadecimal ids that lsusb shows'
        )
    return port


Flow = Literal["none", "rtscts", "xonxoff"]


class SerialPortOptions(DriverOptions):
    """Which port; base of the options of drivers on serial ports."""

    port: Annotated[str, AfterValidator(check_port)] = Field(
        description="Path of the port, best one of /dev/serial/by-id, which stays the same when others are plugged in. "
        "Or usb:VENDOR:PRODUCT, or usb:VENDOR:PRODUCT:SERIAL, with the ids that lsusb shows."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialSettings:
    """How a port is opened.

    Attributes:
        port: a path, or `usb:VENDOR:PRODUCT[:SERIAL]`.
        baud: bits per second.
        framing: data bits, parity (N, E, O, M, S), stop bits, such as `8N1`.
        flow: flow control.
    """

    port: str
    baud: int = 9600
    framing: str = "8N1"
    flow: Flow = "none"


def require_pyserial(driver: str) -> None:
    """Make sure that pyserial is installed; no port is touched.

    Raises:
        MissingLibrary: it is not.
    """
    if find_spec("serial") is None:
        raise MissingLibrary(f"{driver} needs pyserial, which the extra jidget[{EXTRA}] brings")


def open_port(settings: SerialSettings) -> Any:
    """Open a port for us alone, without blocking reads and writes, and return pyserial's object for it.

    What was received before is dropped: nobody knows when. A port that nobody waits for any more, since opening took
    too long, closes itself with its finalizer.

    Raises:
        DeviceUnavailable: there is none, we may not open it, or somebody else has it; the text says what to check.
    """
    serial = importlib.import_module("serial")
    path = find_port(settings.port)
    try:
        port = serial.Serial(
            str(path),
            settings.baud,
            bytesize=int(settings.framing[0]),
            parity=settings.framing[1],
            stopbits=int(settings.framing[2]),
            xonxoff=settings.flow == "xonxoff",
            rtscts=settings.flow == "rtscts",
            exclusive=True,  # flock(2): keeps out the programs that ask for the same
        )
        try:
            fcntl.ioctl(port.fileno(), termios.TIOCEXCL)  # keeps out those that do not ask, but for root
            _let_empty_reads_wait(port.fileno())
        except BaseException:
            port.close()
            raise
    except (OSError, ValueError, termios.error) as error:
        raise DeviceUnavailable(f"{settings.port}: {_remedy(error, path, settings)}") from error
    return port


def close_port(port: Any) -> None:
    """Close a port; waits until the kernel has sent what was written."""
    # A terminal that somebody else holds open would stay exclusive for ever; one that is gone cannot be asked.
    with suppress(OSError):
        fcntl.ioctl(port.fileno(), termios.TIOCNXCL)
    port.close()


def _let_empty_reads_wait(descriptor: int) -> None:
    """Make a read of nothing raise `BlockingIOError`, so that one which returns nothing means that the port is gone.

    pyserial sets VMIN to 0, with which both look the same (termios(3), non-canonical mode).
    """
    attributes = termios.tcgetattr(descriptor)
    attributes[6][termios.VMIN] = 1
    attributes[6][termios.VTIME] = 0
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    os.set_blocking(descriptor, False)


def find_port(port: str) -> Path:
    """Return the path that `port` names now.

    Raises:
        DeviceUnavailable: it names a USB device, and there is none such or more than one.
    """
    wanted = _USB.fullmatch(port)
    if wanted is None:
        return Path(port)
    vendor, product, serial_number = int(wanted[1], 16), int(wanted[2], 16), wanted[3]
    try:
        ports = importlib.import_module("serial.tools.list_ports").comports()
    except (OSError, TypeError, ValueError) as error:  # a device goes while its files in /sys are being read
        raise DeviceUnavailable(f"{port}: the USB devices are changing just now ({error})") from error
    present = [info for info in ports if info.vid is not None]
    found = [
        info
        for info in present
        if (info.vid, info.pid) == (vendor, product) and serial_number in (None, info.serial_number)
    ]
    if not found:
        raise DeviceUnavailable(f"{port}: no such USB device. Is it plugged in? {_say_usb(present)}")
    if len(found) > 1:
        raise DeviceUnavailable(f"{port}: {len(found)} ports are of it: name one by its path. {_say_usb(found)}")
    return Path(found[0].device)


def _say_usb(ports: list[Any]) -> str:
    names = [
        f"{info.device} (usb:{info.vid:04x}:{info.pid:04x}{f':{info.serial_number}' if info.serial_number else ''})"
        for info in ports
    ]
    return f"There are {_some(names)}." if names else "There is no USB serial port."


def _remedy(error: BaseException, path: Path, settings: SerialSettings) -> str:
    """Say what went wrong and what to check."""
    match _number_of(error):
        case errno.ENOENT:
            return f"there is no such device. Is it plugged in, and has it power? {_say_by_id()}"
        case errno.EACCES | errno.EPERM:
            group = _group_of(path)
            return f"no permission to open it. Put the user in the group {group}: sudo usermod -aG {group} USER"
        case errno.EBUSY | errno.EWOULDBLOCK:
            users = _some(list(_users_of(path)))
            return (
                f"it is in use by {users or 'another program'}. Each port serves one program and one Thing; "
                "ModemManager and a login console (raspi-config, Serial Port) are often in the way"
            )
        case errno.ENOTTY | errno.EISDIR | errno.EINVAL:
            return f"it is not a serial port, or cannot do {settings.baud} baud {settings.framing} ({error})"
        case errno.ENXIO | errno.ENODEV | errno.EIO:
            return f"there is no hardware behind it. Is it plugged in, and the UART enabled? ({error})"
    return str(error) or type(error).__name__


def _number_of(error: BaseException | None) -> int | None:
    """Return the errno of an error, or of what pyserial made it of."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if isinstance(error, termios.error):
            return int(error.args[0])
        error = error.__context__
    return None


def _say_by_id() -> str:
    try:
        names = sorted(str(path) for path in BY_ID.iterdir())
    except OSError:
        names = []
    return f"There are {_some(names)}" if names else f"There is none in {BY_ID}"


def _group_of(path: Path) -> str:
    """Return the group that has the port, which is `dialout` unless the system was told otherwise."""
    try:
        group = path.group()
    except (OSError, KeyError):
        return "dialout"
    return "dialout" if group == "root" else group


def _users_of(path: Path) -> Iterator[str]:
    """Yield the processes that have the port open, as far as we may look (proc(5), /proc/PID/fd)."""
    node = os.path.realpath(path)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # not ours to look at, or just ended
            if any(os.path.realpath(descriptor) == node for descriptor in (process / "fd").iterdir()):
                mine = process.name == str(os.getpid())
                name = (process / "comm").read_text().strip()
                yield "another Thing of this configuration" if mine else f"{name} (process {process.name})"


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
