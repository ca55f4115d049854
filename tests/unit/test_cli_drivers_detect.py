"""`jidget drivers --detect`: what it prints for a machine that has everything, and that it can be used as it is."""

import asyncio
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.hardware_i2c import FakeBus
from tests.support.hardware_i2c_known import example_bus
from tests.support.hardware_sysfs import BME280, INA219, add_hwmon, add_iio, add_probe, add_zone, write

from jidget.cli.detect import to_toml
from jidget.cli.main import main
from jidget_drivers import detection_devices, detection_i2c
from jidget_drivers.catalogue import installed

FRAME = """
[xmpp]
jid = "pi@example.org"
password_file = "password"

[access]
"alice@example.org" = "owner"
"""
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBus:
    """Put device nodes below `tmp_path`, among them I²C bus 1 with the chips of the examples."""
    nodes = tmp_path / "dev"
    write(nodes, {"i2c-1": "", "gpiochip0": "", "ttyACM0": "", "serial/by-id/README": ""})
    (nodes / "serial/by-id/README").unlink()
    (nodes / "serial/by-id/usb-Arduino_LLC_Leonardo-if00").symlink_to(nodes / "ttyACM0")
    monkeypatch.setattr(detection_devices, "DEVICES", nodes)
    monkeypatch.setattr(detection_i2c, "DEVICES", nodes)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("JIDGET_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)  # where there is no jidget.toml
    return example_bus().install(monkeypatch)


@pytest.fixture
def machine(tmp_path: Path, bus: FakeBus) -> Path:
    """Return a sysfs with two thermal zones of one type, two probes, two chips of one name, and a climate sensor."""
    root = tmp_path / "sys"
    add_zone(root, 0, "cpu-thermal", "48312")
    add_zone(root, 1, "bat-thermal", "30000")
    add_zone(root, 2, "bat-thermal", "31000")
    add_probe(root)
    add_probe(root, "28-00000a2b3c4d")
    add_hwmon(root, 0, "platform/soc/fe804000.i2c/i2c-1/1-0041", INA219)
    add_hwmon(root, 1, "platform/soc/fe804000.i2c/i2c-1/1-0043", INA219)
    add_hwmon(root, 2, "virtual/thermal/thermal_zone0", {"name": "cpu_thermal", "temp1_input": "48312"})
    add_iio(root, 0, "platform/soc/fe804000.i2c/i2c-1/1-0077", BME280)
    write(root, {"class/i2c-dev/i2c-1/name": "bcm2835 (i2c@7e804000)"})
    return root


def detect(*arguments: str | Path) -> int:
    return main(["drivers", "--detect", *map(str, arguments)])


def uncommented(text: str) -> str:
    """Return the text with its guesses as blocks."""
    return re.sub(r"^#(?=\[|[a-z_0-9]+ = )", "", text, flags=re.MULTILINE)


def words(text: str) -> str:
    """Return the text as one line, whatever the width at which it was broken."""
    return " ".join(line.lstrip("# ") for line in text.splitlines())


def check(config: Path, text: str) -> subprocess.CompletedProcess[str]:
    config.write_text(f"{FRAME}\n{text}", "utf-8")
    (config.parent / "password").write_text("secret")
    (config.parent / "password").chmod(0o600)
    command = [sys.executable, "-m", "jidget", "check", "--offline", "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_what_is_printed_is_a_configuration_that_the_agent_takes(
    machine: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert detect("--sysfs", machine, "--i2c") == 0
    text = capsys.readouterr().out
    things = tomllib.loads(text)["things"]
    assert {name: thing["driver"] for name, thing in things.items()} == {
        "machine": "system",
        "cpu-thermal": "thermal-zone",
        "bat-thermal": "thermal-zone",
        "bat-thermal_2": "thermal-zone",
        "probe_794ef1": "ds18b20",
        "probe_2b3c4d": "ds18b20",
        "ina219_1-0041": "hwmon",
        "ina219_1-0043": "hwmon",
        "bme280": "iio",
        "ina219_0x40": "ina219",
        "bme280_0x76": "bme280",
    }
    done = check(tmp_path / "jidget.toml", text)
    assert (done.returncode, "WARN" in done.stdout) == (0, False), done.stdout + done.stderr


def test_the_guesses_are_right_too_once_the_marks_are_taken_away(
    machine: Path, tmp_path: Path, capsys: Capture
) -> None:
    detect("--sysfs", machine, "--i2c", "1")
    text = uncommented(capsys.readouterr().out)
    things = tomllib.loads(text)["things"]
    assert {"cpu_thermal", "chip_0x20", "chip_0x23", "chip_0x44", "chip_0x48"} < set(things)
    assert things["arduino_llc_leonardo"]["options"]["port"].endswith("/serial/by-id/usb-Arduino_LLC_Leonardo-if00")
    assert check(tmp_path / "jidget.toml", text).returncode == 0


def test_the_blocks_lead_to_the_hardware(machine: Path, capsys: Capture) -> None:
    detect("--sysfs", machine, "--i2c", "1")

    async def read(thing: dict[str, Any]) -> dict[str, Any]:
        cls = installed()[thing["driver"]].load()
        async with cls(cls.options_type.model_validate(thing.get("options", {}))) as driver:
            return dict(await driver.read())

    things = tomllib.loads(uncommented(capsys.readouterr().out))["things"]
    seen = {
        name: asyncio.run(read(things[name]))
        for name in ("bat-thermal", "bat-thermal_2", "probe_794ef1", "ina219_1-0043", "bme280", "bme280_0x76")
    }
    assert seen["bat-thermal"] == {"temperature": 30.0}
    assert seen["bat-thermal_2"] == {"temperature": 31.0}
    assert seen["probe_794ef1"] == {"temperature": 21.25}
    assert seen["ina219_1-0043"]["in1"] == 12.136
    assert seen["bme280"]["pressure"] == 1013.25
    assert seen["bme280_0x76"]["temperature"] == pytest.approx(25.08, abs=0.01)


def test_no_bus_is_touched_unless_that_is_asked_for(machine: Path, bus: FakeBus, capsys: Capture) -> None:
    assert detect("--sysfs", machine) == 0
    said = capsys.readouterr().out
    assert (bus.probed, bus.log, bus.open_adapters) == ([], [], 0)
    assert (
        "i2c: There are I²C buses: 1 (bcm2835 (i2c@7e804000)). They were not scanned, since that can disturb"
        in words(said)
    )
    assert "--i2c scans them" in words(said)


def test_several_drivers_for_one_address_are_all_named(machine: Path, capsys: Capture) -> None:
    detect("--sysfs", machine, "--i2c", "1")
    said = capsys.readouterr().out
    assert "It may be for one of sht3x, sht4x, ina219: the chip or its board says which." in words(said)
    assert '#driver = "sht3x"  # or sht4x, ina219, circuitpython' in said
    assert "address = 0x44\n" in said


def test_what_the_configuration_has_is_left_out_and_its_ids_stay_its_own(
    machine: Path, tmp_path: Path, capsys: Capture
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(
        f"""
        [things.cellar]
        driver = "ds18b20"
        options = {{ id = "28-0316A2794EF1" }}
        [things.cpu-thermal]
        driver = "simulated"
        [things.outdoor]
        driver = "bme280"
        [things.power]
        driver = "hwmon"
        options = {{ chip = "ina219", device = "1-0043", channels = ["in1"] }}
        [things.planter]
        driver = "modbus"
        options = {{ device = "{tmp_path}/dev/ttyACM0" }}
        """
    )
    assert detect("--sysfs", machine, "--i2c", "1", "--config", config) == 0
    said = capsys.readouterr().out
    things = tomllib.loads(uncommented(said))["things"]
    assert {"probe_794ef1", "bme280_0x76", "ina219_1-0043", "arduino_llc_leonardo", "cpu-thermal"}.isdisjoint(things)
    assert things["cpu-thermal_2"]["options"]["type"] == "cpu-thermal"
    squeezed = re.sub(r"[\s#]", "", said)  # lines are broken, a long path in the middle
    assert f"Inusealready,in{re.sub(r'[ ]', '', str(config))}:" in squeezed
    assert "#   things.cellar: DS18B20 28-0316a2794ef1 on a 1-wire bus\n" in said
    for used in ("cellar", "outdoor", "power", "planter"):
        assert f"#   things.{used}: " in said
    with config.open("a") as file:  # the shell's >>
        file.write(said)
    assert set(tomllib.loads(config.read_text())["things"]) > {"cellar", "cpu-thermal", "cpu-thermal_2"}


def test_the_configuration_in_use_is_looked_at_without_being_named(
    machine: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "jidget.toml").write_text('[things.pi]\ndriver = "system"\n')
    detect("--sysfs", machine)
    assert "#   things.pi: the machine itself\n" in capsys.readouterr().out
    (tmp_path / "jidget.toml").write_text("[things.pi")
    assert detect("--sysfs", machine) == 0
    said = capsys.readouterr().out
    assert "[things.machine]" in said
    assert f"config: What is in use already was not looked up: {tmp_path}/jidget.toml" in words(said)
    assert detect("--sysfs", machine, "--config", "jidget.toml") == 78
    assert detect("--sysfs", machine, "--config", "nowhere.toml") == 78
    assert "nowhere.toml: cannot be read: No such file or directory" in capsys.readouterr().err


def test_json(machine: Path, capsys: Capture) -> None:
    assert detect("--sysfs", machine, "--i2c", "1", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    by_id = {one["id"]: one for one in told["found"]}
    assert by_id["bme280"]["properties"] == ["humidity", "pressure", "temperature"]
    assert by_id["bme280"]["options"] == {"chip": "bme280", "sysfs": str(machine)}
    assert (by_id["chip_0x44"]["sure"], by_id["chip_0x44"]["others"]) == (False, ["sht4x", "ina219", "circuitpython"])
    assert by_id["machine"]["used_by"] is None
    assert {one["family"] for one in told["remarks"]} == {"gpio"}


def test_a_bus_that_cannot_be_scanned_as_asked_is_a_failure(machine: Path, capsys: Capture) -> None:
    assert detect("--sysfs", machine, "--i2c", "/dev/i2c-7") == 1
    said = capsys.readouterr().out
    assert "there is no I²C bus 7 (/dev/i2c-7). Enable I²C: dtparam=i2c_arm=on" in words(said)
    tomllib.loads(said)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--detect", "hwmon"], "NAME and --detect do not go together"),
        (["--i2c"], "write --detect as well"),
        (["--sysfs", "/sys"], "write --detect as well"),
        (["--detect", "--i2c", "one"], '"one" is no I2C bus: write its number'),
    ],
)
def test_arguments_that_make_no_sense(arguments: list[str], complaint: str, capsys: Capture) -> None:
    assert main(["drivers", *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_it_is_coloured_where_that_is_wanted_only(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    detect("--sysfs", machine, "--i2c", "7")
    plain = capsys.readouterr().out
    assert "\x1b" not in plain
    monkeypatch.setenv("FORCE_COLOR", "1")
    detect("--sysfs", machine, "--i2c", "7")
    painted = capsys.readouterr().out
    assert "\x1b[1m[things.machine]\x1b[0m" in painted
    assert "\x1b[33m#   i2c: Bus 7" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain


def test_the_machine_of_the_tests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert detect() == 0
    text = capsys.readouterr().out
    done = check(tmp_path / "jidget.toml", text)
    assert (done.returncode, "things.machine" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    "value", [True, 7, 0.5, 'a "b" \\ c\x7f\n\U000e0001 °', ["x", 1], {"in puts": {"a0": "A0"}}, {}, [], "é"]
)
def test_values_are_written_as_toml(value: object, bus: Callable[[], None]) -> None:
    assert tomllib.loads(f"x = {to_toml(value)}")["x"] == value
