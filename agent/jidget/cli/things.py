"""`jidget things`: what there is, from the agent that runs, else from the configuration."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from jidget.cli.terminal import Painter
from jidget.commands.inventory import inventory
from jidget.commands.local import ask_for_things
from jidget.config import load
from jidget.errors import Exit
from jidget.things.loader import load_things

HELP = "list all Things and what can be read and set of them"
EPILOG = """
An agent that runs on this machine with the same configuration is asked: it knows the values, and the devices that were
discovered. Otherwise the Things of the configuration are listed, without values.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", action="store_true", help="one JSON object a property (null: a button), for scripts")


def run(args: argparse.Namespace) -> int:
    """List and print; return the exit code."""
    config = load(args.config, password=False)
    told = ask_for_things(config.store.path)
    things: Sequence[Mapping[str, Any]] = inventory(load_things(config)) if told is None else told
    if args.json:
        for each in things:
            print(json.dumps(each, ensure_ascii=False))
        return Exit.OK
    paint = Painter(sys.stdout)
    for line in _table(things, paint, running=told is not None):
        print(line)
    if told is None:
        print(
            paint.dim("No agent runs with this configuration: no values, and no discovered devices."), file=sys.stderr
        )
    return Exit.OK


def _table(things: Sequence[Mapping[str, Any]], paint: Painter, *, running: bool) -> Iterator[str]:
    width = max((len(each["property"] or "") for each in things), default=0)
    for thing_id, group in groupby(things, key=lambda each: each["thing"]):
        objects = list(group)
        first = objects[0]
        label = f" ({first['label']})" if first["label"] != thing_id else ""
        away = f"  {paint.fail(first['reason'] or 'unavailable')}" if running and not first["available"] else ""
        yield f"{paint.bold(thing_id)}{label}{away}"
        for each in (each for each in objects if each["property"] is not None):
            yield f"  {each['property']:<{width}}  {_say(each, paint)}".rstrip()
        if actions := sorted({action for each in objects for action in each["actions"]}):
            yield f"  {paint.dim('do ' + ', '.join(actions))}"


def _say(each: Mapping[str, Any], paint: Painter) -> str:
    value, unit = each["value"], each["unit"] or ""
    shown = ("on" if value else "off") if isinstance(value, bool) else value
    parts = [] if value is None else [f"{shown} {unit}".strip()]
    if each["writable"]:
        parts.append(paint.dim(f"can be set{_range(each)}"))
    return "  ".join(parts)


def _range(each: Mapping[str, Any]) -> str:
    if each["options"]:
        return f": {', '.join(each['options'])}"
    if each["min"] is None and each["max"] is None:
        return ""
    low, high = ("" if edge is None else f"{edge:g}" for edge in (each["min"], each["max"]))
    return f": {low} to {high}" if low and high else f": at least {low}" if low else f": at most {high}"
