"""The configuration."""

from __future__ import annotations

import secrets

from clawdesk_storage import AppConfig, ConflictError, RevisedConfig

from clawdesk_sqlite.engine import Engine
from clawdesk_sqlite.file import execute, statement
from clawdesk_sqlite.reader import Cursor
from clawdesk_sqlite.record import damaged, key_of, seal, unseal
from clawdesk_sqlite.writer import Transaction

__all__ = ["SQLiteConfigStore"]

_GET = "SELECT revision, record, checksum FROM config WHERE id = 1"
_SAVE = "INSERT OR REPLACE INTO config (id, revision, record, checksum) VALUES (1, ?, ?, ?)"
_REVISION = "SELECT revision FROM config WHERE id = 1"
_KEY = "config"


class SQLiteConfigStore:
    """A `ConfigStore` in a SQLite file, with the ability `ConfigRevisions`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get_config(self) -> AppConfig:
        """See `ConfigStore.get_config`."""
        return (await self.get_config_revision()).config

    async def save_config(self, config: AppConfig, /) -> None:
        """See `ConfigStore.save_config`."""
        self._engine.check_open()
        await self._engine.write(statement(_SAVE, *_row(config)))

    async def get_config_revision(self) -> RevisedConfig:
        """See `ConfigRevisions.get_config_revision`."""
        self._engine.check_open()
        return await self._engine.read_point(_read)

    async def save_config_if(self, config: AppConfig, /, revision: str | None) -> str:
        """See `ConfigRevisions.save_config_if`."""
        self._engine.check_open()
        row = _row(config)

        def save(transaction: Transaction) -> None:
            [(stored,)] = execute(transaction, _REVISION)
            if _token(stored) != revision:
                raise ConflictError("the configuration has been saved meanwhile")
            execute(transaction, _SAVE, *row)

        await self._engine.write(save)
        return f"{row[0]:x}"


def _row(config: AppConfig) -> tuple[int, bytes, int]:
    revision = 1 + secrets.randbits(62)
    return revision, *seal(config, _KEY, revision)


def _token(revision: int) -> str | None:
    return f"{revision:x}" if revision else None


def _read(cursor: Cursor) -> RevisedConfig:
    for revision, record, checksum in execute(cursor, _GET):
        if (revision, record, checksum) == (0, b"", 0):
            return RevisedConfig(AppConfig(), None)
        config = unseal(AppConfig, record, checksum, _KEY, key_of(_KEY, revision))
        return RevisedConfig(config, _token(revision))
    raise damaged(_KEY, "it is not there")
