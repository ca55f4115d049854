"""`jidget read [THING[.PROPERTY]]`: what the hardware says, without any network.

An agent that runs has the hardware, so it is asked; else the hardware is ours for as long as we read it.
"""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from jidget.commands.local import Answer, ask_agent, say_told, wanted
from jidget.config import load
from jidget.errors import Exit, JidgetError
from jidget.store.inspection import borrowed
from jidget.store.kept import kept_in
from jidget.things.directory import Directory, NotFound
from jidget.things.host import Thing
from jidget.things.loader import load_things
from jidget_drivers import EventSource

HELP = "read the hardware once, without any network"
EPILOG = """
An agent that runs on this machine with the same configuration is asked for what it reads, as two programs cannot have
one device. Otherwise the hardware is read by this program.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("target", nargs="?", metavar="THING[.PROPERTY]", help="what to read; everything if left out")


def run(args: argparse.Namespace) -> int:
    """Read and print; return the exit code."""
    if not args.verbose:  # what goes wrong is printed anyway, and in one line
        logging.getLogger("jidget.things").setLevel(logging.CRITICAL)
    config = load(args.config, password=False)
    directory = Directory(load_things(config))
    try:
        things, only = wanted(directory, args.target or "")
    except NotFound as error:
        raise JidgetError(str(error)) from error
    answer = _ask(config.store.path, things, only)
    for line in answer.lines:
        print(line)
    for problem in answer.problems:
        print(problem, file=sys.stderr)
    return Exit.FAILED if answer.problems else Exit.OK


def _ask(store: Path, things: list[Thing], only: str | None) -> Answer:
    """Ask the agent that runs, or read the hardware."""
    target = "" if len(things) != 1 else things[0].id + (f".{only}" if only else "")
    told = ask_agent(store, target, patience=max((2 * thing.timeout + 5 for thing in things), default=5.0))
    if told is not None:
        return told
    with borrowed(store) as free:
        if not free:
            raise JidgetError(
                f"an agent that runs has the hardware, and cannot be asked (its store is {store}). Try again when it "
                "has started, or stop it first"
            )
        for thing in things:
            thing.driver.kept = dict(kept_in(store, thing.id))  # a meter goes on from its total; nothing is written
        return asyncio.run(_read_all(things, only))


async def _read_all(things: list[Thing], only: str | None) -> Answer:
    results = await asyncio.gather(*(_read(thing) for thing in things))
    answers = [
        Answer((), (f"{thing.id}: {problem}",)) if problem else say_told(thing, only)
        for thing, problem in zip(things, results, strict=True)
    ]
    return Answer([line for a in answers for line in a.lines], [line for a in answers for line in a.problems])


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
