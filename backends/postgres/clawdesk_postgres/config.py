"""The configuration: one row."""

from __future__ import annotations

from clawdesk_storage import AppConfig, ConflictError, RevisedConfig, decode, encode

from clawdesk_postgres.database import Database
from clawdesk_postgres.revision import REVISION, as_text

__all__ = ["PostgresConfigStore"]


class PostgresConfigStore:
    """A `ConfigStore` in PostgreSQL, with `ConfigRevisions`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._get = database.sql(
            "SELECT record, {revision} FROM {schema}.config", revision=REVISION
        )
        self._save = database.sql("""
            INSERT INTO {schema}.config (record) VALUES ($1)
            ON CONFLICT (one) DO UPDATE SET record = excluded.record, revision = excluded.revision
        """)
        self._create = database.sql(
            """
            INSERT INTO {schema}.config (record) VALUES ($1)
            ON CONFLICT DO NOTHING RETURNING {revision}
        """,
            revision=REVISION,
        )
        self._replace = database.sql(
            """
            UPDATE {schema}.config SET record = $1, revision = gen_random_uuid()
            WHERE {revision} = $2 RETURNING {revision}
        """,
            revision=REVISION,
        )

    async def get_config(self) -> AppConfig:
        """See `ConfigStore.get_config`."""
        return (await self.get_config_revision()).config

    async def save_config(self, config: AppConfig, /) -> None:
        """See `ConfigStore.save_config`."""
        self._database.check_open()
        await self._database.fetch(self._save, encode(config).decode())

    async def get_config_revision(self) -> RevisedConfig:
        """See `ConfigRevisions.get_config_revision`."""
        self._database.check_open()
        rows = await self._database.fetch(self._get)
        if not rows:
            return RevisedConfig(AppConfig(), None)
        record, revision = rows[0]
        return RevisedConfig(decode(AppConfig, record.encode(), key="config"), revision)

    async def save_config_if(self, config: AppConfig, /, revision: str | None) -> str:
        """See `ConfigRevisions.save_config_if`."""
        self._database.check_open()
        record = encode(config).decode()
        if revision is None:
            rows = await self._database.fetch(self._create, record)
        else:
            rows = await self._database.fetch(self._replace, record, as_text(revision))
        if not rows:
            raise ConflictError("the configuration has been saved meanwhile")
        return str(rows[0][0])
