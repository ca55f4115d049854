"""Generations: what makes the numbers of batches unique, although a store may forget some that it gave (DESIGN 4.3).

A batch's row id is its generation's base plus its SEQ, so there is nothing to keep for each batch.
"""

import secrets

from jidget.store.database import Database


class Generations:
    """The generations of one store.

    Attributes:
        gen: the present one: another one whenever a SEQ could repeat.
        id: its row id.
    """

    def __init__(self, database: Database, *, keep: bool, last_batch: int) -> None:
        """Take whether the present one may be kept, and the last batch's row id."""
        self._database = database
        rows = database.execute("SELECT gen, id, base FROM generation ORDER BY id").fetchall()
        self._known: dict[str, tuple[int, int]] = {gen: (number, base) for gen, number, base in rows}
        self.gen: str
        self.id: int
        self._base: int
        if keep and rows:
            self.gen, self.id, self._base = rows[-1]
        else:
            with database.transaction():
                self.begin(last_batch)

    def begin(self, last_batch: int) -> None:
        """Begin another one, in a transaction: the next batch's SEQ is 1."""
        gen = secrets.token_hex(4)
        while gen in self._known:
            gen = secrets.token_hex(4)
        number = self.insert(gen, last_batch)
        self._database.execute("UPDATE meta SET value = 0 WHERE name = 'in_doubt'")
        self.gen, self.id, self._base = gen, number, last_batch

    def insert(self, gen: str, last_batch: int) -> int:
        """Note, in a transaction, one whose numbers were given elsewhere, and return its row id; `begin` after it."""
        number: int = self._database.execute("SELECT coalesce(max(id), 0) + 1 FROM generation").fetchone()[0]
        self._database.execute("INSERT INTO generation (id, gen, base) VALUES (?, ?, ?)", number, gen, last_batch)
        self._known[gen] = (number, last_batch)
        return number

    def seq(self, batch: int) -> int:
        """Return the SEQ that a batch of the present generation has, by its row id."""
        return batch - self._base

    def find(self, gen: str) -> tuple[int, int] | None:
        """Return a generation's row id and base; None for one that this store does not know."""
        return self._known.get(gen)

    def extent(self, gen: str, last_batch: int) -> tuple[int, str | None] | None:
        """Return a generation's last SEQ and the generation after it; None for one that this store does not know."""
        found = self._known.get(gen)
        if found is None:
            return None
        following = min((entry for entry in self._known.items() if entry[1][0] > found[0]), default=None, key=_row_id)
        if following is None:
            return last_batch - found[1], None
        return following[1][1] - found[1], following[0]

    def forget(self) -> None:
        """Forget those whose batches are all gone, in a transaction."""
        self._database.execute(
            "DELETE FROM generation WHERE id < (SELECT generation FROM batch ORDER BY id LIMIT 1) AND id < ?", self.id
        )


def _row_id(known: tuple[str, tuple[int, int]]) -> int:
    return known[1][0]
