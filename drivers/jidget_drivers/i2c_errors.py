"""What an error of the I²C bus means to a person, and what to check.

The codes are those of the Linux kernel, Documentation/i2c/fault-codes.rst and dev-interface.rst.
"""

import errno
from pathlib import Path

DEVICES = Path("/dev")
KERNEL_DEVICES = Path("/sys/bus/i2c/devices")


def opening_remedy(error: OSError, bus: int) -> str:
    """Say why `/dev/i2c-N` cannot be opened, and what to do."""
    device = f"/dev/i2c-{bus}"
    match error.errno:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            there = ", ".join(sorted(file.name for file in DEVICES.glob("i2c-*")))
            return (
                f"there is no I²C bus {bus} ({device}). Enable I²C: dtparam=i2c_arm=on in /boot/firmware/config.txt "
                f"and i2c-dev in /etc/modules, then reboot. {f'There are: {there}' if there else 'There is no other'}"
            )
        case errno.EACCES | errno.EPERM:
            return f"no access to {device}. Put the user in the group i2c: sudo usermod -aG i2c USER"
        case errno.ENOTTY:
            return f"{device} is no I²C bus"
    return f"cannot open {device}: {error.strerror or error}"


def transfer_remedy(error: OSError, bus: int, address: int) -> str:
    """Say what went wrong between us and the chip at `address`, and what to check."""
    place = f"address {address:#04x} on I²C bus {bus}"
    match error.errno:
        case errno.EREMOTEIO | errno.ENXIO:
            return (
                f"nothing answers at {place}. Check wiring, power and address; `i2cdetect -y {bus}` shows which "
                "addresses answer"
            )
        case errno.EBUSY:
            return (
                f"{_holder(bus, address)} has {place}. Use the driver hwmon or iio, or remove the chip's dtoverlay "
                "from /boot/firmware/config.txt"
            )
        case errno.ETIMEDOUT:
            return (
                f"{place}: the bus timed out. Something holds SDA or SCL low: check wiring and pull-up resistors, "
                "and take the chip's power away for a moment"
            )
        case errno.EIO | errno.EAGAIN | errno.EPROTO | errno.EBADMSG:
            return (
                f"{place}: the transfer was disturbed ({error.strerror}). Check cable length, pull-up resistors and "
                "power; a slower bus may help (dtparam=i2c_arm_baudrate=10000)"
            )
        case errno.EOPNOTSUPP:
            return f"{place}: this bus only speaks SMBus; the chip needs plain I²C transfers"
        case errno.ENODEV | errno.EBADF | errno.ESHUTDOWN:
            return f"{place}: the bus has gone; was its adapter unplugged?"
    return f"{place}: {error.strerror or error}"


def _holder(bus: int, address: int) -> str:
    """Name the driver of the kernel that has an address (Documentation/i2c/i2c-sysfs.rst)."""
    link = KERNEL_DEVICES / f"{bus}-{address:04x}" / "driver"
    return f"the kernel's driver {link.resolve().name}" if link.exists() else "a driver of the kernel"
