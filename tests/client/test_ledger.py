"""Counters, holes and order, against a naive model (R30, R33)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.ledger import (
    HOLD_S,
    LOST_S,
    MAX_ASKS,
    MAX_HELD,
    MAX_HOLD_S,
    MAX_REMEMBERED,
    MAX_SENDERS,
    MAX_WANTED,
    Gap,
    Ledger,
    Verdict,
)

KEY = b"key"


def take(ledger: Ledger[int], counter: int, base: int = 0, now: float = 0.0) -> Verdict[int]:
    return ledger.take(KEY, counter, base, b"%d" % counter, counter, now)


def nobody(_: bytes) -> bool:
    return False


def everybody(_: bytes) -> bool:
    return True


def test_in_order_each_is_shown_at_once() -> None:
    ledger: Ledger[int] = Ledger()
    assert [take(ledger, n).shown for n in (1, 2, 3)] == [(1,), (2,), (3,)]
    assert ledger.deadline(nobody) is None


def test_r30_newcomer_begins_at_the_base_of_what_it_first_gets() -> None:
    ledger: Ledger[int] = Ledger()
    assert take(ledger, 8, base=7) == Verdict((8,))
    assert take(ledger, 10, base=7).shown == ()
    assert take(ledger, 9, base=7).shown == (9, 10)


def test_r30_sender_that_was_seen_to_come_begins_at_one() -> None:
    ledger: Ledger[int] = Ledger()
    ledger.begin(KEY, 0)
    ledger.begin(KEY, 5)
    assert take(ledger, 2, base=1) == Verdict()
    assert ledger.expire(HOLD_S, nobody) == [(KEY, Verdict((Gap(1), 2)))]


def test_r33_hole_is_held_for_while_its_sender_mends() -> None:
    ledger: Ledger[int] = Ledger()
    ledger.mending(KEY, 0.0)
    take(ledger, 9)
    for moment in (8.0, 16.0, 24.0):
        ledger.mending(KEY, moment)
        assert ledger.deadline(nobody) == min(moment + HOLD_S, MAX_HOLD_S)
        assert ledger.expire(moment + 1.9, nobody) == []
    assert ledger.expire(MAX_HOLD_S, nobody) == [(KEY, Verdict((Gap(8), 9)))]


def begin_late(ledger: Ledger[int], base: int) -> None:
    """Hear a sender first after having been away: it may have said something to us before."""
    ledger.begin(KEY, base, HOLD_S)


def early(ledger: Ledger[int], counter: int) -> Verdict[int]:
    return ledger.repaired(KEY, counter, b"%d" % counter, counter, 1.0)


def test_r33_what_was_said_while_we_were_away_comes_before_what_is_said_now() -> None:
    ledger: Ledger[int] = Ledger()
    begin_late(ledger, 3)
    assert take(ledger, 4, base=3).shown == ()
    assert take(ledger, 5, base=3).shown == ()
    assert ledger.received(KEY, 0.0) == (4, 3), "its sender learns from where we count"
    assert ledger.wanted() == {KEY: [1, 2, 3]}, "and is asked, who knows what of it is ours"
    ledger.asked(KEY, 1, 2)
    ledger.asked(KEY, 1, 2)
    ledger.asked(KEY, 1, 2)
    assert ledger.wanted() == {KEY: [3]}
    assert [early(ledger, n).shown for n in (3, 1)] == [(), ()]
    assert early(ledger, 2).shown == (1, 2, 3, 4, 5)
    assert ledger.received(KEY, 0.0) == (1, 5)
    assert early(ledger, 2) == Verdict()
    assert take(ledger, 6, base=3).shown == (6,)
    assert ledger.deadline(nobody) is None


def test_r33_who_was_away_waits_ten_seconds_for_what_was_said_to_it() -> None:
    ledger: Ledger[int] = Ledger()
    begin_late(ledger, 3)
    early(ledger, 2)
    take(ledger, 5, base=3, now=2.0)
    take(ledger, 4, base=3, now=2.0)
    assert ledger.deadline(everybody) == HOLD_S
    assert ledger.expire(HOLD_S - 0.1, nobody) == []
    assert ledger.expire(HOLD_S, nobody) == [(KEY, Verdict((2, 4, 5)))]
    assert ledger.received(KEY, HOLD_S) == (4, 5)
    assert early(ledger, 3).shown == (Gap(1),), "it could only stand behind what is newer"


def test_r33_who_was_away_waits_while_the_sender_mends() -> None:
    ledger: Ledger[int] = Ledger()
    begin_late(ledger, 3)
    take(ledger, 4, base=3)
    ledger.mending(KEY, 9.0)
    assert ledger.deadline(nobody) == 9.0 + HOLD_S
    assert ledger.expire(HOLD_S + 5.0, nobody) == []
    assert [early(ledger, n).shown for n in (1, 2, 3)] == [(), (), (1, 2, 3, 4)]


def test_r33_hole_of_one_that_is_waited_for_is_told_in_its_place() -> None:
    ledger: Ledger[int] = Ledger()
    begin_late(ledger, 1)
    take(ledger, 4, base=1)
    early(ledger, 1)
    assert ledger.expire(HOLD_S, nobody) == [(KEY, Verdict((Gap(2), 4)))]


def test_r33_time_without_a_seat_does_not_count_for_who_was_away() -> None:
    ledger: Ledger[int] = Ledger()
    begin_late(ledger, 3)
    take(ledger, 4, base=3)
    ledger.resume(5.0)
    assert ledger.deadline(nobody) == 5.0 + HOLD_S
    assert ledger.expire(HOLD_S, nobody) == []


@pytest.mark.parametrize("key", [KEY, None])
def test_r32_answers_that_a_connection_took_along_are_asked_for_again(key: bytes | None) -> None:
    ledger: Ledger[int] = Ledger()
    take(ledger, 3, base=0)
    for _ in range(3):
        ledger.asked(KEY, 1, 2)
    assert ledger.wanted() == {}
    ledger.resume(5.0, b"somebody else")
    assert ledger.wanted() == {}
    ledger.resume(5.0, key)
    assert ledger.wanted() == {KEY: [1, 2]}


def test_r33_sender_that_begins_with_us_is_not_waited_for() -> None:
    ledger: Ledger[int] = Ledger()
    begin_late(ledger, 0)
    assert take(ledger, 1).shown == (1,)


def test_r33_waiting_holds_back_no_more_than_any_hole() -> None:
    ledger: Ledger[int] = Ledger()
    begin_late(ledger, 1)
    shown = [take(ledger, n, base=1).shown for n in range(2, MAX_HELD + 3)]
    assert shown[:-1] == [()] * MAX_HELD
    assert shown[-1] == tuple(range(2, MAX_HELD + 3))
    begin_late(other := Ledger[int](), 1000)
    shown = [early(other, n).shown for n in range(1, MAX_HELD + 2)]
    assert shown[-1] == tuple(range(1, MAX_HELD + 2))


def test_r33_hole_is_given_up_after_ten_seconds_and_counted() -> None:
    ledger: Ledger[int] = Ledger()
    take(ledger, 1)
    take(ledger, 4, now=1.0)
    take(ledger, 6, now=2.0)
    assert ledger.deadline(nobody) == 1.0 + HOLD_S
    assert ledger.expire(10.9, nobody) == []
    assert ledger.expire(11.0, nobody) == [(KEY, Verdict((Gap(2), 4)))]
    assert ledger.deadline(nobody) == 2.0 + HOLD_S
    assert ledger.expire(12.0, nobody) == [(KEY, Verdict((Gap(1), 6)))]
    assert ledger.deadline(nobody) is None
    assert take(ledger, 2) == Verdict()


def test_r33_several_holes_that_are_due_stand_each_in_its_place() -> None:
    ledger: Ledger[int] = Ledger()
    take(ledger, 1)
    for counter in (3, 6, 7):
        take(ledger, counter)
    ledger.attest(KEY, 9, 0, 0.0)
    shown = (Gap(1), 3, Gap(2), 6, 7, Gap(2))
    assert ledger.expire(HOLD_S, nobody) == [(KEY, Verdict(shown))]


def test_r31_sender_that_counted_on_makes_a_hole_and_one_that_did_not_makes_none() -> None:
    ledger: Ledger[int] = Ledger()
    ledger.attest(KEY, 4, 2, 0.0)
    assert ledger.received(KEY, 0.0) == (3, 2)
    assert ledger.wanted() == {KEY: [3, 4]}
    take(ledger, 3)
    take(ledger, 4)
    ledger.attest(KEY, 4, 2, 5.0)
    assert ledger.wanted() == {}
    assert ledger.deadline(nobody) is None


def test_r33_hole_of_who_is_away_waits_unless_something_is_held_behind_it() -> None:
    ledger: Ledger[int] = Ledger()
    take(ledger, 1)
    ledger.attest(KEY, 2, 0, 0.0)
    assert ledger.deadline(everybody) is None
    assert ledger.expire(HOLD_S, everybody) == []
    take(ledger, 3)
    assert ledger.deadline(everybody) == HOLD_S
    assert ledger.expire(HOLD_S, everybody) == [(KEY, Verdict((Gap(1), 3)))]


def test_r33_time_without_a_seat_does_not_count() -> None:
    ledger: Ledger[int] = Ledger()
    take(ledger, 2)
    ledger.take(b"other", 2, 0, b"", 2, 0.0)
    ledger.resume(50.0, KEY)
    assert ledger.deadline(nobody) == HOLD_S
    ledger.resume(50.0)
    assert ledger.deadline(nobody) == 50.0 + HOLD_S


def test_r32_what_was_asked_three_times_is_not_asked_again() -> None:
    ledger: Ledger[int] = Ledger()
    take(ledger, 2)
    for _ in range(MAX_ASKS):
        assert ledger.wants(KEY)
        ledger.asked(KEY, 1, 1)
    assert not ledger.wants(KEY)
    assert not ledger.wants(b"nobody")
    take(ledger, 4)
    assert ledger.wanted() == {KEY: [3]}
    take(ledger, 1)
    assert ledger.wanted() == {KEY: [3]}


def test_r32_only_the_next_ones_are_asked_for() -> None:
    ledger: Ledger[int] = Ledger()
    ledger.attest(KEY, 10**12, 0, 0.0)
    assert ledger.wanted() == {KEY: list(range(1, MAX_WANTED + 1))}
    assert ledger.repaired(KEY, MAX_WANTED + 1, b"", 0, 0.0) == Verdict()
    assert ledger.repaired(b"nobody", 1, b"", 0, 0.0) == Verdict()
    assert ledger.repaired(KEY, 1, b"1", 1, 0.0) == Verdict((1,))


def test_r31_rumour_is_asked_for_and_proves_nothing() -> None:
    ledger: Ledger[int] = Ledger()
    ledger.rumour(b"nobody", 5)
    take(ledger, 1)
    ledger.rumour(KEY, 3)
    ledger.rumour(KEY, 2)
    assert ledger.wanted() == {KEY: [2, 3]}
    assert ledger.deadline(nobody) is None
    for _ in range(MAX_ASKS):
        ledger.asked(KEY, 2, 3)
    assert not ledger.wants(KEY)
    # Once the sender itself says that it exists, it is worth asking for again.
    ledger.attest(KEY, 2, 0, 1.0)
    assert ledger.wanted() == {KEY: [2]}


def test_r33_nothing_behind_a_lost_one_is_confirmed_for_a_while() -> None:
    ledger: Ledger[int] = Ledger()
    assert ledger.received(KEY, 0.0) is None
    take(ledger, 1)
    take(ledger, 3)
    ledger.expire(HOLD_S, nobody)
    assert ledger.received(KEY, HOLD_S) == (1, 1)
    take(ledger, 5, now=50.0)
    ledger.expire(60.0, nobody)
    assert ledger.received(KEY, 61.0) == (1, 1)
    assert ledger.received(KEY, 60.0 + LOST_S) == (1, 5)
    take(ledger, 7, now=300.0)
    ledger.expire(310.0, nobody)
    assert ledger.received(KEY, 310.0) == (1, 5)


def test_r30_duplicates_and_equivocation() -> None:
    ledger: Ledger[int] = Ledger()
    take(ledger, 1)
    assert take(ledger, 1) == Verdict()
    assert ledger.take(KEY, 1, 0, b"other", 9, 0.0) == Verdict(equivocation=True)
    assert ledger.take(KEY, 1, 0, b"", 9, 0.0) == Verdict()
    take(ledger, 3)
    assert ledger.take(KEY, 3, 0, b"other", 9, 0.0) == Verdict(equivocation=True)


def test_memory_is_bounded() -> None:
    ledger: Ledger[int] = Ledger()
    take(ledger, 1)
    shown = [take(ledger, n) for n in range(3, 3 + MAX_HELD + 1)]
    assert shown[-1].shown == (Gap(1), *range(3, 3 + MAX_HELD + 1))
    (sender,) = ledger._senders.values()
    assert len(sender.digests) == MAX_REMEMBERED
    for number in range(MAX_SENDERS + 10):
        ledger.take(b"%d" % number, 1, 0, b"", 1, 0.0)
    assert len(ledger._senders) == MAX_SENDERS
    for number in range(2, 200):
        ledger.attest(b"5", number, 0, float(number))
    assert len(ledger._senders[b"5"].horizons) == MAX_HELD
    assert ledger._senders[b"5"].horizons[0][1] == 2.0
    ledger.clear()
    assert ledger.received(b"5", 0.0) is None


@given(st.permutations(range(1, 13)), st.sets(st.integers(1, 12)), st.booleans())
def test_r34_any_order_with_losses_is_shown_in_order_once(
    order: list[int], lost: set[int], twice: bool
) -> None:
    ledger: Ledger[int] = Ledger()
    ledger.begin(KEY, 0)
    shown: list[int] = []
    missing = 0

    def show(verdict: Verdict[int]) -> None:
        nonlocal missing
        for item in verdict.shown:
            if isinstance(item, Gap):
                missing += item.count
            else:
                shown.append(item)

    for counter in order:
        if counter not in lost:
            show(take(ledger, counter))
            if twice:
                assert take(ledger, counter) == Verdict()
    now = 0.0
    while (deadline := ledger.deadline(nobody)) is not None:
        now = deadline
        for _, verdict in ledger.expire(now, nobody):
            show(verdict)
    arrived = sorted(set(range(1, 13)) - lost)
    assert shown == arrived
    assert missing == len([n for n in lost if arrived and n < arrived[-1]])


def test_r34_what_was_said_before_we_heard_its_sender_is_shown_in_order_or_missed() -> None:
    ledger: Ledger[int] = Ledger()
    ledger.attest(KEY, 3, 3, 0.0)
    assert ledger.received(KEY, 0.0) == (4, 3)
    for counter in (1, 2):
        assert ledger.repaired(KEY, counter, b"%d" % counter, counter, 0.0).shown == (counter,)
    assert ledger.received(KEY, 0.0) == (4, 3)
    assert take(ledger, 4, base=3).shown == (4,)
    assert ledger.repaired(KEY, 3, b"3", 3, 0.0).shown == (Gap(1),)
    assert ledger.received(KEY, 0.0) == (4, 4)
    assert ledger.repaired(KEY, 3, b"3", 3, 0.0) == Verdict()
