"""An I²C bus as Linux shows it, `/dev/i2c-N`, through smbus2 (Linux kernel, Documentation/i2c/dev-interface.rst).

Imported when a bus is opened, so that only who configures such a chip needs smbus2.
"""

import errno
from ctypes import string_at
from fcntl import ioctl

from smbus2 import I2cFunc, SMBus, i2c_msg

from jidget_drivers.i2c_errors import DEVICES

_SELECT = 0x0703  # I2C_SLAVE of <linux/i2c-dev.h>
_READ_ONLY = (*range(0x30, 0x38), *range(0x50, 0x60))
"""Addresses of memories that an empty write could spoil: i2cdetect(8), "Probing"."""
_NOBODY = (errno.EREMOTEIO, errno.ENXIO, errno.EIO, errno.EAGAIN, errno.ENODEV)


class LinuxAdapter:
    """One opening of `/dev/i2c-N`.

    Args:
        bus: N.

    Raises:
        OSError: there is no such bus, or we may not use it.
    """

    def __init__(self, bus: int) -> None:
        self._smbus = SMBus()
        try:
            self._smbus.open(str(DEVICES / f"i2c-{bus}"))
        except OSError:
            self._smbus.close()  # it may have found that what it opened is no bus
            raise

    def select(self, address: int) -> None:
        """Ask the kernel whether `address` is free for us; nothing is sent to the chip.

        Raises:
            OSError: EBUSY, a driver of the kernel has it. `transfer` itself would not notice.
        """
        ioctl(self._descriptor(), _SELECT, address)

    def transfer(self, address: int, data: bytes, count: int) -> bytes:
        """Send `data`, then read `count` bytes after a repeated start; either may be nothing.

        Raises:
            OSError: the chip did not acknowledge, or the bus failed.
        """
        self._descriptor()
        messages = [i2c_msg.write(address, data)] if data else []
        if not count:
            self._smbus.i2c_rdwr(*messages)
            return b""
        answer = i2c_msg.read(address, count)
        self._smbus.i2c_rdwr(*messages, answer)
        return string_at(answer.buf, answer.len)

    def probe(self, address: int) -> bool:
        """Return whether a chip acknowledges `address`, found out the way i2cdetect(8) does: nothing, or one byte.

        Raises:
            OSError: EBUSY, a driver of the kernel has it; others, the bus failed.
        """
        self._descriptor()
        try:
            if address in _READ_ONLY or not self._smbus.funcs & I2cFunc.SMBUS_QUICK:
                self._smbus.read_byte(address)
            else:
                self._smbus.write_quick(address)
        except OSError as error:
            if error.errno in _NOBODY:
                return False
            raise
        return True

    def close(self) -> None:
        """Let go of the bus; closing what is closed does nothing."""
        self._smbus.close()

    def _descriptor(self) -> int:
        if self._smbus.fd is None:
            raise ValueError("the I²C bus was closed")
        return self._smbus.fd
