"""Broken configuration stores."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, cast

from typing_extensions import override

from clawdesk_storage import AppConfig, NotFoundError, SerializationError, decode, encode
from clawdesk_storage.testing import MemoryConfigStore
from tests.mutants.json_text import as_json
from tests.mutants.mutant import mutant

# Nothing saved


@mutant("CFG-01", "CFG-04", "CFG-05", "STO-01", "STO-02", "STO-03", "STO-05", "STO-07")
class FailsOnAFirstStart(MemoryConfigStore):
    """A configuration that was never saved is an error."""

    @override
    async def get_config(self) -> AppConfig:
        config = await super().get_config()
        if self._record is None:
            raise NotFoundError("config.json")
        return config


@mutant(
    "CFG-01", "CFG-02", "CFG-03", "CFG-04", "CFG-05", "STO-02", "STO-05",
)  # fmt: skip
class DefaultIsCached(MemoryConfigStore):
    """What the first read gave is kept, and the first save does not tell the cache."""

    def __init__(self) -> None:
        super().__init__()
        self._cached: bytes | None = None

    @override
    async def get_config(self) -> AppConfig:
        config = await super().get_config()
        self._cached = self._cached or encode(config)
        return decode(AppConfig, self._cached)


# Fidelity


class _Changing(MemoryConfigStore):
    """Stores something else than it was given."""

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        await super().save_config(config)  # so that what must be refused is refused
        self._record = encode(AppConfig.model_validate(self.changed(config.model_dump())))

    def changed(self, tree: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


_SECRETS = ("api_key", "bot_token", "app_token", "signing_secret", "auth_token")


def _objects(tree: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, one in tree.items():
        if isinstance(one, dict):
            yield key, cast("dict[str, Any]", one)


@mutant("CFG-02", "CFG-03", "CFG-05")
class SecretsAreAsterisks(_Changing):
    """A secret type is dumped as it is printed."""

    @override
    def changed(self, tree: dict[str, Any]) -> dict[str, Any]:
        hidden = {key: "**********" for key in _SECRETS if tree.get(key)}
        return tree | hidden | {key: self.changed(one) for key, one in _objects(tree)}


@mutant("CFG-02", "CFG-03", "CFG-04", "CFG-05", "STO-01", "STO-05")
class UnknownSectionsAreDropped(_Changing):
    """A key that this version does not know is ignored at the top."""

    @override
    def changed(self, tree: dict[str, Any]) -> dict[str, Any]:
        return {key: one for key, one in tree.items() if key in AppConfig.model_fields}


@mutant("CFG-02", "CFG-03", "CFG-05")
class NoneIsLeftOut(_Changing):
    """`exclude_none`, as TOML wants it: a default takes the place of an explicit None."""

    @override
    def changed(self, tree: dict[str, Any]) -> dict[str, Any]:
        given = {key: one for key, one in tree.items() if one is not None}
        return given | {key: self.changed(one) for key, one in _objects(tree)}


# Replacing


class _Merging(MemoryConfigStore):
    """Keeps something of the earlier version."""

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        earlier = (await super().get_config()).model_dump()
        await super().save_config(config)
        merged = self.merged(earlier, config.model_dump())
        self._record = encode(AppConfig.model_validate(merged))

    def merged(self, earlier: dict[str, Any], tree: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


@mutant("CFG-02", "CFG-03")
class MergesDeeply(_Merging):
    """What is saved is merged into what is there, level by level."""

    @override
    def merged(self, earlier: dict[str, Any], tree: dict[str, Any]) -> dict[str, Any]:
        old = dict(_objects(earlier))
        return (
            earlier
            | tree
            | {key: self.merged(old.get(key, {}), one) for key, one in _objects(tree)}
        )


# Aliasing


class _Keeping(MemoryConfigStore):
    """Keeps an object beside the record."""

    _object: AppConfig | None = None


@mutant("CFG-04")
class KeepsTheSavedObject(_Keeping):
    """The object that was saved is kept as it is."""

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        await super().save_config(config)
        self._object = config

    @override
    async def get_config(self) -> AppConfig:
        config = await super().get_config()
        return self._object.model_copy(deep=True) if self._object else config


@mutant("CFG-04")
class HandsOutItsObject(_Keeping):
    """`get_config` hands out the object of a cache."""

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        await super().save_config(config)
        self._object = await super().get_config()

    @override
    async def get_config(self) -> AppConfig:
        config = await super().get_config()
        return self._object or config


@mutant("CFG-04")
class SharesItsDefault(MemoryConfigStore):
    """Who asks before the first save is given the one default of the store."""

    def __init__(self) -> None:
        super().__init__()
        self._default = AppConfig()

    @override
    async def get_config(self) -> AppConfig:
        config = await super().get_config()
        return self._default if self._record is None else config


# What cannot be stored


class _Lenient(MemoryConfigStore):
    """Writes by the json module, with an option too many."""

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        try:
            await super().save_config(config)
        except SerializationError:
            tree = {name: getattr(config, name).model_dump() for name in AppConfig.model_fields}
            text = self.written({**tree, **(config.__pydantic_extra__ or {})})
            await super().save_config(AppConfig.model_validate(json.loads(text)))

    def written(self, tree: dict[str, Any]) -> str:
        raise NotImplementedError


@mutant("CFG-05")
class NanBecomesNull(_Lenient):
    """NaN and infinity become null."""

    @override
    def written(self, tree: dict[str, Any]) -> str:
        return as_json(tree, nan=None)


@mutant("CFG-05")
class TruncatesBeforeItWrites(MemoryConfigStore):
    """The file is opened for writing before the text is ready."""

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        self._record = None
        await super().save_config(config)


@mutant("CON-07")
class ExpiresByTheClock(MemoryConfigStore):
    """What was read is given again as long as it is younger, by the clock, than the last save."""

    _read: tuple[float, AppConfig] | None = None
    _saved = float("inf")

    @override
    async def get_config(self) -> AppConfig:
        self._check_open()
        if self._read is None or self._read[0] <= self._saved:
            self._read = time.time(), await super().get_config()
        return self._read[1].model_copy(deep=True)

    @override
    async def save_config(self, config: AppConfig, /) -> None:
        await super().save_config(config)
        self._saved = time.time()
