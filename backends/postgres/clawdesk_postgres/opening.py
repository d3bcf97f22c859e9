"""The storage by its URL: a DSN of PostgreSQL, with the options of `connect` in its query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from difflib import get_close_matches
from typing import Any
from urllib.parse import unquote_plus

from clawdesk_postgres.checks import check_dsn, check_numbers, check_schema, raise_unreadable
from clawdesk_postgres.hnsw import HNSW
from clawdesk_postgres.storage import PostgresStorage, connect

__all__ = ["from_url"]

# What a connection knows itself, and what a server session can well be begun with.
_PASSED_ON = (
    "host",
    "port",
    "user",
    "password",
    "dbname",
    "database",
    "passfile",
    "service",
    "servicefile",
    "target_session_attrs",
    "sslmode",
    "sslcert",
    "sslkey",
    "sslrootcert",
    "sslcrl",
    "sslpassword",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "krbsrvname",
    "gsslib",
    "application_name",
    "options",
    "search_path",
    "role",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
    "client_connection_check_interval",
    "default_transaction_read_only",
    "synchronous_commit",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_keepalives_count",
    "tcp_user_timeout",
    "work_mem",
    "maintenance_work_mem",
)


def from_url(url: str) -> AbstractAsyncContextManager[PostgresStorage]:
    """Return the storage at `url`, to be opened by `async with`.

        postgresql://gateway:secret@db.example/clawdesk?schema=prod&pool_size=20&sslmode=require

    Args:
        url: A DSN as `connect` takes it. Its query also takes `schema`, `pool_size`, `timeout`,
            `connect_timeout`, `idle_timeout`, `pgbouncer` (true or false) and, for an index,
            `index=hnsw` with `m`, `ef_construction` and `ef_search`.

    Raises:
        ValueError: The URL cannot be read, or an option is unknown or unusable. The message quotes
            nothing that may be a password.
    """
    address, _, query = url.partition("?")
    if "#" in url or "@" in query:  # they stand in a password, as they are
        raise_unreadable()
    passed_on: list[str] = []
    options: dict[str, Any] = {}
    index: dict[str, int] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name in _OPTIONS:
            options[name] = _read(name, unquote_plus(value), _OPTIONS)
        elif name in _INDEX:
            index[name] = _read(name, unquote_plus(value), _INDEX)
        elif name in _PASSED_ON:
            passed_on.append(part)
        else:
            raise ValueError(_unknown(name))
    options["index"] = _index_of(options.get("index"), index)
    dsn = address + ("?" + "&".join(passed_on) if passed_on else "")
    check_schema(options.get("schema", "clawdesk"))
    check_numbers(**{name: options[name] for name in _NUMBERS if name in options})
    check_dsn(dsn)
    return connect(dsn, **options)


def _yes_or_no(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _hnsw(text: str) -> str | None:
    return {"hnsw": "hnsw", "none": None}[text.lower()]


_NUMBERS = ("pool_size", "timeout", "connect_timeout", "idle_timeout")
_OPTIONS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "schema": (str, "a name"),
    "pool_size": (int, "an integer"),
    "timeout": (float, "a number of seconds"),
    "connect_timeout": (float, "a number of seconds"),
    "idle_timeout": (float, "a number of seconds"),
    "pgbouncer": (_yes_or_no, "true or false"),
    "index": (_hnsw, "hnsw or none"),
}
_INDEX: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "m": (int, "an integer"),
    "ef_construction": (int, "an integer"),
    "ef_search": (int, "an integer"),
}


def _read(name: str, text: str, known: Mapping[str, tuple[Callable[[str], Any], str]]) -> Any:
    read, what = known[name]
    try:
        return read(text)
    except (ValueError, KeyError):
        pass  # the message is for a person, who needs no second one
    raise ValueError(f"the option {name} must be {what}, and is {text!r}")


def _index_of(index: str | None, arguments: Mapping[str, int]) -> HNSW | None:
    if index is None and arguments:
        raise ValueError(f"the option {next(iter(arguments))} is one of index=hnsw")
    return None if index is None else HNSW(**arguments)


def _unknown(name: str) -> str:
    if not (name.replace("_", "").isalnum() and name.isascii()):
        return "an option in the URL has no name that could be one"
    known = [*_OPTIONS, *_INDEX, *_PASSED_ON]
    close = get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join([*_OPTIONS, *_INDEX])}"
    return f"there is no option {name} for postgresql: URLs; {hint}"
