"""What is published: three properties of one Thing at each instant, as plain values. Only the standard library."""

import json
from collections.abc import Iterator

THING = "greenhouse"
PROPERTIES = (("temperature", "Cel", "°C"), ("humidity", "%RH", "%"), ("pressure", "hPa", "hPa"))
"""Name, SenML symbol, people's spelling."""
STEP = 100
"""Milliseconds between instants."""

Plain = tuple[str, float, int]
"""Property, value, UTC milliseconds."""


def plain_readings(first: int, count: int, start: int, *, together: bool = True) -> Iterator[Plain]:
    """Yield `count` readings, from number `first` on; not `together`: each at an instant of its own."""
    for number in range(first, first + count):
        at = start + (number // 3 if together else number) * STEP
        which = number % 3
        if which == 0:
            value = round(20 + number % 1000 / 100, 2)
        elif which == 1:
            value = round(40 + number % 300 / 10, 1)
        else:
            value = round(990 + number % 400 / 10, 1)
        yield PROPERTIES[which][0], value, at


def total_of(count: int) -> float:
    """Return the sum of the values of the first `count` readings: what a subscriber that parsed them all has."""
    return sum(value for _, value, _ in plain_readings(0, count, 0))


def mqtt_message(name: str, value: float, at: int) -> tuple[str, str]:
    """Return topic and payload: topic says whose and which, the payload is the rest as JSON."""
    unit = next(unit for prop, unit, _ in PROPERTIES if prop == name)
    return f"home/{THING}/{name}", json.dumps({"v": value, "t": at, "u": unit}, separators=(",", ":"))


def whole_instants(batch: int) -> int:
    """Return how many readings are in a batch that is cut after `batch`: an instant is not split."""
    return batch if batch == 1 else -(-batch // len(PROPERTIES)) * len(PROPERTIES)
