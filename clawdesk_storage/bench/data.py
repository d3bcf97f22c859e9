"""What the workloads store: seeded, and of the sizes that a gateway's data have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clawdesk_storage.models import AppConfig, ChannelId, Message, Role, Session, SessionId

__all__ = ["DIMENSION", "QUERIES", "Data", "Vectors"]

Vectors = NDArray[np.float32]
"""Vectors of length 1, of shape `(count, DIMENSION)`."""

DIMENSION = 384
QUERIES = 64
"""How many different searches there are."""

_EPOCH = datetime(2024, 5, 17, 9, 30, tzinfo=UTC)
_TEXTS = 256
_LETTERS = 250
_BLOCK = 1_000
_CLUSTERS = 500
_SPREAD = 0.7


class Data:
    """Sessions, messages, configurations and vectors by number, the same for the same seed.

    Args:
        seed: Where the randomness starts.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.block: Callable[[int], Vectors] = lru_cache(maxsize=2)(self._made)

    @cached_property
    def _texts(self) -> list[str]:
        random = Random(self._seed)  # noqa: S311
        words = ["".join(random.choices("aeinorstulmdch", k=n)) for n in (2, 3, 4, 5, 7, 9) * 40]
        return [" ".join(random.choices(words, k=60))[:_LETTERS] for _ in range(_TEXTS)]

    def text(self, number: int) -> str:
        """Return some 250 bytes of text."""
        return self._texts[number % _TEXTS]

    def session(self, number: int, saved: int = 0) -> Session:
        """Return a session as it is after it was saved so often."""
        return Session(
            id=session_id(number),
            channel=ChannelId(f"telegram:{number % 16}"),
            system_prompt=self.text(number),
            model="anthropic/claude",
            created_at=_EPOCH,
            last_activity=_EPOCH + timedelta(seconds=number * 7919 % 1_000_003, milliseconds=saved),
            message_count=saved,
            metadata={"user": f"user-{number}", "language": "en", "tags": ["a", "b"], "n": saved},
        )

    def message(self, number: int) -> Message:
        """Return a message of some 250 bytes; every second one is an answer."""
        moment = _EPOCH + timedelta(seconds=number)
        if number % 2:
            return Message(
                role=Role.ASSISTANT, content=self.text(number), timestamp=moment,
                model="anthropic/claude", token_count=64, metadata={"stop": "end_turn"},
            )  # fmt: skip
        return Message(
            role=Role.USER, content=self.text(number), timestamp=moment,
            metadata={"channel": "telegram", "update": number},
        )  # fmt: skip

    def config(self, number: int) -> AppConfig:
        """Return a configuration as it is after it was saved so often."""
        agents = {"default_model": "anthropic/claude", "timeout_seconds": 60 + number % 60}
        telegram = {"bot_token": "123456:" + "x" * 35, "allowed_chat_ids": [*range(20)]}
        tree: dict[str, Any] = {"agents": agents, "channels": {"telegram": telegram}}
        return AppConfig.model_validate(tree)

    @cached_property
    def _centres(self) -> NDArray[np.float64]:
        return np.random.default_rng([self._seed, 0]).standard_normal((_CLUSTERS, DIMENSION))

    def _near_centres(self, stream: int, count: int) -> Vectors:
        """Vectors in clusters, as embeddings are: to pure noise no neighbour is near."""
        random = np.random.default_rng([self._seed, stream])
        near = self._centres[random.integers(0, _CLUSTERS, count)]
        near = near + _SPREAD * random.standard_normal((count, DIMENSION))
        unit: Vectors = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
        return unit

    @cached_property
    def queries(self) -> Vectors:
        """What is searched for, of shape `(QUERIES, DIMENSION)`."""
        return self._near_centres(1, QUERIES)

    def _made(self, number: int) -> Vectors:
        return self._near_centres(number + 2, _BLOCK)

    def vector(self, number: int) -> NDArray[np.float32]:
        """Return the vector stored under that number, of shape `(DIMENSION,)`."""
        row: NDArray[np.float32] = self.block(number // _BLOCK)[number % _BLOCK]
        return row

    def blocks(self, size: int) -> Iterator[Vectors]:
        """Yield the first `size` vectors in blocks."""
        for start in range(0, size, _BLOCK):
            yield self.block(start // _BLOCK)[: size - start]


def session_id(number: int) -> SessionId:
    """Return the id of a session."""
    return SessionId(f"telegram:{number % 16}:{number:08}")
