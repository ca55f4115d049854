"""The Modbus driver against pymodbus's own server in another process, over TCP and a pair of pseudo-terminals."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.hardware_modbus import ModbusServer

from jidget.things.host import Thing
from jidget.things.running import ThingSettings
from jidget_drivers import DeviceUnavailable, MissingLibrary, WriteRefused
from jidget_drivers.modbus import Modbus
from jidget_drivers.modbus_options import ModbusOptions
from jidget_drivers.testing import check_driver

BUSY, SILENT = 90, 91
DEVICES = {
    1: {
        "holding": {0: [215, 0, 0x8001, 0x41AC, 0], 10: [1], 88: [0, 0, 7, 7]},
        "input": {0: [0x4366, 0x8000, 0x7FC0, 0]},
        "coil": {0: [1, 0, 1] + [0] * 13},
        "discrete": {0: [0, 1] + [0] * 14},
    },
    2: {"holding": {0: [4711]}},
}
REGISTERS = {
    "temperature": {"address": 0, "scale": 0.1, "unit": "°C", "writable": True, "min": -20, "max": 60, "type": "i16"},
    "alarm": {"address": 2, "bit": 15},
    "pump": {"address": 2, "bit": 1, "writable": True},
    "target": {"address": 3, "type": "f32", "writable": True},
    "mode": {"reference": 40011, "options": {"off": 0, "heat": 1, "cool": 2}, "writable": True},
    "voltage": {"address": 0, "table": "input", "type": "f32", "unit": "V"},
    "relay": {"address": 2, "table": "coil", "writable": True},
    "door": {"address": 1, "table": "discrete"},
}
VALUES = {
    "temperature": 21.5,
    "alarm": True,
    "pump": False,
    "target": 21.5,
    "mode": "heat",
    "voltage": 230.5,
    "relay": True,
    "door": True,
}
WRITES = {"temperature": -3.2, "pump": True, "target": 18.7, "mode": "cool", "relay": False}
ONE = {"x": {"address": 0}}


@pytest.fixture
def server() -> Iterator[ModbusServer]:
    with ModbusServer(DEVICES, busy=BUSY, silent=SILENT) as started:
        yield started


@pytest.fixture
def serial_server(tmp_path: Path) -> Iterator[ModbusServer]:
    with ModbusServer(DEVICES, link=tmp_path / "rs485", silent=SILENT) as started:
        yield started


def options_for(server: ModbusServer, registers: dict[str, Any], **more: Any) -> dict[str, Any]:
    if server.link is not None:
        return {"device": server.link, "baudrate": 19200, "registers": registers, **more}
    return {"host": "127.0.0.1", "port": server.port, "registers": registers, **more}


def modbus(server: ModbusServer, registers: dict[str, Any], **more: Any) -> Modbus:
    return Modbus(ModbusOptions.model_validate(options_for(server, registers, **more)))


# ---- reading and writing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["server", "serial_server"])
async def test_all_tables_are_read_and_what_can_be_set_is_found_again(
    line: str, request: pytest.FixtureRequest
) -> None:
    async with modbus(request.getfixturevalue(line), REGISTERS) as driver:
        assert await driver.read() == VALUES
        for name, value in WRITES.items():
            await driver.write(name, value)  # type: ignore[arg-type]  # a dict of Scalars
        assert await driver.read() == {**VALUES, **WRITES}, "the bit beside the one that was set is as it was"


@pytest.mark.parametrize("line", ["server", "serial_server"])
def test_it_keeps_the_contract(line: str, request: pytest.FixtureRequest) -> None:
    started = request.getfixturevalue(line)
    check_driver(Modbus, options_for(started, REGISTERS), writes=WRITES)  # type: ignore[arg-type]


def test_it_keeps_the_contract_on_a_converter_that_passes_rtu_frames_over_tcp() -> None:
    with ModbusServer(DEVICES, framing="rtu") as server:
        check_driver(Modbus, options_for(server, ONE, framing="rtu"))


async def test_a_device_that_only_knows_function_16_is_written_by_it(server: ModbusServer) -> None:
    async with modbus(server, REGISTERS, single_writes=False) as driver:
        await driver.write("temperature", 30.0)
        assert (await driver.read())["temperature"] == 30


# ---- what a device answers instead --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registers", "more", "says"),
    [
        ({"x": {"address": 50}}, {}, r"unit 1 does not tell holding 50 \(x\): it has no such registers"),
        ({"x": {"address": BUSY}}, {}, "it is busy"),
        (ONE, {"unit_id": 9}, "unit 9 does not tell holding 0 .* does not answer the gateway .*: unit_id, wiring"),
        ({"x": {"address": SILENT}}, {"timeout": "100ms"}, "no answer within 0.1 s, asked for holding 91 .*unit_id"),
        ({f"x{n}": {"address": 40 + n} for n in range(9)}, {}, r"holding 40-48 \(x0, x1, 7 more\)"),
    ],
)
async def test_what_is_wrong_is_said(
    server: ModbusServer, registers: dict[str, Any], more: dict[str, Any], says: str
) -> None:
    async with modbus(server, registers, **more) as driver:
        with pytest.raises(DeviceUnavailable, match=says):
            await driver.read()


async def test_a_write_that_the_device_refuses_moved_nothing_and_an_unanswered_one_may_have(
    server: ModbusServer,
) -> None:
    registers = {
        "nowhere": {"address": 50, "writable": True},
        "busy": {"address": BUSY, "writable": True},
        "silent": {"address": SILENT, "writable": True},
        "bit": {"address": 60, "bit": 1, "writable": True},
        "small": {"address": 0, "scale": 0.1, "writable": True},
    }
    async with modbus(server, registers, timeout="100ms") as driver:
        with pytest.raises(WriteRefused, match="does not set nowhere at holding 50: it has no such registers"):
            await driver.write("nowhere", 1)
        with pytest.raises(WriteRefused, match="it is busy"):
            await driver.write("busy", 1)
        with pytest.raises(TimeoutError, match=r"no answer within 0.1 s; silent may have changed"):
            await driver.write("silent", 1)
        with pytest.raises(DeviceUnavailable, match="does not tell holding 60"):
            await driver.write("bit", True)
        with pytest.raises(WriteRefused, match=r"small: 6553.6 does not fit into its u16 register"):
            await driver.write("small", 6553.6)


async def test_not_a_number_is_no_reading(server: ModbusServer) -> None:
    thing = Thing(
        ThingSettings(thing_id="meter", interval=0.05),
        modbus(server, {"power": {"address": 2, "table": "input", "type": "f32"}}),
    )
    reasons = reasons_of(thing)
    async with running(thing):
        assert "power: its registers say nan" in await next_reason(reasons)


# ---- lines --------------------------------------------------------------------------------------------------------


async def test_nobody_listens(server: ModbusServer) -> None:
    server.kill()
    with pytest.raises(DeviceUnavailable, match=r"127.0.0.1:[0-9]+: nobody listens there. Is Modbus TCP switched on"):
        async with modbus(server, ONE):
            pass


async def test_no_such_host_and_no_such_port(tmp_path: Path) -> None:
    nowhere = Modbus(ModbusOptions.model_validate({"host": "meter.invalid", "registers": ONE}))
    with pytest.raises(DeviceUnavailable, match=r"meter.invalid:502: no such host"):
        async with nowhere:
            pass
    unplugged = Modbus(ModbusOptions.model_validate({"device": tmp_path / "ttyUSB0", "registers": ONE}))
    with pytest.raises(DeviceUnavailable, match=r"ttyUSB0: there is no such port. Is the adapter plugged in"):
        async with unplugged:
            pass
    (tmp_path / "file").write_text("")
    no_port = Modbus(ModbusOptions.model_validate({"device": tmp_path / "file", "registers": ONE}))
    with pytest.raises(DeviceUnavailable, match="file: it cannot be used as a serial port"):
        async with no_port:
            pass


async def test_a_unit_that_is_silent_on_the_line_does_not_keep_the_others_from_it(serial_server: ModbusServer) -> None:
    async with (
        modbus(serial_server, ONE, unit_id=1) as first,
        modbus(serial_server, ONE, unit_id=2) as second,
        modbus(serial_server, ONE, unit_id=3, timeout="100ms") as absent,
    ):
        found = await asyncio.gather(first.read(), absent.read(), second.read(), return_exceptions=True)
        assert (found[0], found[2]) == ({"x": 215}, {"x": 4711})
        assert isinstance(found[1], DeviceUnavailable)
        assert "unit 3: no answer within 0.1 s, asked for holding 0 (x). Check power, unit_id" in str(found[1])


async def test_things_on_one_line_must_agree_on_it(serial_server: ModbusServer, tmp_path: Path) -> None:
    assert serial_server.link is not None
    other_name = tmp_path / "same-port"
    other_name.symlink_to(serial_server.link.readlink())
    async with modbus(serial_server, ONE, unit_id=1) as first:
        async with modbus(serial_server, ONE, unit_id=2, device=other_name) as second:
            assert (await first.read(), await second.read()) == ({"x": 215}, {"x": 4711})
        with pytest.raises(DeviceUnavailable, match="another Thing uses it with other settings"):
            async with modbus(serial_server, ONE, unit_id=2, baudrate=9600):
                pass
        assert await first.read() == {"x": 215}, "who left did not close it for the others"


@pytest.mark.parametrize("line", ["server", "serial_server"])
async def test_a_device_that_was_away_is_found_again_without_noise(
    line: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    started: ModbusServer = request.getfixturevalue(line)
    thing = Thing(ThingSettings(thing_id="meter", interval=0.05), modbus(started, ONE, timeout="200ms"))
    reasons = reasons_of(thing)
    with caplog.at_level(logging.INFO):
        async with running(thing):
            assert await next_reason(reasons) == ""
            started.kill()
            assert await next_reason(reasons) != ""
            started.start()
            assert await next_reason(reasons) == ""
            assert thing.values["x"].value == 215
            started.freeze()
            assert "no answer within 0.2 s" in await next_reason(reasons)
            started.thaw()
            assert await next_reason(reasons) == ""
    assert {record.name.rpartition(".")[0] for record in caplog.records} == {"jidget.things"}, "nobody else has a say"


@asynccontextmanager
async def running(thing: Thing) -> AsyncIterator[None]:
    task = asyncio.create_task(thing.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def reasons_of(thing: Thing) -> asyncio.Queue[str]:
    reasons: asyncio.Queue[str] = asyncio.Queue()
    thing.on_availability = lambda now: reasons.put_nowait(now.availability.reason)
    return reasons


async def next_reason(reasons: asyncio.Queue[str]) -> str:
    """Return why the Thing has become unavailable; nothing if it has become available."""
    async with asyncio.timeout(30):
        return await reasons.get()


# ---- the library --------------------------------------------------------------------------------------------------


def test_without_pymodbus_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "jidget_drivers.modbus_line", raising=False)
    monkeypatch.delattr("jidget_drivers.modbus_line", raising=False)
    monkeypatch.setitem(sys.modules, "pymodbus", None)
    with pytest.raises(MissingLibrary, match=r"modbus needs pymodbus and pyserial, which jidget\[modbus\] brings"):
        Modbus(ModbusOptions.model_validate({"host": "meter", "registers": ONE}))


def test_the_library_is_only_imported_for_who_has_such_a_thing() -> None:
    code = "import sys, jidget_drivers.modbus; sys.exit('pymodbus' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
