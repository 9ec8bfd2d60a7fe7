"""Counters, holes and order, against a naive model (R30, R33)."""

from hypothesis import given
from hypothesis import strategies as st

from client.ledger import HOLD_S, MAX_HELD, MAX_REMEMBERED, MAX_SENDERS, Ledger, Verdict

KEY = b"key"


def take(ledger: Ledger[int], counter: int, base: int = 0, now: float = 0.0) -> Verdict[int]:
    return ledger.take(KEY, counter, base, b"%d" % counter, counter, now)


def test_in_order_each_is_shown_at_once() -> None:
    ledger: Ledger[int] = Ledger()
    assert [take(ledger, n).items for n in (1, 2, 3)] == [(1,), (2,), (3,)]
    assert ledger.deadline() is None


def test_r30_newcomer_begins_at_the_base_of_what_it_first_gets() -> None:
    ledger: Ledger[int] = Ledger()
    assert take(ledger, 8, base=7) == Verdict((8,))
    assert take(ledger, 10, base=7).items == ()
    assert take(ledger, 9, base=7).items == (9, 10)


def test_r30_sender_that_was_seen_to_come_begins_at_one() -> None:
    ledger: Ledger[int] = Ledger()
    ledger.begin(KEY, 0)
    ledger.begin(KEY, 5)
    assert take(ledger, 2, base=1) == Verdict((2,), missing=1)


def test_r33_hole_is_given_up_after_ten_seconds_and_counted() -> None:
    ledger: Ledger[int] = Ledger()
    take(ledger, 1)
    take(ledger, 4, now=1.0)
    take(ledger, 6, now=2.0)
    assert ledger.deadline() == 1.0 + HOLD_S
    assert ledger.expire(10.9) == []
    assert ledger.expire(11.0) == [(KEY, Verdict((4,), missing=2))]
    assert ledger.deadline() == 11.0 + HOLD_S
    assert ledger.expire(21.0) == [(KEY, Verdict((6,), missing=1))]
    assert take(ledger, 2) == Verdict()


def test_r33_what_is_older_than_the_epoch_is_not_waited_for() -> None:
    ledger: Ledger[int] = Ledger()
    take(ledger, 1)
    take(ledger, 3)
    assert take(ledger, 7, base=5) == Verdict((3,), missing=3)
    assert take(ledger, 6, base=5) == Verdict((6, 7))
    assert ledger.deadline() is None


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
    assert shown[-1].missing == 1
    assert shown[-1].items == tuple(range(3, 3 + MAX_HELD + 1))
    (sender,) = ledger._senders.values()
    assert len(sender.digests) == MAX_REMEMBERED
    for number in range(MAX_SENDERS + 10):
        ledger.take(b"%d" % number, 1, 0, b"", 1, 0.0)
    assert len(ledger._senders) == MAX_SENDERS


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
        missing += verdict.missing
        shown.extend(verdict.items)

    for counter in order:
        if counter not in lost:
            show(take(ledger, counter))
            if twice:
                assert take(ledger, counter) == Verdict()
    now = 0.0
    while (deadline := ledger.deadline()) is not None:
        now = deadline
        for _, verdict in ledger.expire(now):
            show(verdict)
    arrived = sorted(set(range(1, 13)) - lost)
    assert shown == arrived
    assert missing == len([n for n in lost if arrived and n < arrived[-1]])
