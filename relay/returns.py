"""Which tickets this process takes: those of its own, and for a while those of before its start.

Knows the key, wall time through its caller, and the moment of the start (PROTOCOL 4.5, R28).
"""

from collections.abc import Callable
from typing import NamedTuple

from relay.errors import AuthenticationError
from relay.tickets import Ticket, Tickets
from relay.wire import Resume


class Shown(NamedTuple):
    """A ticket, and the fence that it may restore its room at, None if it may not."""

    ticket: Ticket
    fence: int | None


class Returns:
    """This process's part in it; ``restore_until`` is the relay's own time."""

    __slots__ = ("_restore_until", "_started", "_tickets", "_wall")

    def __init__(self, tickets: Tickets, wall: Callable[[], float], restore_until: float) -> None:
        self._tickets = tickets
        self._wall = wall
        self._started = wall()
        self._restore_until = restore_until

    def open(self, message: Resume, now: float) -> Shown:
        """Open what a resume shows; raise AuthenticationError, whatever is wrong with the ticket.

        A mark matters only where a room may be restored: nothing else is lost with a bad one.
        """
        ticket = self._tickets.open_ticket(message.ticket, message.hello.room)
        # Whole seconds: one of the second of the start may be of before it.
        is_older = ticket.issued <= self._started
        if not self._tickets.is_lasting or not is_older or now >= self._restore_until:
            return Shown(ticket, None)
        try:
            mark = self._tickets.open_mark(message.mark, message.hello.room, self._wall())
        except AuthenticationError:
            return Shown(ticket, None)
        return Shown(ticket, mark.fence if mark.life == ticket.life else None)

    def begin(self, started: float, restore_until: float) -> None:
        """Restore, until then, what was before ``started`` (wall time): that log is lost."""
        self._started, self._restore_until = started, restore_until
