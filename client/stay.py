"""What the parts of a conversation share for one stay: keys, place in the order, the effects.

Holds no rule beyond the order itself; nothing of it outlives the stay (R5).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from client import mls
from client.effect import Effect, Emit
from client.event import Event, Notice
from client.link import FORGOTTEN, Keys, Tag, encode_b64url
from client.seal import Kind, unseal
from client.wire import REFERENCE_BYTES, Frame


class Phase(Enum):
    """Where a stay is; room.py draws the transitions."""

    OFFLINE = auto()
    GREETING = auto()
    WAITING = auto()
    ENTERING = auto()
    JOINED = auto()
    STRANDED = auto()
    CLOSED = auto()


@dataclass
class Stay:
    """One person's stay in one room, across connections.

    ``draw(n)`` returns n random bytes. ``fence`` is the room's as far as we followed the log, also
    past commits that were refused. ``group`` stays the last one that we were in while offline.
    """

    host: str
    keys: Keys
    identity: mls.Identity = field(repr=False)
    draw: Callable[[int], bytes] = field(repr=False)
    phase: Phase = Phase.OFFLINE
    life: bytes = b""
    seq: int = 0
    fence: int = 0
    tag: Tag | None = None
    group: mls.Group | None = field(default=None, repr=False)
    heard: set[bytes] = field(default_factory=set, repr=False)
    effects: list[Effect] = field(default_factory=list, repr=False)

    @property
    def life_b64(self) -> str:
        """The life as events carry it."""
        return encode_b64url(self.life)

    @property
    def leaves(self) -> tuple[mls.Member, ...]:
        """The members of the group, by leaf; empty before the first entry."""
        return self.group.members if self.group is not None else ()

    def forget(self) -> None:
        """Drop every key (R18). Python cannot promise that the memory is clean (THREAT_MODEL)."""
        if self.group is not None:
            self.group.wipe()
        self.group = None
        self.keys = FORGOTTEN
        self.identity = mls.Identity.forgotten()
        self.heard.clear()

    def reference(self) -> bytes:
        """Draw a fresh reference."""
        return self.draw(REFERENCE_BYTES)

    def fraction(self) -> float:
        """Draw a number from 0 up to 1, for jitter and for choosing among equals."""
        return int.from_bytes(self.draw(4), "big") / 2**32

    def do(self, effect: Effect) -> None:
        """Order one effect."""
        self.effects.append(effect)

    def emit(self, event: Event) -> None:
        """Tell the program."""
        self.effects.append(Emit(event))

    def notice(self, code: str, tag: Tag | None = None) -> None:
        """Tell a person what NOTICES says of ``code``."""
        self.emit(Notice(code, tag))

    def number(self, seq: int) -> bool:
        """Take the next number of the order; say whether what bears it may be taken in.

        Every number is seen once, in order (PROTOCOL 6): an old one is a replay and dropped, a
        jump is shown and followed, for what was left out cannot come any more.
        """
        if seq <= self.seq:
            self.notice("relay_equivocates")
            return False
        if seq > self.seq + 1:
            self.notice("relay_gap")
        self.seq = seq
        return True

    def unseal(self, frame: Frame) -> bytes:
        """Open the seal of a frame; raise AuthenticationError."""
        return unseal(
            self.keys.seal, self.keys.room_id, Kind(frame.kind), frame.fence, frame.sealed
        )
