"""How things are at a glance, in one line: what is wrong, then what matters most. Pure."""

from collections.abc import Iterable
from itertools import islice

from jidget.things.directory import Directory
from jidget.things.host import Thing
from jidget.things.running import NOT_YET
from jidget.things.values import show_value

MOST_THINGS = 4
"""Things named in a line that a contact list has room for."""


def glance(directory: Directory, remarks: Iterable[str]) -> tuple[str, str]:
    """Return what is wrong, with `remarks` on the agent itself, and how things are; either may be empty."""
    away = [thing.id for thing in directory if thing.availability.reason not in ("", NOT_YET)]
    named = ", ".join(away[:MOST_THINGS]) + (" …" if len(away) > MOST_THINGS else "")
    wrong = (f"unavailable: {named}" if away else "", *remarks)
    telling = (thing for thing in directory if thing.availability.available and not thing.values.keys() <= thing.quiet)
    return " · ".join(filter(None, wrong)), " · ".join(map(_say, islice(telling, MOST_THINGS)))


def _say(thing: Thing) -> str:
    """Say the value that matters most: the first that can be set, else the first."""
    shown = [name for name in thing.values if name not in thing.quiet]
    name = next((name for name in shown if thing.properties[name].writable), shown[0])
    return f"{thing.label} {show_value(thing.properties[name], thing.values[name].value)}"
