"""The laws, a module for each family, in the order of the contract."""

from types import ModuleType
from typing import Final

from clawdesk_storage.conformance.law import Law
from clawdesk_storage.conformance.laws import config, conversations, sessions, storage, vectors

__all__ = ["LAWS"]


def _of(module: ModuleType) -> list[Law]:
    return [value for value in vars(module).values() if isinstance(value, Law)]


LAWS: Final = tuple(
    one
    for module in (sessions, conversations, config, vectors, storage)
    for one in sorted(_of(module), key=lambda one: one.id)
)
