"""Seats: who is away, and which ticket is good (R27)."""

from hypothesis import given
from hypothesis import strategies as st

from relay.seat import Seats
from relay.wire import Life, Tag

LIFE, OTHER = Life(b"l" * 8), Life(b"o" * 8)
A, B, C = Tag(1), Tag(2), Tag(3)


def seated(*tags: Tag) -> Seats:
    seats = Seats(60.0)
    for tag in tags:
        seats.take(tag, LIFE, 5)
    return seats


def test_seats_are_told_in_ascending_order() -> None:
    seats = seated(C, A, B)
    assert (seats.tags, seats.away, len(seats)) == ([A, B, C], [], 3)
    assert A in seats
    for tag in (C, B):
        assert seats.lost(tag, 0.0)
    assert seats.away == [B, C]
    assert seats.free(B)
    assert not seats.free(B)
    assert B not in seats
    assert (seats.tags, seats.away) == ([A, C], [C])


def test_r27_seat_is_away_for_sixty_seconds_from_the_loss() -> None:
    seats = seated(A, B)
    assert seats.deadline() is None
    assert seats.lost(A, 0.0)
    assert not seats.lost(A, 5.0), "it is away already"
    assert not seats.lost(C, 5.0)
    assert seats.lost(B, 10.0)
    assert seats.deadline() == 60.0
    assert seats.back(A)
    assert not seats.back(A)
    assert seats.deadline() == 70.0
    seats.lost(A, 20.0)
    assert seats.overdue(69.9) == []
    assert seats.overdue(70.0) == [B]
    assert seats.overdue(80.0) == [B, A]


def test_r27_ticket_opens_the_next_generation() -> None:
    seats = seated(A)
    assert seats.resume(A, LIFE, 1)
    assert seats.generation(A) == 2
    seats.confirm(A)
    assert not seats.resume(A, LIFE, 1)
    assert seats.resume(A, LIFE, 2)
    assert seats.generation(A) == 3


def test_r27_ticket_stays_good_until_the_first_message() -> None:
    seats = seated(A)
    assert seats.resume(A, LIFE, 1)
    assert seats.resume(A, LIFE, 1), "its answer may have been lost"
    assert seats.generation(A) == 2
    assert seats.resume(A, LIFE, 2), "or not"
    assert seats.generation(A) == 3
    assert not seats.resume(A, LIFE, 1), "whoever has the next one needs it no more"
    assert seats.resume(A, LIFE, 2)


def test_r27_other_tickets_are_worth_nothing() -> None:
    seats = seated(A)
    assert not seats.resume(A, LIFE, 0)
    assert not seats.resume(A, LIFE, 2)
    assert not seats.resume(A, OTHER, 1)
    assert not seats.resume(B, LIFE, 1)
    seats.free(A)
    assert not seats.resume(A, LIFE, 1)


def test_r28_restored_seat_takes_the_former_ticket_until_the_first_message() -> None:
    seats = seated()
    seats.restore(A, LIFE, 7, OTHER, 4)
    assert (seats.generation(A), seats.since(A)) == (1, 7)
    assert seats.resume(A, OTHER, 4)
    assert not seats.resume(A, OTHER, 5)
    assert seats.generation(A) == 1
    seats.confirm(A)
    assert not seats.resume(A, OTHER, 4)
    assert seats.resume(A, LIFE, 1)


def test_nothing_of_before_is_replayed() -> None:
    seats = seated(A)
    seats.restore(B, LIFE, 9, OTHER, 1)
    assert (seats.since(A), seats.since(B)) == (5, 9)
    seats.cut_off(12)
    assert seats.since(A) == seats.since(B) == 12


def test_luggage_stays_with_the_seat() -> None:
    seats = seated(A)
    assert seats.luggage(A) is None
    seats.keep(A, "buckets")
    seats.resume(A, LIFE, 1)
    assert seats.luggage(A) == "buckets"
    seats.free(A)
    seats.take(A, LIFE, 8)
    assert seats.luggage(A) is None


@given(st.lists(st.one_of(st.just("confirm"), st.integers(0, 5)), max_size=30))
def test_r27_one_who_was_superseded_and_confirmed_never_comes_back(
    script: list[str | int],
) -> None:
    """Any script of tickets, by how many are behind the newest: a naive list of the good ones."""
    seats = seated(A)
    newest, good = 1, {1}
    for step in script:
        if isinstance(step, str):
            seats.confirm(A)
            good = {newest}
            continue
        generation = newest - step
        is_taken = seats.resume(A, LIFE, generation)
        assert is_taken is (generation in good)
        if is_taken and generation == newest:
            newest += 1
            good = {newest - 1, newest}
        assert seats.generation(A) == newest
        assert not any(seats.resume(B, LIFE, n) for n in range(3))
