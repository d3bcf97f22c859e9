"""ClawDesk's storage on PostgreSQL with pgvector."""

from clawdesk_postgres.hnsw import HNSW
from clawdesk_postgres.location import open_storage
from clawdesk_postgres.storage import PostgresStorage, connect

__all__ = ["HNSW", "PostgresStorage", "connect", "open_storage"]
