"""When a pulse is due (R14, R31)."""

from client.pulse import (
    ANSWERING,
    CONFIRM_S,
    GREETING_S,
    HEARTBEAT_S,
    PROBE_S,
    RANK_S,
    RECEIPT_S,
    Pulse,
)

A, B, C = b"a", b"b", b"c"


def is_due(clock: Pulse, now: float) -> bool:
    return clock.is_due(now, awaited=False)


def test_nothing_is_due_at_first() -> None:
    assert Pulse().deadline() is None
    assert not is_due(Pulse(), 1e9)


def test_r31_one_receipt_answers_all_of_two_seconds() -> None:
    clock = Pulse()
    clock.came(10.0, 2, 0.9)
    clock.came(11.0, 2, 0.9)
    assert clock.deadline() == 10.0 + RECEIPT_S
    assert not is_due(clock, 11.9)
    assert is_due(clock, 12.0)
    assert not clock.took()
    assert clock.deadline() is None


def test_r31_in_a_crowd_some_answer_each_drawn_once_in_two_seconds() -> None:
    leaves = 4 * ANSWERING
    clock = Pulse()
    clock.came(0.0, leaves, 0.25)
    assert clock.deadline() is None
    clock.came(1.9, leaves, 0.0)
    assert clock.deadline() is None
    clock.came(2.0, leaves, 0.24)
    assert clock.deadline() == 2.0 + RECEIPT_S
    small = Pulse()
    small.came(0.0, ANSWERING, 0.999)
    assert small.deadline() == RECEIPT_S


def test_r31_receipt_that_is_due_is_not_put_off_by_what_comes_later() -> None:
    clock = Pulse()
    clock.came(0.0, 2, 0.0)
    clock.came(5.0, 2, 0.0)
    assert clock.deadline() == RECEIPT_S


def test_r31_heartbeat_counts_from_the_last_frame_and_is_spread() -> None:
    clock = Pulse()
    low, high = HEARTBEAT_S
    clock.sent(0.0, 0.0)
    assert clock.deadline() == low
    clock.sent(7.0, 0.5)
    assert clock.deadline() == 7.0 + (low + high) / 2
    assert not is_due(clock, 66.9)
    assert is_due(clock, 67.0)


def test_r14_confirmation_waits_for_its_rank_and_for_nobody_who_comes_later() -> None:
    clock = Pulse()
    clock.joined(A, 0.0, 2)
    assert clock.deadline() == CONFIRM_S + 2 * RANK_S
    clock.joined(B, 1.0, 0)
    assert clock.deadline() == CONFIRM_S + 2 * RANK_S
    assert is_due(clock, 1.1)


def test_r14_whoever_stands_by_is_quiet_once_another_spoke_but_not_a_newcomer() -> None:
    clock = Pulse()
    clock.joined(A, 0.0, 1)
    clock.joined(B, 0.0, 1)
    clock.heard(A)
    clock.heard(B)
    assert clock.deadline() == CONFIRM_S + RANK_S
    clock.heard(C)
    assert clock.deadline() is None
    # Those two count as being here from then on.
    clock.joined(C, 5.0, 0)
    clock.heard(A)
    assert clock.deadline() is None


def test_r14_pulse_that_went_out_has_confirmed_all_newcomers() -> None:
    clock = Pulse()
    clock.joined(A, 0.0, 0)
    assert is_due(clock, CONFIRM_S)
    clock.took()
    clock.joined(B, 1.0, 0)
    clock.heard(A)
    assert clock.deadline() is None


def test_r14_greeting_makes_what_is_due_earlier_and_never_later() -> None:
    clock = Pulse()
    clock.greet(0.0, 0.5)
    assert clock.deadline() == GREETING_S / 2
    clock.greet(1.0, 0.9)
    assert clock.deadline() == GREETING_S / 2
    clock.greet(1.0, 0.0)
    assert clock.deadline() == 1.0


def test_r31_probe_is_due_once_after_the_last_content_that_not_all_confirmed() -> None:
    clock = Pulse()
    clock.said(0.0)
    clock.said(3.0)
    assert clock.deadline() == 3.0 + PROBE_S
    assert not clock.is_due(7.9, awaited=True)
    assert clock.is_due(8.0, awaited=True)
    assert clock.took()
    assert clock.deadline() is None
    assert not clock.took()


def test_r31_nobody_is_probed_where_all_have_confirmed() -> None:
    clock = Pulse()
    clock.said(0.0)
    assert not clock.is_due(PROBE_S, awaited=False)
    assert not clock.is_due(PROBE_S + 1, awaited=True)
    assert clock.deadline() is None


def test_r31_pulse_that_came_to_nothing_is_due_still_and_probes_still() -> None:
    clock = Pulse()
    clock.again(4.0, probes=True)
    clock.again(5.0, probes=False)
    assert is_due(clock, 5.0)
    assert clock.took()
    clock.again(6.0, probes=False)
    assert clock.deadline() == 6.0
    assert not clock.took()
