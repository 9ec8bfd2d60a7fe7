"""What the parts of a conversation share for one stay: keys, place in the order, the effects.

Holds no rule beyond the order itself; nothing of it outlives the stay (R5).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from client import mls
from client.effect import Effect, Emit, Send
from client.errors import StateError
from client.event import Event, Notice
from client.link import FORGOTTEN, Keys, Tag, encode_b64url
from client.seal import Kind, seal, size_class, unseal
from client.wire import REFERENCE_BYTES, Frame, serialize_post

# So many old numbers in a row end a connection.
MAX_REPLAYS = 8
# A leaf that was heard and then not for so long is "not heard from" (R33).
SILENT_S = 150.0


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
    ``heard`` says when each signature key was last heard, of those heard since we came into this
    line of epochs (R14). ``now`` is the time of the last input.
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
    now: float = 0.0
    replays: int = 0
    ticket: str | None = field(default=None, repr=False)
    mark: str | None = field(default=None, repr=False)
    heard: dict[bytes, float] = field(default_factory=dict, repr=False)
    effects: list[Effect] = field(default_factory=list, repr=False)

    @property
    def life_b64(self) -> str:
        """The life as events carry it."""
        return encode_b64url(self.life)

    @property
    def leaves(self) -> tuple[mls.Member, ...]:
        """The members of the group, by leaf; empty before the first entry."""
        return self.group.members if self.group is not None else ()

    @property
    def others(self) -> tuple[mls.Member, ...]:
        """The members of the group but ourselves."""
        mine = self.identity.signature_key
        return tuple(leaf for leaf in self.leaves if leaf.signature_key != mine)

    def is_silent(self, key: bytes) -> bool:
        """Say whether a member that was heard is not heard from any more."""
        at = self.heard.get(key)
        return at is not None and at + SILENT_S <= self.now

    def forget(self) -> None:
        """Drop every key (R18). Python cannot promise that the memory is clean (THREAT_MODEL)."""
        if self.group is not None:
            self.group.wipe()
        self.group = None
        self.keys = FORGOTTEN
        self.identity = mls.Identity.forgotten()
        self.ticket = self.mark = None
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
        jump is shown and followed, for what was left out cannot come any more. Raises StateError
        when old ones are all that comes: the jump, then, was a lie.
        """
        if seq <= self.seq:
            self.notice("relay_equivocates")
            self.replays += 1
            if self.replays >= MAX_REPLAYS:
                raise StateError("only old numbers")
            return False
        self.replays = 0
        if seq > self.seq + 1:
            self.notice("relay_gap")
        self.seq = seq
        return True

    def post(self, reference: bytes, data: bytes) -> None:
        """Encrypt a content for the present epoch, in the smallest class, and order it sent."""
        assert self.group is not None
        size = size_class(len(data) + mls.CONTENT_OVERHEAD)
        message = self.group.encrypt(data, self.fence, size)
        sealed = seal(self.keys.seal, self.keys.room_id, Kind.APPLICATION, self.fence, message)
        self.do(Send(serialize_post(reference, self.fence, sealed)))

    def unseal(self, frame: Frame) -> bytes:
        """Open the seal of a frame; raise AuthenticationError."""
        return unseal(
            self.keys.seal, self.keys.room_id, Kind(frame.kind), frame.fence, frame.sealed
        )
