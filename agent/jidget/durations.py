"""Durations as people write them (`500ms`, `30s`, `5m`, `24h`, `30d`) and as they are told to people."""

from jidget_drivers.option_types import parse_duration, write_duration

__all__ = ["EXAMPLES", "format_duration", "parse_duration", "write_duration"]

EXAMPLES = '"500ms", "30s", "5m", "24h" or "30d"'


def format_duration(seconds: float) -> str:
    """Say a span of time the way a person would: `3 s`, `12 min`, `5 h`, `2 d`."""
    seconds = max(0.0, seconds)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} d"
