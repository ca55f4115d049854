"""What the store knows of itself and of the account: one value a name, in the table `meta`."""

from jidget.store.database import Database


class Facts:
    """The facts of one file. Every method may raise `StoreBroken`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def number(self, name: str) -> int:
        """Return a number; 0 if it was never noted."""
        row = self._database.execute("SELECT value FROM meta WHERE name = ?", name).fetchone()
        return 0 if row is None else int(row[0])

    def text(self, name: str) -> str | None:
        """Return a text; None if it was never noted."""
        row = self._database.execute("SELECT value FROM meta WHERE name = ?", name).fetchone()
        return None if row is None else str(row[0])

    def texts(self, prefix: str) -> dict[str, str]:
        """Return all texts whose names begin with `prefix`, by the rest of their names."""
        query = "SELECT name, value FROM meta WHERE name >= ? AND name < ?"
        rows = self._database.execute(query, prefix, f"{prefix}\U0010ffff").fetchall()
        return {str(name)[len(prefix) :]: str(value) for name, value in rows}

    def note(self, name: str, value: int | str) -> None:
        """Note a value, in a transaction."""
        self._database.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, value)

    def keep(self, name: str, value: str) -> None:
        """Note a value in a transaction of its own."""
        with self._database.transaction():
            self.note(name, value)

    def drop(self, name: str) -> None:
        """Note a value no longer, in a transaction of its own."""
        with self._database.transaction():
            self._database.execute("DELETE FROM meta WHERE name = ?", name)
