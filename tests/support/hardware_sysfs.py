"""Trees of files like those of the kernel, for the drivers that read sysfs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROBE = "28-0316a2794ef1"
SCRATCHPAD = "54 01 4b 46 7f ff 0c 10 fd"
"""A DS18B20's bytes at 21.25 °C."""


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files below `root`, with the line end that the kernel gives."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n" if text else "")


def slave(scratchpad: str, thousandths: int, crc: str = "YES") -> str:
    """Return what w1_slave says (drivers/w1/slaves/w1_therm.c, w1_slave_show)."""
    return f"{scratchpad} : crc={scratchpad[-2:]} {crc}\n{scratchpad} t={thousandths}"


def add_probe(root: Path, probe: str = PROBE, text: str = "") -> Path:
    """Add a 1-wire thermometer; return its directory."""
    text = text or slave(SCRATCHPAD, 21250)
    write(root, {f"bus/w1/devices/{probe}/w1_slave": text, f"bus/w1/devices/{probe}/name": probe})
    (root / "bus/w1/devices/w1_bus_master1").mkdir(exist_ok=True)
    return root / "bus/w1/devices" / probe


def add_hwmon(root: Path, number: int, device: str, files: Mapping[str, str]) -> Path:
    """Add a chip as the kernel does: a link in the class, the files below its device; return their directory."""
    target = root / "devices" / device / "hwmon" / f"hwmon{number}"
    return _add_linked(root / "class/hwmon" / f"hwmon{number}", target, files)


def add_iio(root: Path, number: int, device: str, files: Mapping[str, str]) -> Path:
    """Add an IIO device likewise."""
    target = root / "devices" / device / f"iio:device{number}"
    return _add_linked(root / "bus/iio/devices" / f"iio:device{number}", target, files)


def _add_linked(link: Path, target: Path, files: Mapping[str, str]) -> Path:
    write(target, files)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    return target


def add_zone(root: Path, number: int, kind: str, temperature: str) -> Path:
    """Add a thermal zone; return its directory."""
    zone = root / "class/thermal" / f"thermal_zone{number}"
    write(zone, {"type": kind, "temp": temperature})
    return zone


INA219 = {"name": "ina219", "in0_input": "12", "in1_input": "12136", "curr1_input": "431", "power1_input": "5240000"}
BME280 = {
    "name": "bme280",
    "in_temp_input": "23450",
    "in_humidityrelative_input": "48123",
    "in_pressure_input": "101.325000000",
}


def stand_in(driver: str, root: Path) -> dict[str, Any]:
    """Return options that let `driver` find below `root` what its example names; none for drivers without sysfs."""
    match driver:
        case "ds18b20":
            add_probe(root)
        case "hwmon":
            add_hwmon(root, 2, "platform/soc/fe804000.i2c/i2c-1/1-0040", INA219)
        case "iio":
            add_iio(root, 0, "platform/soc/fe804000.i2c/i2c-1/1-0076", BME280)
        case "thermal-zone":
            add_zone(root, 0, "cpu-thermal", "48312")
        case "system":
            write(root, {"devices/platform/soc/soc:firmware/get_throttled": "0"})
        case _:
            return {}
    return {"sysfs": root}
