"""Modbus TCP and RTU: meters, inverters, PLCs, relay boards, by a map of their registers.

MODBUS Application Protocol Specification V1.1b3 (functions in section 6, exceptions in 7), MODBUS over Serial Line
Specification and Implementation Guide V1.02.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from jidget_drivers.driver import Sensor
from jidget_drivers.errors import DeviceUnavailable, DriverError, InvalidReading, MissingLibrary, WriteRefused
from jidget_drivers.modbus_options import ModbusOptions, say_addresses
from jidget_drivers.modbus_register import Register, Table
from jidget_drivers.modbus_values import Block, blocks_of, decode, encode
from jidget_drivers.properties import Scalar

EXTRA = "modbus"
_WRITES = (5, 6, 16)
_SILENT_SERIAL = "Check power, unit_id, baudrate and parity, and the wires A and B"
_SILENT_TCP = "Check unit_id, and the device behind a gateway"
_GARBLED = "Check baudrate, parity, the termination of the line, and that no other device has this unit id"

_READS = {
    Table.COIL: ("read_coils", 1),
    Table.DISCRETE: ("read_discrete_inputs", 2),
    Table.HOLDING: ("read_holding_registers", 3),
    Table.INPUT: ("read_input_registers", 4),
}

# Exception codes (section 7), what a person can do about each, and whether it means that a write did nothing.
_EXCEPTIONS = {
    1: ("it does not know this function (illegal function): is `table` right?", True),
    2: (
        "it has no such registers (illegal data address): addresses count from 0, so that a manual's 40001 is address "
        "0 or `reference = 40001`; is `table` right, and max_gap 0?",
        True,
    ),
    3: ("it does not take this value or number of registers (illegal data value): try a smaller max_registers", True),
    4: ("it failed while doing it (server device failure): is unit_id right?", False),
    5: ("it has begun and needs a long time (acknowledge)", False),
    6: ("it is busy (server device busy)", True),
    8: ("its memory has an error (memory parity error)", False),
    10: ("the gateway has no way to it (gateway path unavailable): is unit_id right?", True),
    11: ("it does not answer the gateway (target device failed to respond): unit_id, wiring, power?", False),
}


class Modbus(Sensor[ModbusOptions]):
    """A device that speaks Modbus, over TCP or a serial line: its properties are what the register map says.

    Neighbouring registers are read with one request. Things with the same host and port, or the same serial port,
    share one connection and ask in turn. A single bit of a holding register is set by reading the register and writing
    it back with that bit changed. A write is never repeated; if its answer is lost, the value read back tells.
    """

    extra = EXTRA
    wiring = (
        "RS-485: A to A and B to B (some makers swap the names: if nothing answers, swap the wires), the grounds "
        "connected, 120 Ω between A and B at both ends of the line and nowhere else. Every device on a line needs its "
        "own unit id and the same speed and parity. Modbus has no password: keep TCP devices in a network of their own."
    )

    def __init__(self, options: ModbusOptions) -> None:
        super().__init__(options)
        try:
            from jidget_drivers import modbus_line  # noqa: PLC0415  # imports pymodbus, for who configured it
        except ImportError as error:
            raise MissingLibrary(f"modbus needs pymodbus and pyserial, which jidget[{EXTRA}] brings") from error
        self._lines = modbus_line
        self._line: modbus_line.Line | None = None
        self.properties = tuple(register.declared(name) for name, register in options.registers.items())
        self._blocks = blocks_of(
            options.registers,
            most_registers=options.max_registers,
            most_bits=options.max_bits,
            max_gap=options.max_gap,
        )
        self._settings = modbus_line.LineSettings(
            host=options.host or "",
            port=0 if options.host is None else options.port,
            rtu=options.host is None or options.framing == "rtu",
            device=options.device,
            baudrate=options.baudrate,
            parity=options.parity[0].upper(),
            stopbits=options.stopbits,
        )

    async def open(self) -> None:
        """Connect, or join those who are connected to the same line."""
        await self.close()
        self._line = self._lines.take_line(self._settings)
        async with self._line.lock:
            await self._line.connect()

    async def close(self) -> None:
        """Leave the line; the last one closes it."""
        line, self._line = self._line, None
        if line is not None:
            await self._lines.release_line(line)

    async def read(self) -> Mapping[str, Scalar]:
        """Read all registers, with as few requests as the map allows."""
        found: dict[str, Scalar] = {}
        for block in self._blocks:
            words = await self._read_block(block)
            for name in block.names:
                register = self.options.registers[name]
                start = register.addresses.start - block.addresses.start
                found[name] = decode(name, register, words[start : start + register.size])
        return {name: found[name] for name in self.options.registers}

    async def write(self, name: str, value: Scalar) -> None:
        """Set one register, a value of several in one request, one coil, or one bit.

        Raises:
            TimeoutError: it was sent, and nobody knows whether the device did it.
        """
        register = self.options.registers[name]
        if not register.writable:
            raise WriteRefused(f"{name} cannot be set: it is not writable")
        words = encode(name, register, value)
        line = self._open_line()
        where = f"{name} at {register.where[0]} {say_addresses(register.addresses)}"
        async with line.lock:
            if register.bit is not None:
                words = [await self._with_bit(line, name, register, on=bool(words[0]))]
            try:
                answer = await self._ask(line, lambda client: self._write_request(client, register, words), _WRITES)
            except self._lines.Unanswered as error:
                raise TimeoutError(f"{self._who}: {error}; {name} may have changed") from error
        if answer.isError():
            remedy, harmless = _say_exception(answer.exception_code)
            text = f"{self._who} does not set {where}: {remedy}"
            raise WriteRefused(text) if harmless else DriverError(text)

    async def _with_bit(self, line: Any, name: str, register: Register, *, on: bool) -> int:
        """Return what the register holds with its bit changed; the lock is held, so that none of us comes between."""
        block = Block(table=Table.HOLDING, addresses=register.addresses, names=(name,))
        try:
            (held,) = await self._words(line, block)
        except self._lines.Unanswered as error:
            raise DeviceUnavailable(f"{self._who}: {error}, asked for {_say_block(block)}; nothing was set") from error
        mask = 1 << (register.bit or 0)
        return held | mask if on else held & ~mask

    def _write_request(self, client: Any, register: Register, words: list[int]) -> Awaitable[Any]:
        table, address = register.where
        unit = self.options.unit_id
        answer: Awaitable[Any]
        if table is Table.COIL:
            answer = client.write_coil(address, bool(words[0]), device_id=unit)
        elif len(words) == 1 and self.options.single_writes:
            answer = client.write_register(address, words[0], device_id=unit)
        else:
            answer = client.write_registers(address, words, device_id=unit)
        return answer

    async def _read_block(self, block: Block) -> Sequence[int]:
        """Ask for a block as often as the options allow; others on the line may ask in between."""
        line = self._open_line()
        left = self.options.retries
        while True:
            try:
                async with line.lock:
                    return await self._words(line, block)
            except self._lines.Unanswered as error:
                if left:
                    left -= 1
                    continue
                text = f"{self._who}: {error}, asked for {_say_block(block)}"
                if error.garbled:
                    raise InvalidReading(f"{text}. {_GARBLED}") from error
                raise DeviceUnavailable(f"{text}. {_SILENT_SERIAL if self.options.device else _SILENT_TCP}") from error

    async def _words(self, line: Any, block: Block) -> Sequence[int]:
        method, function = _READS[block.table]
        start, count = block.addresses.start, len(block.addresses)
        answer = await self._ask(
            line,
            lambda client: getattr(client, method)(start, count=count, device_id=self.options.unit_id),
            (function,),
        )
        if answer.isError():
            raise DeviceUnavailable(
                f"{self._who} does not tell {_say_block(block)}: {_say_exception(answer.exception_code)[0]}"
            )
        words: Sequence[int] = answer.bits[:count] if block.table.of_bits else answer.registers
        if len(words) != count:
            raise self._lines.Unanswered(f"it told {len(words)} of {count} addresses", garbled=True)
        return words

    async def _ask(self, line: Any, request: Any, functions: Sequence[int]) -> Any:
        answer = await line.ask(request, timeout=self.options.timeout, silence=self.options.silence)
        if answer.function_code & 0x7F not in functions:
            raise self._lines.Unanswered(
                f"it answered another question (function {answer.function_code})", garbled=True
            )
        return answer

    def _open_line(self) -> Any:
        if self._line is None:
            raise DeviceUnavailable(f"{self._who}: it is not open")
        return self._line

    @property
    def _who(self) -> str:
        return f"{self._settings} unit {self.options.unit_id}"


def _say_block(block: Block) -> str:
    names = block.names if len(block.names) <= 3 else (*block.names[:2], f"{len(block.names) - 2} more")
    return f"{block.table} {say_addresses(block.addresses)} ({', '.join(names)})"


def _say_exception(code: int) -> tuple[str, bool]:
    """Return what an exception answer means, and whether it says that a write did nothing."""
    return _EXCEPTIONS.get(code, (f"exception {code}, which the maker of the device has defined", False))
