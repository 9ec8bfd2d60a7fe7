"""What we said lately, who has it and who may have it again (R31, R32)."""

from client.kept import KEEP_S, MAX_KEPT, MAX_REPAIRS, Kept, Receipt

A, B, C = b"a", b"b", b"c"


def kept(*counters: int, is_text: bool = True, now: float = 0.0) -> Kept:
    """Contents for A and B, each ordered at ten times its counter."""
    new = Kept()
    for counter in counters:
        data = b"%d" % counter
        new.keep(counter, data, [A, B], ("life", 10 * counter), now, is_text=is_text)
    return new


def test_r31_each_confirmation_is_told_once_with_its_place() -> None:
    ours = kept(1, 2, 3)
    assert ours.confirmed(A, 1, 2) == [Receipt(1, "life", 10, 1, 2), Receipt(2, "life", 20, 1, 2)]
    assert ours.confirmed(A, 1, 2) == []
    assert ours.confirmed(B, 1, 1) == [Receipt(1, "life", 10, 2, 2)]
    assert ours.confirmed(A, 1, 10**9) == [Receipt(3, "life", 30, 1, 2)]


def test_r31_whoever_was_not_there_confirms_nothing() -> None:
    ours = kept(1)
    assert ours.confirmed(C, 1, 1) == []
    assert ours.left(C) == []
    assert ours.outstanding == 1


def test_r31_what_is_no_text_is_awaited_but_neither_told_nor_outstanding() -> None:
    ours = kept(1, is_text=False)
    assert (ours.is_awaited, ours.outstanding) == (True, 0)
    assert ours.confirmed(A, 1, 1) == ours.left(B) == []
    assert not ours.is_awaited


def test_r31_text_is_outstanding_until_everybody_has_it() -> None:
    ours = kept(1, 2)
    ours.confirmed(A, 1, 2)
    assert ours.outstanding == 2
    ours.confirmed(B, 1, 1)
    assert (ours.outstanding, ours.is_awaited) == (1, True)
    ours.confirmed(B, 1, 2)
    assert (ours.outstanding, ours.is_awaited) == (0, False)


def test_r31_whoever_leaves_unconfirmed_is_not_counted_any_more() -> None:
    ours = kept(1, 2)
    ours.confirmed(A, 1, 1)
    assert ours.left(A) == [Receipt(2, "life", 20, 0, 1)]
    assert ours.left(A) == []
    # It had the first one, and goes on to count there.
    assert ours.confirmed(B, 1, 1) == [Receipt(1, "life", 10, 2, 2)]


def test_r31_whoever_is_back_is_awaited_again() -> None:
    ours = kept(1)
    ours.left(A)
    ours.back(A)
    assert ours.confirmed(B, 1, 1) == [Receipt(1, "life", 10, 1, 2)]
    assert ours.is_awaited


def test_r31_confirmation_of_one_that_was_gone_counts_it_in() -> None:
    ours = kept(1)
    ours.left(A)
    assert ours.confirmed(A, 1, 1) == [Receipt(1, "life", 10, 1, 2)]


def test_r32_only_who_was_there_may_have_it_and_three_times() -> None:
    ours = kept(1)
    assert not ours.may_have(C, 1)
    assert not ours.may_have(A, 2)
    for _ in range(MAX_REPAIRS):
        assert ours.may_have(A, 1)
        ours.repaired(A, 1)
    assert not ours.may_have(A, 1)
    assert ours.may_have(B, 1)
    assert ours.content(1) == b"1"


def test_r32_repair_of_what_is_forgotten_is_not_counted() -> None:
    ours = kept(1)
    ours.repaired(A, 2)
    assert ours.may_have(A, 1)
    assert not ours.may_have(A, 2)


def test_r32_content_is_open_to_all_only_if_all_were_there() -> None:
    ours = kept(1)
    assert ours.is_open_to(frozenset([A, B]), 1)
    assert ours.is_open_to(frozenset([A]), 1)
    assert not ours.is_open_to(frozenset([A, C]), 1)
    assert not ours.is_open_to(frozenset([A]), 2)


def test_r18_no_more_are_kept_than_repair_reaches_back() -> None:
    ours = kept(*range(1, MAX_KEPT + 2))
    assert len(ours) == MAX_KEPT
    assert not ours.may_have(A, 1)
    assert ours.may_have(A, 2)


def test_r18_nothing_is_kept_longer_than_its_time() -> None:
    ours = kept(1)
    ours.keep(2, b"2", [A], ("life", 20), 5.0, is_text=True)
    assert ours.deadline() == KEEP_S
    ours.expire(KEEP_S - 0.1)
    assert len(ours) == 2
    ours.expire(KEEP_S)
    assert (len(ours), ours.deadline()) == (1, KEEP_S + 5.0)
    ours.clear()
    assert (len(ours), ours.deadline()) == (0, None)


def test_contents_are_not_shown_by_accident() -> None:
    ours = kept(1)
    assert "b'1'" not in repr(ours._contents)


def test_r34_whoever_counts_from_later_on_lacks_what_was_before() -> None:
    ours = kept(1, 2)
    assert ours.lacking(A, 3) == [1, 2]
    assert ours.lacking(C, 3) == []
    ours.confirmed(A, 2, 2)
    assert ours.lacking(A, 3) == [1]
    for _ in range(MAX_REPAIRS):
        ours.repaired(A, 1)
    assert ours.lacking(A, 3) == []
