"""The recorded discovery payloads, with what Home Assistant made of the states that followed."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.support.strict_skips import ABSENT

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "mqtt" / "ha-discovery.jsonl"


@cache
def _rows() -> tuple[dict[str, Any], ...]:
    rows = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]
    return tuple({**row, "body": json.dumps(row["payload"]).encode()} for row in rows)


def corpus() -> tuple[dict[str, Any], ...]:
    """Return the rows, each with its payload as bytes under `body`; skips where there are none."""
    if not RECORDED.exists():
        pytest.skip(f"{ABSENT}the recorded discovery payloads")
    return _rows()
