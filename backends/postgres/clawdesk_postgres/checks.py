"""What `connect` refuses before it reaches for a server."""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from clawdesk_storage import check_id

__all__ = ["check_dsn", "check_numbers", "check_schema", "raise_unreadable"]

_LONGEST_NAME = 63
_CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": (
        "any",
        "primary",
        "standby",
        "read-write",
        "read-only",
        "prefer-standby",
    ),
}


def check_schema(schema: str) -> None:
    """Refuse what cannot be a schema's name."""
    check_id(schema, "schema")
    if len(schema.encode()) > _LONGEST_NAME:
        raise ValueError(f"schema {schema!r}: a name has {_LONGEST_NAME} bytes of UTF-8 at most")
    if schema.startswith("pg_"):
        raise ValueError(f"schema {schema!r}: names that begin with pg_ are PostgreSQL's own")


def check_numbers(**numbers: float) -> None:
    """Refuse what is not greater than 0, by its name."""
    for name, value in numbers.items():
        if not value > 0:
            raise ValueError(f"{name} must be greater than 0, and is {value}")


def check_dsn(dsn: str) -> None:
    """Refuse what the driver would stumble over, without quoting what may be a password."""
    parts = _split(dsn)
    if parts is None or parts.scheme not in ("postgresql", "postgres") or parts.fragment:
        raise_unreadable()
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    hosts = parts.netloc.rpartition("@")[2]
    # An address of IPv6 stands in brackets, with colons of its own.
    ports = [host.rpartition("]")[2].rpartition(":") for host in hosts.split(",")]
    given = [port for _, colon, port in ports if colon] + options.get("port", "").split(",")
    for port in filter(None, map(unquote, given)):
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
            raise ValueError("the port in the DSN must be a number from 1 to 65535")
    for name, choices in _CHOICES.items():
        if options.get(name, choices[0]) not in choices:
            raise ValueError(f"{name} in the DSN must be one of {', '.join(choices)}")


def raise_unreadable() -> NoReturn:
    """Say how a DSN looks, with nothing of the one that was given."""
    raise ValueError(
        "the DSN cannot be read: it looks like postgresql://user:password@host:port/name, with"
        " special characters in the password written as %XX"
    )


def _split(dsn: str) -> SplitResult | None:
    try:
        return urlsplit(dsn)
    except ValueError:
        return None
