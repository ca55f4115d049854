"""`jidget read [THING[.PROPERTY]]`: read the hardware, without any network."""

import argparse
import asyncio
import sys

from jidget.config import load
from jidget.errors import Exit, JidgetError
from jidget.things.directory import Directory, NotFound
from jidget.things.host import Thing
from jidget.things.loader import load_things
from jidget.things.values import show_number
from jidget_drivers import EventSource

HELP = "read the hardware once, without any network"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("target", nargs="?", metavar="THING[.PROPERTY]", help="what to read; everything if left out")


def run(args: argparse.Namespace) -> int:
    """Read and print; return the exit code."""
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
        for name, observed in thing.values.items():
            if only in (None, name):
                value = observed.value
                prop = thing.properties[name]
                if isinstance(value, bool):
                    shown = "on" if value else "off"
                else:
                    shown = value if isinstance(value, str) else show_number(value, prop.precision)
                print(f"{thing.id}.{name} {shown}{' ' + prop.unit.value if prop.unit else ''}")
    return failed


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
