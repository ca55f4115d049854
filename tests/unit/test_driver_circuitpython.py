"""The driver `circuitpython`: Adafruit's own BME280 class on a fake bus, Blinka's simulated pins, a class of ours."""

import asyncio
import errno
import gc
import os
import re
import subprocess
import sys
import threading
import tty
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support import hardware_circuitpython
from tests.support.hardware_circuitpython import Weather
from tests.support.hardware_i2c import FakeBus
from tests.support.hardware_i2c_known import bme280

from jidget.cli.main import main
from jidget_drivers import DeviceUnavailable, InvalidReading, Kind, MissingLibrary, Unit, WriteRefused
from jidget_drivers.bme280 import Bme280, Bme280Options
from jidget_drivers.circuitpython import CircuitPython
from jidget_drivers.circuitpython_options import CircuitPythonOptions
from jidget_drivers.testing import check_driver

CLIMATE = {
    "class": "adafruit_bme280.basic.Adafruit_BME280_I2C",
    "address": 0x76,
    "properties": {
        "temperature": {"unit": "°C", "min": -40, "max": 85},
        "humidity": {"attribute": "relative_humidity", "unit": "%RH", "min": 0, "max": 100},
        "pressure": {"unit": "hPa"},
    },
}


@pytest.fixture(autouse=True)
def bus(monkeypatch: pytest.MonkeyPatch) -> FakeBus:
    found = FakeBus({0x76: bme280()})
    hardware_circuitpython.install(monkeypatch, found)
    return found.install(monkeypatch)


@pytest.fixture
def weather(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return options for the class above, in a module that can be imported."""
    module = ModuleType("acme_weather")
    module.Weather = Weather  # type: ignore[attr-defined]
    module.__spec__ = __spec__
    monkeypatch.setitem(sys.modules, "acme_weather", module)
    Weather.made.clear()
    return {
        "class": "acme_weather.Weather",
        "arguments": {"mode": "boost"},
        "properties": {
            "x": {"attribute": "acceleration.0", "unit": "m/s2"},
            "z": {"attribute": "acceleration.2", "unit": "m/s2", "max": 100},
            "wet": {"attribute": "is_wet", "type": "boolean"},
            "mode": {"type": "enum", "options": ["eco", "boost"], "writable": True},
            "level": {"type": "integer", "min": 0, "max": 9, "writable": True},
            "gain": {"unit": "V", "scale": 0.001, "writable": True},
            "serial": {"type": "string"},
            "pm25": {"attribute": "read.pm25 env", "unit": "ug/m3"},
        },
    }


def build(options: dict[str, Any]) -> CircuitPython:
    return CircuitPython(CircuitPythonOptions.model_validate(options))


async def read(options: dict[str, Any]) -> dict[str, Any]:
    async with build(options) as driver:
        return dict(await driver.read())


async def test_adafruits_class_and_our_driver_measure_the_same(bus: FakeBus) -> None:
    theirs = await read(CLIMATE)
    async with Bme280(Bme280Options()) as ours:
        expected = await ours.read()
    assert theirs.keys() == {"temperature", "humidity", "pressure"}
    for name, value in expected.items():
        assert theirs[name] == pytest.approx(value, rel=1e-3), name
    assert theirs["temperature"] == pytest.approx(25.08, abs=0.01)  # the data sheet's example
    assert bus.open_adapters == 0


def test_it_keeps_the_contract_with_adafruits_class() -> None:
    check_driver(CircuitPython, CLIMATE)


def test_it_keeps_the_contract_with_a_class_of_somebody_else(weather: dict[str, Any]) -> None:
    check_driver(CircuitPython, weather, writes={"level": 5, "mode": "eco", "gain": 0.25})
    assert all(thing.released.is_set() for thing in Weather.made)
    assert Weather.made[-1].gain == pytest.approx(250)


async def test_each_attribute_is_read_once_and_its_parts_are_properties(weather: dict[str, Any]) -> None:
    values = await read(weather)
    assert values == {
        "x": 0.1, "z": 9.81, "wet": True, "mode": "boost", "level": 3, "gain": 0.0015, "serial": "A17", "pm25": 12
    }  # fmt: skip
    assert Weather.made[0].reads == 1


async def test_what_is_declared(weather: dict[str, Any]) -> None:
    declared = {prop.name: prop for prop in build(weather).properties}
    assert declared["z"].unit is Unit.METRE_PER_SQUARE_SECOND
    assert declared["z"].maximum == 100
    assert (declared["mode"].kind, declared["mode"].options) == (Kind.ENUM, ("eco", "boost"))
    assert [name for name, prop in declared.items() if prop.writable] == ["mode", "level", "gain"]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ((None, 0, 9.8), InvalidReading, "x has no value: its attribute is None"),
        ((float("nan"), 0, 9.8), InvalidReading, "x: nan is not finite"),
        ((0, 0, 981), InvalidReading, "z: 981 is above the maximum 100"),
        (("wet", 0, 9.8), InvalidReading, "x: 'wet' is not a number"),
        ((0.1, 0.2), InvalidReading, r"acceleration: it is \(0.1, 0.2\), in which there is no '2'"),
        (None, InvalidReading, "acceleration: it is None, in which there is no '0'"),
        (RuntimeError("Checksum did not validate. Try again."), InvalidReading, "acceleration: Checksum did not"),
        (ZeroDivisionError("float division by zero"), InvalidReading, "acceleration: float division by zero"),
        (OSError(errno.EREMOTEIO, "Remote I/O error"), DeviceUnavailable, "does not answer .*wiring and power"),
    ],
)
async def test_what_is_no_measurement_is_an_error(
    answer: Any, error: type[Exception], said: str, weather: dict[str, Any]
) -> None:
    async with build(weather) as driver:
        Weather.made[0].answer = answer
        with pytest.raises(error, match=said):
            await driver.read()
        Weather.made[0].answer = (1, 2, 3)
        assert (await driver.read())["z"] == 3


async def test_a_value_that_the_class_refuses(weather: dict[str, Any]) -> None:
    async with build(weather) as driver:
        with pytest.raises(WriteRefused, match="level: level must be 0 to 7"):
            await driver.write("level", 8)
        with pytest.raises(WriteRefused, match="x cannot be set"):
            await driver.write("x", 1.0)
        assert (await driver.read())["level"] == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"address": 0x77}, "No I2C device at address: 0x77. Check wiring, power and address"),
        ({"class": "adafruit_bme280.basic.Adafruit_BME680"}, "adafruit_bme280.basic has no class Adafruit_BME680. It"),
        ({"class": "adafruit_bme280.nowhere.X"}, "No module named 'adafruit_bme280.nowhere'"),
        ({"pins": ["SCL", "GP99"]}, "this board has no pin GP99: it has Ax_INPUT_FIXED_INT_PI"),
        ({"arguments": {"speed": 9}}, "cannot be constructed like that .*'speed'.*: compare options bus, pins and arg"),
        ({"properties": {"temp": {}}}, "properties.temp: .*I2C has no attribute temp. It has: temperature"),
        ({"bus": "uart", "address": None, "port": "/dev/nowhere"}, "/dev/nowhere.*in group dialout"),
    ],
)
async def test_a_device_that_cannot_be_had_says_what_to_check(change: dict[str, Any], said: str, bus: FakeBus) -> None:
    driver = build({**CLIMATE, **change})
    try:
        await driver.open()
    except DeviceUnavailable as error:
        assert re.search(said, str(error))  # one that is kept keeps the bus open: Blinka has no close
    else:
        pytest.fail("it was opened")
    await driver.close()
    gc.collect()
    assert bus.open_adapters == 0


async def test_it_comes_back_after_the_chip_was_away(bus: FakeBus) -> None:
    driver = build(CLIMATE)
    chip = bus.chips.pop(0x76)
    with pytest.raises(DeviceUnavailable):
        await driver.open()
    bus.chips[0x76] = chip
    async with driver:
        bus.failing[0x76] = errno.EREMOTEIO
        with pytest.raises(DeviceUnavailable, match="temperature: the device does not answer"):
            await driver.read()
        bus.failing.clear()
        assert (await driver.read())["temperature"] == pytest.approx(25.08, abs=0.01)


async def test_a_call_that_hangs_lets_go_of_the_hardware_when_it_comes_back(weather: dict[str, Any]) -> None:
    driver = build(weather)
    await driver.open()
    thing = Weather.made[0]
    thing.hang = threading.Event()
    reading = asyncio.create_task(driver.read())
    await asyncio.to_thread(thing.hanging.wait, 30)
    reading.cancel()
    await driver.close()  # does not wait for it
    assert not thing.released.is_set()
    with pytest.raises(DeviceUnavailable, match="has not answered the previous call"):
        await driver.open()
    thing.hang.set()
    assert await asyncio.to_thread(thing.released.wait, 30)
    await driver.close()
    await driver.open()
    assert (await driver.read())["x"] == 0.1
    await driver.close()


async def test_a_serial_port_is_opened_for_the_class_and_closed_again(weather: dict[str, Any]) -> None:
    far, near = os.openpty()
    try:
        tty.setraw(near)
        port = os.ttyname(near)
        options = {**weather, "bus": "uart", "port": port, "baud": 115200, "properties": {"serial": {"type": "string"}}}
        async with build(options) as driver:
            assert await driver.read() == {"serial": "A17"}
            uart = Weather.made[0].i2c
            os.write(far, b"\x42\x4d")
            assert (uart.port, uart.baudrate, uart.read(2)) == (port, 115200, b"\x42\x4d")
        assert not uart.is_open
    finally:
        os.close(far)
        os.close(near)


async def test_pins_of_blinkas_simulated_board() -> None:
    analogue = {"class": "analogio.AnalogIn", "bus": "pin", "properties": {"value": {"type": "integer"}}}
    assert await read({**analogue, "pins": ["Ax_INPUT_FIXED_INT_PI"]}) == {"value": 31415}
    assert await read({**analogue, "pins": {"pin": "Ax_INPUT_FIXED_INT_PI"}}) == {"value": 31415}
    digital = {"class": "digitalio.DigitalInOut", "bus": "pin", "properties": {"value": {"type": "boolean"}}}
    assert await read({**digital, "pins": ["Dx_INPUT_TRUE"]}) == {"value": True}


async def test_spi_gets_the_bus_and_its_chip_select(weather: dict[str, Any]) -> None:
    options = {**weather, "bus": "spi", "pins": ["CS"], "arguments": {}}
    options["properties"] = {"level": {"type": "integer"}}
    async with build(options) as driver, build(options) as other:
        first, second = await asyncio.gather(driver.read(), other.read())
        assert first == second == {"level": 3}
        assert [type(thing.i2c).__name__ for thing in Weather.made] == ["SPI", "SPI"]
        assert [type(thing.address).__name__ for thing in Weather.made] == ["DigitalInOut", "DigitalInOut"]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("adafruit_scd4x.SCD4X", "pip install adafruit-circuitpython-scd4x"),
        ("acme_gauge.Gauge", "install the package that brings it, or correct the name in option `class`"),
    ],
)
def test_a_package_that_is_not_installed_is_named(name: str, remedy: str) -> None:
    with pytest.raises(MissingLibrary, match=f"there is no module {name.partition('.')[0]}") as caught:
        build({**CLIMATE, "class": name})
    assert caught.value.remedy == remedy


def test_the_agent_says_what_to_install(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "password").write_text("secret")
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "jidget.toml").write_text(
        '[xmpp]\njid = "pi@example.org"\npassword_file = "password"\n[access]\n"alice@example.org" = "owner"\n'
        '[things.co2]\ndriver = "circuitpython"\n[things.co2.options]\nclass = "adafruit_scd4x.SCD4X"\n'
        'properties.co2 = { attribute = "CO2", unit = "ppm" }\n'
    )
    assert main(["check", "--offline", "--config", str(tmp_path / "jidget.toml")]) == 78
    assert "Remedy: pip install adafruit-circuitpython-scd4x\n" in capsys.readouterr().out


def test_importing_and_building_it_imports_no_blinka() -> None:
    code = (
        "import sys; from jidget_drivers.circuitpython import CircuitPython as C; o = C.options_type\n"
        "C(o.model_validate({'class': 'adafruit_bme280.basic.Adafruit_BME280_I2C', 'properties': {'x': {}}}))\n"
        "print([m for m in ('board', 'busio', 'adafruit_blinka', 'adafruit_bme280', 'serial') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


async def test_blinka_never_asks_whether_it_may_install_something() -> None:
    await read(CLIMATE)
    assert os.environ["BLINKA_SKIP_DEPENDENCY_CHECK"] == "1"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"class": "SHT31D"}, "is no class: write module and class"),
        ({"bus": "spi", "address": None}, "needs pins"),
        ({"bus": "pin", "pins": ["D4"]}, "address is for"),
        ({"bus": "uart", "address": None}, "port and bus"),
        ({"pins": ["D4"]}, "pins are SCL and SDA"),
        ({"pins": ["board.D4", "D5"]}, "is no pin"),
        ({"bus": "none", "address": None, "pins": ["D4"]}, "takes no pins"),
        ({"arguments": {"address": 1}}, "address is given twice"),
        ({"properties": {}}, "at least 1"),
        ({"properties": {"x": {"attribute": "__class__"}}}, "is no attribute"),
        ({"properties": {"x": {"attribute": "a.0", "writable": True}}}, "not a part of its value"),
        ({"properties": {"x": {"type": "integer", "scale": 2}}}, "scale is for a number"),
        ({"properties": {"x": {"scale": 0}}}, "every value the same"),
        ({"properties": {"X": {}}}, "must match"),
    ],
)
def test_options_that_contradict_each_other(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CircuitPythonOptions.model_validate({**CLIMATE, **change})
