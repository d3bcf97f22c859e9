"""What version 1 of the schema was, and how a process of that version writes."""

from __future__ import annotations

__all__ = ["APPEND", "CLEAR", "SAVE", "SAVE_CONFIG", "TABLES", "UPSERT"]

TABLES = """
CREATE SCHEMA IF NOT EXISTS {schema};

CREATE TABLE {schema}.version (version integer NOT NULL);
INSERT INTO {schema}.version VALUES (1);

-- record is JSON as text: json would do, jsonb would lose NUL and the difference of 1 and 1.0.
CREATE TABLE {schema}.sessions (
    id text COLLATE "C" PRIMARY KEY,
    channel text COLLATE "C" NOT NULL,
    last_activity timestamptz NOT NULL,
    record text NOT NULL
);
CREATE INDEX sessions_newest ON {schema}.sessions (last_activity DESC, id);
CREATE INDEX sessions_channel ON {schema}.sessions (channel, last_activity DESC);

-- One row per conversation is its lock and its counter; half-empty pages keep the update in place.
CREATE TABLE {schema}.conversations (
    session_id text COLLATE "C" PRIMARY KEY,
    length bigint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE {schema}.messages (
    session_id text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    record text NOT NULL,
    PRIMARY KEY (session_id, position)
);

-- The row lock on the conversation lasts until the commit, so positions are commit order.
CREATE FUNCTION {schema}.append_message(session text, message text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
BEGIN
    INSERT INTO {schema}.conversations AS c (session_id, length) VALUES (session, 1)
    ON CONFLICT (session_id) DO UPDATE SET length = c.length + 1
    RETURNING length INTO last;
    INSERT INTO {schema}.messages VALUES (session, last, message);
END
$$;

-- Two statements, because the second must see what was appended while the first waited.
CREATE FUNCTION {schema}.clear_messages(session text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {schema}.conversations WHERE session_id = session;
    DELETE FROM {schema}.messages WHERE session_id = session;
END
$$;

CREATE TABLE {schema}.config (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    record text NOT NULL
);

CREATE TABLE {schema}.vectors (
    id text COLLATE "C" PRIMARY KEY,
    embedding public.vector NOT NULL,
    metadata text NOT NULL
);
CREATE TABLE {schema}.vector_space (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    dimension integer NOT NULL
);
"""

SAVE = """
    INSERT INTO {schema}.sessions (id, channel, last_activity, record) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET channel = excluded.channel,
        last_activity = excluded.last_activity, record = excluded.record
"""
APPEND = "SELECT {schema}.append_message($1, $2)"
CLEAR = "SELECT {schema}.clear_messages($1)"
SAVE_CONFIG = """
    INSERT INTO {schema}.config (record) VALUES ($1)
    ON CONFLICT (one) DO UPDATE SET record = excluded.record
"""
UPSERT = """
    INSERT INTO {schema}.vectors (id, embedding, metadata) VALUES ($1, '[1,0]', $2)
    ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding, metadata = excluded.metadata
"""
