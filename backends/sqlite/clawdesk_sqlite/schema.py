"""The tables, and the version that a file carries in `PRAGMA user_version`."""

from __future__ import annotations

__all__ = ["APPLICATION", "SCHEMA", "VERSION"]

APPLICATION = 0x436C5371
"""What a file of this backend carries in `PRAGMA application_id`."""

VERSION = 2
"""What this code reads and writes. A change of `SCHEMA` raises it and brings an upgrade."""

# Ids are compared byte by byte (BINARY, the default), which for UTF-8 is the order of code points.
# STRICT tables refuse a value of another type, so a record is bytes or the file is damaged.
# What could be lost unseen from one tree of pages is told by another: each message names the one
# before it and the conversation its newest, each channel counts its sessions, and a session that
# is not found by its id is looked for by a hash of it.
SCHEMA = """
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sessions INTEGER NOT NULL,
    conversations INTEGER NOT NULL,
    position INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (1, 0, 0, 0);

CREATE TABLE sessions (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    id_hash INTEGER NOT NULL,
    channel TEXT NOT NULL,
    last_activity INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_hash ON sessions (id_hash);
CREATE INDEX sessions_by_activity ON sessions (last_activity DESC, id);
CREATE INDEX sessions_by_channel ON sessions (channel, last_activity DESC, id);

CREATE TABLE channels (
    channel TEXT PRIMARY KEY NOT NULL,
    sessions INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER session_added AFTER INSERT ON sessions BEGIN
    UPDATE state SET sessions = sessions + 1 WHERE id = 1;
    INSERT INTO channels VALUES (new.channel, 1)
    ON CONFLICT (channel) DO UPDATE SET sessions = sessions + 1;
END;
CREATE TRIGGER session_moved AFTER UPDATE OF channel ON sessions
WHEN old.channel <> new.channel BEGIN
    UPDATE channels SET sessions = sessions - 1 WHERE channel = old.channel;
    DELETE FROM channels WHERE channel = old.channel AND sessions = 0;
    INSERT INTO channels VALUES (new.channel, 1)
    ON CONFLICT (channel) DO UPDATE SET sessions = sessions + 1;
END;
CREATE TRIGGER session_removed AFTER DELETE ON sessions BEGIN
    UPDATE state SET sessions = sessions - 1 WHERE id = 1;
    UPDATE channels SET sessions = sessions - 1 WHERE channel = old.channel;
    DELETE FROM channels WHERE channel = old.channel AND sessions = 0;
END;

CREATE TABLE messages (
    position INTEGER PRIMARY KEY,
    conversation TEXT NOT NULL,
    previous INTEGER NOT NULL,
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX messages_by_conversation ON messages (conversation);
CREATE TABLE conversations (
    id TEXT PRIMARY KEY NOT NULL,
    newest INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER message_added AFTER INSERT ON messages BEGIN
    INSERT INTO conversations VALUES (new.conversation, new.position)
    ON CONFLICT (id) DO UPDATE SET newest = new.position;
END;
CREATE TRIGGER conversation_added AFTER INSERT ON conversations BEGIN
    UPDATE state SET conversations = conversations + 1 WHERE id = 1;
END;
CREATE TRIGGER conversation_removed AFTER DELETE ON conversations BEGIN
    UPDATE state SET conversations = conversations - 1 WHERE id = 1;
END;

CREATE TABLE config (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL,
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
INSERT INTO config VALUES (1, 0, x'', 0);

CREATE TABLE vectors (
    revision INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    unit BLOB NOT NULL,
    unit_checksum INTEGER NOT NULL,
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE vector_deletions (
    revision INTEGER PRIMARY KEY,
    id TEXT NOT NULL
) STRICT;
CREATE TABLE vector_space (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    dimension INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    vectors INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
INSERT INTO vector_space VALUES (1, 0, 0, 0, 0);
"""
