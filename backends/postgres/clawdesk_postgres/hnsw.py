"""The approximate index, and how a connection searches through it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from clawdesk_storage import SerializationError

from clawdesk_postgres.connections import Connection

__all__ = ["HNSW"]

# What an index holds of single precision, and of half.
_LARGEST_WHOLE, _LARGEST_HALF = 2_000, 4_000

_FIND_DIMENSION = "SELECT dimension FROM {schema}.vector_space"
_MAY_BUILD = """
    SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = '{schema}.vectors'::regclass
"""

_logger = logging.getLogger("clawdesk_postgres")


@dataclass(frozen=True, slots=True)
class HNSW:
    """An approximate index: a search is much faster, and finds most of the best, not always all.

    Args:
        m: Links per entry, from 2 to 100. More find more, and take more memory.
        ef_construction: Candidates kept while building, from 2 * m to 1000. More build a better
            index, more slowly.
        ef_search: Candidates kept while searching, from 1 to 1000. More find more, more slowly. A
            search for more results than this is exact.

    The index is built when the first vector is stored or, where vectors are there already, when the
    storage is opened; an index that is there is used as it is. Only the owner of the tables may
    build it: for another role searches are exact until it is there, and a warning is logged.

    Beyond 2,000 dimensions the index is of half precision: it chooses `ef_search` candidates, whose
    scores are then exact. 4,000 are the most.
    """

    m: int = 16
    ef_construction: int = 64
    ef_search: int = 100

    def __post_init__(self) -> None:
        for name, low, high in (
            ("m", 2, 100),
            ("ef_construction", 2 * self.m, 1000),
            ("ef_search", 1, 1000),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be from {low} to {high}, and is {value}")

    @property
    def settings(self) -> dict[str, str]:
        """What a server session that searches has to be set to."""
        # Iterating goes on where deleted entries would leave fewer results than were asked for, up
        # to hnsw.max_scan_tuples.
        return {"hnsw.ef_search": str(self.ef_search), "hnsw.iterative_scan": "strict_order"}

    async def build(self, connection: Connection, schema: str, pgvector: str) -> None:
        """Build the index if there are vectors and it is not there.

        Args:
            connection: Inside a transaction that keeps others from doing the same.
            schema: The quoted name of the schema that the table is in.
            pgvector: The quoted name of the extension's schema.

        Raises:
            SerializationError: The vectors are too large for an index.
        """
        dimension = await connection.fetchval(_FIND_DIMENSION.format(schema=schema))
        if dimension is None:
            return
        if dimension > _LARGEST_HALF:
            raise SerializationError(
                f"an HNSW index holds vectors of up to {_LARGEST_HALF} dimensions,"
                f" not {dimension}: connect without one"
            )
        literal = _MAY_BUILD.format(schema=schema.replace("'", "''"))
        if not await connection.fetchval(literal):
            _logger.warning(
                "searches in schema %s are exact: its HNSW index is not there, and this role does"
                " not own the tables; open it once with index=HNSW() as the role that does",
                schema,
            )
            return
        indexed = self.cast("embedding", pgvector, dimension)
        await connection.execute(
            f"CREATE INDEX IF NOT EXISTS vectors_hnsw ON {schema}.vectors USING hnsw"
            f" (({indexed}) {pgvector}.{self._kind(dimension)}_ip_ops)"
            f" WITH (m = {self.m}, ef_construction = {self.ef_construction})"
        )

    def cast(self, vector: str, pgvector: str, dimension: int) -> str:
        """Return `vector` as it is indexed, where one of so many dimensions is looked for.

        Args:
            vector: An expression of pgvector's type `vector`.
            pgvector: The quoted name of the extension's schema.
            dimension: How many numbers it has, up to 4,000.
        """
        return f"{vector}::{pgvector}.{self._kind(dimension)}({dimension})"

    def is_whole(self, dimension: int) -> bool:
        """Tell whether what is indexed is all of a vector, or its numbers at half precision."""
        return dimension <= _LARGEST_WHOLE

    def _kind(self, dimension: int) -> str:
        return "vector" if self.is_whole(dimension) else "halfvec"
