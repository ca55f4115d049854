"""Looking at I²C buses: which are scanned, how, what may be at an address, and what is said where that fails."""

import errno
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import smbus2
from tests.support.hardware_i2c import FakeBus, FakeChip, bus_error
from tests.support.hardware_i2c_known import bme280, example_bus
from tests.support.hardware_sysfs import BME280, add_iio, write

from jidget_drivers import detection_i2c, i2c_adapter
from jidget_drivers.catalogue import installed
from jidget_drivers.detected import Found, Remark
from jidget_drivers.detection_i2c import FIRST, LAST, look_at_buses, takes
from jidget_drivers.detection_sysfs import iio_devices
from jidget_drivers.i2c_driver import I2cSensor


@pytest.fixture(autouse=True)
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory in place of /dev."""
    directory = tmp_path / "dev"
    directory.mkdir()
    monkeypatch.setattr(detection_i2c, "DEVICES", directory)
    return directory


def found(things: Iterable[Found | Remark]) -> list[Found]:
    return [thing for thing in things if isinstance(thing, Found)]


def remarks(things: Iterable[Found | Remark]) -> list[Remark]:
    return [thing for thing in things if isinstance(thing, Remark)]


def scan(root: Path, *buses: int, chips: Iterable[Found] = ()) -> list[Found | Remark]:
    return list(look_at_buses(root, buses, chips, lambda _: None))


def test_every_chip_of_the_examples_is_found_with_its_driver_among_the_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = example_bus().install(monkeypatch)
    things = found(scan(tmp_path, 1))
    assert {one.options["address"]: (one.driver, *one.others) for one in things} == {
        0x20: ("mcp23017", "pcf8574", "circuitpython"),
        0x21: ("mcp23017", "pcf8574", "circuitpython"),
        0x23: ("bh1750", "mcp23017", "pcf8574", "circuitpython"),
        0x40: ("ina219", "circuitpython"),
        0x44: ("sht3x", "sht4x", "ina219", "circuitpython"),
        0x45: ("sht3x", "sht4x", "ina219", "circuitpython"),
        0x48: ("ads1115", "ina219", "circuitpython"),
        0x76: ("bme280", "circuitpython"),
    }
    assert [one.options["address"] for one in things if one.sure] == [0x40, 0x76]
    assert [one.name for one in things if one.options["address"] in (0x44, 0x76)] == ["chip 0x44", "bme280 0x76"]
    assert bus.probed == list(range(FIRST, LAST + 1))
    assert (bus.log, bus.open_adapters) == ([], 0)


def test_every_driver_of_i2c_chips_is_a_candidate_at_its_own_default_address() -> None:
    for name, entry in installed().items():
        cls = entry.load()
        if issubclass(cls, I2cSensor):
            address = cls.options_type.model_fields["address"].default
            assert takes(name, address), name
            assert not takes(name, 0x08), name


def test_an_address_of_the_kernel_leads_to_what_the_kernel_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = FakeBus({0x76: bme280(), 0x50: FakeChip()}).install(monkeypatch)
    bus.kernel = {0x76, 0x41}
    add_iio(tmp_path, 0, "platform/soc/fe804000.i2c/i2c-1/1-0076", BME280)
    write(tmp_path, {"bus/i2c/drivers/bmp280/bind": ""})
    (tmp_path / "bus/i2c/devices/1-0076").mkdir(parents=True)
    (tmp_path / "bus/i2c/devices/1-0076/driver").symlink_to(tmp_path / "bus/i2c/drivers/bmp280")
    texts = [remark.text for remark in remarks(scan(tmp_path, 1, chips=found(iio_devices(tmp_path))))]
    assert texts == [
        "The chip at address 0x41 on I²C bus 1 belongs to a driver of the kernel: look for it with the drivers hwmon "
        "and iio.",
        "There is a chip at address 0x50 on I²C bus 1, for which no driver is known here. The kernel may have one "
        "(drivers hwmon and iio), or Adafruit (driver circuitpython).",
        "The chip at address 0x76 on I²C bus 1 belongs to the kernel's driver bmp280: see iio (bme280).",
    ]


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.EACCES, "Put the user in the group i2c"), (errno.ENOENT, "Enable I²C: dtparam=i2c_arm=on")],
)
def test_a_bus_that_cannot_be_opened(number: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example_bus().install(monkeypatch).opening = number
    (remark,) = remarks(scan(tmp_path, 1))
    assert remark.obstacle
    assert said in remark.text


def test_a_bus_that_hangs_is_given_up_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = example_bus().install(monkeypatch)
    bus.failing[0x10] = errno.ETIMEDOUT
    (remark,) = remarks(scan(tmp_path, 1))
    assert remark.obstacle
    assert "Something holds SDA or SCL low" in remark.text
    assert (bus.probed[-1], bus.open_adapters) == (0x10, 0)


def test_an_empty_bus_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeBus({}).install(monkeypatch)
    (remark,) = scan(tmp_path, 1)
    assert isinstance(remark, Remark)
    assert remark.text.startswith("Nothing answers on I²C bus 1.")


def test_buses_of_screens_are_scanned_only_by_number(
    tmp_path: Path, nodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {1: "bcm2835 (i2c@7e804000)", 3: "i915 gmbus dpb", 20: "fef04500.i2c"}
    write(nodes, {f"i2c-{number}": "" for number in names})
    write(tmp_path, {f"class/i2c-dev/i2c-{number}/name": name for number, name in names.items()})
    screen = tmp_path / "devices/platform/fef04500.i2c"
    write(tmp_path, {"bus/platform/drivers/brcmstb-i2c/bind": "", "devices/platform/fef04500.i2c/i2c-20/name": ""})
    (screen / "driver").symlink_to(tmp_path / "bus/platform/drivers/brcmstb-i2c")
    (tmp_path / "bus/i2c/devices").mkdir(parents=True)
    (tmp_path / "bus/i2c/devices/i2c-20").symlink_to(screen / "i2c-20")
    bus = example_bus().install(monkeypatch)
    left = [remark.text for remark in remarks(scan(tmp_path))]
    assert len(bus.probed) == LAST - FIRST + 1
    assert [text.partition(" belongs")[0] for text in left] == ["Bus 3 (i915 gmbus dpb)", "Bus 20 (fef04500.i2c)"]
    asked = FakeBus({}).install(monkeypatch, number=20)
    scan(tmp_path, 20)
    assert len(asked.probed) == LAST - FIRST + 1


def test_a_scan_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example_bus().install(monkeypatch)
    told: list[str] = []
    list(look_at_buses(tmp_path, [1], (), told.append))
    assert told[0] == "looking at I²C bus 1: 0x08 …"
    assert len(told) == LAST - FIRST + 1


@pytest.mark.parametrize("quick", [True, False], ids=["empty write", "no empty write on this bus"])
def test_the_real_adapter_probes_as_i2cdetect_does(
    quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: dict[int, str] = {}
    selected = 0

    def ioctl(_descriptor: int, request: int, argument: Any) -> int:
        nonlocal selected
        core = smbus2.smbus2
        match request:
            case core.I2C_FUNCS:
                argument.value = int(smbus2.I2cFunc.I2C) | (int(smbus2.I2cFunc.SMBUS_QUICK) if quick else 0)
            case core.I2C_SLAVE:
                selected = argument
                if argument == 0x41:
                    raise bus_error(errno.EBUSY)
            case core.I2C_SMBUS:
                sent[selected] = "empty write" if argument.size == core.I2C_SMBUS_QUICK else "read"
                if selected not in (0x44, 0x50):
                    raise bus_error(errno.EREMOTEIO if selected % 2 else errno.ENXIO)
        return 0

    monkeypatch.setattr(smbus2.smbus2, "ioctl", ioctl)
    monkeypatch.setattr(i2c_adapter, "ioctl", ioctl)
    monkeypatch.setattr(i2c_adapter, "DEVICES", tmp_path)
    (tmp_path / "i2c-1").touch()
    things = scan(tmp_path, 1)
    assert {one.options["address"] for one in found(things)} == {0x44}
    assert [address for address in (0x41, 0x50) if any(f"{address:#04x}" in r.text for r in remarks(things))] == [
        0x41, 0x50
    ]  # fmt: skip
    assert sent.keys() == set(range(FIRST, LAST + 1)) - {0x41}
    assert sent[0x44] == ("empty write" if quick else "read")
    assert {sent[address] for address in (*range(0x30, 0x38), *range(0x50, 0x60))} == {"read"}


@pytest.mark.parametrize(
    ("driver", "options", "same"),
    [
        ("sht3x", {}, True),
        ("sht3x", {"address": 0x44, "bus": 1}, True),
        ("sht3x", {"address": 0x45}, False),
        ("sht3x", {"bus": 3}, False),
        ("ina219", {"address": 0x44}, True),
        ("ina219", {}, False),
        ("bme280", {"address": 0x44}, False),
        ("circuitpython", {"class": "adafruit_sht31d.SHT31D", "address": 0x44}, True),
        ("circuitpython", {"class": "adafruit_sht31d.SHT31D"}, False),
        ("circuitpython", {"class": "adafruit_dht.DHT22", "bus": "pin", "pins": ["D4"]}, False),
    ],
)
def test_a_chip_is_in_use_by_whatever_has_its_address(
    driver: str, options: dict[str, Any], same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example_bus().install(monkeypatch)
    chip = next(one for one in found(scan(tmp_path, 1)) if one.options["address"] == 0x44)
    assert chip.is_used_by(driver, options) is same
