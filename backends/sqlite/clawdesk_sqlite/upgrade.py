"""From version 1 of the schema to version 2.

A record that was damaged before is damaged after: neither mended nor lost.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any
from zlib import crc32

import apsw

from clawdesk_sqlite.record import checksum_of, mixed
from clawdesk_sqlite.schema import SCHEMA

__all__ = ["is_version_1", "upgrade"]

_TABLES = ("sessions", "messages", "config", "vectors", "vector_space")
_COLUMNS = frozenset(
    (
        *("sessions.id", "sessions.channel", "sessions.last_activity", "sessions.record"),
        *("messages.position", "messages.session", "messages.record", "messages.checksum"),
        *("config.id", "config.record", "config.checksum"),
        *("vectors.revision", "vectors.id", "vectors.unit", "vectors.unit_checksum"),
        *("vector_space.id", "vector_space.dimension", "vector_space.deletions"),
    )
)
_NAMES = """
SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c
WHERE t.type = 'table'
"""
_SESSION = """
INSERT INTO sessions (id, id_hash, channel, last_activity, revision, record, checksum)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_MESSAGE = """
INSERT INTO messages (position, conversation, previous, record, checksum) VALUES
(?1, ?2, ifnull((SELECT newest FROM conversations WHERE id = ?2), 0), ?3, ?4)
"""
_CONFIG = "UPDATE config SET revision = ?, record = ?, checksum = ? WHERE id = 1"
_VECTOR = "INSERT INTO vectors VALUES (?, ?, ?, ?, ?, ?)"
_SPACE = """
UPDATE vector_space SET dimension = ?, revision = ?, vectors = ?, checksum = ? WHERE id = 1
"""


def is_version_1(connection: apsw.Connection) -> bool:
    """Whether the tables are those of this backend: other programs count their versions too."""
    return {name for (name,) in _rows(connection, _NAMES)} >= _COLUMNS


def upgrade(connection: apsw.Connection) -> None:
    """Make version 2 of a file of version 1, inside the transaction that has begun."""
    _rows(connection, "DROP INDEX sessions_by_activity")
    _rows(connection, "DROP INDEX sessions_by_channel")
    _rows(connection, "DROP INDEX messages_by_session")
    for table in _TABLES:
        _rows(connection, f"ALTER TABLE {table} RENAME TO old_{table}")
    _rows(connection, SCHEMA)
    _sessions(connection)
    _messages(connection)
    _config(connection)
    _vectors(connection)
    for table in _TABLES:
        _rows(connection, f"DROP TABLE old_{table}")


def _rows(connection: Any, statement: str, *bindings: Any) -> list[tuple[Any, ...]]:
    return connection.execute(statement, bindings).fetchall()


def _each(connection: Any, statement: str) -> Iterable[tuple[Any, ...]]:
    """One row after the other, for there may be more than fit into memory."""
    return connection.execute(statement)


def _sealed(record: bytes, checksum: int, *keys: str | int) -> int:
    """Return the new checksum of a record, wrong where the old one is."""
    wrong = crc32(record) != checksum
    return checksum_of(record, *keys) ^ wrong


def _sessions(connection: apsw.Connection) -> None:
    old = "SELECT id, channel, last_activity, record, checksum FROM old_sessions"
    for id, channel, last_activity, record, checksum in _each(connection, old):
        keys = channel, last_activity, secrets.randbits(63)
        sealed = _sealed(record, checksum, "session", id, *keys)
        _rows(connection, _SESSION, id, crc32(id.encode()), *keys, record, sealed)


def _messages(connection: apsw.Connection) -> None:
    old = "SELECT position, session, record, checksum FROM old_messages ORDER BY position"
    for position, session, record, checksum in _each(connection, old):
        sealed = _sealed(record, checksum, "message", session) ^ mixed(position)
        _rows(connection, _MESSAGE, position, session, record, sealed)
    _rows(
        connection,
        "UPDATE state SET position = ifnull("
        "(SELECT seq FROM sqlite_sequence WHERE name = 'old_messages'), 0)",
    )


def _config(connection: apsw.Connection) -> None:
    for record, checksum in _rows(connection, "SELECT record, checksum FROM old_config"):
        revision = 1 + secrets.randbits(62)
        sealed = _sealed(record, checksum, "config", revision)
        _rows(connection, _CONFIG, revision, record, sealed)


def _vectors(connection: apsw.Connection) -> None:
    old = "SELECT revision, id, unit, unit_checksum, record, checksum FROM old_vectors"
    count = 0
    for revision, id, unit, unit_checksum, record, checksum in _each(connection, old):
        count += 1
        sealed = _sealed(unit, unit_checksum, "unit", id), _sealed(record, checksum, "vector", id)
        _rows(connection, _VECTOR, revision, id, unit, sealed[0], record, sealed[1])
    for dimension, revision in _rows(
        connection,
        "SELECT dimension, ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'old_vectors'), 0) "
        "FROM old_vector_space",
    ):
        space = dimension, revision, count
        _rows(connection, _SPACE, *space, checksum_of(b"space", *space))
