"""`jidget read [THING[.PROPERTY]]`: read the hardware, without any network."""

import argparse
import asyncio
import logging
import sys

from jidget.config import load
from jidget.errors import Exit, JidgetError
from jidget.things.directory import Directory, NotFound
from jidget.things.host import Thing
from jidget.things.loader import load_things
from jidget.things.values import MAX_STRING, shorten, show_plain
from jidget_drivers import EventSource

HELP = "read the hardware once, without any network"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("target", nargs="?", metavar="THING[.PROPERTY]", help="what to read; everything if left out")


def run(args: argparse.Namespace) -> int:
    """Read and print; return the exit code."""
    if not args.verbose:  # what goes wrong is printed anyway, and in one line
        logging.getLogger("jidget.things").setLevel(logging.CRITICAL)
    directory = Directory(load_things(load(args.config, password=False)))
    things, only = list(directory), None
    if args.target:
        try:
            thing, prop = directory.resolve(args.target, may=lambda _: True, act=False)
        except NotFound as error:
            raise JidgetError(str(error)) from error
        things, only = [thing], prop.name if prop else None
    failed = asyncio.run(_read_all(things, only))
    return Exit.FAILED if failed else Exit.OK


async def _read_all(things: list[Thing], only: str | None) -> bool:
    results = await asyncio.gather(*(_read(thing) for thing in things))
    failed = False
    for thing, problem in zip(things, results, strict=True):
        if problem:
            failed = True
            print(f"{thing.id}: {problem}", file=sys.stderr)
            continue
        told = [name for name in thing.values if only in (None, name)]
        for name in told:
            print(_line(thing, name))
        if not told:
            failed = True
            print(f"{thing.id}{'.' + only if only else ''}: it has told no value", file=sys.stderr)
    return failed


def _line(thing: Thing, name: str) -> str:
    prop, value = thing.properties[name], thing.values[name].value
    if isinstance(value, bool):
        shown = "on" if value else "off"
    else:
        shown = shorten(value, MAX_STRING) if isinstance(value, str) else show_plain(prop, value)
    return f"{thing.id}.{name} {shown}{' ' + prop.unit.value if prop.unit else ''}"


async def _read(thing: Thing) -> str:
    """Run the Thing until it has told its values once; return what went wrong."""
    told = asyncio.Event()
    thing.on_readings = lambda _: told.set()
    thing.on_availability = lambda it: None if it.availability.available else told.set()
    running = asyncio.create_task(thing.run(), name=f"thing {thing.id}")
    try:
        async with asyncio.timeout(2 * thing.timeout):
            await told.wait()
    except TimeoutError:
        if isinstance(thing.driver, EventSource) and thing.availability.available:
            return "it has told nothing yet"
    finally:
        running.cancel()
        await asyncio.wait((running,))
    return "" if thing.availability.available else thing.availability.reason
