"""Beacon's client library: end-to-end encrypted, anonymous, ephemeral rooms.

async with open_room(link) as room:
    await room.send("hello")
    async for event in room:
        ...
"""

from client.errors import (
    AuthenticationError,
    ClientError,
    FrameError,
    HeldError,
    LimitError,
    LinkError,
    RefusedError,
    StateError,
    TransportError,
    UsageError,
    VerificationError,
)
from client.event import (
    NOTICES,
    Away,
    Back,
    Delivered,
    EpochChanged,
    Equivocation,
    Event,
    Joined,
    Left,
    Member,
    Message,
    Missing,
    NickChanged,
    Notice,
    Presence,
    State,
    StateChanged,
    Status,
    Superseded,
    Unconfirmed,
)
from client.link import Link, Tag, create_link, parse_link
from client.session import RoomSession, Sent, open_room

__all__ = [
    "NOTICES",
    "AuthenticationError",
    "Away",
    "Back",
    "ClientError",
    "Delivered",
    "EpochChanged",
    "Equivocation",
    "Event",
    "FrameError",
    "HeldError",
    "Joined",
    "Left",
    "LimitError",
    "Link",
    "LinkError",
    "Member",
    "Message",
    "Missing",
    "NickChanged",
    "Notice",
    "Presence",
    "RefusedError",
    "RoomSession",
    "Sent",
    "State",
    "StateChanged",
    "StateError",
    "Status",
    "Superseded",
    "Tag",
    "TransportError",
    "Unconfirmed",
    "UsageError",
    "VerificationError",
    "create_link",
    "open_room",
    "parse_link",
]
