"""The configuration store."""

from __future__ import annotations

from clawdesk_storage import AppConfig, decode, encode

from clawdesk_sochdb.keys import CONFIG
from clawdesk_sochdb.records import Records
from clawdesk_sochdb.worker import Worker

__all__ = ["SochDBConfigStore"]


class SochDBConfigStore:
    """A `ConfigStore` on SochDB: one record."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def get_config(self) -> AppConfig:
        """See `ConfigStore.get_config`."""
        return await self._worker.read(_read)

    async def save_config(self, config: AppConfig, /) -> None:
        """See `ConfigStore.save_config`."""
        self._worker.check_open()
        await self._worker.write(_save, encode(config))


def _read(records: Records) -> AppConfig:
    record = records.get(CONFIG)
    return AppConfig() if record is None else decode(AppConfig, record, key="config")


def _save(records: Records, record: bytes) -> None:
    with records.writing() as changes:
        changes.put(CONFIG, record)
