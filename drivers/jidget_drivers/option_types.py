"""Types for the fields of driver options, so that every driver reads durations, paths and units the same way."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from jidget_drivers.units import Unit, parse_unit

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_FORM = re.compile(r"(\d+(?:[.,]\d+)?)\s*(ms|s|m|min|h|d)")
DURATION_FORMAT = "jidget-duration"
"""Marks a duration in a JSON schema; the schema's own `duration` is the ISO 8601 form, which nobody types."""


def parse_duration(value: object) -> float:
    """Return the seconds that a text such as `500ms`, `30s`, `5m`, `24h` or `30d` names.

    Raises:
        ValueError: it is not a text made of a number and a unit.
    """
    match = _FORM.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if not match:
        raise ValueError(f'{value!r} is not a duration: write "500ms", "30s", "5m", "24h" or "30d"')
    return float(match[1].replace(",", ".")) * _SECONDS[match[2]]


def write_duration(seconds: float) -> str:
    """Write seconds so that `parse_duration` reads them back: in the largest unit that gives a whole number."""
    for unit in ("d", "h", "m", "s"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    return f"{seconds * 1000:.12g}ms" if seconds else "0s"


def _named_unit(value: object) -> object:
    return parse_unit(value) if isinstance(value, str) else value


def _beside_config(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    try:
        path = path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path}: {error}") from error
    return path if base is None else Path(base) / path


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(write_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": DURATION_FORMAT, "pattern": f"^{_FORM.pattern}$"}),
]
"""A span of time: written `"30s"`, held in seconds."""

LocalPath = Annotated[Path, AfterValidator(_beside_config)]
"""A file of this machine. A relative one starts at the directory of the configuration file (context `base`)."""

UnitName = Annotated[Unit, BeforeValidator(_named_unit)]
"""A unit: written as its SenML symbol or a usual spelling."""
