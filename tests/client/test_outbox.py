"""What waits to be ordered: order, retries, pace (R16, R22, R24, R30)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.errors import LimitError
from client.outbox import GRACE_S, MAX_PENDING, WINDOW, Budget, Outbox, Pending

references = itertools.count()


def pending(text: str | None = "x", *, strict: bool = False, at: float = 0.0) -> Pending:
    return Pending(next(references).to_bytes(8, "big"), text, None, at, strict)


def filled(count: int) -> tuple[Outbox, list[Pending]]:
    outbox = Outbox()
    all_ = [pending(str(number)) for number in range(count)]
    for one in all_:
        outbox.add(one)
    return outbox, all_


def send_all(outbox: Outbox, fence: int, now: float = 0.0) -> list[Pending]:
    sent = []
    while (one := outbox.next(now)) is not None:
        outbox.sent(one, fence, 0.0)
        sent.append(one)
    return sent


def test_oldest_goes_first_and_no_more_than_the_window_at_once() -> None:
    outbox, all_ = filled(WINDOW + 3)
    assert send_all(outbox, 1) == all_[:WINDOW]
    assert outbox.deadline(0.0) is None
    outbox.accepted(all_[0].reference)
    assert send_all(outbox, 1) == [all_[WINDOW]]
    assert len(outbox) == WINDOW + 2


def test_r30_counters_are_given_at_the_first_try_and_kept() -> None:
    outbox, all_ = filled(3)
    assert [one.counter for one in all_] == [None] * 3
    send_all(outbox, 1)
    outbox.fence_moved()
    send_all(outbox, 2)
    assert [one.counter for one in all_] == [1, 2, 3]
    assert [one.tries for one in all_] == [2, 2, 2]


def test_r30_base_is_what_is_ordered_without_a_hole() -> None:
    outbox, (one, two, three) = filled(3)
    assert outbox.base == 0
    send_all(outbox, 1)
    outbox.accepted(two.reference)
    assert outbox.base == 0
    outbox.accepted(one.reference)
    assert outbox.base == 2
    outbox.accepted(three.reference)
    assert outbox.base == 3
    assert outbox.accepted(three.reference) is None


def test_refused_one_goes_again_before_what_is_behind_it() -> None:
    outbox, (one, two, _three) = filled(3)
    send_all(outbox, 1)
    outbox.refused(one.reference, 2.0)
    assert outbox.next(1.9) is None
    assert outbox.deadline(1.0) == 2.0
    assert outbox.next(2.0) is one
    outbox.refused(two.reference, 1.0)
    assert outbox._not_before == 2.0


def test_r22_late_stale_answer_of_an_older_try_changes_nothing() -> None:
    outbox, (one,) = filled(1)
    send_all(outbox, 1)
    outbox.fence_moved()
    send_all(outbox, 2)
    outbox.stale(one.reference, 2)
    assert one.fence == 2
    outbox.stale(one.reference, 3)
    assert one.fence is None
    outbox.stale(one.reference, 4)
    outbox.stale(b"unknown!", 4)
    assert one.fence is None


def test_lost_connection_tries_everything_again_under_its_reference() -> None:
    outbox, all_ = filled(2)
    send_all(outbox, 1)
    outbox.refused(all_[0].reference, 100.0)
    outbox.lost()
    assert [one.tries for one in all_] == [0, 0]
    assert send_all(outbox, 9) == all_


def test_given_up_before_a_try_it_is_gone_and_after_one_a_void_takes_its_counter() -> None:
    outbox, (one, two) = filled(2)
    outbox.give_up(two)
    assert len(outbox) == 1
    send_all(outbox, 1)
    outbox.give_up(one)
    assert one.is_void
    assert outbox.next(0.0) is one
    assert outbox.sent(one, 2, 0.0) == 1


def test_r24_strict_message_is_held_if_somebody_came_and_it_is_old() -> None:
    outbox = Outbox()
    strict, loose = pending(strict=True, at=0.0), pending(at=0.0)
    outbox.add(strict)
    outbox.add(loose)
    assert not strict.must_hold(10.0)
    outbox.newcomer()
    assert not strict.must_hold(GRACE_S - 0.1)
    assert strict.must_hold(GRACE_S)
    assert not loose.must_hold(10.0)


def test_queue_is_bounded_and_can_be_cleared() -> None:
    outbox, _ = filled(MAX_PENDING)
    with pytest.raises(LimitError):
        outbox.add(pending())
    outbox.clear()
    assert len(outbox) == 0
    assert outbox.deadline(0.0) is None


def test_budget_gives_what_the_relay_allows() -> None:
    budget = Budget(rate=2.0, burst=3, tokens=3.0, at=0.0)
    steps = [
        (0.0, True, "burst"),
        (0.0, True, "burst"),
        (0.0, True, "burst"),
        (0.0, False, "empty"),
        (0.4, False, "not a whole token yet"),
        (0.5, True, "one came back"),
        (0.5, False, "empty again"),
        (100.0, True, "full again"),
        (100.0, True, "but not above"),
        (100.0, True, "the burst"),
        (100.0, False, "empty"),
    ]
    for now, allowed, why in steps:
        assert budget.take(now) is allowed, why
    assert budget.ready_at(100.0) == 100.5
    assert budget.ready_at(101.0) == 101.0
    free = Budget(rate=0.0)
    assert all(free.take(0.0) for _ in range(100))
    assert free.ready_at(7.0) == 7.0


def test_deadline_is_when_a_token_comes() -> None:
    outbox, _ = filled(2)
    outbox.budget = Budget(rate=1.0, burst=1, tokens=1.0, at=0.0)
    send_all(outbox, 1)
    assert outbox.deadline(0.0) == 1.0


@given(st.lists(st.sampled_from(["send", "accept", "commit", "late", "lose"]), max_size=60))
def test_what_is_ordered_is_ordered_in_the_order_of_saying(script: list[str]) -> None:
    """The relay's rules in three lines: accept at its fence only, in the order of arrival."""
    outbox, all_ = filled(6)
    fence, wire, log = 1, [], []
    for step in script + ["send", "accept"] * 10:
        if step == "send":
            wire += [(one, fence) for one in send_all(outbox, fence)]
        elif step == "accept" and wire:
            one, at = wire.pop(0)
            if at == fence and one not in log:
                log.append(one)
                outbox.accepted(one.reference)
            elif one in log:
                outbox.accepted(one.reference)
            else:
                outbox.stale(one.reference, fence)
        elif step == "commit":
            fence += 1
            outbox.fence_moved()
        elif step == "lose":
            wire.clear()
            outbox.lost()
    assert log == all_[: len(log)]
    assert [one.counter for one in log] == list(range(1, len(log) + 1))
