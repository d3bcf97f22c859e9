"""The URL: options of `connect` in its query, all else for the driver, and no secret told."""

from __future__ import annotations

import traceback

import pytest
from clawdesk_storage import ChannelId, Session, SessionId, open_storage

from clawdesk_postgres import HNSW, opening

SECRET = "correct-horse"
BASE = f"postgresql://me:{SECRET}@localhost:1/db"


async def test_a_url_opens_the_storage_in_its_schema(dsn: str, schema: str) -> None:
    """What is saved through one is there through another, and elsewhere it is not."""
    session = Session(id=SessionId("s"), channel=ChannelId("c"))
    options = f"schema={schema}&pool_size=2&timeout=5&connect_timeout=2.5&idle_timeout=60"
    async with open_storage(f"{dsn}&{options}") as storage:
        await storage.sessions.save(session)
    index = "index=hnsw&m=8&ef_construction=32&ef_search=20&statement_timeout=5000"
    async with open_storage(f"{dsn}&schema={schema}&{index}") as storage:
        assert await storage.sessions.get(session.id) == session


def test_options_are_those_of_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name and kind, percent-escapes decoded; the rest stays as it was written."""
    seen: dict[str, object] = {}

    def connect(dsn: str, **options: object) -> None:
        seen.update(options, dsn=dsn)

    monkeypatch.setattr(opening, "connect", connect)
    opening.from_url(
        f"{BASE}?schema=a%20b&sslmode=require&pgbouncer=true&pool_size=3&index=hnsw&m=4"
    )
    expected = {
        "dsn": f"{BASE}?sslmode=require",
        "schema": "a b",
        "pgbouncer": True,
        "pool_size": 3,
        "index": HNSW(m=4),
    }
    assert expected == seen


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("shema=x", "did you mean schema"),
        ("pool_size=many", "pool_size must be an integer"),
        ("pool_size=0", "pool_size must be greater than 0"),
        ("timeout=nan", "timeout must be greater than 0"),
        ("pgbouncer=perhaps", "pgbouncer must be true or false"),
        ("index=flat", "index must be hnsw or none"),
        ("m=8", "index=hnsw"),
        ("index=hnsw&m=1", "m must be from 2 to 100"),
        ("sslmode=bogus", "sslmode in the DSN must be one of disable"),
        ("target_session_attrs=rw", "target_session_attrs in the DSN must be one of any"),
        ("schema=pg_x", "PostgreSQL's own"),
        ("port=99999", "port in the DSN must be a number from 1 to 65535"),
    ],
)
def test_an_option_that_is_unusable_is_refused_by_name(query: str, said: str) -> None:
    """In one sentence, before anything is opened."""
    with pytest.raises(ValueError, match=said) as caught:
        opening.from_url(f"{BASE}?{query}")
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}?x@localhost/db",
        f"postgresql://me:{SECRET}#x@localhost/db",
        f"postgresql://me:x?{SECRET}@localhost/db",
        f"postgresql://me:x/{SECRET}@localhost/db",
        f"postgresql://me:[{SECRET}@localhost/db",
        f"postgresql://me:{SECRET}@localhost:99999/db",
        f"postgresql://localhost:{SECRET}/db",
        f"postgresql://me:{SECRET}@localhost/db?{SECRET}",
    ],
)
def test_no_part_of_a_password_is_quoted(url: str) -> None:
    """Wherever its special characters have put it, and in what came before the error, too."""
    with pytest.raises(ValueError, match=r"DSN|URL") as caught:
        opening.from_url(url)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in f"{error}{error!r}"
        error = error.__context__
