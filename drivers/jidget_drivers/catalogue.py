"""The catalogue of drivers: which are installed, and what each is, takes and shows, for the CLI and drivers/README.md.

`python -m jidget_drivers.catalogue` prints the part of drivers/README.md that is made from the drivers;
`python -m jidget_drivers.catalogue drivers/README.md` puts it there.
"""

import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from jidget_drivers.driver import Driver, EventSource
from jidget_drivers.option_fields import TYPE_WORDS, FieldInfo, fields_of, parameters_schema
from jidget_drivers.properties import Kind, Property

GROUP = "jidget.drivers"
"""The entry-point group in which drivers are found."""
OWN_PACKAGE = "jidget"
BEGIN, END = "<!-- catalogue: begin -->", "<!-- catalogue: end -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionInfo:
    """An action: its name, what it does, its parameters."""

    name: str
    summary: str
    parameters: tuple[FieldInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverInfo:
    """What a person needs to know of a driver.

    Attributes:
        name: what `driver = …` says.
        summary: one line.
        details: more lines, possibly none.
        tells: whether it tells by itself (an `EventSource`) or is asked.
        extra: pip extra of `jidget` that brings its libraries; empty if it needs none.
        wiring: what to connect to what; may be empty.
        options: its own settings.
        properties: what it shows; empty where that depends on the options.
        actions: what it can be told to do.
    """

    name: str
    summary: str
    details: str
    tells: bool
    extra: str
    wiring: str
    options: tuple[FieldInfo, ...]
    properties: tuple[Property, ...]
    actions: tuple[ActionInfo, ...]


def installed() -> dict[str, EntryPoint]:
    """Return the installed drivers by name, none imported. Of two with one name, Jidget's own counts."""
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        if entry.name not in found or _is_own(entry):
            found[entry.name] = entry
    return found


def _is_own(entry: EntryPoint) -> bool:
    return entry.dist is not None and entry.dist.name == OWN_PACKAGE


def describe(name: str, cls: type[Driver[Any]]) -> DriverInfo:
    """Return what there is to say of the driver `cls`, called `name`; nothing is constructed."""
    summary, _, details = (inspect.getdoc(cls) or "").partition("\n")
    actions = []
    for member_name, member in inspect.getmembers(cls, inspect.isfunction):
        if getattr(member, "__jidget_action__", False):
            line = (inspect.getdoc(member) or "").partition("\n")[0]
            fields = tuple(fields_of(parameters_schema(member)))
            actions.append(ActionInfo(name=member_name, summary=line, parameters=fields))
    return DriverInfo(
        name=name,
        summary=summary.strip(),
        details=details.strip(),
        tells=issubclass(cls, EventSource),
        extra=cls.extra,
        wiring=cls.wiring,
        options=tuple(fields_of(cls.options_type.model_json_schema())),
        properties=cls.properties,
        actions=tuple(actions),
    )


def say_values(prop: Property) -> str:
    """Say what a property's values are: `number in Cel`, `one of eco, boost`, `true or false`."""
    if prop.kind is Kind.ENUM:
        return f"one of {', '.join(prop.options)}"
    word = TYPE_WORDS.get(prop.kind, prop.kind.value)
    return word if prop.unit is None else f"{word} in {prop.unit}"


def to_markdown(drivers: Iterable[DriverInfo]) -> str:
    """Return the catalogue as Markdown: a table of all, then a section for each."""
    drivers = tuple(drivers)
    lines = ["| driver | what it is | properties | install |", "|---|---|---|---|"]
    for info in drivers:
        names = ", ".join(f"`{p.name}`" for p in info.properties) or "as configured"
        package = f"`pip install 'jidget[{info.extra}]'`" if info.extra else "nothing more"
        lines.append(f"| [`{info.name}`](#{info.name}) | {_cell(info.summary)} | {names} | {package} |")
    for info in drivers:
        lines += ["", *_section(info)]
    return "\n".join(lines) + "\n"


def _section(info: DriverInfo) -> Iterator[str]:
    yield f"### {info.name}"
    yield ""
    yield info.summary
    for text in (info.details, f"Wiring: {info.wiring}" if info.wiring else ""):
        if text:
            yield ""
            yield text
    if info.properties:
        yield from ("", "| property | values | writable | meaning |", "|---|---|---|---|")
        for prop in info.properties:
            writable = "yes" if prop.writable else ""
            yield f"| `{prop.name}` | {_cell(say_values(prop))} | {writable} | {_cell(prop.description)} |"
    if info.options:
        yield from ("", "| option | write | default | meaning |", "|---|---|---|---|")
        yield from _field_rows(info.options)
    for action in info.actions:
        yield from ("", f"Action `{action.name}`: {action.summary}")
        if action.parameters:
            yield from ("", "| parameter | write | default | meaning |", "|---|---|---|---|")
            yield from _field_rows(action.parameters)


def _field_rows(fields: Iterable[FieldInfo]) -> Iterator[str]:
    for field in fields:
        default = "**required**" if field.required else f"`{field.default}`" if field.default else ""
        yield f"| `{field.key}` | {_cell(field.type)} | {default} | {_cell(field.description)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def own_catalogue() -> str:
    """Return the catalogue of Jidget's own drivers as Markdown."""
    own = {name: entry for name, entry in installed().items() if _is_own(entry)}
    return to_markdown(describe(name, entry.load()) for name, entry in own.items())


def put_between_markers(text: str, catalogue: str) -> str:
    """Return `text` with what stands between the markers replaced.

    Raises:
        ValueError: it has no such markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"it has no lines {BEGIN} and {END}")
    return f"{before}{begin}\n\n{catalogue}\n{end}{after}"


def main(arguments: list[str]) -> int:
    """Print the catalogue, or put it into the file named."""
    catalogue = own_catalogue()
    if not arguments:
        print(catalogue, end="")
        return 0
    file = Path(arguments[0])
    try:
        file.write_text(put_between_markers(file.read_text("utf-8"), catalogue), "utf-8")
    except (OSError, ValueError) as error:
        print(f"{file}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
