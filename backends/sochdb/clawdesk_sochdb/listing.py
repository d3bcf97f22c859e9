"""The order in which sessions are listed, in memory."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from clawdesk_storage import ChannelId, Session, SessionId

__all__ = ["Listing"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Listing:
    """Ids and channels of all sessions, the latest activity first, equal instants by id.

    Args:
        sessions: The sessions to begin with, in any order.
    """

    def __init__(self, sessions: Iterable[Session]) -> None:
        self._known = {session.id: (_place(session), session.channel) for session in sessions}
        self._order = sorted(place for place, _ in self._known.values())

    def put(self, session: Session) -> None:
        """Add the session, or move it to where it now belongs."""
        self.remove(session.id)
        self._known[session.id] = _place(session), session.channel
        insort(self._order, _place(session))

    def remove(self, id: SessionId) -> None:
        """Take the session out; an absent one is no error."""
        place, _ = self._known.pop(id, (None, None))
        if place is not None:
            del self._order[bisect_left(self._order, place)]

    def page(self, limit: int, offset: int) -> Sequence[SessionId]:
        """Return at most `limit` ids after skipping `offset`."""
        return [id for _, id in self._order[offset : offset + limit]]

    def of_channel(self, channel: ChannelId) -> Sequence[SessionId]:
        """Return the ids of the channel's sessions."""
        return [id for _, id in self._order if self._known[id][1] == channel]


def _place(session: Session) -> tuple[int, SessionId]:
    return (_EPOCH - session.last_activity) // _MICROSECOND, session.id
