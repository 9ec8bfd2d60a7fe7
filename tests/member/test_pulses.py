"""R31, R34: a member that lies about what it has said and received."""

from collections.abc import Callable

import pytest

from client.content import MAX_INT, Ask, Pulse
from client.event import Delivered, Missing, Unconfirmed
from tests.member.scene import Scene
from tests.member.traitor import Traitor

Rows = tuple[tuple[int, int, int], ...]


def rows_of_nobody(traitor: Traitor) -> Rows:
    return *((leaf, 1, MAX_INT) for leaf in range(60, 180)), (MAX_INT, 1, MAX_INT)


def rows_of_itself(traitor: Traitor) -> Rows:
    return ((traitor.me, 1, MAX_INT),)


def rows_of_all(traitor: Traitor) -> Rows:
    return tuple((leaf, 1, MAX_INT) for leaf in range(150))


def rows_of_nothing(traitor: Traitor) -> Rows:
    return tuple((leaf, 1, 0) for leaf in range(200))


@pytest.mark.parametrize("rows", [rows_of_nobody, rows_of_itself, rows_of_all, rows_of_nothing])
def test_r31_lying_pulses_make_nobody_miss_anything(rows: Callable[[Traitor], Rows]) -> None:
    scene = Scene()
    traitor = scene.traitor()

    def act() -> None:
        scene.talk()
        traitor.post(Pulse(0, 0, None, rows(traitor)))

    assert scene.share(20, act, 2.0) == 1.0
    assert not scene.told(Missing)
    assert not scene.told(Unconfirmed)
    assert not [client.notices() for client in scene.clients if client.notices()]
    # What nobody has is not asked for, of leaves that nobody has not at all.
    holes = [hole for said in traitor.heard if isinstance(said, Ask) for hole in said.holes]
    assert {leaf for leaf, _, _ in holes} <= {0, 1, 2}
    asks = sum(isinstance(said, Ask) for said in traitor.heard)
    assert asks <= len(scene.clients) * 12
    scene.check()


@pytest.mark.parametrize("counter", [1, 64, 2**50, MAX_INT])
def test_r31_counter_that_was_never_said_misses_once_and_holds_back_nobody(counter: int) -> None:
    scene = Scene()
    traitor = scene.traitor()

    def act() -> None:
        scene.talk()
        for last in (counter, 0, counter):
            traitor.post(Pulse(last, 0, None, ()))

    assert scene.share(30, act, 5.0) == 1.0
    missing = scene.told(Missing)
    assert [gap.count for gap in missing] == [counter] * len(scene.clients)
    assert {gap.sender for gap in missing} == {traitor.tag}
    scene.check()


def test_r31_many_counters_that_were_never_said_are_remembered_as_a_few() -> None:
    scene = Scene()
    traitor = scene.traitor()
    for number in range(1, 151):
        traitor.post(Pulse(number * 7, 0, None, ()))
    scene.settle()
    for client in scene.clients:
        scene.check_memory(client)
    scene.check()
    for client in scene.clients:
        assert sum(e.count for e in client.events if isinstance(e, Missing)) == 150 * 7


def test_r34_delivered_counts_nobody_who_is_not_there_and_nothing_ahead_of_its_time() -> None:
    scene = Scene()
    traitor = scene.traitor()
    sender = scene.clients[0]

    def lie(upto: int) -> None:
        assert traitor.group is not None
        leaf = traitor.leaf(sender.room.tag)
        traitor.post(Pulse(0, 0, None, ((leaf, 1, upto), (leaf + 100, 1, upto))))
        scene.settle()

    # Before it is said: only what comes after that counts.
    lie(MAX_INT)
    scene.say(sender, "one")
    scene.wait(10)
    assert {(told.count, told.of) for told in scene.told(Delivered)} == {(1, 3), (2, 3)}
    lie(0)
    assert sender.room.outstanding == 1
    for _ in range(3):
        lie(MAX_INT)
        lie(0)
    assert sender.room.outstanding == 0
    told = [event for event in sender.events if isinstance(event, Delivered)]
    assert [(event.count, event.of) for event in told] == [(1, 3), (2, 3), (3, 3)]
    # It goes and comes under another key: no reader of that text.
    traitor.leave()
    scene.wait(5)
    again = scene.traitor()
    again.post(Pulse(0, 0, None, ((again.leaf(sender.room.tag), 1, MAX_INT),)))
    scene.check()
    assert all(event.count <= event.of <= 3 for event in scene.told(Delivered))


def test_r31_requests_to_be_told_again_cost_one_pulse_in_2_s() -> None:
    scene = Scene()
    traitor = scene.traitor()
    scene.wait(10)
    traitor.heard.clear()
    rows = rows_of_itself(traitor)
    assert scene.share(20, lambda: traitor.post(Pulse(0, 0, None, rows)), 0.25) == 1.0
    pulses = sum(isinstance(said, Pulse) for said in traitor.heard)
    assert pulses <= len(scene.clients) * (20 / 2 + 2)
    scene.check()
