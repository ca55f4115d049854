"""`jidget drivers`: the catalogue of what hardware can be read and driven; with `--detect`, what of it is here."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from jidget.cli import detect as detection
from jidget.cli.terminal import Painter, wrap
from jidget.errors import Exit, JidgetError
from jidget.spelling import did_you_mean
from jidget_drivers import Driver
from jidget_drivers.catalogue import DriverInfo, describe, installed, say_values
from jidget_drivers.option_fields import FieldInfo
from jidget_drivers.sysfs import SYSFS

HELP = "list the installed drivers, show one, or look which hardware is here"
EPILOG = """
examples:
  jidget drivers
  jidget drivers gpio-output             its options, properties, wiring
  jidget drivers --detect                what is connected, as blocks for jidget.toml
  jidget drivers --detect --i2c 1        the chips on I2C bus 1, too
  jidget drivers --detect >> jidget.toml
  jidget drivers --json

--detect only looks at what the kernel shows. A scan of an I2C bus talks to every chip on it, which can
disturb one that is at work, or change what it is set to: so it is made only with --i2c. What the
configuration uses already is left out, and its ids are not used again.

Drivers of other people come as packages: pip install NAME.
"""


class UnknownDriver(JidgetError):
    """There is no driver of that name."""

    exit_code = Exit.USAGE


class WrongArguments(JidgetError):
    """Arguments that do not go together."""

    exit_code = Exit.USAGE


class BrokenDriver(JidgetError):
    """A driver, or all of them, cannot be loaded; the text says why."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="show this driver")
    parser.add_argument("--json", action="store_true", help="for programs: a list, or one object with NAME or --detect")
    looking = parser.add_argument_group("looking at this machine")
    looking.add_argument(
        "--detect", action="store_true", help="look which hardware is here and print blocks for jidget.toml"
    )
    looking.add_argument(
        "--i2c",
        nargs="?",
        type=_bus,
        const=detection.ALL_BUSES,
        metavar="BUS",
        help="scan I2C bus BUS, too; without a number all buses but those of screens and the mainboard",
    )
    looking.add_argument(
        "--sysfs", type=Path, metavar="DIR", help="where sysfs is mounted, /sys if not said: for a container"
    )


def run(args: argparse.Namespace) -> int:
    """Print the catalogue or one driver, or what was found."""
    if args.detect:
        if args.name is not None:
            raise WrongArguments("NAME and --detect do not go together: --detect looks for hardware of all drivers")
        args.sysfs = SYSFS if args.sysfs is None else args.sysfs
        return detection.run(args)
    if any(given is not None for given in (args.i2c, args.config, args.sysfs)):
        raise WrongArguments("--i2c, --config and --sysfs say how to look: write --detect as well")
    drivers = installed()
    painter = Painter(sys.stdout)
    if args.name is not None:
        if args.name not in drivers:
            raise UnknownDriver(
                f'there is no driver "{args.name}".{did_you_mean(args.name, drivers)} '
                f"Installed: {', '.join(drivers) or 'none'}. Others come as packages: pip install NAME"
            )
        info = _describe(drivers[args.name])
        print(json.dumps(_as_json(info), indent=2, ensure_ascii=False) if args.json else _details(info, painter))
        return Exit.OK
    if not drivers:
        raise BrokenDriver("no drivers are installed. Install the package itself: pip install jidget")
    infos: list[DriverInfo] = []
    broken: list[BrokenDriver] = []
    for entry in drivers.values():
        try:
            infos.append(_describe(entry))
        except BrokenDriver as error:
            broken.append(error)
    if args.json:
        print(json.dumps([_as_json(info) for info in infos], indent=2, ensure_ascii=False))
    else:
        print("\n".join(_catalogue(infos, painter)))
    for problem in broken:
        print(painter.warn(f"jidget: {problem}"), file=sys.stderr)
    return Exit.FAILED if broken else Exit.OK


def _bus(text: str) -> int:
    """Return the number of an I²C bus."""
    number = text.removeprefix("/dev/").removeprefix("i2c-")
    if not number.isdecimal():
        raise argparse.ArgumentTypeError(f'"{text}" is no I2C bus: write its number, N of /dev/i2c-N')
    return int(number)


def _describe(entry: EntryPoint) -> DriverInfo:
    """Describe an installed driver.

    Raises:
        BrokenDriver: its module cannot be imported or holds no driver.
    """
    package = entry.dist.name if entry.dist is not None else entry.module
    try:
        cls = entry.load()
    except (ImportError, AttributeError) as error:
        raise BrokenDriver(f'the driver "{entry.name}" of {package} cannot be loaded: {error}. Reinstall it') from error
    if not (isinstance(cls, type) and issubclass(cls, Driver)):
        raise BrokenDriver(
            f'the driver "{entry.name}" of {package} is none: {entry.value} is not a Sensor or EventSource'
        )
    return describe(entry.name, cls)


def _catalogue(infos: Iterable[DriverInfo], painter: Painter) -> Iterator[str]:
    for info in infos:
        shows = ", ".join(prop.name for prop in info.properties) or "as configured"
        yield painter.bold(info.name)
        yield wrap(info.summary, "    ")
        yield painter.dim(wrap(f"properties: {shows}", "    "))
        if info.extra:
            yield painter.dim(wrap(f"needs: {_install(info)}", "    "))
    yield ""
    yield "`jidget drivers NAME` shows options and wiring."


def _details(info: DriverInfo, painter: Painter) -> str:
    return "\n".join(_detail_lines(info, painter))


def _detail_lines(info: DriverInfo, painter: Painter) -> Iterator[str]:
    yield f"{painter.bold(info.name)}  {info.summary}"
    for paragraph in info.details.split("\n\n"):
        if paragraph:
            yield ""
            yield wrap(" ".join(paragraph.split()))
    yield ""
    yield "It tells by itself." if info.tells else "It is asked every interval."
    if info.extra:
        yield f"Needs: {_install(info)}"
    if info.wiring:
        yield from ("", painter.bold("Wiring"), wrap(info.wiring, "  "))
    if info.properties:
        yield from ("", painter.bold("Properties"))
        for prop in info.properties:
            kind = f"{say_values(prop)}{', writable' if prop.writable else ''}"
            yield from _entry(prop.name, kind, prop.description, painter)
    if info.options:
        yield from ("", painter.bold("Options"))
        yield from _fields(info.options, painter)
    for action in info.actions:
        yield from ("", f"{painter.bold('Action')} {action.name}: {action.summary}")
        yield from _fields(action.parameters, painter)
    yield from ("", painter.bold("Configuration"))
    yield from (f"  {line}" for line in _example(info))


def _install(info: DriverInfo) -> str:
    return f"pip install 'jidget[{info.extra}]'"


def _fields(fields: Iterable[FieldInfo], painter: Painter) -> Iterator[str]:
    for field in fields:
        default = ", required" if field.required else f", default {field.default}" if field.default else ""
        yield from _entry(field.key, field.type + default, field.description, painter)


def _entry(name: str, kind: str, meaning: str, painter: Painter) -> Iterator[str]:
    yield f"  {painter.value(name)}  {painter.dim(kind)}"
    if meaning:
        yield wrap(meaning, "      ")


def _example(info: DriverInfo) -> Iterator[str]:
    """Yield the least that a configuration needs to use the driver."""
    thing = info.name.replace("-", "_")
    yield f"[things.my_{thing}]"
    yield f'driver = "{info.name}"'
    required = [field for field in info.options if field.required and "." not in field.key and "[]" not in field.key]
    if required:
        yield f"[things.my_{thing}.options]"
        for field in required:
            yield f"{field.key} = …        # {field.type}"


def _as_json(info: DriverInfo) -> dict[str, Any]:
    return asdict(info)
