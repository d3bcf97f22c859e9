"""Filters in SQL, on a column that holds the metadata as jsonb.

jsonb takes no NUL and rounds nothing, so text and numbers are written into that column in a way of
their own: NUL as two characters, in a way that keeps the order of texts, and large floats as the
integers they are. Filters are written the same way, and answer what `matches` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, cast

import asyncpg
from clawdesk_storage import (
    And,
    Compares,
    Contains,
    Equals,
    Exists,
    JsonValue,
    Not,
    Or,
    SerializationError,
    Where,
    decode,
)

from clawdesk_postgres.connections import Connection

__all__ = ["FILL_IN", "Condition", "fill", "filled_of", "filter_of"]

FILL_IN = """
    UPDATE {schema}.vectors AS v SET filter = filled.filter
    FROM unnest($1::text[], $2::text[], $3::jsonb[]) AS filled (id, metadata, filter)
    WHERE v.id = filled.id AND v.metadata = filled.metadata AND v.filter IS NULL
"""
"""Fills in the column for ids, the records that they had, and the filters of these."""

_MOST_ARGUMENTS = 32_000
_FILL = 500

# What cannot stand in the column as encode writes it: NUL, what stands for it, and large floats.
_SPECIAL = re.compile(r"\\u000[01]|\d[eE]|\d{16}")
# From here on a float is an integer, and its shortest decimal form is another number.
_ALL_INTEGERS = 2.0**53

_FIND_UNFILLED = """
    SELECT id, metadata FROM {schema}.vectors
    WHERE filter IS NULL AND id > $1 ORDER BY id LIMIT $2 FOR UPDATE
"""
_ANY_UNFILLED = "SELECT EXISTS (SELECT FROM {schema}.vectors WHERE filter IS NULL)"


def filter_of(record: str) -> str:
    """Return what stands in the column for the metadata whose record, just made, is `record`."""
    return record if _SPECIAL.search(record) is None else filled_of(record, "")


class Condition:
    """A filter as an SQL condition on the column `filter`, which is not NULL there.

    Args:
        where: The filter.
        first: The number of its first argument in the statement.

    Raises:
        ValueError: It has more keys and values than a statement can have arguments.
    """

    def __init__(self, where: Where, first: int) -> None:
        self._first = first
        self._arguments: dict[str, int] = {}
        self.sql = self._condition(where)
        if len(self._arguments) > _MOST_ARGUMENTS:
            raise ValueError(
                f"a filter has {_MOST_ARGUMENTS} different keys and values at most, and this one"
                f" {len(self._arguments)}"
            )

    @property
    def arguments(self) -> Sequence[str]:
        """What the statement's arguments from `first` on are."""
        return list(self._arguments)

    def _condition(self, where: Where) -> str:  # noqa: PLR0911  (one for each node)
        match where:
            case And(parts):
                return self._joined(" AND ", parts) or "true"
            case Or(parts):
                return self._joined(" OR ", parts) or "false"
            case Not(part):
                return f"NOT ({self._condition(part)})"
            case Equals(path, value):
                # Containment is equality here: a scalar under keys of objects.
                return f"filter @> {self._argument(_nested(path, value))}::jsonb"
            case Contains(path, value):
                return f"filter @> {self._argument(_nested(path, [value]))}::jsonb"
            case Exists(path):
                return f"{self._at(path)} IS NOT NULL"
            case Compares(path, sign, value):
                return self._comparison(path, sign, value)

    def _joined(self, word: str, parts: Sequence[Where]) -> str:
        return word.join(f"({self._condition(part)})" for part in parts)

    def _comparison(self, path: Sequence[str], sign: str, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return "false"  # and no argument, for each has to be used
        found = self._at(path)
        if isinstance(value, str):
            text = f'({found} #>> ARRAY[]::text[]) COLLATE "C"'
            operand = f"{self._argument(_escaped(value))}::text"
            return f"(jsonb_typeof({found}) = 'string' AND {text} {sign} {operand}) IS TRUE"
        operand = f"{self._argument(_json(value))}::jsonb"
        return f"(jsonb_typeof({found}) = 'number' AND {found} {sign} {operand}) IS TRUE"

    def _at(self, path: Sequence[str]) -> str:
        # One step after the other: `#>` would step into arrays.
        steps = "".join(f" -> {self._argument(_escaped(key))}::text" for key in path)
        return f"(filter{steps})"

    def _argument(self, text: str) -> str:
        # One argument for each text, whatever it is cast to where it stands.
        number = self._arguments.setdefault(text, self._first + len(self._arguments))
        return f"${number}::text"


async def fill(connection: Connection, schema: str, lock: str) -> None:
    """Fill in the column where a process of version 1 has written.

    Args:
        connection: A connection outside of any transaction.
        schema: The quoted name of the schema.
        lock: The statement that keeps other processes from doing the same.
    """
    last = ""
    if not await connection.fetchval(_ANY_UNFILLED.format(schema=schema)):
        return
    try:
        while True:
            async with connection.transaction():
                await connection.execute(lock)
                rows = await connection.fetch(_FIND_UNFILLED.format(schema=schema), last, _FILL)
                sound = [(*row, new) for row in rows if (new := _filled(*row)) is not None]
                columns = [[each[column] for each in sound] for column in range(3)]
                await connection.execute(FILL_IN.format(schema=schema), *columns)
            if len(rows) < _FILL:
                return
            last = rows[-1][0]
    except (asyncpg.ReadOnlySQLTransactionError, asyncpg.InsufficientPrivilegeError):
        return  # a search looks into what has no filter itself


def filled_of(record: str, key: str) -> str:
    """Return what `filter_of` does for a record of version 1, which may have been damaged."""
    return _json(decode(JsonValue, record.encode(), key=key))


def _filled(id: str, record: str) -> str | None:
    try:
        return filled_of(record, id)
    except SerializationError:
        return None  # whoever reads it is told


def _nested(path: Sequence[str], value: object) -> str:
    for key in reversed(path):
        value = {key: value}
    return _json(value)


def _json(value: object) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, float):
        return int(value) if abs(value) >= _ALL_INTEGERS else value
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        return {_escaped(key): _plain(each) for key, each in entries.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("Sequence[Any]", value)]
    return value


def _escaped(text: str) -> str:
    return text.replace("\1", "\1\2").replace("\0", "\1\1")
