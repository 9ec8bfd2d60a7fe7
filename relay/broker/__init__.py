"""The Broker protocol: what a node asks of the place where rooms live.

The contract, proved by tests/relay/broker/contract.py against every implementation:

- The rules are those of relay.room, atomically: of all operations on one room, whatever the
  connection or the process they come from, each sees the room as the one before has left it.
- An operation takes effect at once or raises RefusedError and has changed nothing; or it returns a
  Later, and does the one or the other when that has its outcome. Whoever asked waits for it before
  it asks for anything else.
- What follows from an operation has been given to the channels of the room when it returns (when
  its outcome comes), in the order of the log: a channel sees sequence numbers in ascending order,
  each at most once. To one who is refused, what follows from that comes after its outcome.
- ``attach`` comes before anything is sent to a tag, ``seat`` before it sees what is published;
  ``close`` and ``leave`` end what comes to it.
- To leave or lose a place that is gone already does nothing. A place whose seat another session
  has resumed is gone: its port was ended as superseded before that session was told anything.
- ``fence`` is the room's as far as this node knows; an operation judges by the room's own.
"""

from typing import Protocol

from relay.broker.later import Later
from relay.errors import CloseCode
from relay.pressure import Pressure
from relay.tickets import Ticket
from relay.wire import Commit, Offer, Reference, RoomId, Tag


class Port(Protocol):
    """One session's connection, as a channel sees it."""

    def deliver(self, message: bytes) -> None:
        """Send one message to the peer, after everything before it."""

    def replay(self, messages: list[bytes]) -> None:
        """Send many messages, as fast as the peer takes them; what is delivered later follows."""

    def end(self, code: CloseCode) -> None:
        """Close the connection; the room has dropped the session."""


class Channel(Protocol):
    """The sessions of one room on this node."""

    def attach(self, tag: Tag, port: Port) -> None:
        """Know a session: unjoined, it gets only what is sent to it."""

    def seat(self, tag: Tag) -> None:
        """Let a session see what is published from now on."""

    def detach(self, tag: Tag) -> None:
        """Forget a session, having delivered what was published before."""

    def send(self, tag: Tag, message: bytes) -> None:
        """Give a message to one session."""

    def publish(self, message: bytes, origin: Tag | None, own: tuple[bytes, ...]) -> None:
        """Give a message to every seated session; ``origin`` gets ``own`` in its place."""

    def close(self, tag: Tag, code: CloseCode) -> None:
        """End one session."""


class Luggage(Protocol):
    """What a session leaves with its seat."""

    def pack(self, now: float) -> tuple[float, ...]:
        """Return it as numbers that say the same on another node at this moment."""


class Place(Protocol):
    """Where one session is in one room, and what it can do there."""

    @property
    def fence(self) -> int:
        """The room's fence as far as this node knows it."""

    def send(self, message: bytes) -> None:
        """Give the session a message of this node's own, after what was published before."""

    def post(self, reference: Reference, fence: int, sealed: bytes, now: float) -> int | Later[int]:
        """Order an application message and return its number; raise RefusedError `stale`."""

    def commit(self, message: Commit, now: float) -> Later[None] | None:
        """Take a commit; raise RefusedError `state`, `stale`, `full` or `pace`."""

    def offer(self, message: Offer, now: float) -> Later[None] | None:
        """Keep a GroupInfo; raise RefusedError `stale`."""

    def need(self, now: float) -> Later[None] | None:
        """Ask everybody else for a GroupInfo."""

    @property
    def luggage(self) -> object:
        """What the session before this one kept with the seat, None if there is nothing.

        It is the luggage itself or, where that was packed, a list of its numbers; an empty one if
        the session before this one could not be asked.
        """

    def keep(self, luggage: Luggage) -> None:
        """Keep something with the seat, for whoever resumes it."""

    def confirm(self, now: float) -> None:
        """Note that a resumed session speaks: it has its new ticket."""

    def inform(self, now: float) -> None:
        """Show an unjoined session with the turn what it has not seen to join by."""

    def leave(self, now: float) -> None:
        """Free the place at once."""

    def lost(self, now: float) -> None:
        """Note that the connection is gone: a seat is away from now on."""


class Broker(Protocol):
    """Rooms, by whatever means (the module's docstring is the contract)."""

    @property
    def outlives(self) -> bool:
        """Tell whether rooms go on when this process ends."""

    @property
    def kept_bytes(self) -> int:
        """How much of what was said is kept in this process, for those who come back."""

    def enter(self, room_id: RoomId, port: Port, now: float) -> "Place | Later[Place]":
        """Let a session into a room, unjoined; raise RefusedError `full` or `busy`."""

    def resume(
        self,
        room_id: RoomId,
        ticket: Ticket,
        fence: int | None,
        seen: int,
        port: Port,
        now: float,
    ) -> "Place | Later[Place | None] | None":
        """Give a session the seat of a ticket, or None if the ticket is worth nothing.

        ``seen`` is the last number that its owner saw. ``fence``, where it is given, may restore
        a room of before the relay's restart (R28). The port has been given `resumed` and all that
        follows when this returns (when its outcome comes), and the seat's last port was ended.
        Raises RefusedError `busy`.
        """

    def relieve(self, pressure: Pressure) -> None:
        """Open no room while memory is short; if FULL, give up what could be asked for again.

        That is frames, and the GroupInfos of all rooms (R25).
        """

    def expire(self, now: float) -> None:
        """Do what time has brought."""
