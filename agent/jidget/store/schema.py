"""The tables of the store, and how an older store becomes one of today.

A reading is one row of about 20 bytes: its series (Thing, property, kind, unit) is named once and pointed to. A batch
is one small row that names its readings by the first and last row id: readings are only ever appended, so what a batch
holds never changes. There is no index on time: `span` says of each stretch of readings which times it holds
(jidget.store.spans). Nor is there one on a batch's number: the row id of a batch is its SEQ plus its generation's base.

Every commit writes the pages that it touches, whole: pages are small, and a commit touches one of each table it fills.
Measured per reading, 10 a commit and 50 a batch: 4 KiB pages and indexes on time and number 1760 bytes, so 260; with
one reading a commit and batch 34 KB, so 3.3 KB.
"""

APPLICATION_ID = 0x4A494447
"""`JIDG`: says that a SQLite file is one of ours (sqlite.org/pragma.html#pragma_application_id)."""

PAGE_SIZE = 1024

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        thing TEXT NOT NULL, property TEXT NOT NULL, kind TEXT NOT NULL, unit TEXT NOT NULL,
        UNIQUE (thing, property, kind, unit)
    );
    CREATE TABLE reading (
        id INTEGER PRIMARY KEY,
        series INTEGER NOT NULL,
        time INTEGER NOT NULL,
        value NOT NULL
    );
    CREATE TABLE span (id INTEGER PRIMARY KEY, oldest INTEGER NOT NULL, newest INTEGER NOT NULL);
    CREATE TABLE generation (id INTEGER PRIMARY KEY, gen TEXT NOT NULL UNIQUE, base INTEGER NOT NULL);
    CREATE TABLE batch (
        id INTEGER PRIMARY KEY,
        generation INTEGER NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL,
        backlog INTEGER NOT NULL,
        acknowledged INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE command (
        id INTEGER PRIMARY KEY,
        key TEXT UNIQUE,
        time REAL NOT NULL, expires REAL NOT NULL,
        asker TEXT NOT NULL, face TEXT NOT NULL, name TEXT NOT NULL, target TEXT NOT NULL, arguments TEXT NOT NULL,
        progress TEXT NOT NULL,
        ending TEXT
    );
    CREATE INDEX command_open ON command (id) WHERE progress != 'ended';
    """,
    """
    ALTER TABLE command ADD COLUMN tell INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX command_tell ON command (id) WHERE tell;
    """,
)
"""One script a version; `PRAGMA user_version` counts those that were run. Statements end with `;` and hold none."""
