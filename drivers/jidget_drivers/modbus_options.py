"""Settings of the Modbus driver: the line, the device and its registers, whose map must make sense as a whole."""

from itertools import combinations
from typing import Literal, Self

from pydantic import Field, model_validator

from jidget_drivers.driver import DriverOptions
from jidget_drivers.modbus_register import MOST_REGISTERS, Encoding, Register
from jidget_drivers.option_types import Duration, LocalPath

MOST_BITS = 2000
"""Coils or discrete inputs that one request may ask for (MODBUS Application Protocol V1.1b3, 6.1 and 6.2)."""


class ModbusOptions(DriverOptions):
    """Where the device is and what its registers mean. Write `host` for Modbus TCP, or `device` for a serial line."""

    host: str | None = Field(default=None, min_length=1, description="Modbus TCP: name or address of the device.")
    port: int = Field(default=502, ge=1, le=65535, description="Modbus TCP: its port.")
    framing: Literal["tcp", "rtu"] = Field(
        default="tcp", description='Modbus TCP: "rtu" for a plain serial-to-network converter that passes RTU frames.'
    )
    device: LocalPath | None = Field(
        default=None, description="Modbus RTU: serial port, best its name in /dev/serial/by-id."
    )
    baudrate: int = Field(default=9600, ge=300, description="Modbus RTU: speed of the line.")
    parity: Literal["none", "even", "odd"] = Field(default="none", description="Modbus RTU: parity of the line.")
    stopbits: Literal[1, 2] = Field(default=1, description="Modbus RTU: stop bits of the line.")
    unit_id: int = Field(default=1, ge=0, le=255, description="The device's number on the line or behind the gateway.")
    registers: dict[str, Register] = Field(min_length=1, description="Its properties by name.")
    timeout: Duration = Field(default=1.0, gt=0, le=30, description="Time that the device has to answer.")
    retries: int = Field(
        default=1, ge=0, le=5, description="How often a reading is asked for again that was not answered."
    )
    pause: Duration | None = Field(
        default=None, le=5, description="Silence between two requests. Left out: what RTU asks for at this speed."
    )
    max_gap: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Registers of no interest that are read along to join two requests; some devices refuse that.",
    )
    max_registers: int = Field(
        default=MOST_REGISTERS, ge=1, le=MOST_REGISTERS, description="Most registers that a request may ask for."
    )
    max_bits: int = Field(default=MOST_BITS, ge=1, le=MOST_BITS, description="Most coils that a request may ask for.")
    single_writes: bool = Field(
        default=True, description="Whether one register is set by function 6; false for devices that only know 16."
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.host is None) == (self.device is None):
            raise ValueError("write either host, for Modbus TCP, or device, for a serial line")
        serial = ("device", "baudrate", "parity", "stopbits")
        foreign = ("host", "port", "framing") if self.host is None else serial
        wrong = [key for key in foreign if key in self.model_fields_set]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: not with {'device' if self.host is None else 'host'}")
        if self.device is not None and not 1 <= self.unit_id <= 247:
            raise ValueError(f"unit_id {self.unit_id}: on a serial line it is 1 to 247")
        for name, register in self.registers.items():
            register.declared(name)
            most = self.max_bits if register.where[0].of_bits else self.max_registers
            if register.size > most:
                raise ValueError(f"{name} has {register.size} registers, more than max_registers = {most}")
        for (one, first), (other, second) in combinations(self.registers.items(), 2):
            problem = clash(first, second)
            if problem:
                raise ValueError(f"{one} and {other} {problem}")
        return self

    @property
    def silence(self) -> float:
        """Return the seconds between two requests: on a serial line 3.5 characters of 11 bits (Serial Line V1.02)."""
        if self.pause is not None:
            return self.pause
        if self.device is None:
            return 0.0
        return 0.00175 if self.baudrate > 19200 else 3.5 * 11 / self.baudrate


def clash(first: Register, second: Register) -> str:
    """Say why two properties cannot both be right about the device; nothing if they can.

    Different bits of one register go together, also with the whole register as a number.
    """
    table, start = first.where
    one, other = first.addresses, second.addresses
    if table is not second.where[0] or one.stop <= other.start or other.stop <= one.start:
        return ""
    if first.bit is not None or second.bit is not None:
        if first.bit == second.bit:
            return f"are the same bit {first.bit} of {table} {start}"
        if first.size == second.size == 1 and Encoding.STRING not in (first.encoding, second.encoding):
            return ""
    if one == other and first.encoding is second.encoding:
        return f"are the same {first.encoding} at {table} {start}"
    return (
        f"overlap: {table} {say_addresses(one)} is a {first.encoding} for the one, {say_addresses(other)} a "
        f"{second.encoding} for the other. Check addresses and types"
    )


def say_addresses(addresses: range) -> str:
    """Write addresses as `10` or `10-11`."""
    return str(addresses.start) if len(addresses) == 1 else f"{addresses.start}-{addresses.stop - 1}"
