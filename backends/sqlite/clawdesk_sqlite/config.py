"""The configuration."""

from __future__ import annotations

import apsw
from clawdesk_storage import AppConfig

from clawdesk_sqlite.engine import Engine
from clawdesk_sqlite.file import execute, statement
from clawdesk_sqlite.record import seal, unseal

__all__ = ["SQLiteConfigStore"]

_GET = "SELECT record, checksum FROM config WHERE id = 1"
_SAVE = "INSERT OR REPLACE INTO config (id, record, checksum) VALUES (1, ?, ?)"


class SQLiteConfigStore:
    """A `ConfigStore` in a SQLite file."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get_config(self) -> AppConfig:
        """See `ConfigStore.get_config`."""
        self._engine.check_open()
        return await self._engine.read(_read)

    async def save_config(self, config: AppConfig, /) -> None:
        """See `ConfigStore.save_config`."""
        self._engine.check_open()
        await self._engine.write(statement(_SAVE, *seal(config)))


def _read(connection: apsw.Connection) -> AppConfig:
    for record, checksum in execute(connection, _GET):
        return unseal(AppConfig, record, checksum, "config")
    return AppConfig()
