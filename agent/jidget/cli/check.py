"""`jidget check`: whether the configuration and its drivers are right, and what server and broker can do for us."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator

from jidget.cli.failures import our_errors
from jidget.cli.terminal import Painter, Progress
from jidget.config.document import json_schema
from jidget.config.loader import Loaded, read
from jidget.config.model import Config
from jidget.errors import ConfigError, Exit, JidgetError

HELP = "check the configuration, the drivers, the server and the MQTT broker, and say what is missing"
EPILOG = """
examples:
  jidget check --config jidget.toml
  jidget check --offline                 only what this machine can tell
  jidget check --schema > schema.json    for editors that check TOML while one types

exit codes:
  0    nothing is wrong (there may be warnings)
  1    the server or the MQTT broker cannot be used as it is
  77   the server refused the password
  78   the configuration or a driver is wrong
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--offline", action="store_true", help="do not connect to anything")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of the configuration instead")


def run(args: argparse.Namespace) -> int:
    """Check, print one line for each finding, return the exit code."""
    if args.schema:
        print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return Exit.OK
    painter = Painter(sys.stdout)
    try:
        loaded = read(args.config)
    except ConfigError as error:
        for line in str(error).splitlines():
            print(painter.verdict(False, line))
        return Exit.CONFIG
    if not _check_here(loaded, painter):
        return Exit.CONFIG
    return Exit.OK if args.offline else check_live(loaded.config, painter)


def _check_here(loaded: Loaded, painter: Painter) -> bool:
    """Print what the file, the drivers and the store show, without any network; return whether it is all right."""
    from jidget.store.inspection import inspect  # noqa: PLC0415  # not for --schema
    from jidget.things.loader import check_things  # noqa: PLC0415  # imports the drivers

    config = loaded.config
    print(painter.verdict(True, str(config.file), f"{config.xmpp.jid}/{config.xmpp.resource}"))
    for warning in loaded.warnings:
        print(painter.verdict(None, warning))
    problems = check_things(config)
    for problem in problems:
        print(painter.verdict(False, problem))
    if not problems:
        for thing_id, thing in config.things.items():
            print(painter.verdict(True, f"things.{thing_id}", thing.driver))
    good, found = inspect(config.store.path)
    print(painter.verdict(good, "store", found))
    return not problems and good is not False and _check_bridge(config, painter)


def _check_bridge(config: Config, painter: Painter) -> bool:
    """Print whether the bridge to the broker could run; return that."""
    if config.mqtt is None:
        return True
    try:
        import jidget.mqtt.wire  # noqa: F401, PLC0415  # imports aiomqtt
    except ConfigError as error:
        print(painter.verdict(False, f"{config.file}: {error}"))
        return False
    print(painter.verdict(True, "mqtt", f"{config.mqtt.address} as {config.mqtt.client_id}"))
    return True


def check_live(config: Config, painter: Painter) -> int:
    """Log in beside a running agent, print what server and broker do and do not do, return the exit code."""
    return asyncio.run(_check_live(config, painter))


async def _check_live(config: Config, painter: Painter) -> int:
    from jidget.xmpp.preflight import check  # noqa: PLC0415  # imports slixmpp

    code = await _print(painter, f"connecting as {config.xmpp.jid} …", check(config))
    if config.mqtt is not None:
        from jidget.mqtt.preflight import check as check_broker  # noqa: PLC0415  # imports aiomqtt

        broker = await _print(painter, f"connecting to {config.mqtt.address} …", check_broker(config.mqtt))
        code = code or broker
    return code


async def _print(painter: Painter, waiting: str, verdicts: AsyncIterator[tuple[bool | None, str, str]]) -> int:
    """Print verdicts as they come; return the exit code that they make."""
    progress = Progress(sys.stdout)
    code = Exit.OK
    progress.show(waiting)
    try:
        async for good, title, detail in verdicts:
            progress.clear()
            print(painter.verdict(good, title, detail), flush=True)
            if good is False:
                code = Exit.FAILED
    except (JidgetError, BaseExceptionGroup) as error:
        errors = our_errors(error)
        if not errors:
            raise
        progress.clear()
        for each in errors:
            print(painter.verdict(False, "", str(each)))
        return errors[0].exit_code
    finally:
        progress.clear()
    return code
