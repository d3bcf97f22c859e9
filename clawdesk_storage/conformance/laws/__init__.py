"""The laws, a module for each family, in the order of the contract."""

from types import ModuleType
from typing import Final

from clawdesk_storage.conformance.law import PORTS, Law
from clawdesk_storage.conformance.laws import (
    batches,
    concurrency,
    config,
    contents,
    conversations,
    corruption,
    durability,
    filters,
    guards,
    model,
    outage,
    pages,
    revisions,
    sessions,
    sharing,
    storage,
    vector_batches,
    vectors,
)

__all__ = ["LAWS"]

_MODULES = (
    batches, concurrency, config, contents, conversations, corruption, durability, filters, guards,
    model, outage, pages, revisions, sessions, sharing, storage, vector_batches, vectors,
)  # fmt: skip


def _of(module: ModuleType) -> list[Law]:
    return [value for value in vars(module).values() if isinstance(value, Law)]


def _place(law: Law) -> tuple[int, str]:
    return list(PORTS).index(law.id[:3]), law.id


LAWS: Final = tuple(sorted((law for module in _MODULES for law in _of(module)), key=_place))
