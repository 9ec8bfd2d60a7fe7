"""The contract of relay.broker as tests; a module that wants them supplies the fixture `broker`.

The fixture is a callable `(limits) -> Node`: a fresh broker whose rooms have those limits.
"""

import itertools
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from relay import wire
from relay.broker import Broker, Place
from relay.errors import CloseCode, Reason, RefusedError
from relay.limits import Rate
from relay.room import RoomLimits
from relay.tickets import Ticket, Tickets
from relay.turn import TurnLimits
from relay.wire import Commit, Offer, Reference, RoomId

LIMITS = RoomLimits(
    seats=8,
    away_s=60.0,
    turns=TurnLimits(unjoined=4, turn_s=3.0, join_s=15.0),
    commits=Rate(0.0, 1),
    message_rate=Rate(1.0, 10),
)
ROOM, OTHER_ROOM = RoomId(b"r" * 16), RoomId(b"o" * 16)
SEALED = bytes(28 + 256)
COMMIT, INFO = b"c" * 1052, b"i" * 1052
_references = itertools.count(1)


@dataclass(frozen=True)
class Node:
    """One node's broker; ``flush`` does what the end of a tick of the loop does."""

    broker: Broker
    flush: Callable[[], None]
    rooms: Callable[[], int]
    tickets: Tickets


Start = Callable[[RoomLimits], Node]


@dataclass
class FakePort:
    """A connection that keeps what it is given, in the order in which a peer would read it."""

    got: list[bytes] = field(default_factory=list)
    ended: CloseCode | None = None

    def deliver(self, message: bytes) -> None:
        self.got.append(message)

    def write(self, data: bytes) -> None:
        while data:
            size, at = data[1], 2
            if size == 126:
                size, at = int.from_bytes(data[2:4], "big"), 4
            self.got.append(data[at : at + size])
            data = data[at + size :]

    def replay(self, messages: list[bytes]) -> None:
        self.got += messages

    def end(self, code: CloseCode) -> None:
        self.ended = code


@dataclass
class Guest:
    """A session in a room, by the contract alone."""

    node: Node
    port: FakePort
    place: Place
    room: RoomId = ROOM
    # The last that came: the ticket, and the number seen.
    ticket: str = ""
    seen: int = 0

    def read_all(self) -> list[Any]:
        """Return what came since the last time: dicts, and (name, ...) for binary messages."""
        self.node.flush()
        got, self.port.got = self.port.got, []
        read = [shown(message) for message in got]
        for message in read:
            if isinstance(message, dict):
                self.ticket = message.get("ticket", self.ticket)
                self.seen = message.get("seq", self.seen)
        self.seen = max([self.seen, *numbers(read)])
        return read

    def read(self) -> list[Any]:
        """Return what came but marks."""
        return [m for m in self.read_all() if not is_mark(m)]

    def opened(self) -> Ticket:
        """Return the ticket as the relay opens it."""
        return self.node.tickets.open_ticket(self.ticket, self.room)

    def commit(self, fence: int, now: float = 0.0, reference: Reference | None = None) -> None:
        self.place.commit(Commit(reference or new_reference(), fence, COMMIT, INFO), now)

    def post(self, fence: int, now: float = 0.0, reference: Reference | None = None) -> int:
        return self.place.post(reference or new_reference(), fence, SEALED, now)


def new_reference() -> Reference:
    return Reference(next(_references).to_bytes(8, "big"))


def shown(message: bytes) -> Any:
    if message[:1] == b"{":
        return json.loads(message)
    if message[0] == wire.FRAME:
        _, kind, _, seq, fence = struct.unpack_from("!BBHQQ", message)
        return ("frame", kind, seq, fence)
    if message[0] == wire.ACK:
        return ("ack", int.from_bytes(message[9:17], "big"))
    return ("info", int.from_bytes(message[1:9], "big"), message[9])


def enter(node: Node, now: float = 0.0, room: RoomId = ROOM) -> Guest:
    port = FakePort()
    return Guest(node, port, node.broker.enter(room, port, now), room)


def join(node: Node, now: float = 0.0, room: RoomId = ROOM) -> Guest:
    guest = enter(node, now, room)
    guest.commit(guest.place.fence, now)
    guest.read()
    return guest


def is_mark(message: Any) -> bool:
    return isinstance(message, dict) and message["type"] == "mark"


def reason(call: Callable[[], object]) -> Reason:
    with pytest.raises(RefusedError) as caught:
        call()
    return caught.value.reason


def numbers(read: list[Any]) -> list[int]:
    """Return the numbers of the life in what a session read."""
    found = []
    for message in read:
        match message:
            case ("frame", _, seq, _) | ("ack", seq):
                found.append(seq)
            case {"type": "joined" | "away" | "back" | "left", "seq": seq}:
                found.append(seq)
    return found


def test_newcomer_reads_welcome_and_info_then_its_own_commit_ack_and_joined(
    broker: Start,
) -> None:
    guest = enter(broker(LIMITS))
    welcome, info = guest.read()
    assert (welcome["type"], welcome["seq"], welcome["fence"]) == ("welcome", 0, 0)
    assert info == ("info", 0, 0)
    guest.commit(0)
    frame, ack, joined = guest.read()
    assert (frame, ack) == (("frame", 2, 1, 0), ("ack", 1))
    assert (joined["type"], joined["seq"], joined["seats"]) == ("joined", 2, [welcome["tag"]])
    assert guest.place.fence == 1


def test_what_is_kept_is_counted(broker: Start) -> None:
    node = broker(LIMITS)
    guest = join(node)
    before = node.broker.kept_bytes
    guest.post(1)
    guest.read()
    assert node.broker.kept_bytes - before >= len(SEALED)


def test_fence_is_compared_and_set(broker: Start) -> None:
    node = broker(LIMITS)
    one, two = enter(node), enter(node)
    one.commit(0)
    assert reason(lambda: two.commit(0)) is Reason.STALE
    two.place.inform(0.0)
    assert two.read()[-1] == ("info", 1, 1)
    two.commit(1)
    assert reason(lambda: one.post(1)) is Reason.STALE
    assert one.post(2) == 5


def test_everybody_sees_every_number_of_its_stay_once_and_in_order(broker: Start) -> None:
    node = broker(LIMITS)
    one = join(node)
    assert one.post(1) == 3
    two = enter(node)
    two.commit(1)
    assert two.post(2) == 6
    three = join(node)
    assert three.post(3) == 9
    assert numbers(one.read()) == [3, 4, 5, 6, 7, 8, 9]
    assert numbers(two.read()) == [4, 4, 5, 6, 7, 8, 9], "its commit's frame, and its ack"
    assert numbers(three.read()) == [9]


def test_unjoined_session_sees_no_frames_and_no_events(broker: Start) -> None:
    node = broker(LIMITS)
    one, waiting = join(node), enter(node)
    waiting.read()
    one.post(1)
    join(node)
    assert waiting.read() == []


def test_r29_what_is_sent_again_gets_the_ack_that_it_had(broker: Start) -> None:
    node = broker(LIMITS)
    one, two = join(node), join(node)
    one.read()
    reference = new_reference()
    assert one.post(2, reference=reference) == one.post(2, reference=reference) == 5
    assert one.read() == [("ack", 5), ("ack", 5)]
    assert two.read() == [("frame", 1, 5, 2)]
    again = new_reference()
    two.commit(2, reference=again)
    two.commit(2, reference=again)
    assert two.read() == [("frame", 2, 6, 2), ("ack", 6), ("ack", 6)]


def test_need_and_offer(broker: Start) -> None:
    node = broker(LIMITS)
    one, newcomer = join(node), enter(node)
    newcomer.read()
    newcomer.place.need(0.0)
    assert newcomer.read() == [("info", 1, 1)]
    assert one.read() == [{"type": "need"}]
    one.place.offer(Offer(new_reference(), 1, INFO), 0.0)
    assert one.read() == [("ack", 2)]
    assert newcomer.read() == [("info", 1, 2)]
    stale = Offer(new_reference(), 2, INFO)
    assert reason(lambda: one.place.offer(stale, 0.0)) is Reason.STALE


def test_away_left_and_the_end(broker: Start) -> None:
    node = broker(LIMITS)
    one, two, three = join(node), join(node), join(node)
    one.read()
    two.place.lost(0.0)
    two.place.lost(0.0)
    three.place.leave(0.0)
    three.place.leave(0.0)
    assert [m["type"] for m in one.read()] == ["away", "left"]
    node.broker.expire(59.0)
    assert one.read() == []
    node.broker.expire(61.0)
    assert [m["type"] for m in one.read()] == ["left"]
    one.place.leave(61.0)
    assert node.rooms() == 0


def test_r26_new_life_when_the_last_seat_goes(broker: Start) -> None:
    node = broker(LIMITS)
    one, waiting = join(node), enter(node)
    life = waiting.read()[0]["life"]
    one.place.leave(0.0)
    reset, info = waiting.read()
    assert (reset["type"], reset["seq"], reset["fence"]) == ("reset", 0, 0)
    assert reset["life"] != life
    assert info == ("info", 0, 0)
    waiting.commit(0)
    assert waiting.read()[0] == ("frame", 2, 1, 0)


def test_r03_late_joiner_is_closed(broker: Start) -> None:
    node = broker(LIMITS)
    guest = enter(node)
    node.broker.expire(14.0)
    assert guest.port.ended is None
    node.broker.expire(16.0)
    assert guest.port.ended is CloseCode.NOT_JOINED
    guest.place.lost(16.0)
    assert node.rooms() == 0


def test_limits_of_a_room(broker: Start) -> None:
    node = broker(replace(LIMITS, seats=1, commits=Rate(1.0, 1)))
    waiting = [enter(node) for _ in range(4)]
    assert reason(lambda: enter(node)) is Reason.BUSY
    assert reason(lambda: waiting[3].commit(0)) is Reason.STATE
    waiting[0].commit(0)
    assert reason(lambda: enter(node)) is Reason.FULL
    assert reason(lambda: waiting[1].commit(1)) is Reason.FULL
    assert reason(lambda: waiting[0].commit(1)) is Reason.PACE


def test_rooms_are_apart(broker: Start) -> None:
    node = broker(LIMITS)
    one, other = join(node), join(node, room=OTHER_ROOM)
    one.post(1)
    assert other.read() == []
    assert other.place.fence == 1
    assert node.rooms() == 2


def test_ones_own_message_keeps_its_place(broker: Start) -> None:
    node = broker(LIMITS)
    one, two = join(node), enter(node)
    two.read()
    one.post(1)
    one.place.send(b'{"type":"notice","code":"x"}')
    one.post(1)
    two.place.send(b'{"type":"notice","code":"y"}')
    assert one.read() == [("ack", 3), {"type": "notice", "code": "x"}, ("ack", 4)]
    assert two.read() == [{"type": "notice", "code": "y"}]


def test_leaving_session_reads_what_was_published_before(broker: Start) -> None:
    node = broker(LIMITS)
    one, two = join(node), join(node)
    one.post(2)
    two.place.leave(0.0)
    assert two.read() == [("frame", 1, 5, 2)]
