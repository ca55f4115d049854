"""Sizes of files as people write them: `200MB`, `1.5 GB`."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from jidget.config.values import from_file, wrong

EXAMPLES = '"50MB", "200MB" or "1GB"'
LARGEST = 1000**4
"""Bytes: SQLite could hold more, no device of ours has it."""

_UNITS = {"kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
_FORM = re.compile(r"(\d+(?:[.,]\d+)?)\s*([kmg]i?b)")
_PATTERN = r"^\s*\d+([.,]\d+)?\s*([kKmMgG][iI]?[bB])\s*$"


def parse_size(text: str) -> int:
    """Return the bytes that a text such as `200MB` names.

    Raises:
        ValueError: it is not a number and a unit.
    """
    match = _FORM.fullmatch(text.strip().lower())
    if not match:
        raise ValueError(f'"{text}" is not a size: write {EXAMPLES}')
    return round(float(match[1].replace(",", ".")) * _UNITS[match[2]])


def _bytes(value: object, info: ValidationInfo) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        if not from_file(info):
            return value
        hint = f' For {value} bytes write "{value / 1000**2:.4g}MB"' if 1000**2 <= value <= LARGEST else ""
        raise wrong(f"not a size: a number and a unit in quotes is wanted, such as {EXAMPLES}.{hint}".rstrip("."))
    if not isinstance(value, str):
        raise wrong(f"not a size: a number and a unit in quotes is wanted, such as {EXAMPLES}")
    try:
        size = parse_size(value)
    except (ValueError, OverflowError):
        raise wrong(f"not a size: write a number and a unit in quotes, such as {EXAMPLES}") from None
    if size > LARGEST:
        raise wrong('too large: write at most "1000GB"')
    return size


Bytes = Annotated[int, BeforeValidator(_bytes), WithJsonSchema({"type": "string", "pattern": _PATTERN})]
"""A size: text with a unit in the file, bytes in code."""


def size(text: str, description: str) -> Any:
    """Return a field with a size as its default, written in the schema as people write it."""
    return Field(default=parse_size(text), description=description, json_schema_extra={"default": text})
