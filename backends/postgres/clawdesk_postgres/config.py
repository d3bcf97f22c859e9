"""The configuration: one row."""

from __future__ import annotations

from clawdesk_storage import AppConfig, decode, encode

from clawdesk_postgres.database import Database

__all__ = ["PostgresConfigStore"]


class PostgresConfigStore:
    """A `ConfigStore` in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._get = database.sql("SELECT record FROM {schema}.config")
        self._save = database.sql("""
            INSERT INTO {schema}.config (record) VALUES ($1)
            ON CONFLICT (one) DO UPDATE SET record = excluded.record
        """)

    async def get_config(self) -> AppConfig:
        """See `ConfigStore.get_config`."""
        self._database.check_open()
        rows = await self._database.fetch(self._get)
        return decode(AppConfig, rows[0][0].encode(), key="config") if rows else AppConfig()

    async def save_config(self, config: AppConfig, /) -> None:
        """See `ConfigStore.save_config`."""
        self._database.check_open()
        await self._database.fetch(self._save, encode(config).decode())
