"""The conversations."""

from __future__ import annotations

from collections.abc import Sequence

from clawdesk_storage import (
    ConversationStore,
    Message,
    SessionId,
    check_id,
    check_limit,
    encode,
)

from .engine import Engine

__all__ = ["Conversations"]


class Conversations:
    """A `ConversationStore`.

    What each method begins with refuses what CNV-03, CNV-11 and CNV-12 want refused. Put what it
    does in place of its `raise`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get_messages(self, session_id: SessionId, /, limit: int) -> Sequence[Message]:
        """See `ConversationStore.get_messages`."""
        self._engine.check_open()
        check_id(session_id)
        limit = check_limit(limit)
        raise NotImplementedError(
            "return the last `limit` messages, oldest first, each by "
            "`decode(Message, record, key=session_id)`; "
            "see: clawdesk-storage laws CNV-01 CNV-02 CNV-03 CNV-10"
        )

    async def append_message(self, session_id: SessionId, message: Message, /) -> None:
        """See `ConversationStore.append_message`."""
        self._engine.check_open()
        check_id(session_id)
        record = encode(message)
        raise NotImplementedError(
            f"store these {len(record)} bytes after the session's last message; "
            "see: clawdesk-storage laws CNV-02 CNV-04 CNV-05 CNV-06 CNV-08 CNV-09 CNV-11"
        )

    async def clear(self, session_id: SessionId, /) -> None:
        """See `ConversationStore.clear`."""
        self._engine.check_open()
        check_id(session_id)
        raise NotImplementedError(
            "remove every message of this session alone; see: clawdesk-storage laws CNV-07 CNV-12"
        )

    # Abilities: more than the port asks for, and none of it is needed. To offer one, take the marks
    # away from all of its methods; its laws count from then on. See: clawdesk-storage laws BAT

    # MessageBatches, laws BAT-01 to BAT-10: a turn at once, all of it or none.
    # async def append_messages(
    #     self, session_id: SessionId, messages: Sequence[Message], /
    # ) -> None: ...

    # MessagePages, laws PAG-01 to PAG-10: older and newer messages, page by page.
    # async def get_before(
    #     self, session_id: SessionId, position: int | None, /, limit: int
    # ) -> Sequence[HistoryEntry]: ...
    # async def get_after(
    #     self, session_id: SessionId, position: int | None, /, limit: int
    # ) -> Sequence[HistoryEntry]: ...

    # MessageGuards, laws GRD-01 to GRD-07: changed only if nobody else has changed it.
    # async def append_after(
    #     self, session_id: SessionId, position: int | None, messages: Sequence[Message], /
    # ) -> int: ...
    # async def truncate_after(
    #     self, session_id: SessionId, position: int | None, newest: int, /
    # ) -> None: ...

    # Contents, laws CTS-01 to CTS-06: which conversations have messages.
    # async def ids(self, after: SessionId | None, /, limit: int) -> Sequence[SessionId]: ...
    # async def count(self) -> int: ...


# Here a type checker names whatever the port has and this class has not, while you type.
_: type[ConversationStore] = Conversations
