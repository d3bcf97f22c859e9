"""A storage backend for an AI-agent gateway."""

from .storage import Stores, open_storage

__all__ = ["Stores", "open_storage"]
