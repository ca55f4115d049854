"""Looking at the machine: each family of hardware, and what is said where something cannot be looked at."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.support.hardware_sysfs import BME280, INA219, add_hwmon, add_iio, add_probe, add_zone, write

from jidget_drivers import detection_devices, detection_i2c
from jidget_drivers.detected import Found, Remark
from jidget_drivers.detection import FAMILIES, detect
from jidget_drivers.detection_devices import gpio_chips, serial_ports
from jidget_drivers.detection_i2c import look_at_buses
from jidget_drivers.detection_sysfs import hwmon_chips, iio_devices, one_wire, thermal_zones


@pytest.fixture(autouse=True)
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory in place of /dev."""
    directory = tmp_path / "dev"
    directory.mkdir()
    for module in (detection_devices, detection_i2c):
        monkeypatch.setattr(module, "DEVICES", directory)
    return directory


def found(things: Iterable[Found | Remark]) -> list[Found]:
    return [thing for thing in things if isinstance(thing, Found)]


def remarks(things: Iterable[Found | Remark]) -> list[Remark]:
    return [thing for thing in things if isinstance(thing, Remark)]


# ---- sysfs ---------------------------------------------------------------------------------------------------------


def test_on_a_machine_with_nothing_each_family_says_so(tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    things = detect(tmp_path)
    assert [thing.driver for thing in found(things)] == ["system"]
    assert [remark.family for remark in remarks(things)] == [family for family in FAMILIES if family != "system"]
    assert [remark.family for remark in remarks(things) if remark.obstacle] == ["1-wire", "i2c"]


def test_a_sysfs_that_is_not_there(tmp_path: Path) -> None:
    first = remarks(detect(tmp_path / "nowhere"))[0]
    assert first.obstacle
    assert "name its place with --sysfs" in first.text


def test_the_usual_sysfs_needs_no_option() -> None:
    assert all("sysfs" not in one.options for one in found(detect()))


def test_no_1_wire_bus_names_the_overlay_and_an_empty_one_the_wiring(tmp_path: Path) -> None:
    (remark,) = remarks(one_wire(tmp_path))
    assert remark.obstacle
    assert "dtoverlay=w1-gpio" in remark.text
    assert "raspi-config" in remark.text
    write(tmp_path, {"bus/w1/devices/w1_bus_master1": ""})
    (remark,) = remarks(one_wire(tmp_path))
    assert not remark.obstacle
    assert "4.7 kOhm" in remark.text


def test_1_wire_probes_and_what_is_none(tmp_path: Path) -> None:
    add_probe(tmp_path, "10-000802b4ba0e")
    add_probe(tmp_path, "26-0000016e3c1a")
    things = list(one_wire(tmp_path))
    (probe,) = found(things)
    assert (probe.driver, probe.options["id"], probe.what) == (
        "ds18b20", "10-000802b4ba0e", "DS18S20 10-000802b4ba0e on a 1-wire bus"
    )  # fmt: skip
    assert [remark.text for remark in remarks(things)] == [
        "26-0000016e3c1a is none of the thermometers that there is a driver for."
    ]


@pytest.mark.parametrize(("count", "timeout"), [(5, None), (6, 8.0)])
def test_many_probes_take_turns_and_get_the_time_for_it(count: int, timeout: float | None, tmp_path: Path) -> None:
    for number in range(count):
        add_probe(tmp_path, f"28-{number:012x}")
    assert {probe.timeout for probe in found(one_wire(tmp_path))} == {timeout}


def test_zones_of_one_type_get_an_index(tmp_path: Path) -> None:
    for number, kind in enumerate(("acpitz", "x86_pkg_temp", "acpitz")):
        add_zone(tmp_path, number, kind, "40000")
    options = [{k: v for k, v in zone.options.items() if k != "sysfs"} for zone in found(thermal_zones(tmp_path))]
    assert options == [{"type": "acpitz", "index": 0}, {"type": "x86_pkg_temp"}, {"type": "acpitz", "index": 1}]


def test_chips_show_the_properties_that_the_driver_will_have(tmp_path: Path) -> None:
    add_hwmon(tmp_path, 3, "platform/coretemp.0", {"name": "coretemp", "temp1_input": "1", "temp1_label": "Core 0"})
    add_iio(tmp_path, 0, "platform/soc/i2c-1/1-0076", BME280)
    (hwmon,), (iio,) = found(hwmon_chips(tmp_path)), found(iio_devices(tmp_path))
    assert (hwmon.options["chip"], hwmon.properties) == ("coretemp", ("core_0",))
    assert (iio.options["chip"], iio.properties) == ("bme280", ("humidity", "pressure", "temperature"))
    assert hwmon.sure
    assert iio.sure


def test_chips_of_one_name_are_told_apart_by_where_they_are(tmp_path: Path) -> None:
    add_hwmon(tmp_path, 0, "pci0/usb1/1-1.2/1-1.2:1.0", INA219)
    add_hwmon(tmp_path, 1, "pci0/usb2/1-1.2:1.0", INA219)
    add_hwmon(tmp_path, 2, "platform/rpi", {"name": "rpi_volt", "in0_lcrit_alarm": "0"})
    things = list(hwmon_chips(tmp_path))
    assert [chip.options["device"] for chip in found(things)] == ["1-1.2/1-1.2:1.0", "usb2/1-1.2:1.0"]
    assert [remark.text for remark in remarks(things)] == ["rpi_volt (rpi) has no channel that could be shown."]


# ---- device nodes --------------------------------------------------------------------------------------------------


def test_serial_ports_by_their_lasting_names(nodes: Path) -> None:
    write(nodes, {"ttyUSB0": "", "ttyAMA0": "", "serial/by-id/.keep": ""})
    (nodes / "serial/by-id/.keep").unlink()
    adapter = nodes / "serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0"
    adapter.symlink_to(nodes / "ttyUSB0")
    (nodes / "serial0").symlink_to(nodes / "ttyAMA0")
    usb, header = found(serial_ports())
    assert (usb.name, usb.options["port"], usb.sure) == ("FTDI_FT232R_USB_UART_A50285BI", str(adapter), False)
    assert usb.is_used_by("sds011", {"port": str(nodes / "ttyUSB0")})
    assert usb.is_used_by("modbus", {"device": str(adapter)})
    assert not usb.is_used_by("modbus", {"host": "10.0.0.7"})
    assert not usb.is_used_by("sds011", {"port": str(nodes / "serial0")})
    assert header.what == f"serial port {nodes}/ttyAMA0 on pins 8 and 10"


def test_devices_that_we_may_not_open_name_the_group(nodes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(nodes, {"ttyAMA0": "", "i2c-1": "", "gpiochip0": "", "gpiochip10": ""})
    (nodes / "serial0").symlink_to(nodes / "ttyAMA0")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may open anything
    monkeypatch.setattr(Path, "group", lambda _: "root")
    buses = look_at_buses(nodes, None, (), lambda _: None)
    assert [remark.text for remark in remarks((*buses, *serial_ports(), *gpio_chips())) if remark.obstacle] == [
        f"No access to {nodes}/i2c-1. Put the user in the group i2c: sudo usermod -aG i2c USER, then log in again.",
        f"No access to {nodes}/ttyAMA0. Put the user in the group dialout: sudo usermod -aG dialout USER, then log in "
        "again.",
        f"No access to {nodes}/gpiochip0. Put the user in the group gpio: sudo usermod -aG gpio USER, then log in "
        "again.",
    ]


def test_pins_are_a_hint_at_the_drivers_for_them(nodes: Path) -> None:
    write(nodes, {"gpiochip0": ""})
    (remark,) = gpio_chips()
    assert "There are pins (gpiochip0)." in remark.text
    for driver in ("gpio-input", "gpio-output", "gpio-pwm", "gpio-counter", "gpio-distance"):
        assert driver in remark.text
