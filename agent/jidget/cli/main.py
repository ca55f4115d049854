"""The command `jidget`: finds the verb, reads its arguments, runs it, says what went wrong. Verbs load when used."""

import argparse
import importlib
import io
import logging
import os
import select
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol, cast

from jidget import __version__, log
from jidget.cli.failures import our_errors
from jidget.errors import Exit, JidgetError
from jidget.spelling import did_you_mean

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells count."""
READER_GONE = 141
"""Exit code when whoever read our output went away: 128 + SIGPIPE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb of the command line.

    Attributes:
        help: one line; the same as the module's `HELP`, so that listing the verbs imports none of them.
        config: whether it reads the configuration and so takes `--config`.
        level: least level of its own log messages, where `-v` does not say otherwise.
    """

    help: str
    config: bool = True
    level: int = logging.WARNING


VERBS = {
    "run": Verb(help="run the agent until it is stopped", level=logging.INFO),
    "check": Verb(help="check the configuration, the drivers, the server and the MQTT broker, and say what is missing"),
    "read": Verb(help="read the hardware once, without any network"),
    "drivers": Verb(help="list the installed drivers, show one, or look which hardware is here"),
    "things": Verb(help="list all Things and what can be read and set of them"),
    "watch": Verb(help="follow an agent's readings as they arrive"),
    "call": Verb(help="run a command of an agent"),
    "demo": Verb(help="show everything on a private server, then stay up to be tried", config=False),
}
_LATER = ("init", "invite")
"""Verbs of the contract that do not work yet."""

_EXAMPLES = """
examples:
  jidget drivers                       which hardware can be read
  jidget check                         is the configuration right, does the server do what is needed
  jidget run --config jidget.toml      run the agent
  jidget watch pi@example.org          see its readings arrive
  jidget call pi@example.org set target=pump.state value=on

exit codes:
  0    done, or stopped in order
  1    failed
  2    wrong arguments
  3    refused, 4 not sent, 5 outcome unknown (call)
  77   the server refused the password
  78   the configuration is wrong

`jidget VERB --help` says more about a verb.
"""


class VerbModule(Protocol):
    """What the module of a verb has. `EPILOG`, if there, follows its help: examples, exit codes."""

    HELP: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it and return the exit code."""


class UsageError(Exception):
    """The arguments are wrong; the text says how, and what the parser's usage is."""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints end with what was probably meant."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.format_usage()}{self.prog}: {message}")

    def parse_all(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse `arguments`; what nobody knows is an error."""
        known, unknown = self.parse_known_args(arguments)
        if unknown and not any(argument.startswith("-") for argument in unknown):
            known, unknown = self.parse_known_intermixed_args(arguments)  # options stand between the others
        if unknown:
            option = unknown[0].partition("=")[0]
            hint = did_you_mean(option, self._option_string_actions) if option.startswith("-") else ""
            self.error(f"unknown argument: {' '.join(unknown)}{'.' + hint if hint else ''}")
        return known


def main(argv: Sequence[str] | None = None) -> int:
    """Run `jidget` with these arguments and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # better a "?" for a "°" than no reading at all
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        if not _reader_gone():
            raise
        return READER_GONE
    return code


def _run(argv: Sequence[str]) -> int:
    try:
        return _run_verb(argv)
    except SystemExit as end:  # argparse ends the process after --help and --version
        return end.code if isinstance(end.code, int) else Exit.OK
    except UsageError as error:
        _complain(str(error))
        return Exit.USAGE
    except (JidgetError, BaseExceptionGroup) as error:
        errors = our_errors(error)
        if not errors:
            raise
        _complain(*(f"jidget: {line}" for each in errors for line in str(each).splitlines()))
        return errors[0].exit_code


def _run_verb(argv: Sequence[str]) -> int:
    parser = _top_parser()
    top = parser.parse_args(argv)
    if top.verb is None:
        parser.print_help(sys.stderr)
        return Exit.USAGE
    name, arguments = top.verb, top.arguments
    if name == "help":
        name, arguments = (arguments[0], ["--help"]) if arguments else ("", [])
        if not name:
            parser.print_help()
            return Exit.OK
    if name not in VERBS:
        if name in _LATER:
            parser.error(f'"{name}" is not yet supported in this version. There are: {", ".join(VERBS)}')
        parser.error(f'unknown verb "{name}".{did_you_mean(name, VERBS)} There are: {", ".join(VERBS)}')
    verb = VERBS[name]
    module = cast("VerbModule", importlib.import_module(f"jidget.cli.{name}"))
    args = _verb_parser(name, verb, module).parse_all(arguments)
    args.verbose += top.verbose
    level = logging.DEBUG if args.verbose else verb.level
    log.configure(level, libraries=logging.DEBUG if args.verbose > 1 else logging.WARNING)
    return module.run(args)


def _top_parser() -> _Parser:
    width = max(map(len, VERBS))
    listing = "\n".join(f"  {name:<{width}}  {verb.help}" for name, verb in VERBS.items())
    parser = _Parser(
        prog="jidget",
        usage="jidget [-h] [--version] [-v] VERB …",
        description=f"Gives a device a Jabber ID: its readings and commands over XMPP.\n\nverbs:\n{listing}",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"jidget {__version__}")
    _add_verbose(parser)
    parser.add_argument("verb", nargs="?", metavar="VERB", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _verb_parser(name: str, verb: Verb, module: VerbModule) -> _Parser:
    parser = _Parser(
        prog=f"jidget {name}",
        description=f"{module.HELP[:1].upper()}{module.HELP[1:]}.",
        epilog=getattr(module, "EPILOG", None),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_verbose(parser)
    if verb.config:
        parser.add_argument(
            "--config",
            type=Path,
            metavar="FILE",
            help="the configuration; else $JIDGET_CONFIG, ./jidget.toml, /etc/jidget/jidget.toml",
        )
    module.configure(parser)
    return parser


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="say more; twice: every stanza, without passwords"
    )


def _complain(*lines: str) -> None:
    """Write to stderr, under journald as errors (sd-daemon(3))."""
    prefix = f"<{log.priority(logging.ERROR)}>" if log.under_journald(sys.stderr) else ""
    for text in lines:
        for line in text.splitlines():
            print(f"{prefix}{line}", file=sys.stderr)


def _reader_gone() -> bool:
    """Whether nobody reads our stdout any more; if so, put it where the interpreter's last flush does no harm."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return True
