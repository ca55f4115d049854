"""Modbus registers to values and back, and which registers to ask for together. Pure.

Numbers of several registers have no place in the specification; big-endian with the high register first is what most
devices do, and `word_order` and `byte_order` are for the others.
"""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jidget_drivers.errors import InvalidReading, WriteRefused
from jidget_drivers.modbus_register import Encoding, Register, Table
from jidget_drivers.properties import Scalar

_FORMATS = {
    Encoding.U16: "H",
    Encoding.I16: "h",
    Encoding.U32: "I",
    Encoding.I32: "i",
    Encoding.U64: "Q",
    Encoding.I64: "q",
    Encoding.F32: "f",
    Encoding.F64: "d",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Neighbouring addresses of one table that one request reads, and the properties found there."""

    table: Table
    addresses: range
    names: tuple[str, ...]


def blocks_of(
    registers: Mapping[str, Register], *, most_registers: int, most_bits: int, max_gap: int
) -> tuple[Block, ...]:
    """Return the fewest requests that read all registers, no value split between two.

    Args:
        registers: by property name; their size at most the limits.
        most_registers: addresses that a request for registers may have.
        most_bits: the same for coils and discrete inputs.
        max_gap: addresses of no interest that may lie between two properties of one request.
    """
    blocks: list[Block] = []
    for name, register in sorted(registers.items(), key=lambda item: (item[1].where, item[1].size)):
        table, wanted = register.where[0], register.addresses
        most = most_bits if table.of_bits else most_registers
        last = blocks[-1] if blocks and blocks[-1].table is table else None
        if last is not None and wanted.start <= last.addresses.stop + max_gap:
            together = range(last.addresses.start, max(wanted.stop, last.addresses.stop))
            if len(together) <= most:
                blocks[-1] = Block(table=table, addresses=together, names=(*last.names, name))
                continue
        blocks.append(Block(table=table, addresses=wanted, names=(name,)))
    return tuple(blocks)


def decode(name: str, register: Register, words: Sequence[int] | Sequence[bool]) -> Scalar:
    """Return the value in `words`: the 16-bit numbers, or the one bit, at the register's addresses.

    Raises:
        InvalidReading: it is no value: not a number, an unknown option, no text.
    """
    if register.encoding is Encoding.BOOL:
        word = int(words[0])
        return bool(word if register.bit is None else word >> register.bit & 1)
    data = _to_bytes(register, words)
    if register.encoding is Encoding.STRING:
        return _decode_text(name, data)
    (raw,) = struct.unpack(f">{_FORMATS[register.encoding]}", data)
    if register.options:
        for option, number in register.options.items():
            if number == raw:
                return option
        known = ", ".join(f"{number} ({option})" for option, number in register.options.items())
        raise InvalidReading(f"{name}: its register has {raw}, which is none of {known}")
    if register.encoding is Encoding.F32 and math.isfinite(raw):
        raw = _shortest(raw)
    value: float = register.to_value(raw) if math.isfinite(raw) else raw
    if not math.isfinite(value):
        raise InvalidReading(f"{name}: its registers say {raw}: the device has no value, or word_order is wrong")
    return value


def _decode_text(name: str, data: bytes) -> str:
    text = data.split(b"\0", 1)[0]
    try:
        return text.decode("ascii").rstrip()
    except UnicodeDecodeError:
        raise InvalidReading(
            f"{name}: its registers hold no text: {text.hex(' ')}. Check address, length and byte_order"
        ) from None


def _shortest(number: float) -> float:
    """Return the shortest decimal number that is the same 32-bit one: 21.3, not 21.299999237060547."""
    packed = struct.pack(">f", number)
    shorter = (float(f"{number:.{digits}g}") for digits in range(6, 10))
    return next((short for short in shorter if struct.pack(">f", short) == packed), number)


def encode(name: str, register: Register, value: Scalar) -> list[int]:
    """Return the 16-bit numbers to write for `value`; a single 0 or 1 for a boolean.

    Raises:
        WriteRefused: the registers cannot hold it.
    """
    encoding = register.encoding
    if register.options:
        if not isinstance(value, str) or value not in register.options:
            raise WriteRefused(f"{name} takes one of {', '.join(register.options)}, not {value!r}")
        return _to_words(register, struct.pack(f">{_FORMATS[encoding]}", register.options[value]))
    if encoding is Encoding.BOOL:
        return [int(bool(value))]
    if encoding is Encoding.STRING:
        return _encode_text(name, register, str(value))
    if isinstance(value, str) or not math.isfinite(value):
        raise WriteRefused(f"{name} takes a number, not {value!r}")
    raw = register.to_raw(value)
    try:
        return _to_words(register, struct.pack(f">{_FORMATS[encoding]}", raw))
    except (struct.error, OverflowError):
        limits = "" if encoding.is_float else " to ".join(f"{register.to_value(limit):g}" for limit in encoding.limits)
        raise WriteRefused(
            f"{name}: {value:g} does not fit into its {encoding} register" + (f", which takes {limits}" * bool(limits))
        ) from None


def _encode_text(name: str, register: Register, text: str) -> list[int]:
    room = register.size * 2
    if not text.isascii() or "\0" in text or len(text) > room:
        raise WriteRefused(f"{name} takes at most {room} characters of plain ASCII")
    return _to_words(register, text.encode("ascii").ljust(room, b"\0"))


def _to_bytes(register: Register, words: Iterable[int]) -> bytes:
    ordered = list(words)
    if register.word_order == "little" and register.encoding is not Encoding.STRING:
        ordered.reverse()
    return struct.pack(f"{'>' if register.byte_order == 'big' else '<'}{len(ordered)}H", *ordered)


def _to_words(register: Register, data: bytes) -> list[int]:
    words = list(struct.unpack(f"{'>' if register.byte_order == 'big' else '<'}{len(data) // 2}H", data))
    if register.word_order == "little" and register.encoding is not Encoding.STRING:
        words.reverse()
    return words
