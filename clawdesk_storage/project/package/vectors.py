"""The vectors."""

from __future__ import annotations

from collections.abc import Sequence

from clawdesk_storage import (
    JsonValue,
    Vector,
    VectorResult,
    VectorStore,
    check_id,
    check_limit,
    encode,
    unit_vector,
)

from .engine import Engine

__all__ = ["Vectors"]


class Vectors:
    """A `VectorStore`.

    What each method begins with refuses what VEC-01, VEC-08, VEC-11 and VEC-12 want refused. Put
    what it does in place of its `raise`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def upsert(self, id: str, vector: Vector, /, metadata: JsonValue) -> None:
        """See `VectorStore.upsert`."""
        self._engine.check_open()
        check_id(id)
        unit = unit_vector(vector)
        record = encode(metadata)
        raise NotImplementedError(
            f"store these {len(unit)} numbers and {len(record)} bytes under the id, or raise "
            "ValueError where earlier vectors have another length; "
            "see: clawdesk-storage laws VEC-04 VEC-06 VEC-08 VEC-09 VEC-10 VEC-11 VEC-12"
        )

    async def search(self, query: Vector, /, top_k: int) -> Sequence[VectorResult]:
        """See `VectorStore.search`."""
        self._engine.check_open()
        top_k = check_limit(top_k, "top_k")
        unit = unit_vector(query)
        raise NotImplementedError(
            f"return the `top_k` entries with the largest products with these {len(unit)} numbers, "
            "best first, then by id, or raise ValueError as in `upsert`; "
            "see: clawdesk-storage laws VEC-01 VEC-02 VEC-03 VEC-07 VEC-09"
        )

    async def delete(self, id: str, /) -> None:
        """See `VectorStore.delete`."""
        self._engine.check_open()
        check_id(id)
        raise NotImplementedError(
            "remove what is stored under the id, if anything is; see: clawdesk-storage laws VEC-05"
        )

    # Abilities: more than the port asks for, and none of it is needed. To offer one, take the marks
    # away from all of its methods; its laws count from then on. See: clawdesk-storage laws FIL

    # VectorBatches, laws VBA-01 to VBA-07: many entries at once, all of them or none.
    # async def upsert_many(self, entries: Sequence[VectorEntry], /) -> None: ...
    # async def delete_many(self, ids: Sequence[str], /) -> None: ...

    # VectorFilters, laws FIL-01 to FIL-18: a search among the entries that a filter matches.
    # async def search_where(
    #     self, query: Vector, where: Where, /, top_k: int
    # ) -> Sequence[VectorResult]: ...
    # async def delete_where(self, where: Where, /) -> None: ...

    # VectorContents, laws CTS-01 to CTS-06: which entries there are.
    # async def get(self, id: str, /) -> VectorEntry | None: ...
    # async def entries(self, after: str | None, /, limit: int) -> Sequence[VectorEntry]: ...
    # async def count(self) -> int: ...


# Here a type checker names whatever the port has and this class has not, while you type.
_: type[VectorStore] = Vectors
