from relay.turn import TurnLimits, Turns
from relay.wire import Tag

LIMITS = TurnLimits(unjoined=5, turn_s=3.0, join_s=15.0)
A, B, C, D = Tag(1), Tag(2), Tag(3), Tag(4)


def filled(*tags: Tag) -> Turns:
    turns = Turns(LIMITS)
    for tag in tags:
        turns.enter(tag)
    return turns


def test_two_at_a_time_in_the_order_of_arrival() -> None:
    turns = filled(A, B, C, D)
    assert turns.grant(0.0) == [A, B]
    assert turns.grant(0.0) == []
    assert turns.tags == [A, B, C, D]
    turns.leave(A)
    assert A not in turns
    assert turns.grant(1.0) == [C]
    assert len(turns) == 3


def test_full_queue() -> None:
    turns = filled(A, B, C, D)
    assert not turns.is_full
    turns.enter(Tag(5))
    assert turns.is_full


def test_turn_ends_after_three_seconds_only_while_others_wait() -> None:
    turns = filled(A, B)
    turns.grant(0.0)
    assert turns.expire(10.0) == []
    assert turns.tags == [A, B]
    turns.enter(C)
    assert turns.deadline() == 3.0
    assert turns.expire(10.0) == []
    assert turns.grant(10.0) == [C, A]
    assert turns.tags == [C, A, B]
    assert turns.has_had(B)


def test_turn_is_not_cut_short() -> None:
    turns = filled(A, B, C)
    turns.grant(0.0)
    turns.expire(2.9)
    assert turns.grant(2.9) == []


def test_late_joiner_is_dropped_wherever_it_stands() -> None:
    turns = filled(A, B, C)
    assert turns.deadline() is None
    turns.grant(0.0)
    turns.leave(B)
    turns.expire(3.0)
    assert turns.grant(3.0) == [C, A]
    assert turns.deadline() == 15.0
    assert turns.expire(15.0) == [A]
    assert turns.deadline() == 18.0
    assert turns.expire(18.0) == [C]
    assert len(turns) == 0


def test_lost_race_counts_anew() -> None:
    turns = filled(A)
    turns.lost_race(A, 0.0)
    turns.grant(0.0)
    turns.lost_race(A, 10.0)
    assert turns.expire(24.9) == []
    assert turns.expire(25.0) == [A]


def test_who_never_had_a_turn_cannot_have_a_commit_under_way() -> None:
    turns = filled(A, B, C)
    turns.grant(0.0)
    assert turns.has_had(A)
    assert not turns.has_had(C)
    assert not turns.has_had(D)


def test_info_is_due_once_per_turn_and_fence() -> None:
    turns = filled(A, B, C)
    turns.grant(0.0)
    assert turns.must_inform(A, 4)
    assert not turns.must_inform(A, 4)
    assert turns.must_inform(A, 5)
    assert not turns.must_inform(C, 4)
    turns.expire(3.0)
    turns.grant(3.0)
    turns.leave(C)
    turns.grant(4.0)
    assert turns.must_inform(A, 5)


def test_restart_counts_everything_anew() -> None:
    turns = filled(A, B, C)
    turns.grant(0.0)
    turns.must_inform(A, 0)
    turns.restart(10.0)
    assert turns.must_inform(A, 0)
    assert turns.expire(12.9) == []
    assert turns.grant(12.9) == []
    turns.leave(C)
    assert turns.expire(24.9) == []
    assert turns.expire(25.0) == [A, B]
