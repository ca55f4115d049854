"""Modbus devices for tests: pymodbus's own server in a process of its own, over TCP or a pair of pseudo-terminals.

Run as a script it is that process: it reads what the devices hold from its first argument, serves until it is ended,
and says on its standard output where it listens.
"""

import asyncio
import errno
import json
import os
import pty
import signal
import subprocess
import sys
import tty
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

Tables = Mapping[str, Mapping[int, Sequence[int] | Sequence[bool]]]
"""What a device holds: by table (`coil`, `discrete`, `holding`, `input`), runs of values by their first address."""


class ModbusServer:
    """A server with some devices; it can be killed and started again at the same place.

    Args:
        devices: what each unit holds, by unit id.
        link: for RTU, the path that becomes a link to the serial port; without it the server speaks TCP.
        busy: holding register whose reading or writing is answered with "server device busy".
        silent: holding register whose reading or writing is not answered in time.
        framing: of the frames on TCP.
    """

    def __init__(
        self,
        devices: Mapping[int, Tables],
        *,
        link: Path | None = None,
        busy: int | None = None,
        silent: int | None = None,
        framing: str = "socket",
    ) -> None:
        self.link = link
        self.port = 0
        self._setup: dict[str, Any] = {
            "devices": devices,
            "serial": link is not None,
            "busy": busy,
            "silent": silent,
            "framing": framing,
        }
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process and wait until it serves; a second time at the same port."""
        setup = json.dumps({**self._setup, "port": self.port})
        self._process = subprocess.Popen([sys.executable, __file__, setup], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        where = self._process.stdout.readline().strip()
        assert where, "the server did not start"
        if self.link is None:
            self.port = int(where)
        else:
            self.link.unlink(missing_ok=True)
            self.link.symlink_to(where)

    def kill(self) -> None:
        """End it without a word to anybody, as a power cut does."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        """Let it stop answering while its connections stay."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


# ---- the process --------------------------------------------------------------------------------------------------


async def _serve(setup: dict[str, Any]) -> None:
    from pymodbus import FramerType  # noqa: PLC0415  # only in the process itself
    from pymodbus.server import ModbusSerialServer, ModbusTcpServer  # noqa: PLC0415

    devices = [_device(int(unit), tables, setup) for unit, tables in setup["devices"].items()]
    devices.append(_device(0, {"holding": {"0": [0] * 100}}, setup))  # stands for all units that are not there
    if setup["serial"]:
        ours, theirs = _terminals()
        serial_server = ModbusSerialServer(devices, port=ours, baudrate=19200)
        await serial_server.serve_forever(background=True)
        print(theirs, flush=True)
    else:
        address = ("127.0.0.1", setup["port"])
        server = ModbusTcpServer(devices, address=address, framer=FramerType(setup["framing"]))
        await server.serve_forever(background=True)
        listening: Any = server.transport
        print(listening.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


def _device(unit: int, tables: dict[str, dict[str, list[Any]]], setup: dict[str, Any]) -> Any:
    from pymodbus.constants import ExcCodes  # noqa: PLC0415
    from pymodbus.simulator import DataType, SimData, SimDevice  # noqa: PLC0415

    def run(table: str, kind: DataType) -> list[SimData]:
        given = tables.get(table) or {"65520": [0] * 16}  # each table must have something
        as_kind = bool if kind is DataType.BITS else int
        runs = sorted((int(start), [as_kind(value) for value in values]) for start, values in given.items())
        return [SimData(start, values=values, datatype=kind) for start, values in runs]

    async def answer(
        function: int, _start: int, address: int, count: int, _registers: list[int], _values: object
    ) -> ExcCodes | None:
        if unit == 0 and not setup["serial"]:
            return ExcCodes.GATEWAY_NO_RESPONSE
        touched = range(address, address + count) if function in (3, 6, 16) else range(0)
        if setup["busy"] in touched:
            return ExcCodes.DEVICE_BUSY
        if unit == 0 or setup["silent"] in touched:
            await asyncio.Event().wait()
        return None

    blocks = (
        run("coil", DataType.BITS),
        run("discrete", DataType.BITS),
        run("holding", DataType.REGISTERS),
        run("input", DataType.REGISTERS),
    )
    return SimDevice(unit, simdata=blocks, action=answer)


def _terminals() -> tuple[str, str]:
    """Return two pseudo-terminals joined like the ends of a cable, as long as this process lives."""
    loop = asyncio.get_running_loop()
    masters: list[int] = []
    names: list[str] = []
    for _ in range(2):
        master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        masters.append(master)
        names.append(os.ttyname(slave))
    for source, sink in (masters, masters[::-1]):
        loop.add_reader(source, _copy, source, sink)
    return names[0], names[1]


def _copy(source: int, sink: int) -> None:
    try:
        os.write(sink, os.read(source, 4096))
    except OSError as error:
        if error.errno not in (errno.EIO, errno.EAGAIN):
            raise


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1])))
