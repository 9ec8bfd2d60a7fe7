"""What is missed, asked for and given up (R32, R33); answers are in test_repair.py."""

from itertools import pairwise

from client.comings import EXPECTED_S
from client.content import Ask, Pulse, Text
from client.event import Message, Missing
from client.kept import KEEP_S
from client.ledger import HOLD_S, MAX_ASKS
from client.upkeep import ASK_DELAY_S, ASK_S
from tests.client.overheard import (
    come_back,
    cut_off,
    lose,
    only,
    overhear,
    quiet,
    receipts,
)
from tests.client.test_resume import restart
from tests.client.test_talk import say


def test_r33_rumour_of_what_is_not_there_shows_nothing() -> None:
    stage, (one, two, three) = quiet(3)
    said = overhear(stage, two)
    say(stage, three, Pulse(0, 0, None, ((0, 1, 5), (9, 1, 5))))
    stage.wait(60)
    asked = only(Ask, said)
    assert 1 <= len(asked) <= MAX_ASKS
    assert {one for _, one in asked} == {Ask(0, 0, ((0, 1, 5),))}
    assert not any(isinstance(e, Missing) for e in two.events)
    stage.say(one, "the first after all")
    stage.settle()
    assert two.texts == ["the first after all"]


def test_r32_asks_are_paced_and_end_after_the_third() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, two)
    stage.say(one, "a")
    lose(two)
    # Whoever said it has it no more.
    stage.settle()
    one.room._talk.kept.clear()
    start = stage.now
    stage.say(one, "b")
    stage.wait(HOLD_S - 0.1)
    times = [at for at, _ in only(Ask, said)]
    assert {one for _, one in only(Ask, said)} == {Ask(0, 0, ((0, 1, 1),))}
    assert len(times) == MAX_ASKS
    assert start <= times[0] <= start + ASK_DELAY_S
    assert [b - a for a, b in pairwise(times)] == [ASK_S, ASK_S]


def test_r32_hole_that_was_just_asked_about_waits_for_the_next_turn() -> None:
    stage, (one, two, three) = quiet(3)
    said = overhear(stage, two)
    for client in (one, three):
        stage.say(client, "lost")
        lose(two)
        stage.settle()
        client.room._talk.kept.clear()
        stage.say(client, "shows the hole")
        stage.wait(ASK_DELAY_S)
    asked = only(Ask, said)
    assert [one for _, one in asked] == [Ask(0, 0, ((0, 1, 1),))]
    stage.wait(ASK_S)
    asked = only(Ask, said)
    assert [one for _, one in asked][1:] == [Ask(0, 0, ((0, 1, 1), (2, 1, 1)))]
    assert asked[1][0] - asked[0][0] == ASK_S


def test_r32_whoever_is_away_is_asked_when_back() -> None:
    stage, (one, two, three) = quiet(3)
    said = overhear(stage, two)
    stage.say(one, "a")
    lose(two)
    stage.settle()
    cut_off(stage, one)
    # Another says to have it, so it is missed; nothing is held back behind it, so it waits.
    stage.wait(30)
    assert two.room._talk._ledger.wanted() != {}
    assert only(Ask, said) == []
    assert three.texts == ["a"]
    come_back(stage, one)
    stage.wait(1)
    assert len(only(Ask, said)) == 1
    assert two.texts == ["a"]


def test_r33_hole_is_given_up_after_ten_seconds() -> None:
    stage, (one, two) = quiet(2)
    stage.say(one, "a")
    lose(two)
    stage.settle()
    one.room._talk.kept.clear()
    stage.say(one, "b")
    stage.wait(HOLD_S - 0.1)
    assert two.texts == []
    stage.wait(0.2)
    shown = [e for e in two.events if isinstance(e, Message | Missing)]
    assert [getattr(e, "count", None) or getattr(e, "text", None) for e in shown] == [1, "b"]
    assert shown[1].late is True  # type: ignore[union-attr]


def test_r33_time_in_which_the_machine_slept_does_not_count() -> None:
    stage, (one, two) = quiet(2)
    stage.say(one, "a")
    lose(two)
    stage.settle()
    one.room._talk.kept.clear()
    stage.say(one, "b")
    stage.wait(HOLD_S / 2)
    # Nobody runs, the relay least of all; two's deadlines pass.
    stage.now += 100
    stage.wait(HOLD_S - 0.1)
    assert two.texts == []
    stage.wait(0.2)
    assert [e.count for e in two.events if isinstance(e, Missing)] == [1]
    assert two.texts == ["b"]


def test_r33_what_comes_behind_what_was_given_up_is_not_confirmed() -> None:
    stage, (one, two) = quiet(2)
    stage.say(one, "a")
    lose(two)
    stage.settle()
    one.room._talk.kept.clear()
    reference = stage.say(one, "b")
    stage.wait(HOLD_S + 60)
    assert two.texts == ["b"]
    assert receipts(one, reference) == []
    # Whoever says it forgets it, and nobody is asked for it any more.
    assert one.room.outstanding == 1
    stage.wait(KEEP_S)
    assert one.room.outstanding == 0


def test_r33_what_comes_while_a_commit_is_on_its_way_is_given_up_in_time() -> None:
    stage, (one, two) = quiet(2)
    say(stage, one, Text(2, 0, None, "b"))
    stage.wait(HOLD_S - 1)
    receive, stage.relay.receive = stage.relay.receive, lambda *_: None  # type: ignore[method-assign,misc]
    two.room._membership.duties.heal(stage.now)
    stage.wait(2)
    stage.relay.receive = receive  # type: ignore[method-assign]
    assert two.texts == ["b"]


def test_r33_hole_of_whoever_is_on_the_way_back_from_a_lost_log_waits() -> None:
    stage, (one, two) = quiet(2)
    say(stage, one, Pulse(1, 0, None, ()))
    restart(stage, keeps_key=False)
    come_back(stage, two)
    stage.wait(EXPECTED_S - 1)
    assert not any(isinstance(e, Missing) for e in two.events)
    stage.wait(HOLD_S)
    assert [e.count for e in two.events if isinstance(e, Missing)] == [1]


def test_r32_new_connection_is_no_reason_to_ask_sooner() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, two)
    stage.say(one, "a")
    lose(two)
    stage.settle()
    one.room._talk.kept.clear()
    stage.say(one, "b")
    stage.wait(ASK_DELAY_S)
    stage.cut(two)
    stage.wait(ASK_S)
    times = [at for at, _ in only(Ask, said)]
    assert [b - a for a, b in pairwise(times)] == [ASK_S]
