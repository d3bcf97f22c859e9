"""The storage ports on SochDB's embedded engine: one directory, one process at a time."""

from clawdesk_sochdb.storage import SochDBStorage, open_storage

__all__ = ["SochDBStorage", "open_storage"]
