"""The configuration in memory."""

from __future__ import annotations

from clawdesk_storage.abilities import RevisedConfig
from clawdesk_storage.codec import decode, encode
from clawdesk_storage.errors import ConflictError
from clawdesk_storage.models import AppConfig
from clawdesk_storage.testing.store import Store

__all__ = ["MemoryConfigStore"]


class MemoryConfigStore(Store):
    """A `ConfigStore` in memory, with `ConfigRevisions`."""

    def __init__(self) -> None:
        self._record: bytes | None = None
        self._revision: str | None = None

    async def get_config(self) -> AppConfig:
        """See `ConfigStore.get_config`."""
        self._check_open()
        return AppConfig() if self._record is None else decode(AppConfig, self._record)

    async def save_config(self, config: AppConfig, /) -> None:
        """See `ConfigStore.save_config`."""
        self._check_open()
        self._put(encode(config))

    async def get_config_revision(self) -> RevisedConfig:
        """See `ConfigRevisions.get_config_revision`."""
        return RevisedConfig(await self.get_config(), self._revision)

    async def save_config_if(self, config: AppConfig, /, revision: str | None) -> str:
        """See `ConfigRevisions.save_config_if`."""
        self._check_open()
        record = encode(config)
        if revision != self._revision:
            raise ConflictError("the configuration has been saved meanwhile")
        return self._put(record)

    def _put(self, record: bytes) -> str:
        self._record, self._revision = record, str(self._next())
        return self._revision
