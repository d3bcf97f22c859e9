"""The configuration."""

from __future__ import annotations

from clawdesk_storage import AppConfig, ConfigStore, encode

from .engine import Engine

__all__ = ["Config"]


class Config:
    """A `ConfigStore`.

    What each method begins with refuses what CFG-05 wants refused. Put what it does in place of
    its `raise`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get_config(self) -> AppConfig:
        """See `ConfigStore.get_config`."""
        self._engine.check_open()
        raise NotImplementedError(
            'return `decode(AppConfig, record, key="config")` of what was saved last, or '
            "`AppConfig()` where nothing was; see: clawdesk-storage laws CFG-01 CFG-02 CFG-04"
        )

    async def save_config(self, config: AppConfig, /) -> None:
        """See `ConfigStore.save_config`."""
        self._engine.check_open()
        record = encode(config)
        raise NotImplementedError(
            f"store these {len(record)} bytes in place of any earlier; "
            "see: clawdesk-storage laws CFG-02 CFG-03 CFG-05"
        )

    # Abilities: more than the port asks for, and none of it is needed. To offer one, take the marks
    # away from all of its methods; its laws count from then on. See: clawdesk-storage laws REV

    # ConfigRevisions, laws REV-13: saved only if nobody else has saved meanwhile.
    # async def get_config_revision(self) -> RevisedConfig: ...
    # async def save_config_if(self, config: AppConfig, /, revision: str | None) -> str: ...


# Here a type checker names whatever the port has and this class has not, while you type.
_: type[ConfigStore] = Config
