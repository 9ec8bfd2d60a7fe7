import itertools
from collections.abc import Callable

import pytest

from relay.broker.memory import MemoryBroker
from relay.errors import CloseCode, Reason, RefusedError
from relay.fanout import Fan, RoomChannel
from relay.pressure import Pressure
from relay.ring import RingLimits
from relay.room import Draw, RoomLimits
from relay.tickets import Ticket, Tickets
from relay.wire import Life, RoomId, Tag
from tests.relay.broker.contract import *  # noqa: F403  # The contract's tests run here.
from tests.relay.broker.contract import LIMITS, FakePort, Node, Start, enter, join
from tests.relay.broker.contract_resume import *  # noqa: F403

RING = RingLimits(frames=100, bytes=10**6, age_s=60.0, total_bytes=10**7)


def start(limits: RoomLimits, max_rooms: int = 3) -> Node:
    soon: list[Callable[[], None]] = []
    faults: list[Exception] = []
    fan = Fan(soon.append, faults.append)
    tags, lives = itertools.count(0x10), itertools.count(1)
    tickets = Tickets(bytes(32))
    draw = Draw(
        life=lambda: Life(next(lives).to_bytes(8, "big")),
        tag=lambda: Tag(next(tags)),
        ticket=lambda room, life, tag, generation: tickets.ticket(room, life, tag, generation, 0.0),
        mark=lambda room, life, fence, seq: tickets.mark(room, life, fence, seq, 0.0),
    )
    broker = MemoryBroker(limits, RING, max_rooms, draw, lambda: RoomChannel(fan), 0.0)

    def flush() -> None:
        while soon:
            soon.pop(0)()
        assert not faults

    return Node(broker, flush, lambda: len(broker), tickets)


@pytest.fixture
def broker() -> Start:
    return start


def test_cap_of_rooms_refuses_new_rooms_only() -> None:
    node = start(LIMITS, max_rooms=1)
    join(node)
    with pytest.raises(RefusedError) as caught:
        enter(node, room=RoomId(b"o" * 16))
    assert (caught.value.reason, caught.value.close_code) == (Reason.BUSY, CloseCode.ROOMS)
    assert caught.value.retry_after_s
    enter(node)
    assert node.rooms() == 1


def test_while_memory_is_short_no_room_is_added() -> None:
    node = start(LIMITS)
    here = join(node)
    here.post(1)
    node.broker.relieve(Pressure.TIGHT)
    with pytest.raises(RefusedError) as caught:
        enter(node, room=RoomId(b"o" * 16))
    assert (caught.value.reason, caught.value.close_code) == (Reason.BUSY, CloseCode.ROOMS)
    enter(node)
    assert node.broker._rings.total
    node.broker.relieve(Pressure.FULL)
    assert not node.broker._rings.total
    assert all(home.room._group_info is None for home in node.broker._homes.values())
    node.broker.relieve(Pressure.EASY)
    enter(node, room=RoomId(b"o" * 16))
    assert here.post(1)


def test_refused_newcomer_leaves_no_room_behind() -> None:
    node = start(RoomLimits(0, 60.0, LIMITS.turns, LIMITS.commits, LIMITS.message_rate))
    with pytest.raises(RefusedError):
        node.broker.enter(RoomId(b"x" * 16), FakePort(), 0.0)
    assert node.rooms() == 0


def test_place_of_a_room_that_is_gone_harms_no_later_one() -> None:
    node = start(LIMITS)
    old = join(node)
    old.place.leave(0.0)
    new = join(node)
    old.place.lost(0.0)
    assert node.rooms() == 1
    assert new.post(1) == 3


def test_cap_of_rooms_holds_for_those_that_are_restored() -> None:
    node = start(LIMITS, max_rooms=1)
    join(node)
    ticket = Ticket(Life(b"former!!"), Tag(0x77), 1, 0)
    with pytest.raises(RefusedError) as caught:
        node.broker.resume(RoomId(b"o" * 16), ticket, 41, 9, FakePort(), 0.0)
    assert caught.value.close_code is CloseCode.ROOMS
    assert node.rooms() == 1


def test_ticket_that_restores_nothing_leaves_no_room_behind() -> None:
    node = start(RoomLimits(0, 60.0, LIMITS.turns, LIMITS.commits, LIMITS.message_rate))
    ticket = Ticket(Life(b"former!!"), Tag(0x77), 1, 0)
    assert node.broker.resume(RoomId(b"o" * 16), ticket, 41, 9, FakePort(), 0.0) is None
    assert node.rooms() == 0


def test_frames_of_a_quiet_room_age_away() -> None:
    node = start(LIMITS)
    guest = join(node)
    node.broker.expire(61.0)
    guest.post(1, now=62.0)
    node.broker.expire(123.0)
    assert guest.post(1, now=124.0) == 4
