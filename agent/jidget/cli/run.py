"""`jidget run`: the daemon."""

import argparse
import asyncio

from jidget.config import load

HELP = "run the agent until it is stopped"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add nothing: `--config` and `--verbose` are everybody's."""


def run(args: argparse.Namespace) -> int:
    """Run the agent; return the exit code."""
    from jidget.app import App  # noqa: PLC0415  # imports everything: not for --help
    from jidget.lifecycle import run_until_signalled  # noqa: PLC0415  # likewise

    config = load(args.config)
    asyncio.run(run_until_signalled(App(config)))
    return 0
