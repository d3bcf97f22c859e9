"""The tables, and the version that a file carries in `PRAGMA user_version`."""

from __future__ import annotations

__all__ = ["COLUMNS", "SCHEMA", "VERSION"]

VERSION = 1
"""What this code reads and writes. A change of `SCHEMA` raises it and brings a migration."""

# Ids are compared byte by byte (BINARY, the default), which for UTF-8 is the order of code points.
# STRICT tables refuse a value of another type, so a record is bytes or the file is damaged.
# An index ends with the table's INTEGER PRIMARY KEY, so messages_by_session is ordered by position.
# AUTOINCREMENT never gives a number twice: a cleared conversation goes on where it stopped, and a
# vector's revision tells whether it is newer than what a reader has seen.
SCHEMA = """
CREATE TABLE sessions (
    id TEXT PRIMARY KEY NOT NULL,
    channel TEXT NOT NULL,
    last_activity INTEGER NOT NULL,
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_activity ON sessions (last_activity DESC, id);
CREATE INDEX sessions_by_channel ON sessions (channel, last_activity DESC, id);

CREATE TABLE messages (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX messages_by_session ON messages (session);

CREATE TABLE config (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE vectors (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    unit BLOB NOT NULL,
    unit_checksum INTEGER NOT NULL,
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE vector_space (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    dimension INTEGER NOT NULL,
    deletions INTEGER NOT NULL
) STRICT;
"""

COLUMNS = frozenset(
    ("sessions.last_activity", "messages.position", "config.checksum", "vectors.unit")
)
"""Some that tell a file of this backend from another program's with the same version."""
