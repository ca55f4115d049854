"""What every worker of the benchmarks says and hears: JSON lines on its standard streams. Only the standard library."""

import json
import sys
from typing import Any


def read_job() -> dict[str, Any]:
    """Read what the worker is to do."""
    return dict(json.loads(sys.stdin.readline()))


def say(**fields: object) -> None:
    """Tell the benchmark something."""
    print(json.dumps(fields), flush=True)


def wait_for_go() -> None:
    """Wait until the others are ready too.

    Raises:
        EOFError: the benchmark was broken off.
    """
    if not sys.stdin.readline():
        raise EOFError("the benchmark was broken off")
