"""The four stores of `clawdesk_storage` in one SQLite file."""

from clawdesk_sqlite.storage import SQLiteStorage, open_storage

__all__ = ["SQLiteStorage", "open_storage"]
