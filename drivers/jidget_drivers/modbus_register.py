"""Registers of a Modbus device: where a value is and what it means.

Tables, types and addresses as in the MODBUS Application Protocol Specification V1.1b3, sections 4.2 to 4.4.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, StrictInt, model_validator

from jidget_drivers.driver import DriverOptions
from jidget_drivers.option_types import UnitName
from jidget_drivers.properties import Kind, Property

ADDRESSES = 65536
MOST_REGISTERS = 125
"""Registers that one request may ask for (6.3, 6.4)."""


class Table(StrEnum):
    """The four tables of a device (4.3)."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"

    @property
    def of_bits(self) -> bool:
        """Whether an address of it holds one bit; else it holds 16."""
        return self in (Table.COIL, Table.DISCRETE)


class Encoding(StrEnum):
    """What the registers of one value hold."""

    U16 = "u16"
    I16 = "i16"
    U32 = "u32"
    I32 = "i32"
    U64 = "u64"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"
    BOOL = "bool"
    STRING = "string"

    @property
    def bits(self) -> int:
        """Return the size of a number; 0 for what is none."""
        return 0 if self in (Encoding.BOOL, Encoding.STRING) else int(self.value[1:])

    @property
    def is_float(self) -> bool:
        """Whether it is an IEEE 754 number."""
        return self in (Encoding.F32, Encoding.F64)

    @property
    def limits(self) -> tuple[int, int]:
        """Return the least and the greatest raw number of a whole type."""
        if self in (Encoding.I16, Encoding.I32, Encoding.I64):
            return -(1 << self.bits - 1), (1 << self.bits - 1) - 1
        return 0, (1 << self.bits) - 1


# The first digit of a number such as 40001 names the table; the rest counts from 1 (4.4).
_REFERENCE_TABLES = {"0": Table.COIL, "1": Table.DISCRETE, "3": Table.INPUT, "4": Table.HOLDING}


class Register(DriverOptions):
    """One property: where it is in the device and what it means."""

    address: StrictInt | None = Field(
        default=None,
        ge=0,
        le=ADDRESSES - 1,
        description="Protocol address, counted from 0: what a manual calls holding register 40001 is address 0.",
    )
    reference: StrictInt | str | None = Field(
        default=None,
        description="Instead of address and table: the number as manuals print it, such as 40001, 400001 or 30012; "
        'a coil as text, "00001".',
    )
    table: Table = Field(default=Table.HOLDING, description="Which of the device's four tables it is in.")
    type: Encoding | None = Field(
        default=None, description='What it holds. Left out: "bool" for a coil, a discrete input or a bit, else "u16".'
    )
    word_order: Literal["big", "little"] = Field(
        default="big", description="Which register of several comes first: big, the one with the high bits."
    )
    byte_order: Literal["big", "little"] = Field(default="big", description="Order of the two bytes in each register.")
    bit: int | None = Field(
        default=None, ge=0, le=15, description="A single bit of a register, 0 being the least significant."
    )
    length: int | None = Field(
        default=None, ge=1, le=MOST_REGISTERS, description="Registers of a string, two characters each."
    )
    scale: float = Field(default=1, allow_inf_nan=False, description="value = number in the register * scale + offset.")
    offset: float = Field(default=0, allow_inf_nan=False, description="Added after scaling.")
    unit: UnitName | None = Field(
        default=None, description="Unit of the value: a SenML symbol or a usual spelling, such as kWh or °C."
    )
    label: str = Field(default="", description="What people call it.")
    min: float | None = Field(
        default=None, allow_inf_nan=False, description="Least value that makes sense; below, a reading is invalid."
    )
    max: float | None = Field(default=None, allow_inf_nan=False, description="Greatest value that makes sense.")
    precision: int | None = Field(
        default=None, ge=0, le=9, description="Decimals shown. Left out: those of scale and offset, for whole types."
    )
    options: dict[str, StrictInt] = Field(
        default={}, description="Names for numbers, { off = 0, heat = 1 }: the property then has one of the names."
    )
    writable: bool = Field(default=False, description="Whether it can be set; holding registers and coils only.")

    @property
    def where(self) -> tuple[Table, int]:
        """Return the table and the protocol address.

        Raises:
            ValueError: the reference names none.
        """
        if self.reference is None:
            return self.table, self.address or 0
        digits = str(self.reference)
        number = int(digits[1:]) if len(digits) in (5, 6) and digits.isdecimal() else 0
        if digits[0] not in _REFERENCE_TABLES or not 1 <= number <= ADDRESSES:
            raise ValueError(
                f"reference {self.reference!r} is none: write five or six digits, of which the first names the table: "
                '4 holding, 3 input, 1 discrete, 0 coil (as text: "00001")'
            )
        return _REFERENCE_TABLES[digits[0]], number - 1

    @property
    def encoding(self) -> Encoding:
        """Return what it holds."""
        if self.type is not None:
            return self.type
        return Encoding.BOOL if self.where[0].of_bits or self.bit is not None else Encoding.U16

    @property
    def size(self) -> int:
        """Return how many addresses it takes."""
        if self.encoding is Encoding.STRING:
            return self.length or 1
        return max(1, self.encoding.bits // 16)

    @property
    def addresses(self) -> range:
        """Return the addresses it takes in its table."""
        start = self.where[1]
        return range(start, start + self.size)

    @property
    def is_scaled(self) -> bool:
        """Whether the value differs from the number in the register."""
        return self.scale != 1 or self.offset != 0

    @property
    def kind(self) -> Kind:
        """Return the kind of its values."""
        if self.options:
            return Kind.ENUM
        match self.encoding:
            case Encoding.BOOL:
                return Kind.BOOLEAN
            case Encoding.STRING:
                return Kind.STRING
            case Encoding.F32 | Encoding.F64:
                return Kind.NUMBER
            case _:
                return Kind.NUMBER if self.is_scaled else Kind.INTEGER

    def declared(self, name: str) -> Property:
        """Return it as the driver declares it; what can be set has the limits of its type.

        Raises:
            ValueError: the name or the settings contradict each other.
        """
        low, high = self.min, self.max
        numeric = self.kind.is_numeric
        precision = self.precision
        if numeric and not self.encoding.is_float:
            if self.writable:
                least, greatest = sorted(self.to_value(raw) for raw in self.encoding.limits)
                low, high = least if low is None else low, greatest if high is None else high
            if self.is_scaled and precision is None:
                precision = min(9, max(_decimals(self.scale), _decimals(self.offset)))
        return Property(
            name=name,
            kind=self.kind,
            unit=self.unit,
            label=self.label,
            writable=self.writable,
            minimum=low,
            maximum=high,
            options=tuple(self.options),
            precision=precision if numeric else None,
        )

    def to_value(self, raw: float) -> float:
        """Return the value that a number in the register means, without the noise of binary fractions."""
        if not self.is_scaled:
            return raw
        return float(Decimal(repr(raw)) * Decimal(repr(self.scale)) + Decimal(repr(self.offset)))

    def to_raw(self, value: float) -> float | int:
        """Return the number for the register that means `value`: the nearest one of a whole type."""
        exact = Decimal(repr(value))
        if self.is_scaled:
            exact = (exact - Decimal(repr(self.offset))) / Decimal(repr(self.scale))
        return float(exact) if self.encoding.is_float else round(exact)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        given = self.model_fields_set
        if (self.address is None) == (self.reference is None):
            raise ValueError("write either address, counted from 0, or reference, such as 40001")
        table, start = self.where
        if self.reference is not None and "table" in given and self.table is not table:
            raise ValueError(f"reference {self.reference} is in the table {table}, not {self.table}: leave table out")
        if start + self.size > ADDRESSES:
            raise ValueError(f"its {self.size} registers from {start} on go beyond address {ADDRESSES - 1}")
        self._require_fitting_type(table)
        if self.writable and table not in (Table.HOLDING, Table.COIL):
            raise ValueError(f"nothing in the table {table} can be set: leave writable out, or name another table")
        if self.scale == 0:
            raise ValueError("scale 0 would make every value the same")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self

    def _require_fitting_type(self, table: Table) -> None:
        encoding, numeric = self.encoding, self.kind.is_numeric
        if table.of_bits and (encoding is not Encoding.BOOL or self.bit is not None):
            raise ValueError(f'the table {table} holds single bits: type is "bool", and there is no bit to name')
        if self.bit is not None and encoding is not Encoding.BOOL:
            raise ValueError(f'a single bit is a "bool", not a {encoding}: leave out type, or bit')
        if (encoding is Encoding.STRING) != (self.length is not None):
            raise ValueError("a string needs length, its number of registers, and only a string has it")
        if not numeric and (self.is_scaled or self.min is not None or self.max is not None or self.unit is not None):
            raise ValueError(f"a {self.kind} has no scale, offset, unit, min or max")
        if self.options:
            self._require_fitting_options(encoding)

    def _require_fitting_options(self, encoding: Encoding) -> None:
        if not encoding.bits or encoding.is_float:
            raise ValueError(f"options name whole numbers; a {encoding} has none")
        low, high = encoding.limits
        for name, raw in self.options.items():
            if not low <= raw <= high:
                raise ValueError(f"option {name} = {raw} does not fit into a {encoding}, {low} to {high}")
        if len(set(self.options.values())) < len(self.options):
            raise ValueError("two options name the same number")


def _decimals(number: float) -> int:
    exponent = Decimal(repr(number)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
