"""What the records of a conversation hold: its head, and its messages with their positions."""

from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = ["Head", "message_of", "position_of", "positioned"]

_HEAD = struct.Struct(">QQQ")
_POSITION = struct.Struct(">Q")


class Head(NamedTuple):
    """What is known of a conversation that has messages.

    They are numbered from 0 without a gap. Their positions rise, too, but not by one where some
    were removed between: no position is given twice.
    """

    messages: int
    """How many there are."""
    newest: int
    """The position of the last one."""
    next: int
    """The position that the next one gets."""

    def packed(self) -> bytes:
        """Return it as a record holds it."""
        return _HEAD.pack(*self)

    @classmethod
    def unpacked(cls, payload: bytes) -> Head:
        """Return what `packed` packed."""
        return cls(*_HEAD.unpack(payload))

    def grown(self, messages: int) -> Head:
        """Return the head once so many messages, one or more, are added."""
        next = self.next + messages
        return Head(self.messages + messages, next - 1, next)


def positioned(position: int, message: bytes) -> bytes:
    """Return a message as a record holds it."""
    return _POSITION.pack(position) + message


def position_of(payload: bytes) -> int:
    """Return the position of a message."""
    (position,) = _POSITION.unpack_from(payload)
    return int(position)


def message_of(payload: bytes) -> bytes:
    """Return the message alone."""
    return payload[_POSITION.size :]
