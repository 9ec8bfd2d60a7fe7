"""Which tickets are taken, and which may restore a room (R27, R28)."""

import pytest

from relay.errors import AuthenticationError
from relay.returns import Returns
from relay.tickets import MARK_LIFETIME_S, Tickets
from relay.wire import Hello, Life, Resume, RoomId, Tag

KEY = bytes(range(32))
ROOM, OTHER = RoomId(b"r" * 16), RoomId(b"o" * 16)
LIFE, OTHER_LIFE = Life(b"l" * 8), Life(b"m" * 8)
# Wall time of the start; the relay's own time begins elsewhere.
START, NOW, RESTORE_S = 1_700_000_000.5, 100.0, 60.0


class World:
    def __init__(self, tickets: Tickets | None = None) -> None:
        self.wall = START
        self.tickets = tickets or Tickets(KEY)
        self.returns = Returns(self.tickets, lambda: self.wall, NOW + RESTORE_S)

    def resume(
        self,
        issued: float = START - 10,
        *,
        room: RoomId = ROOM,
        mark: str | None = None,
        life: Life = LIFE,
        marked: float | None = None,
    ) -> Resume:
        ticket = self.tickets.ticket(room, LIFE, Tag(1), 3, issued)
        if mark is None:
            mark = self.tickets.mark(room, life, 41, 9, issued if marked is None else marked)
        return Resume(Hello(ROOM, b"", b""), ticket, mark, 9)


def test_r28_ticket_of_before_the_start_may_restore_at_its_marks_fence() -> None:
    world = World()
    ticket, fence = world.returns.open(world.resume(), NOW)
    assert (ticket.life, ticket.tag, ticket.generation, fence) == (LIFE, 1, 3, 41)


def test_r28_restoring_is_over_after_a_while() -> None:
    world = World()
    assert world.returns.open(world.resume(), NOW + RESTORE_S - 0.1).fence == 41
    assert world.returns.open(world.resume(), NOW + RESTORE_S).fence is None


def test_r28_ticket_of_this_process_restores_nothing() -> None:
    world = World()
    assert world.returns.open(world.resume(START + 1), NOW).fence is None
    assert world.returns.open(world.resume(START), NOW).fence == 41, "of the start's own second"


def test_r28_log_that_is_lost_later_begins_it_anew() -> None:
    world = World()
    resume = world.resume(issued=START + 500)
    assert world.returns.open(resume, NOW + 600).fence is None
    world.returns.begin(START + 590, NOW + 660)
    assert world.returns.open(resume, NOW + 600).fence == 41
    assert world.returns.open(world.resume(issued=START + 595), NOW + 600).fence is None
    assert world.returns.open(resume, NOW + 660).fence is None


def test_r28_without_the_operators_key_nothing_is_restored() -> None:
    world = World(Tickets())
    assert world.returns.open(world.resume(), NOW).fence is None


def test_r28_mark_must_be_of_the_tickets_life_and_of_this_day() -> None:
    world = World()
    assert world.returns.open(world.resume(life=OTHER_LIFE), NOW).fence is None
    old = START - MARK_LIFETIME_S - 1
    assert world.returns.open(world.resume(marked=old), NOW).fence is None
    assert world.returns.open(world.resume(old, marked=START), NOW).fence == 41, "a long stay"


def test_r27_bad_mark_spoils_no_ticket() -> None:
    world = World()
    ticket, fence = world.returns.open(world.resume(mark="x"), NOW)
    assert (ticket.tag, fence) == (1, None)


def test_r27_bad_ticket_is_worth_nothing() -> None:
    world = World()
    for message in (world.resume(room=OTHER), Resume(Hello(ROOM, b"", b""), "x", "x", 1)):
        with pytest.raises(AuthenticationError):
            world.returns.open(message, NOW)
