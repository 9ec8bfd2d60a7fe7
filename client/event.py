"""What a room tells the program that opened it: frozen events, states and members.

Knows no bytes and no keys. Everything with a place in the order carries the room's life (base64url)
and its sequence number there.
"""

from dataclasses import dataclass
from enum import Enum

from client.link import Tag


class Status(Enum):
    """How the connection stands, in the words that every client shows."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


@dataclass(frozen=True)
class State:
    """The connection: ``next_retry_at`` is in monotonic seconds, None while none is planned.

    ``attempt`` counts the connections tried since the last one that stood.
    """

    status: Status
    next_retry_at: float | None = None
    transport: str = "none"
    attempt: int = 0


class Presence(Enum):
    """What the relay says of a member's seat; it only decorates the roster (R6)."""

    PRESENT = "present"
    AWAY = "away"
    CONNECTING = "connecting"
    GONE = "gone"


@dataclass(frozen=True)
class Member:
    """One person in the room; ``heard`` once a message of theirs has been opened (R14).

    ``silent``: heard once, but not for 150 s (R33).
    """

    tag: Tag
    nick: str | None
    presence: Presence
    me: bool
    heard: bool
    silent: bool = False


@dataclass(frozen=True)
class Message:
    """Somebody else's text, authenticated, in the sender's order, exactly once.

    ``late``: it did not come in the place of its number, but was held back behind a hole, or came
    as a repair, whose number ``seq`` then is.
    """

    sender: Tag
    nick: str | None
    text: str
    life: str
    seq: int
    late: bool = False


@dataclass(frozen=True)
class Missing:
    """``count`` messages of a sender did not arrive before the next one that did (R33)."""

    sender: Tag
    nick: str | None
    count: int
    life: str
    seq: int


@dataclass(frozen=True)
class Delivered:
    """``count`` of ``of`` others have our message that was ordered at ``seq`` of ``life``.

    Told when the count grows, or ``of`` shrinks: somebody left who had not confirmed it.
    """

    life: str
    seq: int
    count: int
    of: int


@dataclass(frozen=True)
class Equivocation:
    """A member sent two different messages as one; the first is what was shown (R30)."""

    sender: Tag
    nick: str | None
    life: str
    seq: int


@dataclass(frozen=True)
class Unconfirmed:
    """None of these others was heard 5 s after we came in: they may not be there at all (R14)."""

    tags: tuple[Tag, ...]


@dataclass(frozen=True)
class Superseded:
    """Our seat was resumed on another connection; the stay ends (R27)."""


@dataclass(frozen=True)
class Joined:
    """A new signature key entered the group."""

    tag: Tag
    nick: str | None
    life: str
    seq: int


@dataclass(frozen=True)
class Left:
    """A member's seat is gone, or the group removed its leaf; told once."""

    tag: Tag
    nick: str | None
    life: str
    seq: int


@dataclass(frozen=True)
class Away:
    """A member's connection was lost; its seat is kept for a while."""

    tag: Tag
    nick: str | None
    life: str
    seq: int


@dataclass(frozen=True)
class Back:
    """A member that was away is here again, maybe under another tag than ``previous``."""

    tag: Tag
    previous: Tag
    nick: str | None
    life: str
    seq: int


@dataclass(frozen=True)
class NickChanged:
    """A member chose a nickname, or told it to us for the first time."""

    tag: Tag
    nick: str
    life: str
    seq: int


@dataclass(frozen=True)
class StateChanged:
    """The connection's state is another."""

    state: State


@dataclass(frozen=True)
class EpochChanged:
    """The group's keys and its six words are new."""

    epoch: int


@dataclass(frozen=True)
class Notice:
    """Something a person should know of; ``code`` is one of NOTICES, ``tag`` whom it concerns."""

    code: str
    tag: Tag | None = None


NOTICES = {
    "another_group": "the room is another group than before; compare the six words again",
    "commit_refused": "a member sent a change of the group that breaks the rules; it was ignored",
    "degraded": "the relay has trouble and may lose its log",
    "divided": "the room has come apart; looking for the others",
    "draining": "the relay is about to restart; reconnecting by itself",
    "events_dropped": "the program read too slowly; some events were dropped",
    "frame_refused": "a message could not be authenticated; it was dropped",
    "relay_equivocates": "the relay contradicts itself about the order",
    "relay_gap": "the relay left something out of the order",
    "relay_mislabels": "the relay showed a message under another tag; it was dropped",
    "relay_notice": "the operator of the relay has a notice",
    "relay_silent": "the relay does not answer; reconnecting",
    "removed": "a member removed you; joining again",
    "reset": "the relay lost the room; it is being restored",
    "stranded": "a change of the group could not be followed; joining again",
    "unusable": "the relay has no usable description of the group",
}

Event = (
    Message
    | Missing
    | Delivered
    | Equivocation
    | Unconfirmed
    | Superseded
    | Joined
    | Left
    | Away
    | Back
    | NickChanged
    | StateChanged
    | EpochChanged
    | Notice
)
