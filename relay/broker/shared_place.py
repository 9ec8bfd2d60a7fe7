"""A shared room on this node, and the places in it.

Knows who of this node is where, and what of theirs is on its way to the room's log; what comes back
from there is shared's.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar, assert_never

from relay.broker import Channel, Luggage
from relay.broker import operation as op
from relay.broker.later import Later
from relay.broker.operation import Node, Operation
from relay.broker.replica import Done, Replica
from relay.broker.shared_log import Entry
from relay.effect import Close, Effect, Publish, Seat, Send
from relay.errors import CloseCode, Reason, RefusedError
from relay.wheel import IDLE
from relay.wire import Commit, Offer, Reference, RoomId, Tag, serialize_notice

T = TypeVar("T")
SEED_BYTES = 16
# A log is asked for so long after the last time, for there may be news that did not come; and more
# seldom if there was none since then. That also keeps it from being forgotten there.
CHECK_S, CHECK_SILENT_S = 20.0, 45.0
# Records that came before the one they follow: as many as may come while that is fetched.
MAX_AHEAD = 256
# What time brings is for the first of a room's nodes to say; so long later for each next one.
RANK_S = 0.5


class Desk(Protocol):
    """Who takes operations to the log."""

    def want(
        self,
        home: "Home",
        operation: Operation,
        now: float,
        done: Callable[[Done], None] | None = None,
    ) -> None:
        """Have an operation done; it goes out as soon as the log is there."""


@dataclass(slots=True)
class Wanted:
    """An operation on its way, and who waits for it until when."""

    operation: Operation
    done: Callable[[Done], None] | None
    until: float
    # As it was sent, None before that.
    record: bytes | None = None


class Home:
    """A shared room on this node, as it waits in the wheel."""

    __slots__ = (
        "ahead", "born", "channel", "check_at", "checked", "is_behind", "is_live", "is_told",
        "name", "places", "replica", "room_id", "turn", "wanted",
    )  # fmt: skip

    def __init__(self, room_id: RoomId, name: bytes, channel: Channel, now: float) -> None:
        self.room_id = room_id
        self.name = name
        self.channel = channel
        self.born = secrets.token_bytes(SEED_BYTES)
        self.replica: Replica | None = None
        self.is_live = False
        # Whether those who are here know that the log takes nothing.
        self.is_told = False
        # There was news before there was anything that it could be news to.
        self.is_behind = False
        self.places: dict[Tag, SharedPlace] = {}
        # By their numbers, in their order.
        self.wanted: dict[int, Wanted] = {}
        self.ahead: dict[int, Entry] = {}
        self.check_at = now + CHECK_S
        # How far it was then.
        self.checked = -1
        self.turn = IDLE

    @property
    def bound(self) -> bytes:
        """What is sealed here is sealed for: this room, and this log of it."""
        return self.name + self.born

    @property
    def at(self) -> int:
        return 0 if self.replica is None else self.replica.at

    def is_check_due(self, now: float) -> bool:
        """Tell whether the log is to be asked for news; if so, note when next."""
        if now < self.check_at:
            return False
        is_silent = self.at == self.checked and not self.ahead
        self.check_at = now + (CHECK_SILENT_S if is_silent else CHECK_S)
        self.checked = self.at
        return True

    def is_haunted(self, node: Node, alive: set[Node] | None) -> bool:
        """Tell whether a node that is in the room may not be there: that is to be told first."""
        if not self.is_live or self.replica is None or alive is None:
            return False
        return not self.replica.nodes <= {node} | alive

    def to_declare_gone(self, node: Node, alive: set[Node]) -> list[Node]:
        """Return which nodes of the room are gone, where it is this one's to say so."""
        if not self.is_live or self.replica is None or self.is_wanted(op.Gone):
            return []
        here = self.replica.nodes
        return sorted(here - alive) if min(here & alive, default=node) == node else []

    def is_wanted(self, kind: type[Operation]) -> bool:
        """Tell whether an operation of this kind is on its way."""
        return any(isinstance(wanted.operation, kind) for wanted in self.wanted.values())

    def due(self, node: Node) -> float | None:
        """Return when it is this node's to say that time has brought something."""
        due = None if self.replica is None else self.replica.room.due()
        if due is None or self.replica is None:
            return None
        nodes = sorted(self.replica.nodes)
        rank = nodes.index(node) if node in nodes else len(nodes)
        return due + rank * RANK_S

    def in_order(self, entries: list[Entry]) -> Iterator[Entry]:
        """Yield what comes next, as far as it is here; what is known already is passed over."""
        ahead = self.ahead
        ahead.update((entry.number, entry) for entry in entries if entry.number > self.at)
        while (entry := ahead.pop(self.at + 1, None)) is not None:
            yield entry
        if len(ahead) > MAX_AHEAD:
            ahead.clear()

    def abandoned(self, node: Node) -> list[tuple[Tag, int]]:
        """Return the visits of this node in which nobody is, nor says on its way that it goes."""
        if self.replica is None:
            return []
        going = {
            wanted.operation.visit
            for wanted in self.wanted.values()
            if isinstance(wanted.operation, op.Leave | op.Lost)
        }
        return [
            (tag, visit.number)
            for tag, visit in self.replica.visits.items()
            if visit.node == node and tag not in self.places and visit.number not in going
        ]

    def lose_patience(self, now: float) -> None:
        """Tell those who have waited too long to come in that they may come back."""
        for number, wanted in list(self.wanted.items()):
            done = wanted.done
            if done is None or wanted.until > now:
                continue
            if isinstance(wanted.operation, op.Enter | op.Resume):
                # It may have got there all the same: then it is undone when it comes.
                wanted.done = None
                if wanted.record is None:
                    del self.wanted[number]
                done(Done(refusal=busy()))

    def stall(self) -> None:
        """Wait for the log, and tell those who are here."""
        self.is_live = False
        if not self.is_told:
            self.is_told = True
            notice = serialize_notice("degraded")
            for tag in self.places:
                self.channel.send(tag, notice)

    def perform(self, effects: list[Effect]) -> None:
        """Give what follows from an operation to those who are here."""
        channel, here = self.channel, self.places
        for effect in effects:
            match effect:
                case Send(tag, message):
                    if tag in here:
                        channel.send(tag, message)
                case Publish(message, origin, own):
                    channel.publish(message, origin, own)
                case Seat(tag):
                    if tag in here:
                        channel.seat(tag)
                case Close(tag, code):
                    if here.pop(tag, None) is not None:
                        channel.close(tag, code)
                case unreachable:
                    assert_never(unreachable)


class SharedPlace:
    """A session's tag and the room that it is in (see broker.Place)."""

    __slots__ = ("_broker", "_home", "_luggage", "_tag", "_visit", "luggage")

    def __init__(self, broker: Desk, home: Home, tag: Tag, visit: int, luggage: object) -> None:
        self._broker = broker
        self._home = home
        self._tag = tag
        self._visit = visit
        self._luggage: Luggage | None = None
        self.luggage = luggage

    @property
    def fence(self) -> int:
        """The room's fence, as far as its log has come here."""
        replica = self._home.replica
        return 0 if replica is None else replica.room.fence

    def send(self, message: bytes) -> None:
        """See Place."""
        self._home.channel.send(self._tag, message)

    def post(self, reference: Reference, fence: int, sealed: bytes, now: float) -> Later[int]:
        """See Place."""
        operation = op.Post(self._tag, self._visit, reference, fence, sealed)
        return self._ask(operation, now, lambda done: done.seq)

    def commit(self, message: Commit, now: float) -> Later[None]:
        """See Place."""
        parts = message.reference, message.fence, message.sealed, message.group_info
        return self._ask(op.TakeCommit(self._tag, self._visit, *parts), now, lambda _: None)

    def offer(self, message: Offer, now: float) -> Later[None]:
        """See Place."""
        parts = message.reference, message.fence, message.group_info
        return self._ask(op.TakeOffer(self._tag, self._visit, *parts), now, lambda _: None)

    def need(self, now: float) -> Later[None]:
        """See Place."""
        return self._ask(op.Need(self._tag, self._visit), now, lambda _: None)

    def keep(self, luggage: Luggage) -> None:
        """See Place; it goes to the log when the session ends."""
        self._luggage = luggage

    def confirm(self, now: float) -> None:
        """See Place."""
        self._broker.want(self._home, op.Confirm(self._tag, self._visit), now)

    def inform(self, now: float) -> None:
        """See Place; the refusal has brought it already."""

    def leave(self, now: float) -> None:
        """See Place."""
        if self._vacate():
            self._broker.want(self._home, op.Leave(new_seed(), self._tag, self._visit), now)

    def lost(self, now: float) -> None:
        """See Place."""
        if self._vacate():
            luggage = () if self._luggage is None else self._luggage.pack(now)
            lost = op.Lost(new_seed(), self._tag, self._visit, luggage)
            self._broker.want(self._home, lost, now)

    def _vacate(self) -> bool:
        home = self._home
        if home.places.get(self._tag) is not self:
            return False
        del home.places[self._tag]
        home.channel.detach(self._tag)
        return True

    def _ask(self, operation: Operation, now: float, read: Callable[[Done], T]) -> Later[T]:
        later: Later[T] = Later()

        def settle(done: Done) -> None:
            # Void: the place is gone, and its port was ended by what took it.
            if not done.is_void:
                later.settle(done.refusal or read(done))

        self._broker.want(self._home, operation, now, settle)
        return later


def new_seed() -> bytes:
    """Draw what the random values of an operation come from."""
    return secrets.token_bytes(SEED_BYTES)


def busy() -> RefusedError:
    """Return what those are told who cannot be let in for now."""
    return RefusedError(Reason.BUSY, retry_after_s=1.0, close_code=CloseCode.ROOMS)
