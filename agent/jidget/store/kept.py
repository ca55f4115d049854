"""What a driver keeps for its next life, such as a meter's total: one fact of the store for each Thing."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator, MutableMapping
from contextlib import closing
from pathlib import Path

from jidget.ports import Facts
from jidget_drivers import Scalar


class Kept(MutableMapping[str, Scalar]):
    """Values by name, in the store. What is assigned in one turn of the event loop is written together."""

    def __init__(self, facts: Facts, thing_id: str) -> None:
        """Take the store and whose values they are."""
        self._facts = facts
        self._name = _name(thing_id)
        self._values: dict[str, Scalar] = {}
        self._dirty = False

    def wake(self) -> None:
        """Take over what the store knows; to be called once it is open. What was assigned since counts more."""
        self._values = {**_read(self._facts.fact(self._name)), **self._values}

    def catch_up(self) -> None:
        """Write what the file may not have: it could not be used, or is another one now."""
        self._dirty = self._dirty or bool(self._values)
        self.flush()

    def flush(self) -> None:
        """Write what was assigned, if the store can be used."""
        if self._dirty:
            self._dirty = not self._facts.keep_fact(self._name, json.dumps(self._values))

    def __getitem__(self, key: str) -> Scalar:
        return self._values[key]

    def __setitem__(self, key: str, value: Scalar) -> None:
        self._values[key] = value
        self._soon()

    def __delitem__(self, key: str) -> None:
        del self._values[key]
        self._soon()

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _soon(self) -> None:
        if not self._dirty:
            self._dirty = True
            asyncio.get_running_loop().call_soon(self.flush)


def kept_in(store: Path, thing_id: str) -> dict[str, Scalar]:
    """Return what a Thing's driver has kept in a store that no agent has open; nothing where it cannot be read."""
    query = "SELECT value FROM meta WHERE name = ?"
    try:
        with closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)) as file:
            row = file.execute(query, (f"fact {_name(thing_id)}",)).fetchone()
    except sqlite3.Error:  # there is none yet, or it is damaged: `jidget check` tells
        return {}
    return _read(None if row is None else str(row[0]))


def _name(thing_id: str) -> str:
    return f"kept {thing_id}"


def _read(text: str | None) -> dict[str, Scalar]:
    try:
        known = json.loads(text or "{}")
    except ValueError:  # of another version: nothing is known
        return {}
    return known if isinstance(known, dict) else {}
