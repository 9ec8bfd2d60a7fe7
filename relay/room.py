"""The rules of one room: seats, sequence, fence, ring; the reference for every broker.

Knows tags, numbers and lengths of what is sealed; never a key, an address or a connection.

    nobody --enter--> unjoined --commit--> seated --lost--> away --60 s--> gone
       |                 |                  ^  |  ^           |             ^
       '----- restore ----------------------'  |  '- resume --'             |
                         '-------- lost -------+---------- leave -----------'

A life begins with the room and whenever its last seat goes while somebody unjoined is here.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from relay import wire
from relay.effect import Close, Effect, Publish, Seat, Send
from relay.errors import CloseCode, Reason, RefusedError
from relay.limits import Rate
from relay.pace import Pace
from relay.replay import replay
from relay.ring import Ring, Rings
from relay.seat import Seats
from relay.turn import TurnLimits, Turns
from relay.wire import Commit, Life, Offer, Reference, RoomId, Tag

# References remembered, so that what is sent again is not ordered again (R29).
MAX_REFERENCES = 4096
# GroupInfos of members kept beside the one of the last commit (R25).
MAX_OFFERS = 3
TAGS = 1 << 16


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """The numbers of one room; ``message_rate`` is only told to those who come."""

    seats: int
    away_s: float
    turns: TurnLimits
    commits: Rate
    message_rate: Rate


@dataclass(frozen=True, slots=True)
class Draw:
    """Where random values and what is sealed come from; the shell knows."""

    life: Callable[[], Life]
    tag: Callable[[], Tag]
    ticket: Callable[[RoomId, Life, Tag, int], str]
    mark: Callable[[RoomId, Life, int, int], str]


@dataclass(frozen=True, slots=True)
class Resumed:
    """What others see of a resume, and then what the resumed session is told by itself."""

    effects: list[Effect]
    told: list[bytes]


class Room:
    """One room; every method leaves it as it was if it raises RefusedError."""

    __slots__ = (
        "_draw", "_group_info", "_issued", "_limits", "_mark", "_offers", "_pace",
        "_references", "_ring", "_room_id", "_seats", "_turns", "_wanting", "fence", "life", "seq",
    )  # fmt: skip

    def __init__(self, room_id: RoomId, limits: RoomLimits, rings: Rings, draw: Draw) -> None:
        self._room_id = room_id
        self._limits = limits
        self._draw = draw
        self._ring = Ring(rings)
        self._turns = Turns(limits.turns)
        self._seats = Seats(limits.away_s)
        self._group_info: bytes | None = None
        self.seq = self.fence = 0
        self._wanting: set[Tag] = set()
        self._references: OrderedDict[Reference, int] = OrderedDict()
        self._offers: OrderedDict[Tag, bytes] = OrderedDict()
        self._begin_life()

    @property
    def is_empty(self) -> bool:
        """Tell whether nobody is here, not even away: the room may be forgotten."""
        return not self._seats and not self._turns

    def __contains__(self, tag: Tag) -> bool:
        return tag in self._seats

    def enter(self, now: float) -> tuple[Tag, list[Effect]]:
        """Let a session in, unjoined; return its tag and what follows, its welcome first.

        Raises RefusedError: `full`, `busy`.
        """
        # 65,536 tags a life: a room whose tags are used up takes nobody until its life ends (R4).
        if len(self._seats) >= self._limits.seats or len(self._issued) >= TAGS:
            raise RefusedError(Reason.FULL, close_code=CloseCode.FULL)
        if self._turns.is_full:
            wait = self._limits.turns.turn_s
            raise RefusedError(Reason.BUSY, retry_after_s=wait, close_code=CloseCode.BUSY)
        tag = self._draw.tag()
        while tag in self._issued:
            tag = Tag((tag + 1) % TAGS)
        self._issued.add(tag)
        self._turns.enter(tag)
        rate = self._limits.message_rate
        welcome = wire.serialize_welcome(
            self.life, tag, self.seq, self.fence, round(rate.per_s * 1000), rate.burst,
            self._limits.seats,
        )  # fmt: skip
        return tag, [Send(tag, welcome), *self._grant(now)]

    def resume(
        self, tag: Tag, life: Life, generation: int, seen: int, now: float
    ) -> Resumed | None:
        """Give a seat to another connection by a ticket (R27); None if that is worth nothing.

        ``seen`` is the last number that its owner has seen. The room's channel hears of the new
        connection between the effects and what it is told.
        """
        if not self._seats.resume(tag, life, generation):
            return None
        effects: list[Effect] = []
        if self._seats.back(tag):
            effects.append(self._event("back", tag, now))
        return Resumed(effects, self._tell(tag, seen if life == self.life else None))

    def restore(
        self, tag: Tag, life: Life, generation: int, fence: int, now: float
    ) -> Resumed | None:
        """Give back a seat of a life before the relay's restart (R28); None if its tag is taken.

        The fence rises to ``fence``, that of the mark that was shown, if it is lower.
        """
        if tag in self._issued or len(self._seats) >= self._limits.seats:
            return None
        effects = self._raise(fence, now) if fence > self.fence else []
        self._issued.add(tag)
        effects.append(self._event("back", tag, now))
        self._seats.restore(tag, self.life, self.seq, life, generation)
        return Resumed(effects, self._tell(tag, None))

    def confirm(self, tag: Tag) -> None:
        """Note that a resumed session has its new ticket: it speaks."""
        self._seats.confirm(tag)

    def keep(self, tag: Tag, luggage: object) -> None:
        """Keep with a seat what the next session in it is to find."""
        self._seats.keep(tag, luggage)

    def luggage(self, tag: Tag) -> object:
        """Return what was kept with a seat."""
        return self._seats.luggage(tag)

    def post(
        self, tag: Tag, reference: Reference, fence: int, sealed: bytes, now: float
    ) -> tuple[int, bytes | None]:
        """Order an application message; return its number and the frame to publish.

        The frame is None if the reference had been ordered before (R29). Raises RefusedError:
        `stale`. Hot: no effect objects, 2.5 us in all (STYLE 2.8).
        """
        seq = self._references.get(reference)
        if seq is not None:
            return seq, None
        if fence != self.fence:
            self._pace.stale(tag, reference, now, is_commit=False)
            raise RefusedError(Reason.STALE, fence=self.fence)
        seq = self.seq + 1
        frame = wire.serialize_frame(wire.APPLICATION_KIND, tag, seq, fence, sealed)
        self._log(frame, now)
        self._remember(reference, seq)
        self._pace.ordered(tag, reference)
        return seq, frame

    def commit(self, tag: Tag, message: Commit, now: float) -> list[Effect]:
        """Take a commit by compare and set; the first one of an unjoined session seats it.

        Raises RefusedError: `state`, `stale`, `full`, `pace`.
        """
        reference = message.reference
        is_joining = tag in self._turns
        # One whose turn has passed did its work in time to be of use: only order decides.
        if is_joining and not self._turns.has_had(tag):
            raise RefusedError(Reason.STATE)
        known = self._references.get(reference)
        if known is not None and is_joining:
            # An ack would make a session joined that has no seat.
            raise RefusedError(Reason.STATE)
        if known is not None:
            return [Send(tag, wire.serialize_ack(reference, known))]
        if message.fence != self.fence:
            self._pace.stale(tag, reference, now, is_commit=True)
            self._turns.lost_race(tag, now)
            raise RefusedError(Reason.STALE, fence=self.fence)
        if is_joining and len(self._seats) >= self._limits.seats:
            raise RefusedError(Reason.FULL, close_code=CloseCode.FULL)
        wait = self._pace.wait(tag, now)
        if wait:
            raise RefusedError(Reason.PACE, retry_after_s=wait)
        return self._accept(tag, message, now, is_joining=is_joining)

    def offer(self, tag: Tag, message: Offer, now: float) -> list[Effect]:
        """Keep a seated member's GroupInfo and show it to those who said need (R25).

        Raises RefusedError: `stale`.
        """
        if message.fence != self.fence:
            self._pace.stale(tag, message.reference, now, is_commit=False)
            raise RefusedError(Reason.STALE, fence=self.fence)
        self._offers.pop(tag, None)
        self._offers[tag] = message.group_info
        if len(self._offers) > MAX_OFFERS:
            self._offers.popitem(last=False)
        wanting, self._wanting = sorted(self._wanting), set()
        info = self._info() if wanting else b""
        return [
            Send(tag, wire.serialize_ack(message.reference, self.seq)),
            *(Send(other, info) for other in wanting),
        ]

    def need(self, tag: Tag) -> list[Effect]:
        """Show what there is to join by, and ask everybody else for a GroupInfo."""
        self._wanting.add(tag)
        asked: list[Effect] = [Publish(wire.serialize_need(), tag)]
        if tag in self._seats or self._turns.has_had(tag):
            asked.insert(0, Send(tag, self._info()))
        return asked

    def inform(self, tag: Tag) -> list[Effect]:
        """Show what there is to join by to one whose turn it is, if it has not seen it."""
        if not self._turns.must_inform(tag, self.fence):
            return []
        return [Send(tag, self._info())]

    def lost(self, tag: Tag, now: float) -> list[Effect]:
        """Note a lost connection: a seat stays, away; an unjoined place does not."""
        if self._seats.lost(tag, now):
            self._wanting.discard(tag)
            return [self._event("away", tag, now)]
        return self.leave(tag, now) if tag in self._turns else []

    def leave(self, tag: Tag, now: float) -> list[Effect]:
        """Free a seat or an unjoined place at once."""
        return [*self._remove(tag, now), *self._grant(now)]

    def expire(self, now: float) -> list[Effect]:
        """Do what time has brought: seats away for too long, turns, late joiners, old frames."""
        self.age(now)
        effects: list[Effect] = []
        for tag in self._turns.expire(now):
            self._wanting.discard(tag)
            self._pace.forget(tag)
            effects.append(Close(tag, CloseCode.NOT_JOINED))
        for tag in self._seats.overdue(now):
            effects += self._remove(tag, now)
        return [*effects, *self._grant(now)]

    def age(self, now: float) -> None:
        """Drop old frames, which changes nothing that anybody else can see."""
        self._ring.expire(now)

    def deadline(self) -> float | None:
        """Return when expire has something to do."""
        return _earliest(self.due(), self._ring.deadline())

    def due(self) -> float | None:
        """Return when expire has more to do than age."""
        return _earliest(self._turns.deadline(), self._seats.deadline())

    def relieve(self) -> None:
        """Give up the GroupInfos: members offer one to whoever comes and needs it (R25)."""
        self._group_info = None
        self._offers.clear()

    def close(self) -> None:
        """Let go of what is kept: the room is forgotten."""
        self._ring.clear()

    def _begin_life(self) -> None:
        self.life = self._draw.life()
        self._pace = Pace(self._limits.commits)
        self._issued = set(self._turns.tags)
        self._group_info = None
        self._offers.clear()
        self._references.clear()
        self._wanting.clear()
        self._ring.clear()
        self.seq = self.fence = 0
        self._mark = ""

    def _accept(self, tag: Tag, message: Commit, now: float, *, is_joining: bool) -> list[Effect]:
        self._pace.accepted(tag, message.reference, now)
        seq = self.seq + 1
        # Before the frame, so that whoever has followed a commit can show that it stands (R28).
        self._mark = self._draw.mark(self._room_id, self.life, self.fence + 1, seq)
        mark = Publish(wire.serialize_mark(self._mark))
        frame = wire.serialize_frame(wire.COMMIT_KIND, tag, seq, message.fence, message.sealed)
        self._log(frame, now)
        self._remember(message.reference, seq)
        self.fence += 1
        self._group_info = message.group_info
        self._offers.clear()
        own = (frame, wire.serialize_ack(message.reference, seq))
        if not is_joining:
            return [mark, Publish(frame, tag, own)]
        self._turns.leave(tag)
        self._wanting.discard(tag)
        event = self._event("joined", tag, now)
        self._seats.take(tag, self.life, self.seq)
        told = wire.serialize_joined(
            self.seq, tag, self._seats.tags, self._seats.away, self._ticket(tag)
        )
        return [
            Seat(tag),
            mark,
            Publish(frame, tag, own),
            Publish(event.message, tag, (told,)),
            *self._grant(now),
        ]

    def _remove(self, tag: Tag, now: float) -> list[Effect]:
        self._turns.leave(tag)
        self._wanting.discard(tag)
        self._pace.forget(tag)
        if not self._seats.free(tag):
            return []
        if self._seats:
            return [self._event("left", tag, now)]
        self._begin_life()
        self._turns.restart(now)
        return self._reset()

    def _raise(self, fence: int, now: float) -> list[Effect]:
        """Take over a higher fence: whoever is here has not followed what raised it (R28)."""
        self.fence = fence
        self._group_info = None
        self._offers.clear()
        self._ring.clear()
        # The next number is that of whose mark it was.
        self._seats.cut_off(self.seq + 1)
        self._mark = self._draw.mark(self._room_id, self.life, fence, self.seq)
        self._turns.restart(now)
        return self._reset()

    def _reset(self) -> list[Effect]:
        """Tell everybody what life, number and fence are, and those with the turn what is here."""
        reset = wire.serialize_reset(self.life, self.seq, self.fence)
        everybody = (*self._seats.tags, *self._turns.tags)
        effects: list[Effect] = [Send(tag, reset) for tag in everybody]
        for tag in self._turns.tags:
            effects += self.inform(tag)
        return effects

    def _tell(self, tag: Tag, seen: int | None) -> list[bytes]:
        """Return what a resumed session is told: how things are, and what it has missed."""
        rate, seats = self._limits.message_rate, self._seats
        missed = None
        if seen is not None and seen >= seats.since(tag):
            missed = replay(self._ring, self._references, tag, seen, self.seq)
        if missed is None:
            missed = [wire.serialize_gap(self.seq, self.fence, seats.tags, seats.away)]
        resumed = wire.serialize_resumed(
            self.life, tag, self.seq, self.fence, self._ticket(tag), round(rate.per_s * 1000),
            rate.burst, self._limits.seats,
        )  # fmt: skip
        # The mark of now first: nobody may follow a commit without one that is as new.
        return [resumed, wire.serialize_mark(self._mark), *missed]

    def _ticket(self, tag: Tag) -> str:
        return self._draw.ticket(self._room_id, self.life, tag, self._seats.generation(tag))

    def _grant(self, now: float) -> list[Effect]:
        return [effect for tag in self._turns.grant(now) for effect in self.inform(tag)]

    def _info(self) -> bytes:
        own = [] if self._group_info is None else [self._group_info]
        return wire.serialize_info(self.fence, [*own, *self._offers.values()])

    def _event(self, kind: str, tag: Tag, now: float) -> Publish:
        event = wire.serialize_event(kind, self.seq + 1, tag)
        self._log(event, now)
        return Publish(event)

    def _log(self, message: bytes, now: float) -> None:
        self.seq += 1
        self._ring.append(self.seq, message, now)

    def _remember(self, reference: Reference, seq: int) -> None:
        self._references[reference] = seq
        if len(self._references) > MAX_REFERENCES:
            self._references.popitem(last=False)


def _earliest(*moments: float | None) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)
