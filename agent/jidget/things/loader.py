"""From configuration to Things: drivers found by entry point, their options checked, their hosts built."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

from pydantic import ValidationError

from jidget.config.model import Config
from jidget.config.problems import option_problems
from jidget.config.things import ThingConfig
from jidget.errors import ConfigError
from jidget.spelling import did_you_mean
from jidget.things.calibration import Calibration
from jidget.things.host import Thing
from jidget.things.rulebook import BadRules, buttons_of, rules_of
from jidget.things.running import ThingSettings
from jidget_drivers import Driver, MissingLibrary
from jidget_drivers.catalogue import installed


def load_things(config: Config) -> list[Thing]:
    """Build the host of every configured Thing; no hardware is touched yet.

    Raises:
        ConfigError: drivers that are not there or options that do not fit, all at once.
    """
    things: list[Thing] = []
    problems: list[str] = []
    drivers = installed()
    for thing_id, thing in config.things.items():
        try:
            things.append(_load(config, thing_id, thing, drivers))
        except ConfigError as error:
            problems.append(str(error))
    by_id = {thing.id: thing for thing in things}
    if problems:
        raise ConfigError("\n".join(problems))
    try:
        rules = rules_of(config, by_id)
        buttons_of(config, by_id)
    except BadRules as error:
        raise ConfigError("\n".join(problem.say(config.file) for problem in error.problems)) from None
    for (thing_id, name), found in rules.items():
        by_id[thing_id].rules[name] = found
    return things


def check_things(config: Config) -> list[str]:
    """Return what is wrong with the Things' drivers and options, one message a problem."""
    try:
        load_things(config)
    except ConfigError as error:
        return str(error).splitlines()
    return []


def load_driver(name: str, drivers: dict[str, EntryPoint], where: str) -> type[Driver[Any]]:
    """Import the driver class called `name`.

    Raises:
        ConfigError: none of that name, or its libraries are missing; `where` says who asked.
    """
    entry = drivers.get(name)
    if entry is None:
        if not drivers:
            raise ConfigError(f"{where}: no drivers are installed. Install the package itself: pip install jidget")
        raise ConfigError(
            f"{where}: there is no driver of that name.{did_you_mean(name, drivers)} "
            f"Installed: {', '.join(sorted(drivers))}. Others come as packages: pip install NAME"
        )
    try:
        cls = entry.load()
    except ImportError as error:
        package = entry.dist.name if entry.dist else entry.module
        raise ConfigError(
            f"{where}: the driver's library is missing ({error}). See `jidget drivers {name}`, or reinstall {package}"
        ) from error
    if not (isinstance(cls, type) and issubclass(cls, Driver)):
        raise ConfigError(f"{where}: {entry.value} is not a driver: it does not derive from Sensor or EventSource")
    return cls


def _load(config: Config, thing_id: str, thing: ThingConfig, drivers: dict[str, EntryPoint]) -> Thing:
    where = f"{config.file}: things.{thing_id}.driver = {thing.driver!r}"
    cls = load_driver(thing.driver, drivers, where)
    try:
        options = cls.options_type.model_validate(thing.options, context={"base": config.file.parent})
        driver = cls(options)
    except ValidationError as error:
        raise ConfigError(
            "\n".join(option_problems(config.file, f"things.{thing_id}.options", error, cls.options_type))
        ) from None  # pydantic's own error shows the values
    except ValueError as error:  # what only the whole of the options shows, such as limits that contradict each other
        raise ConfigError(f"{config.file}: things.{thing_id}.options: {error}") from error
    except ImportError as error:
        remedy = f"pip install 'jidget[{cls.extra}]'" if cls.extra else "install it"
        if isinstance(error, MissingLibrary) and error.remedy:
            remedy = error.remedy
        raise ConfigError(f"{where}: its library is missing ({error}). Remedy: {remedy}") from error
    known = {p.name for p in driver.properties}
    # None at all: the driver looks for them, and its hardware is away. That must not keep the agent from starting.
    unknown = list(_unknown_properties(config, thing_id, thing, known)) if known else []
    if unknown:
        raise ConfigError("\n".join(unknown))
    return Thing(
        ThingSettings(
            thing_id=thing_id,
            label=thing.label,
            aliases=thing.aliases,
            interval=thing.interval,
            timeout=thing.timeout,
            calibrations={
                name: Calibration(offset=p.offset, scale=p.scale, precision=p.precision, label=p.label)
                for name, p in thing.properties.items()
            },
            property_aliases={alias.casefold(): name for name, p in thing.properties.items() for alias in p.aliases},
        ),
        driver,
    )


def _unknown_properties(config: Config, thing_id: str, thing: ThingConfig, known: set[str]) -> Iterator[str]:
    deadbands = thing.report.deadband if isinstance(thing.report.deadband, dict) else {}
    for table, names in (("properties", thing.properties), ("report.deadband", deadbands)):
        for name in names:
            if name not in known:
                yield (
                    f"{config.file}: things.{thing_id}.{table}.{name}: the driver has no such property."
                    f"{did_you_mean(name, known)} It has: {', '.join(sorted(known)) or 'none'}"
                )
