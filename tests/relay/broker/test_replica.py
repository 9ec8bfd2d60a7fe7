"""A replica does what its log says, and nothing of what is of nobody who is here."""

from typing import Any

import msgpack
import pytest

from relay.broker import operation as op
from relay.broker import replica as replica_module
from relay.broker.operation import NODE_BYTES, Node, Operation, Visit
from relay.broker.replica import Done, Replica, Seeded
from relay.effect import Close, Publish, Seat, Send
from relay.errors import CloseCode, Reason
from relay.ring import Rings
from relay.tickets import Tickets
from relay.wire import Life, Reference, Tag, serialize_ack
from tests.relay.broker.contract import COMMIT, INFO, LIMITS, ROOM, SEALED, new_reference, shown
from tests.relay.broker.one_cluster import shape
from tests.relay.broker.one_log import RING, SECRET, new_sealers

BORN, SEED = b"b" * 16, b"s" * 16
ONE, TWO = Node(b"1" * NODE_BYTES), Node(b"2" * NODE_BYTES)
TICKETS = Tickets(SECRET)


def new_replica(state: Any = None) -> Replica:
    return Replica(ROOM, LIMITS, Rings(RING), new_sealers(TICKETS), BORN, state)


class Log:
    """A log as it grows, done by one replica."""

    def __init__(self) -> None:
        self.replica = new_replica()
        self.records: list[tuple[Node, int, Operation, float] | None] = []
        self.numbers = {ONE: 0, TWO: 0}

    def do(self, node: Node, operation: Operation, now: float = 0.0) -> Done:
        self.numbers[node] += 1
        record = (node, self.numbers[node], operation, now)
        self.records.append(record)
        return self.replica.apply(*record)

    def again(self, index: int = -1) -> Done:
        record = self.records[index]
        assert record is not None
        self.records.append(record)
        return self.replica.apply(*record)

    def skip(self) -> None:
        self.records.append(None)
        self.replica.skip()

    def enter(self, node: Node, seed: bytes = SEED, now: float = 0.0) -> tuple[Tag, int]:
        done = self.do(node, op.Enter(seed), now)
        assert done.tag is not None
        return done.tag, self.numbers[node]

    def join(self, node: Node, seed: bytes = SEED, now: float = 0.0) -> tuple[Tag, int]:
        place = self.enter(node, seed, now)
        assert Seat(place[0]) in self.commit(node, place, now).effects
        return place

    def commit(self, node: Node, place: tuple[Tag, int], now: float = 0.0, behind: int = 0) -> Done:
        fence = self.replica.room.fence - behind
        return self.do(node, op.TakeCommit(*place, new_reference(), fence, COMMIT, INFO), now)

    def post(self, node: Node, place: tuple[Tag, int], reference: Reference | None = None) -> Done:
        fence = self.replica.room.fence
        return self.do(node, op.Post(*place, reference or new_reference(), fence, SEALED))

    def resume(self, node: Node, tag: Tag, now: float = 0.0, fence: int | None = None) -> Done:
        room = self.replica.room
        generation = room._seats.generation(tag) if tag in room else 1
        return self.do(node, op.Resume(SEED, tag, room.life, generation, fence, room.seq), now)

    def replayed(self, start: Replica | None = None) -> Replica:
        """Do all that comes after ``start`` once more, elsewhere."""
        other = start or new_replica()
        for record in self.records[other.at :]:
            if record is None:
                other.skip()
            else:
                other.apply(*record)
        return other


def test_same_log_is_the_same_room_everywhere_from_any_snapshot_of_it() -> None:
    log = Log()
    one, two = log.join(ONE), log.join(TWO, b"2" * 16)
    states = [log.replica.dump()]
    log.post(ONE, one)
    log.do(TWO, op.Lost(b"l" * 16, *two, (0.5, 1.0)), 1.0)
    states.append(log.replica.dump())
    log.skip()
    log.resume(ONE, two[0], 2.0)
    log.again()
    states.append(log.replica.dump())
    log.do(ONE, op.Leave(b"x" * 16, *one), 3.0)
    log.do(TWO, op.Gone(b"g" * 16, ONE), 4.0)
    log.enter(TWO, b"e" * 16, 5.0)
    log.do(TWO, op.Expire(b"t" * 16), 66.0)
    expected = shape(log.replica)
    assert shape(log.replayed()) == expected
    for state in states:
        loaded = new_replica(msgpack.unpackb(msgpack.packb(state)))
        assert shape(log.replayed(loaded)) == expected


def test_seeds_are_drawn_from_the_same_way_everywhere() -> None:
    one, two = Seeded(), Seeded()
    drawn = []
    for seeded in (one, two):
        seeded.life()
        seeded.begin(SEED)
        drawn.append([seeded.life(), seeded.life(), seeded.tag(), seeded.tag()])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 4
    one.begin(b"another")
    assert one.life() != drawn[0][0]
    assert 0 <= one.tag() < 1 << 16


def test_first_life_comes_from_the_name_of_the_log() -> None:
    assert new_replica().room.life == new_replica().room.life
    other = Replica(ROOM, LIMITS, Rings(RING), new_sealers(TICKETS), b"other")
    assert other.room.life != new_replica().room.life


def test_tag_and_next_life_come_from_the_operation() -> None:
    log, other = Log(), Log()
    place = log.join(ONE)
    assert other.join(ONE)[0] == place[0]
    assert Log().enter(ONE, b"other seed")[0] != place[0]
    log.do(ONE, op.Leave(b"1" * 16, *place))
    other.do(ONE, op.Leave(b"2" * 16, *place))
    assert log.replica.room.life != other.replica.room.life


def test_record_that_comes_again_is_void() -> None:
    log = Log()
    place = log.join(ONE)
    assert log.post(ONE, place).seq == 3
    before = log.replica.room.seq
    for index in (-1, 0, 1, 2):
        assert log.again(index) == Done(is_void=True)
    assert (log.replica.room.seq, log.replica.at) == (before, 7)
    assert log.replica.has_heard(ONE, 3)
    assert not log.replica.has_heard(ONE, 4)
    assert not log.replica.has_heard(TWO, 1)


def test_record_of_a_place_that_another_session_has_resumed_is_void() -> None:
    log = Log()
    old = log.join(ONE)
    done = log.resume(TWO, old[0])
    assert done.effects[0] == Close(old[0], CloseCode.SUPERSEDED)
    assert done.tag == old[0]
    assert log.replica.visits == {old[0]: Visit(TWO, 1)}
    seq = log.replica.room.seq
    for operation in (
        op.Post(*old, new_reference(), 1, SEALED),
        op.TakeCommit(*old, new_reference(), 1, COMMIT, INFO),
        op.TakeOffer(*old, new_reference(), 1, INFO),
        op.Need(*old),
        op.Confirm(*old),
        op.Leave(SEED, *old),
        op.Lost(SEED, *old, ()),
    ):
        assert log.do(ONE, operation) == Done(is_void=True)
    assert (log.replica.room.seq, log.replica.nodes) == (seq, {TWO})


def test_record_of_another_node_with_the_same_number_is_void() -> None:
    log = Log()
    place = log.join(ONE)
    assert log.do(TWO, op.Leave(SEED, *place)).is_void


def test_refused_record_changes_nothing_but_where_the_log_is() -> None:
    log = Log()
    place = log.join(ONE)
    seq = log.replica.room.seq
    done = log.do(ONE, op.Post(*place, new_reference(), 9, SEALED))
    assert done.refusal is not None
    assert (done.refusal.reason, done.refusal.fence, done.effects) == (Reason.STALE, 1, [])
    assert (log.replica.room.seq, log.replica.at) == (seq, 3)


def test_stale_newcomer_is_shown_what_to_join_by() -> None:
    log = Log()
    one, two = log.enter(ONE), log.enter(TWO, b"2" * 16)
    log.commit(ONE, one)
    done = log.commit(TWO, two, behind=1)
    assert done.refusal is not None
    (send,) = done.effects
    assert isinstance(send, Send)
    assert shown(send.message) == ("info", 1, 1)


def test_post_is_published_and_acknowledged_and_again_only_the_latter() -> None:
    log = Log()
    place, reference = log.join(ONE), new_reference()
    ack = serialize_ack(reference, 3)
    (published,) = log.post(ONE, place, reference).effects
    assert isinstance(published, Publish)
    assert (published.origin, published.own) == (place[0], (ack,))
    again = log.post(ONE, place, reference)
    assert (again.effects, again.seq) == ([Send(place[0], ack)], 3)


def test_offer_and_need_reach_each_other() -> None:
    log = Log()
    place = log.join(ONE)
    waiting = log.enter(TWO, b"2" * 16)
    asked = log.do(TWO, op.Need(*waiting)).effects
    assert [type(effect) for effect in asked] == [Send, Publish]
    offered = log.do(ONE, op.TakeOffer(*place, new_reference(), 1, INFO)).effects
    assert [effect.tag for effect in offered if isinstance(effect, Send)] == [place[0], waiting[0]]


def test_gone_node_leaves_its_seats_away_and_its_newcomers_out() -> None:
    log = Log()
    seated, staying = log.join(ONE), log.join(TWO, b"2" * 16)
    waiting = log.enter(ONE, b"3" * 16)
    done = log.do(TWO, op.Gone(SEED, ONE), 1.0)
    closed = [effect for effect in done.effects if isinstance(effect, Close)]
    assert closed == [Close(tag, CloseCode.RESTART) for tag, _ in (seated, waiting)]
    room = log.replica.room
    assert (room._seats.away, len(room._turns)) == ([seated[0]], 0)
    assert log.replica.visits == {staying[0]: Visit(TWO, staying[1])}
    assert log.do(TWO, op.Gone(SEED, ONE), 2.0) == Done()
    assert log.resume(TWO, seated[0], 3.0).tag == seated[0]
    assert room.luggage(seated[0]) == [], "it could not be asked"


def test_luggage_is_kept_with_the_seat_until_the_next_session_comes() -> None:
    log = Log()
    tag, visit = log.join(ONE)
    log.do(ONE, op.Lost(SEED, tag, visit, (1.0, 2.0)))
    log.resume(TWO, tag)
    assert log.replica.room.luggage(tag) == [1.0, 2.0]
    log.resume(ONE, tag)
    assert log.replica.room.luggage(tag) == [], "the session before could not be asked"


def test_ticket_that_is_worth_nothing_or_restores() -> None:
    log = Log()
    log.join(ONE)
    life = Life(b"former!!")
    shown = Tag(0x77), life, 3
    assert log.do(TWO, op.Resume(SEED, *shown, None, 0)) == Done()
    restored = log.do(TWO, op.Resume(SEED, *shown, 41, 0))
    assert (restored.tag, log.replica.room.fence) == (0x77, 41)
    assert restored.told is not None
    assert log.do(ONE, op.Resume(SEED, *shown, 41, 0)).tag == 0x77, "until it is confirmed"
    log.do(ONE, op.Confirm(Tag(0x77), log.numbers[ONE]))
    assert log.do(TWO, op.Resume(SEED, *shown, 41, 0)) == Done()


def test_late_newcomers_visit_is_over() -> None:
    log = Log()
    tag, _ = log.enter(ONE)
    done = log.do(TWO, op.Expire(SEED), 15.0)
    assert done.effects == [Close(tag, CloseCode.NOT_JOINED)]
    assert log.replica.visits == {}


def test_what_time_has_brought_comes_before_who_comes() -> None:
    log = Log()
    late, _ = log.enter(ONE)
    done = log.do(TWO, op.Enter(b"2" * 16), 15.0)
    assert done.first == [Close(late, CloseCode.NOT_JOINED)]
    assert done.tag is not None
    assert set(log.replica.visits) == {done.tag}
    log.commit(TWO, (done.tag, 1), 15.0)
    log.do(TWO, op.Lost(SEED, done.tag, 1, ()), 15.0)
    back = log.resume(ONE, done.tag, 75.0)
    assert (back.tag, back.first) == (None, [])
    assert log.replica.room.is_empty


def test_nodes_that_are_gone_for_long_are_forgotten_and_those_here_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replica_module, "MAX_NODES", 3)
    replica = new_replica()
    replica.apply(ONE, 1, op.Enter(SEED), 0.0)
    others = [Node(bytes((number,)) * NODE_BYTES) for number in range(100, 106)]
    for node in others:
        replica.apply(node, 1, op.Expire(SEED), 0.0)
    assert replica.has_heard(ONE, 1)
    assert [replica.has_heard(node, 1) for node in others] == [False] * 4 + [True] * 2
    assert replica.nodes == {ONE}


def test_more_nodes_than_are_remembered_are_all_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica_module, "MAX_NODES", 1)
    replica = new_replica()
    for node in (ONE, TWO):
        replica.apply(node, 1, op.Enter(node), 0.0)
    assert replica.has_heard(ONE, 1)
    assert replica.has_heard(TWO, 1)
