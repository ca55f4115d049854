"""What the agent's store holds at the end: the truth about what was made, read from the file itself."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tests.support.soak.consumer import written
from tests.support.soak.ledger import Key


def made(path: Path, agent: str) -> dict[Key, str]:
    """Return all readings in the store of a stopped agent, as they are written on the wire."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as store:
        rows = store.execute(
            "SELECT series.thing, series.property, series.kind, reading.time, reading.value"
            " FROM reading JOIN series ON series.id = reading.series"
        ).fetchall()
    return {
        Key(agent, thing, prop, written(datetime.fromtimestamp(time / 1000, UTC))): _on_the_wire(kind, value)
        for thing, prop, kind, time, value in rows
    }


def _on_the_wire(kind: str, value: object) -> str:
    return str(bool(value)).lower() if kind == "boolean" else str(value)
