"""One connection as a state machine: what came in and `now` to effects.

Knows the order of things and the limits of one session; never the room, whose rules are in room.

    AWAITING_HELLO --hello, entered--> UNJOINED --commit, committed--> JOINED
           |                              |                             ^ |
           +--resume, resumed--> RESUMED -|----- any message -----------' |
           |                        |     |                               |
           +--- refused, bye, lost -+-----+-------------------------------+--> CLOSED

A refused message leaves the state as it was; a refusal that closes leaves CLOSED.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import assert_never

from relay import proof, wire
from relay.errors import AuthenticationError, CloseCode, MessageError, Reason, RefusedError
from relay.limits import Bucket, Rate
from relay.wire import (
    Binary,
    Bye,
    Commit,
    Hello,
    Need,
    Offer,
    OtherVersion,
    Ping,
    Post,
    Reference,
    Resume,
    RoomId,
    Unknown,
)

MAX_REFUSALS = 30
# Answers of races that honest clients lose; each has a bucket of its own.
_HONEST = (Reason.STALE, Reason.PACE)
# What is refused as stale costs no message token, but not nothing (R22).
STALE_RATE = Rate(per_s=10.0, burst=20)
# Messages of a type unknown here are read and dropped: enough for a client that is ahead of us.
UNKNOWN_RATE = Rate(per_s=1.0, burst=20)


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one session may do."""

    messages: Rate
    commits: Rate
    max_commit_bytes: int
    hello_s: float


class State(Enum):
    AWAITING_HELLO = auto()
    UNJOINED = auto()
    RESUMED = auto()
    JOINED = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Reply:
    """Send a message to the peer."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Enter:
    """Enter a room; reports back as entered or refused."""

    room: RoomId


@dataclass(frozen=True, slots=True)
class Return:
    """Return to a seat by a ticket; reports back as resumed, entered or refused."""

    message: Resume


@dataclass(frozen=True, slots=True)
class Confirm:
    """Tell the room that a resumed session has its new ticket."""


@dataclass(frozen=True, slots=True)
class Forward:
    """Give a message to the room; reports back as accepted, committed or refused."""

    message: Binary | Need


@dataclass(frozen=True, slots=True)
class Inform:
    """Ask the room for what there is to join by now."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Count a message of an unknown type."""


@dataclass(frozen=True, slots=True)
class End:
    """Close the connection."""

    code: CloseCode


Effect = Reply | Enter | Return | Confirm | Forward | Inform | Ignored | End


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a session's buckets; it stays with the seat."""

    messages: Bucket
    commits: Bucket
    housekeeping: Bucket
    stale: Bucket

    def pack(self, now: float) -> tuple[float, ...]:
        """Return the tokens that are left, in the order of the fields."""
        buckets = self.messages, self.commits, self.housekeeping, self.stale
        return tuple(bucket.level(now) for bucket in buckets)


class Session:
    """One session; ``nonce`` is the challenge's, ``source`` the bucket of where it comes from."""

    __slots__ = (
        "_commits", "_hello_by", "_hosts", "_housekeeping", "_limits", "_messages", "_nonce",
        "_source", "_stale", "_unknown", "refusals", "state",
    )  # fmt: skip

    def __init__(
        self,
        limits: SessionLimits,
        source: Bucket,
        hosts: tuple[str, ...],
        nonce: bytes,
        now: float,
    ) -> None:
        self.state = State.AWAITING_HELLO
        self.refusals = 0
        self._limits = limits
        self._source = source
        self._hosts = hosts
        self._nonce: bytes | None = nonce
        self._hello_by = now + limits.hello_s
        self._messages = Bucket(limits.messages)
        self._commits = Bucket(limits.commits)
        # Offers and needs together; apart from commits, so that helping others costs no commit.
        self._housekeeping = Bucket(limits.commits)
        self._stale = Bucket(STALE_RATE)
        self._unknown = Bucket(UNKNOWN_RATE)

    def opened(self) -> list[Effect]:
        """Begin: the relay speaks first."""
        assert self._nonce is not None
        return [Reply(wire.serialize_challenge(self._nonce))]

    def text(self, data: bytes, now: float) -> list[Effect]:
        """Take one text message."""
        if self.state is State.CLOSED:
            return []
        if self.state is State.RESUMED:
            self.state = State.JOINED
            return [Confirm(), *self.text(data, now)]
        try:
            message = wire.parse_text(data)
        except MessageError:
            return self._refuse(Reason.MALFORMED)
        match (self.state, message):
            case (_, Unknown() | Ping()):
                if wait := self._unknown.take(now):
                    return self._refuse(Reason.RATE, retry_after_s=wait)
                is_ping = isinstance(message, Ping)
                return [Reply(wire.serialize_pong()) if is_ping else Ignored()]
            case (_, Bye()):
                return self._end(CloseCode.NORMAL)
            case (State.AWAITING_HELLO, OtherVersion()):
                return self._refuse(Reason.VERSION, close_code=CloseCode.PROOF)
            case (State.AWAITING_HELLO, Hello()):
                return self._prove(message) or [Enter(message.room)]
            case (State.AWAITING_HELLO, Resume(hello=hello)):
                return self._prove(hello) or [Return(message)]
            case (State.UNJOINED | State.JOINED, Need()):
                return self._forward(message, None, self._housekeeping.wait(now), now)
            case _:
                return self._refuse(Reason.STATE)

    def binary(self, data: bytes, fence: int, now: float) -> list[Effect]:
        """Take one binary message; ``fence`` is the room's as far as it is known here."""
        if self.state is State.CLOSED:
            return []
        if self.state is State.RESUMED:
            self.state = State.JOINED
            return [Confirm(), *self.binary(data, fence, now)]
        try:
            message = wire.parse_binary(data)
        except MessageError:
            return self._refuse(Reason.MALFORMED)
        reference = message.reference
        match (self.state, message):
            case (State.JOINED, _) | (State.UNJOINED, Commit()):
                pass
            case _:
                return self._refuse(Reason.STATE, reference)
        if not wire.has_size(message, self._limits.max_commit_bytes):
            return self._refuse(Reason.SIZE, reference)
        match message:
            case _ if message.fence != fence:
                wait = self._stale.wait(now)
            case Post():
                wait = self._messages.wait(now)
            case Commit():
                wait = self._commits.wait(now)
            case Offer():
                wait = self._housekeeping.wait(now)
            case unreachable:
                assert_never(unreachable)
        return self._forward(message, reference, wait, now, is_stale=message.fence != fence)

    def may_post(self, now: float) -> bool:
        """Take the tokens of one current post, or none: the hot path's share of binary."""
        if self._messages.take(now):
            return False
        if self._source.take(now):
            self._messages.put_back()
            return False
        self.refusals = 0
        return True

    def entered(self) -> None:
        """Note that the room let this session in."""
        self.state = State.UNJOINED

    def resumed(self, luggage: object, now: float) -> None:
        """Note that the room gave back a seat, with what its last session left of its buckets.

        ``luggage`` is an Allowance, packed or not; None leaves the buckets full. A packed one that
        is empty is of a session that could not be asked: coming back is no way around the limits.
        """
        self.state = State.RESUMED
        if isinstance(luggage, Allowance):
            self._messages = luggage.messages
            self._commits = luggage.commits
            self._housekeeping = luggage.housekeeping
            self._stale = luggage.stale
        elif isinstance(luggage, list):
            buckets = self._messages, self._commits, self._housekeeping, self._stale
            for bucket, tokens in zip(buckets, luggage or (0.0,) * len(buckets), strict=True):
                bucket.fill(tokens, now)

    @property
    def is_seated(self) -> bool:
        """Tell whether the session holds a seat."""
        return self.state is State.JOINED or self.state is State.RESUMED

    @property
    def allowance(self) -> Allowance:
        """What stays with the seat."""
        return Allowance(self._messages, self._commits, self._housekeeping, self._stale)

    def accepted(self) -> None:
        """Note that the room took what was forwarded."""
        self.refusals = 0

    def committed(self, now: float) -> None:
        """Note that the room took a commit: from the first one on the session is joined."""
        self._commits.take(now)
        self.refusals = 0
        self.state = State.JOINED

    def refused(self, refusal: RefusedError, reference: Reference | None) -> list[Effect]:
        """Note that the room refused what was forwarded."""
        effects = self._refuse(
            refusal.reason,
            reference,
            retry_after_s=refusal.retry_after_s,
            fence=refusal.fence,
            close_code=refusal.close_code,
        )
        if refusal.reason is Reason.STALE and self.state is State.UNJOINED:
            effects.append(Inform())
        return effects

    def lost(self) -> None:
        """Note that the connection is gone or being closed."""
        self.state = State.CLOSED

    def expire(self, now: float) -> list[Effect]:
        """Do what time has brought."""
        if self.state is State.AWAITING_HELLO and self._hello_by <= now:
            return self._end(CloseCode.NO_HELLO)
        return []

    def deadline(self) -> float | None:
        """Return when expire has something to do."""
        return self._hello_by if self.state is State.AWAITING_HELLO else None

    def _prove(self, hello: Hello) -> list[Effect]:
        # Of no use after this one.
        nonce, self._nonce = self._nonce, None
        hosts, self._hosts = self._hosts, ()
        try:
            if nonce is None:
                raise AuthenticationError
            proof.verify(hello, hosts, nonce)
        except AuthenticationError:
            return self._refuse(Reason.PROOF, close_code=CloseCode.PROOF)
        return []

    def _forward(
        self,
        message: Binary | Need,
        reference: Reference | None,
        wait: float,
        now: float,
        *,
        is_stale: bool = False,
    ) -> list[Effect]:
        wait = wait or self._source.take(now)
        if wait:
            return self._refuse(Reason.RATE, reference, retry_after_s=wait)
        match message:
            case _ if is_stale:
                self._stale.take(now)
            case Post():
                self._messages.take(now)
            case Offer() | Need():
                self._housekeeping.take(now)
            case Commit():
                pass  # Charged when it is taken: a race lost is not the session's doing.
            case unreachable:
                assert_never(unreachable)
        return [Forward(message)]

    def _refuse(
        self,
        reason: Reason,
        reference: Reference | None = None,
        *,
        retry_after_s: float | None = None,
        fence: int | None = None,
        close_code: CloseCode | None = None,
    ) -> list[Effect]:
        if reason not in _HONEST:
            self.refusals += 1
        if self.refusals >= MAX_REFUSALS and close_code is None:
            close_code = CloseCode.REFUSALS
        refused: list[Effect] = [
            Reply(wire.serialize_refused(reason, reference, retry_after_s, fence))
        ]
        return refused if close_code is None else refused + self._end(close_code)

    def _end(self, code: CloseCode) -> list[Effect]:
        self.state = State.CLOSED
        return [End(code)]
