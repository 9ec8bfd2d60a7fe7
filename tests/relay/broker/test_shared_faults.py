"""What nodes do when a log is late, gone, saved over or not theirs: each once, by hand."""

from itertools import pairwise
from typing import Any, cast

import pytest

from relay.broker import operation as op
from relay.broker import shared, shared_place
from relay.broker.operation import NODE_BYTES, Node, Visit
from relay.broker.shared_log import Entry
from relay.errors import CloseCode, Reason, RefusedError
from relay.fanout import RoomChannel
from relay.pressure import Pressure
from relay.shared_rooms import KEEP_S
from relay.wire import Commit, Tag
from tests.relay.broker.contract import (
    COMMIT,
    INFO,
    LIMITS,
    ROOM,
    SEALED,
    FakePort,
    new_reference,
    shown,
)
from tests.relay.broker.one_cluster import History, KeptStore, Process
from tests.relay.broker.one_log import outcome

ONE = Node(b"1" * NODE_BYTES)


class Cluster:
    def __init__(self, count: int = 2) -> None:
        self.store = KeptStore()
        self.nodes = [Process(self.store, LIMITS, number) for number in range(1, count + 1)]

    def pump(self) -> None:
        while any([node.pump() for node in self.nodes]):
            pass

    def wait(self, seconds: float) -> None:
        until = self.store.now + seconds
        while self.store.now < until:
            self.store.now += 0.25
            for node in self.nodes:
                node.broker.expire(self.store.now)
            self.pump()

    def beat(self) -> None:
        for node in self.nodes:
            node.broker.alive({node.node for node in self.nodes}, self.store.now)
        self.pump()

    def heal(self, node: Process) -> None:
        node.log.is_cut = False
        node.broker.up()
        self.pump()

    def enter(self, node: Process) -> tuple[FakePort, Any]:
        port = FakePort()
        later = node.broker.enter(ROOM, port, self.store.now)
        self.pump()
        return port, outcome(later)

    def join(self, node: Process) -> tuple[FakePort, Any]:
        port, place = self.enter(node)
        place.commit(Commit(new_reference(), place.fence, COMMIT, INFO), self.store.now)
        self.pump()
        port.got.clear()
        return port, place

    def post(self, place: Any) -> None:
        place.post(new_reference(), place.fence, SEALED, self.store.now)
        self.pump()

    @property
    def visits(self) -> set[Visit]:
        """Who is in the room, by its log."""
        self.pump()
        if not self.store.logs:
            return set()
        ((name, log),) = self.store.logs.items()
        history = History(ROOM, name, log.born, LIMITS)
        history.extend(self.store.past.get((name, log.born), []))
        return set(history.visits.values())


def kinds(port: FakePort) -> list[str]:
    return [m["type"] for m in map(shown, port.got) if isinstance(m, dict)]


def test_news_before_the_first_answer_are_asked_for_again() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    _, place = cluster.join(one)
    later = two.broker.enter(ROOM, FakePort(), 0.0)
    two.call()
    answer = two.log.news.pop()
    cluster.post(place)
    # The news overtakes the answer, as it may where both come by connections of their own.
    two.hear()
    two.log.news.append(answer)
    two.hear()
    two.log.calls = [call for call in two.log.calls if "_append" not in call.__code__.co_names]
    cluster.pump()
    (home,) = two.broker._homes.values()
    assert home.at == 3
    with pytest.raises(AssertionError, match="nothing has come"):
        outcome(later)


def test_visitor_who_was_told_to_come_back_is_taken_out_when_the_log_has_let_it_in() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    port, place = cluster.join(one)
    other, _ = cluster.join(one)
    ticket = ticket_of(place)
    later = two.broker.resume(ROOM, ticket, None, 0, FakePort(), 0.0)
    two.call()
    two.hear()
    two.call()
    # The answer takes too long.
    cluster.store.now = 6.0
    two.broker.expire(6.0)
    with pytest.raises(RefusedError) as caught:
        outcome(later)
    assert caught.value.reason is Reason.BUSY
    assert len(two.broker) == 1
    cluster.pump()
    assert port.ended is CloseCode.SUPERSEDED
    assert kinds(other) == ["away"]
    assert {visit.node for visit in cluster.visits} == {one.node}
    assert len(two.broker) == 0


def ticket_of(place: Any) -> Any:
    home = place._home
    room = home.replica.room
    return shared.Ticket(room.life, place._tag, room._seats.generation(place._tag), 0)


def test_room_is_kept_for_a_visitor_who_may_be_in_its_log() -> None:
    cluster = Cluster(1)
    (one,) = cluster.nodes
    _, place = cluster.enter(one)
    later = one.broker.enter(ROOM, FakePort(), 0.0)
    one.call()
    place.leave(0.0)
    one.log.end(1)
    one.broker.down()
    for moment in (3.0, 7.0):
        cluster.store.now = moment
        one.broker.expire(moment)
    with pytest.raises(RefusedError):
        outcome(later)
    assert len(one.broker) == 1
    cluster.heal(one)
    assert cluster.visits == set()
    assert len(one.broker) == 0


def test_visitor_of_before_the_line_broke_who_never_got_there_is_forgotten() -> None:
    cluster = Cluster(1)
    (one,) = cluster.nodes
    one.log.end(0)
    one.broker.down()
    later = one.broker.enter(ROOM, FakePort(), 0.0)
    assert len(one.broker) == 1
    for moment in (3.0, 7.0):
        one.broker.expire(moment)
    with pytest.raises(RefusedError):
        outcome(later)
    assert len(one.broker) == 0


def test_who_was_here_before_the_log_was_saved_over_is_taken_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "SAVE_EVERY", 4)
    cluster = Cluster()
    one, two = cluster.nodes
    port, _ = cluster.join(one)
    _, leaver = cluster.join(one)
    _, place = cluster.join(two)
    one.log.end(0)
    one.broker.down()
    leaver.leave(0.0)
    for _ in range(8):
        cluster.post(place)
    assert len(cluster.visits) == 3
    cluster.heal(one)
    assert port.ended is CloseCode.RESTART
    assert {visit.node for visit in cluster.visits} == {two.node}
    assert (len(one.broker), len(two.broker)) == (0, 1)


def test_gap_that_was_saved_over_is_not_waited_for_forever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "SAVE_EVERY", 4)
    cluster = Cluster()
    one, two = cluster.nodes
    port, _ = cluster.join(one)
    _, place = cluster.join(two)
    place.post(new_reference(), place.fence, SEALED, 0.0)
    two.pump()
    one.log.lose()
    for _ in range(8):
        place.post(new_reference(), place.fence, SEALED, 0.0)
        two.pump()
    cluster.pump()
    assert port.ended is None
    cluster.wait(shared_place.CHECK_S + 1.0)
    assert port.ended is CloseCode.RESTART


def test_silent_log_is_asked_for_more_seldom_and_before_it_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    _, place = cluster.join(one)
    cluster.join(two)
    asked: list[float] = []
    check = two.log.check
    monkeypatch.setattr(
        two.log, "check", lambda *words: (asked.append(cluster.store.now), check(*words))[1]
    )
    cluster.wait(300.0)
    first, *pauses = (b - a for a, b in pairwise(asked))
    assert abs(first - shared_place.CHECK_S) <= 1.0
    assert len(pauses) > 4
    assert all(abs(pause - shared_place.CHECK_SILENT_S) <= 1.0 for pause in pauses)
    assert shared_place.CHECK_SILENT_S < KEEP_S
    cluster.post(place)
    asked.clear()
    cluster.wait(80.0)
    assert abs(asked[1] - asked[0] - shared_place.CHECK_S) <= 1.0


def test_snapshot_that_is_forged_costs_one_room_and_no_more() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    cluster.join(one)
    (log,) = cluster.store.logs.values()
    log.saved = log.head, bytes(100)
    later = two.broker.enter(ROOM, FakePort(), 0.0)
    cluster.pump()
    with pytest.raises(RefusedError) as caught:
        outcome(later)
    assert (caught.value.reason, two.broker.forged, len(two.broker)) == (Reason.BUSY, 1, 0)


def test_forged_record_is_passed_over_by_all() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    _, place = cluster.join(one)
    port, _ = cluster.join(two)
    ((name, log),) = cluster.store.logs.items()
    one.log._append(name, log.born, 0, log.entries[0].record[:-1] + b"x")
    cluster.pump()
    cluster.post(place)
    assert [m[0] for m in map(shown, port.got)] == ["frame"]
    assert [node.broker.forged for node in cluster.nodes] == [1, 1]


def test_log_that_may_have_been_named_before_is_named_anew() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    one.broker.enter(ROOM, FakePort(), 0.0)
    one.log.end(1)
    one.broker.down()
    (former,) = [log.born for log in cluster.store.logs.values()]
    _, place = cluster.enter(two)
    place.leave(0.0)
    cluster.pump()
    assert not cluster.store.logs
    cluster.heal(one)
    (log,) = cluster.store.logs.values()
    assert log.born != former


def test_room_that_everybody_left_without_a_word_is_not_full_for_ever() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    for _ in range(LIMITS.seats):
        _, place = cluster.join(one)
        place.lost(0.0)
    cluster.pump()
    assert len(one.broker) == 0
    cluster.store.now = LIMITS.away_s + 1.0
    port, _ = cluster.enter(two)
    welcome, info = map(shown, port.got)
    assert (welcome["type"], welcome["seq"], info) == ("welcome", 0, ("info", 0, 0))


def test_seat_that_was_kept_for_too_long_is_not_given_back() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    _, place = cluster.join(one)
    ticket = ticket_of(place)
    place.lost(0.0)
    cluster.pump()
    cluster.store.now = LIMITS.away_s + 1.0
    later = two.broker.resume(ROOM, ticket, None, 0, FakePort(), cluster.store.now)
    cluster.pump()
    assert outcome(later) is None
    assert not cluster.store.logs


def test_room_of_nodes_that_are_gone_is_followed_until_that_is_said() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    for _ in range(LIMITS.seats):
        cluster.join(one)
    one.log.end(0)
    cluster.nodes = [two]
    cluster.beat()
    later = two.broker.enter(ROOM, FakePort(), 0.0)
    cluster.pump()
    with pytest.raises(RefusedError) as caught:
        outcome(later)
    assert caught.value.reason is Reason.FULL
    assert len(two.broker) == 1
    cluster.beat()
    assert (len(two.broker), cluster.visits) == (0, set())
    cluster.store.now = LIMITS.away_s + 1.0
    cluster.enter(two)


def test_node_that_is_said_to_be_gone_ends_its_own() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    port, place = cluster.join(one)
    other, _ = cluster.join(two)
    two.broker.alive({two.node}, 0.0)
    cluster.pump()
    assert port.ended is CloseCode.RESTART
    place.lost(0.0)
    assert kinds(other) == ["away"]


def test_those_who_are_here_are_told_once_that_the_log_cannot_be_had() -> None:
    cluster = Cluster(1)
    (one,) = cluster.nodes
    port, place = cluster.join(one)
    one.broker.down()
    one.broker.stalled(place._home.name)
    one.broker.stalled(b"another")
    assert kinds(port) == ["notice"]
    one.broker.retry(place._home.name)
    assert not one.log.calls
    one.broker.is_down = False
    later = place.post(new_reference(), 1, SEALED, 0.0)
    one.broker.retry(place._home.name)
    cluster.pump()
    assert outcome(later) == 3


def test_returning_to_a_room_brings_no_word_about_visits_that_are_over() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    cluster.join(two)
    for _ in range(5):
        _, place = cluster.join(one)
        place.leave(0.0)
        cluster.pump()
    (log,) = cluster.store.logs.values()
    before = log.head
    cluster.enter(one)
    assert log.head == before + 1


def test_gone_of_a_node_is_said_by_one_who_is_there() -> None:
    cluster = Cluster(3)
    one, two, three = cluster.nodes
    cluster.join(one)
    cluster.join(two)
    cluster.join(three)
    one.log.end(0)
    cluster.nodes = [two, three]
    cluster.beat()
    ((name, log),) = cluster.store.logs.items()
    history = History(ROOM, name, log.born, LIMITS)
    history.extend(cluster.store.past[name, log.born])
    assert [s.node for s in history.steps if isinstance(s.operation, op.Gone)] == [two.node]


def test_news_of_a_room_that_nobody_is_in_are_passed_over() -> None:
    cluster = Cluster(1)
    (one,) = cluster.nodes
    one.broker.reached(b"name", b"born", [], 0.0)
    one.broker.followed(b"name", b"born", 0, None, [], 0.0)
    one.broker.lost(b"name", 0.0)
    one.broker.retry(b"name")
    assert (one.broker.at(b"name"), len(one.broker), one.log.calls) == (0, 0, [])


def test_news_of_another_log_are_passed_over() -> None:
    cluster = Cluster(1)
    (one,) = cluster.nodes
    _, place = cluster.join(one)
    name = place._home.name
    one.broker.reached(name, b"another", [Entry(3, 0.0, b"")], 0.0)
    assert (one.broker.at(name), one.broker.forged) == (2, 0)


def test_log_that_is_another_when_it_is_followed_again_is_a_new_life() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    port, _ = cluster.join(one)
    one.log.end(0)
    one.broker.down()
    cluster.store.logs.clear()
    cluster.join(two)
    cluster.heal(one)
    assert port.ended is CloseCode.RESTART
    assert {visit.node for visit in cluster.visits} == {two.node}
    assert len(one.broker) == 0


def test_more_news_than_are_kept_before_what_they_follow_are_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_place, "MAX_AHEAD", 2)
    cluster = Cluster()
    one, two = cluster.nodes
    port, _ = cluster.join(one)
    _, place = cluster.join(two)
    for number in range(6):
        place.post(new_reference(), place.fence, SEALED, 0.0)
        two.pump()
        if number == 0:
            one.log.lose()
    port.got.clear()
    cluster.post(place)
    assert [m[2] for m in map(shown, port.got)] == list(range(5, 12))


def test_while_memory_is_short_no_room_is_added_and_frames_are_given_up() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    cluster.join(one)
    for broker in (one.broker, two.broker):
        broker.relieve(Pressure.FULL)
    assert one.broker._rings.total == 0
    with pytest.raises(RefusedError) as caught:
        two.broker.enter(ROOM, FakePort(), 0.0)
    assert caught.value.close_code is CloseCode.ROOMS
    port, _ = cluster.enter(one)
    assert shown(port.got[-1]) == ("info", 1, 0)
    two.broker.relieve(Pressure.EASY)
    cluster.enter(two)


def test_place_shows_no_fence_before_there_is_a_room() -> None:
    home = shared_place.Home(ROOM, b"name", RoomChannel(Cluster(1).nodes[0].fan), 0.0)
    place = shared_place.SharedPlace(cast(Any, None), home, Tag(1), 1, None)
    place.inform(0.0)
    assert (place.fence, home.at, home.due(ONE), home.abandoned(ONE)) == (0, 0, None, [])


def test_log_that_is_shorter_or_has_another_name_than_before_is_lost() -> None:
    for born, head in ((b"another", 9), (None, 1)):
        cluster = Cluster(1)
        (one,) = cluster.nodes
        port, place = cluster.join(one)
        home = place._home
        one.broker.followed(home.name, born or home.born, head, None, [], 0.0)
        assert port.ended is CloseCode.RESTART


def test_memory_may_be_short_before_a_room_is_there() -> None:
    cluster = Cluster(1)
    (one,) = cluster.nodes
    later = one.broker.enter(ROOM, FakePort(), 0.0)
    one.broker.relieve(Pressure.FULL)
    one.broker.alive({one.node}, 0.0)
    cluster.pump()
    assert outcome(later)


def test_late_newcomer_is_closed_by_who_comes_before_anybody_says_so() -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    port, _ = cluster.enter(one)
    cluster.store.now = LIMITS.turns.join_s
    cluster.enter(two)
    assert port.ended is CloseCode.NOT_JOINED
    assert {visit.node for visit in cluster.visits} == {two.node}


def test_beat_that_says_nothing_new_looks_at_no_silent_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster()
    one, two = cluster.nodes
    cluster.join(one)
    _, place = cluster.join(two)
    looked: list[Any] = []
    look = shared_place.Home.to_declare_gone
    monkeypatch.setattr(
        shared_place.Home,
        "to_declare_gone",
        lambda home, *words: (looked.append(home), look(home, *words))[1],
    )
    cluster.beat()
    assert len(looked) == 2, "once on each node"
    cluster.beat()
    assert len(looked) == 2
    cluster.post(place)
    cluster.beat()
    assert len(looked) == 4
    # Whoever is gone is looked for until that is known.
    one.log.is_cut = True
    two.broker.alive({two.node}, cluster.store.now)
    one.log.is_cut = False
    cluster.pump()
    two.broker.alive({two.node}, cluster.store.now)
    cluster.pump()
    assert len(looked) == 6
    (home,) = two.broker._homes.values()
    assert home.replica is not None
    assert home.replica.nodes == {two.node}
    two.broker.alive({two.node}, cluster.store.now)
    assert len(looked) == 6
