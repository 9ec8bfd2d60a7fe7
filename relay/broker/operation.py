"""What is done to a shared room, as it stands in the room's log: every node does it, in this order.

Knows one spelling for each operation and whose it is; what follows from one is the room's. The log
is kept by a stranger (PROTOCOL 7.1): it gets a number from there and a moment, all else is sealed.
"""

from dataclasses import dataclass
from typing import NamedTuple, NewType

import msgpack

from relay.errors import AuthenticationError
from relay.wire import Commit, Life, Offer, Reference, Tag

# A node's process: random, of this one start.
Node = NewType("Node", bytes)
NODE_BYTES = 16


class Visit(NamedTuple):
    """One session's stay in one place: the operation of its node that began it."""

    node: Node
    number: int


@dataclass(frozen=True, slots=True)
class Enter:
    """``seed`` is where the random values of this operation come from, the same on every node."""

    seed: bytes


@dataclass(frozen=True, slots=True)
class Resume:
    """``fence`` is None where a ticket may not restore its room."""

    seed: bytes
    tag: Tag
    life: Life
    generation: int
    fence: int | None
    seen: int


@dataclass(frozen=True, slots=True)
class Post:
    tag: Tag
    visit: int
    reference: Reference
    fence: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class TakeCommit:
    tag: Tag
    visit: int
    reference: Reference
    fence: int
    sealed: bytes
    group_info: bytes

    @property
    def message(self) -> Commit:
        """What the session has sent."""
        return Commit(self.reference, self.fence, self.sealed, self.group_info)


@dataclass(frozen=True, slots=True)
class TakeOffer:
    tag: Tag
    visit: int
    reference: Reference
    fence: int
    group_info: bytes

    @property
    def message(self) -> Offer:
        """What the session has sent."""
        return Offer(self.reference, self.fence, self.group_info)


@dataclass(frozen=True, slots=True)
class Need:
    tag: Tag
    visit: int


@dataclass(frozen=True, slots=True)
class Confirm:
    tag: Tag
    visit: int


@dataclass(frozen=True, slots=True)
class Leave:
    seed: bytes
    tag: Tag
    visit: int


@dataclass(frozen=True, slots=True)
class Lost:
    """``luggage`` is what the session leaves with its seat."""

    seed: bytes
    tag: Tag
    visit: int
    luggage: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Expire:
    """Time has brought something, to the node that says so."""

    seed: bytes


@dataclass(frozen=True, slots=True)
class Gone:
    """A node is not there any more: all its connections are lost."""

    seed: bytes
    node: Node


Operation = (
    Enter | Resume | Post | TakeCommit | TakeOffer | Need | Confirm | Leave | Lost | Expire | Gone
)
_KINDS: tuple[type[Operation], ...] = (
    Enter, Resume, Post, TakeCommit, TakeOffer, Need, Confirm, Leave, Lost, Expire, Gone,
)  # fmt: skip
_CODES = {kind: code for code, kind in enumerate(_KINDS)}


def serialize(operation: Operation) -> bytes:
    """Spell an operation."""
    kind = type(operation)
    values = [getattr(operation, name) for name in kind.__slots__]
    return bytes(msgpack.packb((_CODES[kind], *values)))


def parse(data: bytes) -> Operation:
    """Read an operation; AuthenticationError if it is none: who wrote it has our key."""
    try:
        code, *values = msgpack.unpackb(data, use_list=False)
        operation: Operation = _KINDS[code](*values)
        is_so_spelt = serialize(operation) == data
    except (ValueError, TypeError, IndexError, msgpack.UnpackException) as exc:
        raise AuthenticationError from exc
    if not is_so_spelt:
        raise AuthenticationError
    return operation
