"""A soak: an agent that loses its link, its server, its disk and its life all the time must lose nothing else.

Faults are inflicted one after the other while readings and commands flow; a consumer and two commanders judge from
outside. The same seed inflicts the same faults. Exit code 0 only if nothing was lost, duplicated, executed twice or
executed too late, and no output was on for longer than its limit; otherwise the directory with the logs of all is kept.

    .venv/bin/python tests/bench/soak.py --faults 300 --seed 1 [--server ejabberd] [--kinds reset,kill-agent]
        [--liveness 2s] [--json FILE]
"""

import argparse
import asyncio
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.soak.faults import FAULTS, Fault  # noqa: E402
from tests.support.soak.result import Result  # noqa: E402
from tests.support.soak.run import soak  # noqa: E402

from jidget.demo.ejabberd import Ejabberd  # noqa: E402
from jidget.demo.prosody import Prosody  # noqa: E402
from jidget.durations import parse_duration  # noqa: E402

SERVERS = {"prosody": Prosody, "ejabberd": Ejabberd}


def main() -> int:
    """Soak and print what was found."""
    args = _arguments()
    directory = Path(tempfile.mkdtemp(prefix="jidget-soak-"))
    print(f"{args.faults} faults on {args.server}, seed {args.seed}; logs in {directory}", flush=True)
    with (directory / "faults.log").open("w", encoding="utf-8") as log:
        result = asyncio.run(_soak(args, directory, log))
    _progress("")
    print(result.table())
    if args.json is not None:
        args.json.write_text(json.dumps(result.figures(), indent=1) + "\n", encoding="utf-8")
    if result.good:
        shutil.rmtree(directory)
        return 0
    print(f"\nNot good, with seed {args.seed}. The logs are kept in {directory}")
    return 1


async def _soak(args: argparse.Namespace, directory: Path, log: TextIO) -> Result:
    def tell(line: str) -> None:
        print(line, file=log, flush=True)
        _progress(line)

    async with SERVERS[args.server](directory / "server") as server:
        return await soak(
            directory,
            server,
            args.kinds,
            faults=args.faults,
            seed=args.seed,
            liveness=args.liveness,
            tell=tell,
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=_count, default=300, help="how many (default 300)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="default: another one each time")
    parser.add_argument("--server", choices=SERVERS, default="prosody")
    parser.add_argument("--kinds", type=_kinds, default=list(FAULTS.values()), help=f"of {', '.join(FAULTS)}")
    parser.add_argument("--liveness", type=_seconds, default=2.0, help="the agent's (default 2s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number from 1, not {text}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _kinds(text: str) -> Sequence[Fault]:
    names = text.split(",")
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no fault is called {unknown[0]}; there are {', '.join(FAULTS)}")
    return [FAULTS[name] for name in names]


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
