"""The driver `serial-line` over a real pseudo-terminal, alone and in the host."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.fakes import PATIENCE, running, thing, until_available
from tests.support.hardware_serial import SerialDevice, every_port_is_a_talking_device

from jidget.things import running as hosting
from jidget.things.state import WriteFailed
from jidget_drivers import DeviceUnavailable, WriteRefused, serial_line
from jidget_drivers.serial_line import SerialLine
from jidget_drivers.serial_line_options import SerialLineOptions
from jidget_drivers.testing import check_driver

FOREVER = 1e9
PLANTER: dict[str, Any] = {
    "format": "regex",
    "patterns": [r"T=(?P<t>\S+)", r"PUMP=(?P<pump>\S+)"],
    "properties": {
        "t": {"min": -40, "max": 85},
        "pump": {"type": "boolean", "writable": True, "write": "pump {value}\n", "ack": "^OK", "nack": "^ERR"},
        "note": {"type": "string", "writable": True, "write": "note {value}\r"},
    },
}


@pytest.fixture
def device(tmp_path: Path) -> Iterator[SerialDevice]:
    with SerialDevice(tmp_path / "usb-board") as plugged:
        yield plugged


@pytest.fixture(autouse=True)
def first_lines_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a line be quiet before its first byte, however fast a test is; those about half lines say otherwise."""
    monkeypatch.setattr(serial_line, "QUIET", 0.0)


def board(device: SerialDevice, **more: Any) -> SerialLine:
    return SerialLine(SerialLineOptions.model_validate({"port": str(device.path), **PLANTER, **more}))


@asynccontextmanager
async def watching(driver: SerialLine) -> AsyncIterator[AsyncIterator[Any]]:
    async with driver, aclosing(cast("Any", driver.watch())) as events:
        yield events


async def told_after(device: SerialDevice, sent: bytes, **more: Any) -> list[Any]:
    """Return what a driver tells of what the device sent; a last line with a value of its own ends it."""
    found = []
    async with watching(board(device, **more)) as events:
        await device.send(sent + b"\nT=77\n")
        async with asyncio.timeout(PATIENCE * 4):
            while (values := await anext(events)) != {"t": 77.0}:
                found.append(values)
    return found


# ---- lines ---------------------------------------------------------------------------------------------------------


def test_it_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with every_port_is_a_talking_device(tmp_path, monkeypatch):
        check_driver(SerialLine, {"port": "/dev/serial0", **PLANTER}, writes={"note": "hello"})


async def test_each_line_gives_the_values_that_are_in_it(device: SerialDevice) -> None:
    sent = b"T=21.5 PUMP=off\r\nbooting\rPUMP=ON\n\n\nT=22"
    assert await told_after(device, sent) == [{"t": 21.5, "pump": False}, {"pump": True}, {"t": 22.0}]


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\xfe T=\xff21\nT=2\x001.5",
        b"x" * 1_000_000,
        b"T=1 " + b"x" * 1_000_000,
        b"T=nan\nT=inf\nT=-41\nT=1e999\nPUMP=5",
        b"T=20 PUMP=perhaps",
        bytes(range(256)) * 8,
        "T=\N{FULLWIDTH DIGIT TWO}1".encode(),
    ],
    ids=["not UTF-8", "no end", "no end after a value", "nonsense", "half nonsense", "noise", "other digits"],
)
async def test_garbage_is_no_reading_and_harms_nobody(sent: bytes, device: SerialDevice) -> None:
    assert await told_after(device, sent) == []


async def test_zero_bytes_of_a_break_do_not_spoil_a_line(device: SerialDevice) -> None:
    assert await told_after(device, b"\x00\x00T=21\x00") == [{"t": 21.0}]


async def test_a_line_that_was_under_way_when_the_port_was_opened_is_half_and_ignored(
    device: SerialDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_line, "QUIET", FOREVER)
    assert await told_after(device, b"T=1.5\nT=21.5") == [{"t": 21.5}]


async def test_after_opening_again_nothing_is_left_of_the_last_line(device: SerialDevice) -> None:
    driver = board(device)
    async with watching(driver) as events:
        await device.send(b"T=20\nT=3")
        assert await anext(events) == {"t": 20.0}
    async with watching(driver) as events:
        await device.send(b"T=21\n")
        assert await anext(events) == {"t": 21.0}


async def test_what_is_ignored_is_logged_once_of_each_kind(
    device: SerialDevice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "jidget_drivers")
    await told_after(device, b"booting\nT=nan\n" * 20 + b"x" * 5000)
    messages = [record.message.partition(": ")[2] for record in caplog.records if record.name.startswith("jidget_dr")]
    assert [message.partition(":")[0] for message in messages] == [
        "a line without any value",
        "a line that is not right",
        "a line that is too long",
    ]


async def test_nobody_who_listens_costs_no_memory(device: SerialDevice) -> None:
    async with board(device) as driver:
        await device.send(b"".join(b"T=%d\n" % (n % 50) for n in range(20_000)) + b"T=60\n")
        newest: dict[str, float] = {}
        async with aclosing(cast("Any", driver.watch())) as events, asyncio.timeout(PATIENCE):
            count = 0
            while newest != {"t": 60.0}:
                newest = await anext(events)
                count += 1
        assert count < 2000


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"", "not one byte. Check the power of the device and its TX wire"),
        (b"booting\n", "8 bytes came, the last was a line without any value. Check baud, framing and the format"),
        (b"\xf8\x80\xf8" * 60, "180 bytes came. Check baud"),
        (b"\xf8\x80\xf8" * 100, "300 bytes came, the last was a line that is too long. Check baud"),
    ],
)
async def test_silence_makes_it_unavailable_and_says_what_to_check(
    sent: bytes, says: str, device: SerialDevice
) -> None:
    async with watching(board(device, silence="300ms")) as events:
        await device.send(sent)
        with pytest.raises(DeviceUnavailable, match=f"no reading for 0.3 s.*{says}"):
            await anext(events)


async def test_patterns_that_take_too_long_end_the_watch(device: SerialDevice) -> None:
    async with watching(board(device, patterns=[r"(?P<t>\d*)(?:\d*,?){16}x(?P<pump>.)"])) as events:
        await device.send(b"1" * 250 + b"\n")
        with pytest.raises(DeviceUnavailable, match=r"given up after 0.25 s with a line of 250.*\[\^,\]\* for \.\*"):
            await anext(events)


# ---- writing -------------------------------------------------------------------------------------------------------


async def test_a_write_waits_for_the_acknowledgement_and_is_then_told(device: SerialDevice) -> None:
    driver = board(device)
    async with watching(driver) as events:
        writing = asyncio.create_task(driver.write("pump", True))
        assert await device.receive(7) == b"pump 1\n"
        await device.send(b"T=20\n")
        assert await anext(events) == {"t": 20.0}
        assert not writing.done()
        await device.send(b"OK\n")
        await writing
        assert await anext(events) == {"pump": True}


async def test_the_end_of_a_line_after_opening_may_be_the_acknowledgement(
    device: SerialDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_line, "QUIET", FOREVER)
    async with board(device) as driver:
        writing = asyncio.create_task(driver.write("pump", False))
        assert await device.receive(7) == b"pump 0\n"
        await device.send(b"OK\n")
        await writing


async def test_nothing_is_sent_while_the_device_starts(device: SerialDevice) -> None:
    driver = board(device, startup="300ms")
    opening = asyncio.get_running_loop().time()
    async with driver:
        await driver.write("note", "")
        assert await device.receive(6) == b"note \r"
        assert asyncio.get_running_loop().time() - opening >= 0.3


async def test_a_device_that_refuses_is_believed(device: SerialDevice) -> None:
    async with board(device) as driver:
        writing = asyncio.create_task(driver.write("pump", True))
        await device.receive(7)
        await device.send(b"ERR dry\n")
        with pytest.raises(WriteRefused, match="the device refused it: 'ERR dry'"):
            await writing


async def test_an_acknowledgement_of_before_is_none_of_now(device: SerialDevice) -> None:
    driver = board(device)
    async with watching(driver) as events:
        await device.send(b"OK\nT=20\n")
        assert await anext(events) == {"t": 20.0}
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await driver.write("pump", True)
        await device.send(b"OK\nT=21\n")
        assert await anext(events) == {"t": 21.0}


async def test_a_write_without_acknowledgement_is_sent_and_not_told(device: SerialDevice) -> None:
    driver = board(device)
    async with watching(driver) as events:
        await driver.write("note", "grüß dich")
        assert await device.receive(17) == "note grüß dich\r".encode()
        with pytest.raises(WriteRefused, match="line ends"):
            await driver.write("note", "a\rpump 1")
        await device.send(b"T=20\n")
        assert await anext(events) == {"t": 20.0}
    assert device.received_at_once() == b""


# ---- in the host ---------------------------------------------------------------------------------------------------


@pytest.fixture
def impatient_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "RETRY_LONGEST", 0.01)
    monkeypatch.setattr(hosting, "SILENT_START", 0.01)


async def answering(device: SerialDevice, count: int, answer: bytes) -> None:
    await device.receive(count)
    await device.send(answer)


@pytest.mark.usefixtures("impatient_host")
async def test_a_command_is_confirmed_by_the_acknowledgement(device: SerialDevice) -> None:
    one = thing("planter", board(device))
    async with running(one), asyncio.TaskGroup() as tasks:
        tasks.create_task(answering(device, 7, b"OK\n"))
        result = await one.write({"pump": True})
        assert (result.values, result.confirmed) == ({"pump": True}, True)


@pytest.mark.parametrize(("line", "confirmed"), [(b"PUMP=1\n", True), (b"PUMP=0\n", False)])
@pytest.mark.usefixtures("impatient_host")
async def test_without_one_a_command_is_confirmed_by_what_the_device_tells(
    line: bytes, confirmed: bool, device: SerialDevice
) -> None:
    pump = {"type": "boolean", "writable": True, "write": "pump {value}\n"}
    driver = board(device, patterns=["PUMP=(?P<pump>.)"], properties={"pump": pump})
    one = thing("planter", driver, timeout=PATIENCE if confirmed else 0.3)
    async with running(one), asyncio.TaskGroup() as tasks:
        tasks.create_task(answering(device, 7, line))
        result = await one.write({"pump": True})
        assert (result.values, result.confirmed) == ({"pump": confirmed}, confirmed)


@pytest.mark.usefixtures("impatient_host")
async def test_a_command_that_nobody_confirms_may_have_been_obeyed(device: SerialDevice) -> None:
    one = thing("planter", board(device), timeout=0.2)
    async with running(one):
        with pytest.raises(WriteFailed, match="it may have moved"):
            await one.write({"pump": True})
        result = await one.write({"note": "hello"})
        assert (result.values, result.confirmed) == ({"note": None}, False)


@pytest.mark.usefixtures("impatient_host")
async def test_garbage_and_a_pulled_plug_are_survived_and_told_once(
    device: SerialDevice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "jidget")
    one = thing("planter", board(device))
    news = asyncio.Queue[float]()
    one.on_readings = lambda readings: news.put_nowait(cast("float", readings[0].value))
    async with running(one), asyncio.timeout(PATIENCE * 2):
        await device.send(b"T=20\n")
        assert await news.get() == 20.0
        await device.send(b"T=1\xff\x00\n" * 100 + b"T=nan\nT=21\n")
        assert await news.get() == 21.0
        device.unplug()
        await until_available(one, False)
        device.plug()
        await until_available(one)
        await device.send(b"T=22\n")
        assert await news.get() == 22.0
    told = [r.message.split(": ", 1)[1] for r in caplog.records if r.name == hosting.__name__]
    assert len(told) == 2
    assert "unplugged" in told[0]
    assert told[1] == "available again"
