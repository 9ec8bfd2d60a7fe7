"""One node's copy of a shared room: what the room's log says, done in the order of the log.

Every node does the same operations at the same moments with the same random values, so that all
copies are equal without a word between the nodes; the rules are relay.room's and stand only there.
Knows operations and whose they are; never a connection, nor where the log comes from.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, assert_never

from relay import snapshot
from relay.broker import operation as op
from relay.broker.operation import Node, Operation, Visit
from relay.effect import Close, Effect, Publish, Send
from relay.errors import CloseCode, RefusedError
from relay.ring import Rings
from relay.room import Draw, Room, RoomLimits
from relay.wire import LIFE_BYTES, Life, RoomId, Tag, serialize_ack

# What an operation does to a room: raised whenever the same log would make another one, so that
# nodes of both kinds share none. (Rooms then go on as after a restart of the relay.)
RULES = 1
# Nodes whose last number is remembered: of those that are gone the oldest go first.
MAX_NODES = 256


@dataclass(frozen=True, slots=True)
class Sealers:
    """What every node seals for itself: nobody compares two of them (PROTOCOL 4.5)."""

    ticket: Callable[[RoomId, Life, Tag, int], str]
    mark: Callable[[RoomId, Life, int, int], str]


@dataclass(slots=True)
class Done:
    """What an operation did: its outcome for whoever asked, and its effects in their order.

    ``tag`` is the place that an enter or a resume gave; ``told`` what a resumed session is told
    after the effects. ``refusal`` is the answer instead. ``is_void``: it was of nobody who is here.
    ``first`` is what time had brought before.
    """

    effects: list[Effect] = field(default_factory=list)
    refusal: RefusedError | None = None
    tag: Tag | None = None
    told: list[bytes] | None = None
    seq: int = 0
    is_void: bool = False
    first: list[Effect] = field(default_factory=list)


class Seeded:
    """Random values that are the same on every node: drawn from the operation's own seed."""

    __slots__ = ("_drawn", "_seed")

    def __init__(self) -> None:
        self.begin(b"")

    def begin(self, seed: bytes) -> None:
        """Draw from another seed."""
        self._seed, self._drawn = seed, 0

    def life(self) -> Life:
        """Draw a life."""
        return Life(self._draw(LIFE_BYTES))

    def tag(self) -> Tag:
        """Draw a tag."""
        return Tag(int.from_bytes(self._draw(2)))

    def _draw(self, size: int) -> bytes:
        self._drawn += 1
        return blake2b(self._seed, digest_size=size, salt=self._drawn.to_bytes(4)).digest()


class Replica:
    """A copy of a room up to number ``at`` of its log."""

    __slots__ = ("_heard", "_seeded", "at", "room", "visits")

    def __init__(
        self,
        room_id: RoomId,
        limits: RoomLimits,
        rings: Rings,
        sealers: Sealers,
        seed: bytes,
        state: Any = None,
    ) -> None:
        """Begin with the log (``seed`` is what its first life comes from), or with ``state``."""
        self._seeded = Seeded()
        self._seeded.begin(seed)
        draw = Draw(self._seeded.life, self._seeded.tag, sealers.ticket, sealers.mark)
        self.at = 0
        # Who sits where, and the last number heard of each node.
        self.visits: dict[Tag, Visit] = {}
        self._heard: dict[Node, int] = {}
        if state is None:
            self.room = Room(room_id, limits, rings, draw)
        else:
            self.at, visits, heard, room = state
            self.visits = {Tag(tag): Visit(Node(node), number) for tag, node, number in visits}
            self._heard = {Node(node): number for node, number in heard}
            self.room = snapshot.load(room, room_id, limits, rings, draw)

    def dump(self) -> Any:
        """Return the state as plain values, for another node's copy to begin with."""
        visits = [[tag, *visit] for tag, visit in self.visits.items()]
        heard = [list(pair) for pair in self._heard.items()]
        return [self.at, visits, heard, snapshot.dump(self.room)]

    @property
    def nodes(self) -> set[Node]:
        """Every node that has a session here."""
        return {visit.node for visit in self.visits.values()}

    def skip(self) -> None:
        """Pass over what stands next in the log: it is of no node."""
        self.at += 1

    def has_heard(self, node: Node, number: int) -> bool:
        """Tell whether what a node sealed under this number has been done, or can be no more."""
        return number <= self._heard.get(node, 0)

    def apply(self, node: Node, number: int, operation: Operation, now: float) -> Done:
        """Do what stands next in the log; ``now`` is the moment that stands beside it."""
        self.at += 1
        if self.has_heard(node, number):
            # Sent again by a node that could not know that it had arrived.
            return Done(is_void=True)
        self._heard.pop(node, None)
        self._heard[node] = number
        if len(self._heard) > MAX_NODES:
            here = self.nodes | {node}
            for other in [other for other in self._heard if other not in here][:1]:
                del self._heard[other]
        self._seeded.begin(getattr(operation, "seed", b""))
        first: list[Effect] = []
        if isinstance(operation, op.Enter | op.Resume):
            # There may have been nobody to say what time has brought: none who comes is refused
            # for those who are gone, and none gets back a seat that was kept for too long.
            first = self._tidied(self.room.expire(now)).effects
        try:
            done = self._do(node, number, operation, now)
        except RefusedError as refusal:
            done = self._refused(refusal, operation)
        done.first = first
        return done

    def _do(self, node: Node, number: int, operation: Operation, now: float) -> Done:
        match operation:
            case op.Enter():
                tag, effects = self.room.enter(now)
                self.visits[tag] = Visit(node, number)
                return Done(effects, tag=tag)
            case op.Resume():
                return self._resume(Visit(node, number), operation, now)
            case op.Expire():
                return self._tidied(self.room.expire(now))
            case op.Gone(_, lost):
                return self._gone(lost, now)
        if self.visits.get(operation.tag) != Visit(node, operation.visit):
            # Its seat was resumed, or the room has dropped it, while this was on its way.
            return Done(is_void=True)
        return self._visitor(operation, now)

    def _visitor(
        self,
        operation: op.Post | op.TakeCommit | op.TakeOffer | op.Need | op.Confirm | op.Leave
        | op.Lost,
        now: float,
    ) -> Done:  # fmt: skip
        room, tag = self.room, operation.tag
        match operation:
            case op.Post(_, _, reference, fence, sealed):
                seq, frame = room.post(tag, reference, fence, sealed, now)
                ack = serialize_ack(reference, seq)
                said = Send(tag, ack) if frame is None else Publish(frame, tag, (ack,))
                return Done([said], seq=seq)
            case op.TakeCommit():
                return self._tidied(room.commit(tag, operation.message, now))
            case op.TakeOffer():
                return self._tidied(room.offer(tag, operation.message, now))
            case op.Need():
                return self._tidied(room.need(tag))
            case op.Confirm():
                room.confirm(tag)
                return Done()
            case op.Leave():
                del self.visits[tag]
                return self._tidied(room.leave(tag, now))
            case op.Lost():
                return self._tidied(self._lost(tag, operation.luggage, now))
            case unreachable:
                assert_never(unreachable)

    def _resume(self, visit: Visit, operation: op.Resume, now: float) -> Done:
        tag, life, generation = operation.tag, operation.life, operation.generation
        resumed = self.room.resume(tag, life, generation, operation.seen, now)
        if resumed is None and operation.fence is not None:
            resumed = self.room.restore(tag, life, generation, operation.fence, now)
        if resumed is None:
            return Done()
        closed: list[Effect] = []
        if self.visits.pop(tag, None) is not None:
            closed.append(Close(tag, CloseCode.SUPERSEDED))
            self.room.keep(tag, [])
        self.visits[tag] = visit
        return Done([*closed, *resumed.effects], tag=tag, told=resumed.told)

    def _gone(self, node: Node, now: float) -> Done:
        effects: list[Effect] = []
        for tag in [tag for tag, visit in self.visits.items() if visit.node == node]:
            effects.append(Close(tag, CloseCode.RESTART))
            effects += self._lost(tag, (), now)
        return self._tidied(effects)

    def _lost(self, tag: Tag, luggage: tuple[float, ...], now: float) -> list[Effect]:
        del self.visits[tag]
        if tag in self.room:
            self.room.keep(tag, list(luggage))
        return self.room.lost(tag, now)

    def _tidied(self, effects: list[Effect]) -> Done:
        for effect in effects:
            if isinstance(effect, Close):
                self.visits.pop(effect.tag, None)
        return Done(effects)

    def _refused(self, refusal: RefusedError, operation: Operation) -> Done:
        done = Done(refusal=refusal)
        if isinstance(operation, op.TakeCommit) and refusal.fence is not None:
            # What it lost the race against it may join by next.
            done.effects = self.room.inform(operation.tag)
        return done
