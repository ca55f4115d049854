"""What the agent says: the sentences and fields of results, the same for every face (DESIGN 4.6). Pure."""

import time
from collections.abc import Iterable, Mapping

from jidget.commands.model import Outcome, Reason, Refusal, Result, ResultField
from jidget.durations import format_duration
from jidget.things.host import Thing
from jidget.things.state import Observed, WriteResult
from jidget.things.values import clean_text, same_value, say_range, shorten, show_value
from jidget_drivers import Kind, Property, Scalar
from jidget_drivers.units import people_spelling

LONGEST_VALUE = 80
"""Characters of a text value where several values share a line."""
SAME_AGE = 2_000
"""Milliseconds: values this near to each other are said to have the same age."""


def refused(refusal: Refusal) -> Result:
    """Return the result of a command that was refused: nothing was moved."""
    return Result(outcome=Outcome.REFUSED, note=f"Refused: {refusal.text}", reason=refusal.reason)


def failed(reason: Reason, text: str) -> Result:
    """Return the result of a command that began and did not end well."""
    return Result(outcome=Outcome.FAILED, note=f"FAILED: {text}", reason=reason)


def say_when(then: float) -> str:
    """Say a UTC time (seconds) to a person."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(then))


def say_command(command: str, target: str, arguments: Mapping[str, str]) -> str:
    """Say what was asked for, as the audit tells it: `set pump state=on`."""
    return " ".join(
        (command, target, *(f"{name}={shorten(value, LONGEST_VALUE)}" for name, value in arguments.items()))
    )


def say_age(then: float, now: float) -> str:
    """Say how long ago `then` was: `3 s ago`. Both in UTC seconds."""
    return f"{format_duration(now - then)} ago"


def label_of(prop: Property) -> str:
    """Return what people call a property."""
    return prop.label or prop.name.replace("_", " ")


def name_of(thing: Thing, prop: Property) -> str:
    """Return `THING.PROPERTY`."""
    return f"{thing.id}.{prop.name}"


def result_field(thing: Thing, prop: Property, value: Scalar) -> ResultField:
    """Return a value as a result form repeats it."""
    return ResultField(
        name=name_of(thing, prop), label=f"{thing.label} {label_of(prop)}", value=show_value(prop, value)
    )


def observed_fields(thing: Thing, names: Iterable[str]) -> tuple[ResultField, ...]:
    """Return the last known values of these properties, those that have one."""
    return tuple(
        result_field(thing, thing.properties[name], thing.values[name].value) for name in names if name in thing.values
    )


def say_observed(thing: Thing, prop: Property, now: float) -> str:
    """Say a property's last known value and its age: `greenhouse.temperature: 21.4 °C (3 s ago)`."""
    seen = thing.values.get(prop.name)
    if seen is None:
        return f"{name_of(thing, prop)}: no value yet"
    return f"{name_of(thing, prop)}: {show_value(prop, seen.value)} ({say_age(seen.time / 1000, now)})"


def say_thing(thing: Thing, now: float, most: int) -> str:
    """Say a Thing's state in one line, at most so many values: `greenhouse: temperature 21.4 °C (3 s ago)`."""
    if not thing.availability.available:
        return thing.say_away()
    known = [(thing.properties[name], seen) for name, seen in thing.values.items() if name not in thing.quiet]
    if not known:
        return f"{thing.id}: no values yet"
    times = [seen.time for _, seen in known]
    alike = max(times) - min(times) <= SAME_AGE
    parts = [_say_part(prop, seen, None if alike else now) for prop, seen in known[:most]]
    if len(known) > most:
        parts.append(f"… and {len(known) - most} more")
    return f"{thing.id}: {', '.join(parts)}" + (f" ({say_age(min(times) / 1000, now)})" if alike else "")


def _say_part(prop: Property, seen: Observed, now: float | None) -> str:
    text = f"{label_of(prop)} {shorten(show_value(prop, seen.value), LONGEST_VALUE)}"
    return text if now is None else f"{text} ({say_age(seen.time / 1000, now)})"


def say_written(thing: Thing, asked: Mapping[str, Scalar], result: WriteResult, until: str = "") -> Result:
    """Return the result of a write: each value confirmed, or honestly not, and what follows by itself."""
    lines, fields, confirmed = [], [], True
    for name, value in asked.items():
        prop, seen = thing.properties[name], result.values.get(name)
        wanted = show_value(prop, value)
        if seen is None:
            said = f"{wanted} sent, unconfirmed"
        elif same_value(prop, seen, value):
            said = f"{show_value(prop, seen)} (confirmed)"
        else:
            said = f"{wanted} sent, unconfirmed: it reads {show_value(prop, seen)}"
        confirmed = confirmed and seen is not None and same_value(prop, seen, value)
        lines.append(f"{name_of(thing, prop)}: {said}")
        if seen is not None:
            fields.append(result_field(thing, prop, seen))
    outcome = Outcome.DONE if confirmed else Outcome.UNCONFIRMED
    note = "\n".join(lines) + (f", {until}" if until else "")
    return Result(outcome=outcome, note=note, fields=tuple(fields))


def say_invoked(thing: Thing, action: str, answer: object) -> Result:
    """Return the result of an action that ended without complaint."""
    told = "" if answer is None else f": {clean_text(str(answer))[:1000]}"
    return Result(outcome=Outcome.DONE, note=f"{thing.id} {action}: done{told}")


def describe(prop: Property, *, settable: bool) -> str:
    """Say what a property is: `temperature in °C`, `target 5 to 30 °C (can be set)`."""
    if settable:
        return f"{prop.name} {say_range(prop)} (can be set)"
    match prop.kind:
        case Kind.NUMBER | Kind.INTEGER:
            unit = people_spelling(prop.unit)
            return f"{prop.name} in {unit}" if unit else f"{prop.name}, a number"
        case Kind.STRING:
            return f"{prop.name}, a text"
        case Kind.BOOLEAN | Kind.ENUM:
            return f"{prop.name}: {say_range(prop)}"
