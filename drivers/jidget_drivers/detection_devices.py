"""Looking at device nodes: serial ports and GPIO chips. Nothing is opened.

References: udev's 60-serial.rules for /dev/serial/by-id; kernel documentation userspace-api/gpio/chardev.rst.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from jidget_drivers.catalogue import installed
from jidget_drivers.detected import Found, Remark, no_access

DEVICES = Path("/dev")
"""Where device nodes are."""

_SERIAL_DRIVERS = ("serial-line", "sds011", "pms5003", "modbus", "circuitpython")
_HEADER = "serial0"
"""The UART on pins 8 and 10 of a Raspberry Pi, whichever it is."""


def serial_ports() -> Iterator[Found | Remark]:
    """Yield the serial ports that have a lasting name."""
    by_id = DEVICES / "serial/by-id"
    ports = sorted(by_id.iterdir()) if by_id.is_dir() else []
    header = DEVICES / _HEADER
    if header.exists():
        ports.append(header)
    if not ports:
        yield Remark(family="serial", text=f"There is no serial port: nothing in {by_id}, and no {header}.")
    for port in ports:
        node = Path(os.path.realpath(port))
        if not os.access(node, os.R_OK | os.W_OK):
            yield Remark(family="serial", text=no_access(node, "dialout"), obstacle=True)
        pins = " on pins 8 and 10" if port == header else ""
        yield Found(
            family="serial",
            driver=_SERIAL_DRIVERS[0],
            name=re.sub(r"^usb-|-(if\d+|port\d+)", "", port.name),
            what=f"serial port {node}{pins}",
            options={"port": str(port), "format": "json", "properties": {"value": {}}},
            keys=("port",),
            sure=False,
            others=_SERIAL_DRIVERS[1:],
            note="What is connected to it cannot be seen. modbus calls its option device, not port.",
        )


def gpio_chips() -> Iterator[Remark]:
    """Say which GPIO chips there are: what is connected to a pin shows nowhere."""
    chips = sorted(DEVICES.glob("gpiochip*"))
    if not chips:
        yield Remark(family="gpio", text=f"There is no {DEVICES}/gpiochip*: this machine has no pins that can be used.")
        return
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        yield Remark(family="gpio", text=no_access(chips[0], "gpio"), obstacle=True)
    drivers = ", ".join(name for name in installed() if name.startswith("gpio-"))
    names = ", ".join(chip.name for chip in chips)
    text = (
        f"There are pins ({names}). What is connected to them cannot be seen; the drivers for it are {drivers}. "
        "`jidget drivers NAME` shows wiring and options."
    )
    yield Remark(family="gpio", text=text)
