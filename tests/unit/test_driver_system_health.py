"""Signs of a machine's health on trees like those of a Raspberry Pi, of one with Wi-Fi, of one with an eMMC."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.hardware_sysfs import write

from jidget_drivers import DeviceUnavailable, InvalidReading, Scalar, system_health
from jidget_drivers.system import System, SystemOptions
from jidget_drivers.testing import check_driver

ALWAYS = {"load", "memory", "disk", "uptime"}
HEALTH = {"under_voltage", "throttled", "wifi_signal", "disk_wear", "disk_spare"}
FLAGS = "sys/devices/platform/soc/soc:firmware/get_throttled"
WIRELESS = """Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
"""


def machine(root: Path, files: Mapping[str, str], wifi: str = "") -> System:
    """Return the driver on a machine that has these files and no others."""
    write(root, files)
    return System(SystemOptions(sysfs=root / "sys", procfs=root / "proc", wifi=wifi))


def shown(driver: System) -> set[str]:
    return {prop.name for prop in driver.properties} & HEALTH


async def health(driver: System) -> dict[str, Scalar]:
    async with driver:
        values = await driver.read()
    assert set(values) >= ALWAYS
    return {name: value for name, value in values.items() if name in HEALTH}


async def test_a_machine_that_can_tell_none_shows_none(tmp_path: Path) -> None:
    driver = machine(tmp_path, {"sys/block/mmcblk0/device/type": "SD", "sys/class/net/eth0/address": "b8:27:eb:0:0:1"})
    assert shown(driver) == set()
    assert await health(driver) == {}


def test_a_machine_that_can_tell_all_keeps_the_contract(tmp_path: Path) -> None:
    files = {FLAGS: "50005", "proc/net/wireless": WIRELESS, "sys/class/net/wlan0/phy80211/name": "phy0"}
    files |= {"sys/block/mmcblk0/device/life_time": "0x01 0x02", "sys/block/mmcblk0/device/pre_eol_info": "0x01"}
    assert shown(machine(tmp_path, files)) == HEALTH
    check_driver(System, {"sysfs": tmp_path / "sys", "procfs": tmp_path / "proc"})


@pytest.mark.parametrize(
    ("flags", "under_voltage", "throttled"),
    [
        ("0", False, False),
        ("50000", False, False),  # both have been, before now
        ("50005", True, True),
        ("1", True, False),
        ("2", False, True),  # frequency capped
        ("8", False, True),  # soft temperature limit
        ("0xe0008", False, True),
    ],
)
@pytest.mark.parametrize("file", [FLAGS, "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"])
async def test_the_flags_of_a_pi_are_what_is_now(
    tmp_path: Path, file: str, flags: str, under_voltage: bool, throttled: bool
) -> None:
    driver = machine(tmp_path, {file: flags})
    assert await health(driver) == {"under_voltage": under_voltage, "throttled": throttled}


@pytest.mark.parametrize("flags", ["", "none", "0x", "123456789"])
async def test_flags_that_are_none_are_no_reading(tmp_path: Path, flags: str) -> None:
    with pytest.raises(InvalidReading, match=r"get_throttled says .* no throttling flags"):
        await health(machine(tmp_path, {FLAGS: flags}))


def install_vcgencmd(root: Path, monkeypatch: pytest.MonkeyPatch, script: str, *, mailbox: bool = True) -> None:
    """Put a vcgencmd on the PATH, and the device by which it asks, as on a Pi with another kernel."""
    command = root / "bin" / "vcgencmd"
    write(root, {"bin/vcgencmd": f"#!/bin/sh\n{script}"})
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    write(root, {"vcio": "x"} if mailbox else {})
    monkeypatch.setattr(system_health, "MAILBOX", root / "vcio")


PI = {"sys/firmware/devicetree/base/model": "Raspberry Pi 5 Model B Rev 1.0\0"}


async def test_without_the_file_the_command_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_vcgencmd(tmp_path, monkeypatch, 'test "$*" = get_throttled && echo throttled=0x50005')
    assert await health(machine(tmp_path, PI)) == {"under_voltage": True, "throttled": True}


async def test_a_command_that_fails_says_what_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_vcgencmd(tmp_path, monkeypatch, "echo Can\\'t open device file: /dev/vcio >&2; exit 255")
    with pytest.raises(DeviceUnavailable, match=r"Can't open device file: /dev/vcio. Put the user in the group video"):
        await health(machine(tmp_path, PI))


async def test_a_command_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_vcgencmd(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(system_health, "COMMAND_LIMIT", 0.1)
    with pytest.raises(DeviceUnavailable, match=r"did not answer within 0.1 s"):
        await health(machine(tmp_path, PI))


@pytest.mark.parametrize(("files", "mailbox"), [({}, True), (PI, False)])
async def test_the_command_is_asked_only_on_a_pi_and_only_by_who_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], mailbox: bool
) -> None:
    install_vcgencmd(tmp_path, monkeypatch, "echo throttled=0x0", mailbox=mailbox)
    assert shown(machine(tmp_path, files)) == set()


def with_wifi(*lines: str) -> dict[str, str]:
    return {
        "proc/net/wireless": WIRELESS + "\n".join(lines),
        "sys/class/net/wlan0/phy80211/name": "phy0",
        "sys/class/net/wlan1/phy80211/name": "phy1",
        "sys/class/net/eth0/address": "b8:27:eb:00:00:01",
    }


BOTH = (
    " wlan0: 0000   54.  -56.  -256        0      0      0      0      0        0",
    " wlan1: 0000   20.  -81.  -256        0      0      0      0      0        0",
)


async def test_the_signal_is_that_of_the_first_interface_or_the_one_named(tmp_path: Path) -> None:
    assert await health(machine(tmp_path, with_wifi(*BOTH))) == {"wifi_signal": -56.0}
    assert await health(machine(tmp_path, with_wifi(*BOTH), wifi="wlan1")) == {"wifi_signal": -81.0}


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (" wlan0: 0000    0     0     0        0      0      0      0      0        0",),
        (" wlan0: 0000    0  -256  -256        0      0      0      0      0        0",),
        (" wlan0: 0000   70.   45.    0.       0      0      0      0      0        0",),  # not in dBm
        BOTH[1:],
    ],
)
async def test_without_a_connection_there_is_no_signal(tmp_path: Path, lines: tuple[str, ...]) -> None:
    driver = machine(tmp_path, with_wifi(*lines))
    assert shown(driver) == {"wifi_signal"}
    assert await health(driver) == {}


async def test_a_line_cut_short_is_no_reading(tmp_path: Path) -> None:
    with pytest.raises(InvalidReading, match=r"'wlan0: 0000   54.', which has no level"):
        await health(machine(tmp_path, with_wifi(" wlan0: 0000   54.")))


@pytest.mark.parametrize(
    ("life_time", "spare", "values"),
    [
        ("0x01 0x02", "0x01", {"disk_wear": 20, "disk_spare": "normal"}),
        ("0x0a 0x00", "0x02", {"disk_wear": 100, "disk_spare": "warning"}),
        ("0x0b 0x03", "0x03", {"disk_wear": 110, "disk_spare": "urgent"}),
        ("0x00 0x00", "0x00", {}),
    ],
)
async def test_the_wear_of_an_emmc_is_the_worse_of_its_two_kinds(
    tmp_path: Path, life_time: str, spare: str, values: dict[str, Scalar]
) -> None:
    device = "sys/block/mmcblk1/device"
    assert (
        await health(machine(tmp_path, {f"{device}/life_time": life_time, f"{device}/pre_eol_info": spare})) == values
    )


@pytest.mark.parametrize(
    ("life_time", "spare", "why"),
    [
        ("0x0c 0x01", "0x01", "says 0x0c; the standard ends at 0x0b"),
        ("0x01 0x01", "0x04", "says 0x04; the standard ends at 0x03"),
        ("new", "0x01", "says 'new', which is no register"),
    ],
)
async def test_registers_beyond_the_standard_are_no_reading(
    tmp_path: Path, life_time: str, spare: str, why: str
) -> None:
    device = "sys/block/mmcblk0/device"
    with pytest.raises(InvalidReading, match=why):
        await health(machine(tmp_path, {f"{device}/life_time": life_time, f"{device}/pre_eol_info": spare}))
