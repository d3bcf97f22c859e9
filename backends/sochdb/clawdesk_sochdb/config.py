"""The configuration store."""

from __future__ import annotations

from clawdesk_storage import AppConfig, ConflictError, RevisedConfig, decode, encode

from clawdesk_sochdb.keys import CONFIG
from clawdesk_sochdb.records import Records
from clawdesk_sochdb.revision import record_of, revise, revision_of
from clawdesk_sochdb.worker import Worker

__all__ = ["SochDBConfigStore"]

_NAME = "config"


class SochDBConfigStore:
    """A `ConfigStore` on SochDB: one record. With the ability `ConfigRevisions`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def get_config(self) -> AppConfig:
        """See `ConfigStore.get_config`."""
        return (await self.get_config_revision()).config

    async def save_config(self, config: AppConfig, /) -> None:
        """See `ConfigStore.save_config`."""
        self._worker.check_open()
        await self._worker.write(_save, encode(config))

    async def get_config_revision(self) -> RevisedConfig:
        """See `ConfigRevisions.get_config_revision`."""
        return await self._worker.read(_read)

    async def save_config_if(self, config: AppConfig, /, revision: str | None) -> str:
        """See `ConfigRevisions.save_config_if`."""
        self._worker.check_open()
        return await self._worker.write(_save_if, encode(config), revision)


def _read(records: Records) -> RevisedConfig:
    revised = records.get(CONFIG, _NAME)
    if revised is None:
        return RevisedConfig(AppConfig(), None)
    return RevisedConfig(decode(AppConfig, record_of(revised), key=_NAME), revision_of(revised))


def _save(records: Records, record: bytes) -> str:
    revised = revise(record)
    with records.writing() as changes:
        changes.put(CONFIG, revised)
    return revision_of(revised)


def _save_if(records: Records, record: bytes, revision: str | None) -> str:
    stored = records.get(CONFIG, _NAME)
    if (stored and revision_of(stored)) != revision:
        raise ConflictError("the configuration has been saved meanwhile")
    return _save(records, record)
