"""The in-memory stores as the suite knows them."""

from clawdesk_storage.conformance import Backend
from clawdesk_storage.testing.memory import open_storage

__all__ = ["backend"]

backend: Backend = Backend(
    open_storage,
    durable=False,
    shared=False,
    abilities=(
        "MessageBatches",
        "MessagePages",
        "MessageGuards",
        "SessionRevisions",
        "ConfigRevisions",
        "VectorBatches",
        "VectorFilters",
        "Contents",
        "VectorContents",
    ),
)
