import pytest

from relay import pace
from relay.limits import Rate
from relay.pace import MAX_RETRY_S, RESERVED_S, WAITING_S, Pace
from relay.wire import Reference, Tag

A, B, C = Tag(1), Tag(2), Tag(3)
ONE, TWO = Reference(b"1" * 8), Reference(b"2" * 8)
RATE = Rate(per_s=4.0, burst=2)


def test_r22_commits_come_at_the_rooms_rate_after_a_burst() -> None:
    room = Pace(RATE)
    now = 10.0
    for _ in range(2):
        assert room.wait(A, now) == 0.0
        room.accepted(A, ONE, now)
    assert room.wait(A, now) == 0.25
    assert room.wait(A, now + 0.25) == 0.0


def test_r22_who_has_had_the_fewest_goes_first() -> None:
    room = Pace(RATE)
    room.accepted(A, ONE, 0.0)
    room.accepted(A, ONE, 0.0)
    assert room.wait(B, 0.0) == 0.25
    assert room.wait(A, 0.3) == MAX_RETRY_S
    assert room.wait(B, 0.3) == 0.0
    room.accepted(B, TWO, 0.3)
    assert room.wait(A, 0.6) == 0.0


def test_equals_that_lost_together_do_not_wait_for_each_other() -> None:
    room = Pace(RATE)
    room.stale(A, ONE, 0.0, is_commit=True)
    room.stale(B, TWO, 0.0, is_commit=True)
    assert room.wait(A, 0.0) == room.wait(B, 0.0) == 0.0


def test_r22_of_equals_whoever_waits_longest_goes_first() -> None:
    """Or a newcomer with a slow line loses every race of a crowd that comes at once."""
    room = Pace(RATE)
    room.stale(A, ONE, 0.0, is_commit=True)
    assert room.wait(B, 0.1) == pace.TIE_S
    assert room.wait(A, 0.1) == 0.0
    room.accepted(A, ONE, 0.1)
    assert room.wait(B, 0.12) == 0.0


def test_precedence_that_is_not_used_lapses_and_counts() -> None:
    room = Pace(RATE)
    room.accepted(A, ONE, 0.0)
    room.stale(B, ONE, 0.0, is_commit=True)
    room.stale(B, TWO, 1.4, is_commit=True)
    assert room.wait(A, 1.4) == pytest.approx(0.1)
    assert room.wait(A, WAITING_S) == 0.0
    room.stale(B, Reference(b"3" * 8), 1.6, is_commit=True)
    assert room.wait(A, 1.7) == 0.0, "one unused precedence each is fair"


def test_stale_post_gives_no_precedence() -> None:
    room = Pace(RATE)
    room.accepted(A, ONE, 0.0)
    room.stale(B, TWO, 0.0, is_commit=False)
    assert room.wait(A, 0.0) == 0.0


def test_r22_reference_stale_twice_reserves() -> None:
    room = Pace(RATE)
    room.stale(B, ONE, 0.0, is_commit=False)
    assert room.wait(A, 0.0) == 0.0
    room.stale(B, ONE, 0.1, is_commit=False)
    assert room.wait(A, 0.1) == MAX_RETRY_S
    assert room.wait(B, 0.1) == 0.0
    room.stale(A, TWO, 0.1, is_commit=False)
    room.stale(A, TWO, 0.1, is_commit=False)
    assert room.wait(B, 0.1) == 0.0, "one reservation at a time"
    room.ordered(B, TWO)
    assert room.wait(A, 0.2) > 0.0
    room.ordered(B, ONE)
    assert room.wait(A, 0.2) == 0.0


def test_reservation_lapses_and_cannot_be_had_again_at_once() -> None:
    room = Pace(Rate(0.0, 1))
    room.stale(B, ONE, 0.0, is_commit=False)
    room.stale(B, ONE, 0.0, is_commit=False)
    assert room.wait(A, 1.4) == pytest.approx(0.1)
    assert room.wait(A, RESERVED_S) == 0.0
    room.stale(B, ONE, 1.6, is_commit=False)
    assert room.wait(A, 1.6) == 0.0
    room.stale(B, ONE, 30.0, is_commit=False)
    assert room.wait(A, 30.0) > 0.0


def test_forgotten_session_holds_nothing() -> None:
    room = Pace(RATE)
    room.accepted(A, ONE, 0.0)
    room.stale(B, ONE, 0.0, is_commit=True)
    room.stale(B, ONE, 0.0, is_commit=True)
    room.forget(C)
    assert room.wait(A, 0.0) > 0.0
    room.forget(B)
    assert room.wait(A, 0.0) == 0.0


def test_stale_references_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MAX_STALE", 2)
    room = Pace(RATE)
    for n in range(3):
        room.stale(B, Reference(bytes((n,)) * 8), 0.0, is_commit=False)
    room.stale(B, Reference(bytes((0,)) * 8), 0.0, is_commit=False)
    assert room.wait(A, 0.0) == 0.0, "the first one was forgotten"
    room.stale(B, Reference(bytes((2,)) * 8), 0.0, is_commit=False)
    assert room.wait(A, 0.0) > 0.0
