"""The tables in SQL: as they are made, and how those of an earlier version become them."""

from __future__ import annotations

__all__ = ["CREATE", "MIGRATE", "VERSION", "filled", "quoted"]

VERSION = 2
"""Version of the tables below; a database with a later one is refused."""

_TABLES = """
CREATE TABLE {schema}.version (version integer NOT NULL);
INSERT INTO {schema}.version VALUES ({version});

-- record is JSON as text: json would do, jsonb would lose NUL and the difference of 1 and 1.0.
CREATE TABLE {schema}.sessions (
    id text COLLATE "C" PRIMARY KEY,
    channel text COLLATE "C" NOT NULL,
    last_activity timestamptz NOT NULL,
    record text NOT NULL,
    revision uuid DEFAULT gen_random_uuid()
);
CREATE INDEX sessions_newest ON {schema}.sessions (last_activity DESC, id);
CREATE INDEX sessions_channel ON {schema}.sessions (channel, last_activity DESC);

-- One row per conversation is its lock and its counter, and stays when the conversation is cleared:
-- no position is given twice. Half-empty pages keep the update in place.
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

CREATE TABLE {schema}.config (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    record text NOT NULL,
    revision uuid DEFAULT gen_random_uuid()
);

-- filter is the metadata as jsonb, for searching alone; NULL where version 1 has written.
CREATE TABLE {schema}.vectors (
    id text COLLATE "C" PRIMARY KEY,
    embedding {pgvector}.vector NOT NULL,
    metadata text NOT NULL,
    filter jsonb
);
CREATE TABLE {schema}.vector_space (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    dimension integer NOT NULL
);
"""

# What version 1 has already: a row that it wrote has no revision and no filter.
_COLUMNS = """
ALTER TABLE {schema}.sessions ADD COLUMN revision uuid;
ALTER TABLE {schema}.sessions ALTER COLUMN revision SET DEFAULT gen_random_uuid();
ALTER TABLE {schema}.config ADD COLUMN revision uuid;
ALTER TABLE {schema}.config ALTER COLUMN revision SET DEFAULT gen_random_uuid();
ALTER TABLE {schema}.vectors ADD COLUMN filter jsonb;
UPDATE {schema}.version SET version = {version};
"""

_INDEXES = """
CREATE INDEX vectors_filter ON {schema}.vectors USING gin (filter jsonb_path_ops);
CREATE INDEX vectors_unfiltered ON {schema}.vectors (id) WHERE filter IS NULL;
"""

# Each in the words of its own language; the row lock on the conversation lasts until the commit, so
# positions are commit order. `OR REPLACE`, for a process of version 1 calls two of them by name.
_FUNCTIONS = {
    "append_message(session text, message text) RETURNS void": """
DECLARE
    last bigint;
BEGIN
    INSERT INTO {schema}.conversations AS c (session_id, length) VALUES (session, 1)
    ON CONFLICT (session_id) DO UPDATE SET length = c.length + 1
    RETURNING length INTO last;
    INSERT INTO {schema}.messages VALUES (session, last, message);
END
""",
    "append_messages(session text, records text[]) RETURNS bigint": """
DECLARE
    last bigint;
    size bigint := cardinality(records);
BEGIN
    INSERT INTO {schema}.conversations AS c (session_id, length) VALUES (session, size)
    ON CONFLICT (session_id) DO UPDATE SET length = c.length + size
    RETURNING length INTO last;
    INSERT INTO {schema}.messages
        SELECT session, last - size + number, record
        FROM unnest(records) WITH ORDINALITY AS numbered (record, number);
    RETURN last;
END
""",
    # NULL is what comes back where the newest message is another. A conversation that was never
    # there gets its row first, for there must be something to lock.
    "append_after(session text, expected bigint, records text[]) RETURNS bigint": """
DECLARE
    newest bigint;
BEGIN
    IF expected IS NULL THEN
        INSERT INTO {schema}.conversations VALUES (session, 0) ON CONFLICT DO NOTHING;
    END IF;
    PERFORM FROM {schema}.conversations WHERE session_id = session FOR UPDATE;
    SELECT max(m.position) INTO newest FROM {schema}.messages AS m WHERE m.session_id = session;
    IF newest IS DISTINCT FROM expected THEN
        RETURN NULL;
    END IF;
    RETURN {schema}.append_messages(session, records);
END
""",
    "truncate_after(session text, kept bigint, expected bigint) RETURNS boolean": """
DECLARE
    newest bigint;
BEGIN
    PERFORM FROM {schema}.conversations WHERE session_id = session FOR UPDATE;
    SELECT max(m.position) INTO newest FROM {schema}.messages AS m WHERE m.session_id = session;
    IF newest IS DISTINCT FROM expected THEN
        RETURN false;
    END IF;
    DELETE FROM {schema}.messages AS m
        WHERE m.session_id = session AND (kept IS NULL OR m.position > kept);
    RETURN true;
END
""",
    # Two statements, because the second must see what was appended while the first waited.
    "clear_messages(session text) RETURNS void": """
BEGIN
    PERFORM FROM {schema}.conversations WHERE session_id = session FOR UPDATE;
    DELETE FROM {schema}.messages WHERE session_id = session;
END
""",
    "new_revision() RETURNS trigger": """
BEGIN
    NEW.revision := gen_random_uuid();
    RETURN NEW;
END
""",
    "forget_filter() RETURNS trigger": """
BEGIN
    NEW.filter := NULL;
    RETURN NEW;
END
""",
}

# For processes of version 1 that go on writing: they do not know of revision and filter.
_TRIGGERS = """
CREATE TRIGGER new_revision BEFORE UPDATE ON {schema}.sessions FOR EACH ROW
    WHEN (NEW.revision IS NOT DISTINCT FROM OLD.revision)
    EXECUTE FUNCTION {schema}.new_revision();
CREATE TRIGGER new_revision BEFORE UPDATE ON {schema}.config FOR EACH ROW
    WHEN (NEW.revision IS NOT DISTINCT FROM OLD.revision)
    EXECUTE FUNCTION {schema}.new_revision();
CREATE TRIGGER forget_filter BEFORE UPDATE ON {schema}.vectors FOR EACH ROW
    WHEN (NEW.metadata IS DISTINCT FROM OLD.metadata
        AND NEW.filter IS NOT DISTINCT FROM OLD.filter)
    EXECUTE FUNCTION {schema}.forget_filter();
"""

CREATE = (_TABLES, _INDEXES, _TRIGGERS)
MIGRATE = (_COLUMNS, _INDEXES, _TRIGGERS)


def quoted(name: str) -> str:
    """Return `name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def filled(parts: tuple[str, str, str], schema: str, pgvector: str) -> str:
    """Return the statements of `CREATE` or `MIGRATE` for a schema.

    Args:
        parts: One of the two.
        schema: The schema's plain name.
        pgvector: The plain name of the schema that pgvector is in.
    """
    names = {"schema": quoted(schema), "pgvector": quoted(pgvector), "version": VERSION}
    tables, indexes, triggers = (part.format(**names) for part in parts)
    functions = (
        f"CREATE OR REPLACE FUNCTION {names['schema']}.{signature} LANGUAGE plpgsql AS "
        + _dollar_quoted(body.format(**names))
        for signature, body in _FUNCTIONS.items()
    )
    return "\n".join([tables, indexes, ";\n".join(functions) + ";", triggers])


def _dollar_quoted(body: str) -> str:
    """Quote what may hold a schema's name, and with it anything."""
    number = 0
    while f"$body{number}$" in body:
        number += 1
    return f"$body{number}${body}$body{number}$"
