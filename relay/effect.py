"""What follows from an operation on a room: frozen orders in a closed union.

Knows tags and messages; a broker gives them to the room's channel, in order.
"""

from dataclasses import dataclass

from relay.errors import CloseCode
from relay.wire import Tag


@dataclass(frozen=True, slots=True)
class Send:
    """Give a message to one session."""

    tag: Tag
    message: bytes


@dataclass(frozen=True, slots=True)
class Publish:
    """Give a message to every seated session; ``origin`` gets ``own`` in its place."""

    message: bytes
    origin: Tag | None = None
    own: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Seat:
    """From here on a session sees what is published."""

    tag: Tag


@dataclass(frozen=True, slots=True)
class Close:
    """End a session that the room has dropped."""

    tag: Tag
    code: CloseCode


Effect = Send | Publish | Seat | Close
