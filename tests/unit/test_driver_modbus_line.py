"""The Modbus driver's line: sharing, one request at a time, and answers that are late, garbled or another's.

The devices here answer by hand, byte by byte, over real sockets and pseudo-terminals: no server errs on demand.
"""

import asyncio
import logging
import os
import pty
import random
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from jidget_drivers import DeviceUnavailable, DriverError, InvalidReading
from jidget_drivers.modbus import Modbus
from jidget_drivers.modbus_options import ModbusOptions

ANSWER = bytes((1, 3, 2, 0x10, 0x01))
"""Unit 1, function 3, two bytes: register 0x1001."""
X = {"x": {"address": 0}}

UNPLUG = b"unplug"
"""Instead of an answer: the port goes away."""

Answer = Callable[[bytes], bytes]
"""Takes a request without header or checksum, gives what is sent back."""


class Gateway:
    """A Modbus TCP gateway that counts what comes; `slow` keeps an answer back until it is set."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.connections = 0
        self.requests: list[bytes] = []
        self.times: list[float] = []
        self.most_at_once = 0
        self.slow: asyncio.Event | None = None
        self.port = 0
        self.arrived = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(6)
                request = await reader.readexactly(int.from_bytes(head[4:6], "big"))
                self.requests.append(request)
                self.times.append(asyncio.get_running_loop().time())
                self.arrived.set()
                if self.slow is not None:
                    await self.slow.wait()
                self.most_at_once = max(self.most_at_once, 1 + bool(reader._buffer))  # type: ignore[attr-defined]
                answer = self.answer(request)
                writer.write(head[:4] + len(answer).to_bytes(2, "big") + answer if answer else b"")
                if not answer:
                    writer.close()
                    break

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def gateway(answer: Answer) -> AsyncIterator[Gateway]:
    made = Gateway(answer)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.hang_up()
        server.close()
        await server.wait_closed()


def number_of_unit(request: bytes) -> bytes:
    return bytes((request[0], 3, 2, 0, request[0]))


def tcp(port: int, **more: Any) -> Modbus:
    return Modbus(ModbusOptions.model_validate({"host": "127.0.0.1", "port": port, "registers": X, **more}))


# ---- TCP ----------------------------------------------------------------------------------------------------------


async def test_things_behind_one_gateway_share_a_connection_and_ask_in_turn() -> None:
    async with gateway(number_of_unit) as made:
        first, second, third = (tcp(made.port, unit_id=unit) for unit in (1, 2, 3))
        async with first, second, third:
            found = await asyncio.gather(*(thing.read() for thing in (first, second, third, first)))
            assert [values["x"] for values in found] == [1, 2, 3, 1]
            assert (made.connections, made.most_at_once) == (1, 1)
        async with first:
            assert await first.read() == {"x": 1}
        assert made.connections == 2, "the last one to leave closed it"


async def test_neighbouring_registers_cost_one_request() -> None:
    def answer(request: bytes) -> bytes:
        count = int.from_bytes(request[4:6], "big")
        return bytes((1, 3, 2 * count)) + b"\0\7" * count

    async with gateway(answer) as made:
        registers = {f"r{n}": {"address": n} for n in range(125)} | {"far": {"address": 300}}
        async with tcp(made.port, registers=registers) as driver:
            assert set((await driver.read()).values()) == {7}
        assert len(made.requests) == 2


async def test_one_that_was_given_up_leaves_its_late_answer_to_nobody() -> None:
    async with gateway(number_of_unit) as made:
        first, second = tcp(made.port, unit_id=1, timeout="400ms"), tcp(made.port, unit_id=2)
        async with first, second:
            made.slow = asyncio.Event()
            reading = asyncio.create_task(first.read())
            await made.arrived.wait()
            reading.cancel()
            await asyncio.wait({reading})
            asked = asyncio.create_task(second.read())
            made.slow.set()
            assert await asked == {"x": 2}
            assert made.times[1] - made.times[0] > 0.39, "nobody spoke while the answer could still come"
            assert await first.read() == {"x": 1}


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (lambda _: b"\1\3\4\0\1\0\2", InvalidReading, "it told 2 of 1 addresses"),
        (lambda _: b"\1\4\2\0\1", InvalidReading, "it answered another question"),
        (lambda _: b"\1\x63\2\0\1", InvalidReading, "its answer is garbled: "),
        (lambda _: b"\1\3", InvalidReading, "its answer is garbled: "),
        (lambda _: b"\2\3\2\0\1", InvalidReading, "its answer is garbled: "),
        (lambda _: b"", DeviceUnavailable, "the connection was closed before an answer came"),
        (lambda _: b"\1\x83\x77", DeviceUnavailable, "exception 119, which the maker of the device has defined"),
    ],
)
async def test_an_answer_that_is_none(
    answer: Answer, error: type[Exception], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway(answer) as made, tcp(made.port, timeout="50ms", retries=1) as driver:
        with caplog.at_level(logging.INFO), pytest.raises(error, match=says):
            await driver.read()
        assert len(made.requests) == 2 - ("exception" in says)
        made.answer = number_of_unit
        assert await driver.read() == {"x": 1}
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []


async def test_a_write_is_never_repeated() -> None:
    async with gateway(lambda _: b"") as made:
        registers = {"x": {"address": 0, "writable": True}}
        async with tcp(made.port, registers=registers, retries=3) as driver:
            with pytest.raises(
                TimeoutError, match="the connection was closed before an answer came; x may have changed"
            ):
                await driver.write("x", 1)
        assert [request[1] for request in made.requests] == [6]


# ---- RTU ----------------------------------------------------------------------------------------------------------


def crc(frame: bytes) -> bytes:
    """Return the checksum of a frame, low byte first (Serial Line V1.02, 6.2.2)."""
    register = 0xFFFF
    for byte in frame:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register.to_bytes(2, "little")


@asynccontextmanager
async def serial_device(link: Path, answers: list[bytes]) -> AsyncIterator[list[bytes]]:
    """Answer each request with the next of `answers`, as it stands, and note the request."""
    loop = asyncio.get_running_loop()
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.symlink(os.ttyname(slave), link)  # noqa: PTH211  # in an async function pathlib counts as blocking
    came: list[bytes] = []

    def answer() -> None:
        came.append(os.read(master, 256))
        what = answers.pop(0)
        if what == UNPLUG:
            unplug()
        else:
            os.write(master, what)

    def unplug() -> None:
        if loop.remove_reader(master):
            os.close(master)

    loop.add_reader(master, answer)
    try:
        yield came
    finally:
        unplug()
        os.close(slave)


def rtu(link: Path, **more: Any) -> Modbus:
    return Modbus(ModbusOptions.model_validate({"device": link, "registers": X, "timeout": "100ms", **more}))


GOOD = ANSWER + crc(ANSWER)
BAD = ANSWER + bytes(byte ^ 0xFF for byte in crc(ANSWER))


async def test_a_wrong_checksum_is_no_reading_and_is_asked_for_again(tmp_path: Path) -> None:
    link = tmp_path / "port"
    async with serial_device(link, [BAD, GOOD, BAD, BAD, GOOD]) as came:
        async with rtu(link, retries=1) as driver:
            assert await driver.read() == {"x": 0x1001}
            with pytest.raises(InvalidReading, match=r"its answer is garbled: 01 03 02 10 01 .* Check baudrate"):
                await driver.read()
            assert await driver.read() == {"x": 0x1001}
        request = bytes((1, 3, 0, 0, 0, 1))
        assert came == [request + crc(request)] * 5


async def test_half_an_answer_and_none(tmp_path: Path) -> None:
    link = tmp_path / "port"
    async with serial_device(link, [GOOD[:4], GOOD, b""]), rtu(link, retries=0) as driver:
        with pytest.raises(InvalidReading, match="garbled: 01 03 02 10,"):
            await driver.read()
        assert await driver.read() == {"x": 0x1001}
        with pytest.raises(DeviceUnavailable, match=r"no answer within 0.1 s, .* the wires A and B"):
            await driver.read()


async def test_an_adapter_that_is_unplugged_is_noticed_at_once(tmp_path: Path) -> None:
    link = tmp_path / "port"
    async with serial_device(link, [GOOD, UNPLUG]), rtu(link, timeout="30s", retries=0) as driver:
        assert await driver.read() == {"x": 0x1001}
        async with asyncio.timeout(10):
            with pytest.raises(DeviceUnavailable, match="the connection was closed before an answer came"):
                await driver.read()


# ---- garbage ------------------------------------------------------------------------------------------------------


def garbage(chance: random.Random) -> bytes:
    """Return an answer that is more or less one."""
    match chance.randrange(4):
        case 0:
            return chance.randbytes(chance.randrange(1, 40))
        case 1:
            return bytes((1, chance.randrange(256))) + chance.randbytes(chance.randrange(12))
        case 2:
            return ANSWER[: chance.randrange(1, len(ANSWER))]
        case _:
            spoilt = bytearray(ANSWER)
            spoilt[chance.randrange(len(ANSWER))] = chance.randrange(256)
            return bytes(spoilt)


@pytest.mark.parametrize("line", ["tcp", "rtu"])
async def test_garbage_is_an_unavailable_device_and_nothing_worse(line: str, tmp_path: Path) -> None:
    chance = random.Random(line)
    escaped: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: escaped.append(context))
    answers = [garbage(chance) for _ in range(60)]
    async with AsyncExitStack() as stack:
        if line == "tcp":
            answers.append(ANSWER)
            made = await stack.enter_async_context(gateway(lambda _: answers.pop(0)))
            driver = tcp(made.port, timeout="20ms", retries=0)
        else:
            spoken = [answer + crc(answer) * (number % 2) for number, answer in enumerate(answers)]
            await stack.enter_async_context(serial_device(tmp_path / "port", [*spoken, GOOD]))
            driver = rtu(tmp_path / "port", timeout="20ms", retries=0)
        await stack.enter_async_context(driver)
        for _ in range(60):
            with suppress(DriverError):
                await driver.read()
        assert await driver.read() == {"x": 0x1001}
    assert escaped == []
