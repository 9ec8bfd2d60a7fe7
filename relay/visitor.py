"""What one session asks of the rooms, and what follows: between the session's rules and a broker.

Knows effects, a place and outcomes that may come later; never bytes that come in, nor what is in a
message. While an operation is under way the peer is not read, so that it waits behind nothing but
its own.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar, assert_never

from relay.broker import Place
from relay.broker.later import Later
from relay.errors import AuthenticationError, CloseCode, RefusedError
from relay.hub import Hub
from relay.outlet import Outlet
from relay.session import (
    Confirm,
    Effect,
    End,
    Enter,
    Forward,
    Ignored,
    Inform,
    Reply,
    Return,
    Session,
    State,
)
from relay.wire import Commit, Need, Offer, Post, Reference, Resume, RoomId

T = TypeVar("T")
# Never added to: effects that are being performed have a list of their own.
_NOTHING: list[Effect] = []


class Visitor(Outlet):
    """One session with its place; the rest of a connection is what it is made into."""

    __slots__ = ("_hub", "_is_waiting", "_place", "_queue", "_session")

    def __init__(self, hub: Hub, transport: asyncio.Transport, session: Session) -> None:
        super().__init__(transport, hub.limits, hub.clock, hub.metrics)
        self._hub = hub
        self._session = session
        self._place: Place | None = None
        # An operation is under way, and these are to be done after it.
        self._is_waiting = False
        self._queue: list[Effect] = _NOTHING

    def end(self, code: CloseCode) -> None:
        """Close the connection, telling the peer why; see broker.Port."""
        raise NotImplementedError

    def _seated(self) -> None:
        """Expect what a session in a room may send."""
        raise NotImplementedError

    def _go_on(self) -> None:
        """Take what the peer has sent meanwhile, and read it again."""
        raise NotImplementedError

    def _perform(self, effects: list[Effect], now: float) -> None:
        queue = self._queue = [*self._queue, *effects]
        while queue and not self._is_waiting:
            effect = queue.pop(0)
            match effect:
                case Reply(message):
                    self._reply(message)
                case Enter(room):
                    self._enter(room, now)
                case Return(message):
                    self._return(message, now)
                case Confirm():
                    if self._place is not None:
                        self._place.confirm(now)
                case Forward(message):
                    self._forward(message, now)
                case Inform():
                    if self._place is not None:
                        self._place.inform(now)
                case Ignored():
                    self._metrics.ignored += 1
                case End(code):
                    self.end(code)
                case unreachable:
                    assert_never(unreachable)
        if not self._queue:
            self._queue = _NOTHING

    def _ask(
        self,
        operation: Callable[[], T | Later[T]],
        done: Callable[[T | RefusedError], list[Effect]],
    ) -> None:
        """Have an operation done, and then what follows from its outcome."""
        try:
            outcome = operation()
        except RefusedError as refusal:
            self._queue += done(refusal)
        else:
            if isinstance(outcome, Later):
                self._wait(outcome, done)
            else:
                self._queue += done(outcome)

    def _wait(self, later: Later[T], done: Callable[[T | RefusedError], list[Effect]]) -> None:
        """Read nothing and do nothing else until an operation has its outcome."""
        self._is_waiting = True
        self._transport.pause_reading()

        def settled(outcome: T | RefusedError) -> None:
            self._is_waiting = False
            try:
                self._perform(done(outcome), self._clock.now())
                self._go_on()
            except Exception as exc:
                self._hub.fault(exc)
                self.end(CloseCode.FAULT)

        later.then(settled)

    def _wait_posted(self, later: Later[int], reference: Reference) -> None:
        # Apart from what is hot: a closure there costs every post its cells.
        self._wait(later, lambda outcome: self._answered(reference, outcome))

    def _enter(self, room: RoomId, now: float) -> None:
        enter: Callable[[], Place | Later[Place]] = partial(self._hub.broker.enter, room, self, now)
        self._ask(enter, self._entered)

    def _entered(self, outcome: Place | RefusedError) -> list[Effect]:
        if isinstance(outcome, RefusedError):
            return self._session.refused(outcome, None)
        if not self._take(outcome):
            return []
        self._session.entered()
        self._metrics.hellos += 1
        return []

    def _return(self, message: Resume, now: float) -> None:
        """Give back a seat, or let the session in as one that is new."""
        hub, room = self._hub, message.hello.room

        def returned(outcome: Place | RefusedError | None) -> list[Effect]:
            if isinstance(outcome, RefusedError):
                return self._session.refused(outcome, None)
            if outcome is None:
                return [Enter(room)]
            if not self._take(outcome):
                return []
            self._session.resumed(outcome.luggage, self._clock.now())
            outcome.keep(self._session.allowance)
            self._metrics.resumes += 1
            return []

        try:
            ticket, fence = hub.returns.open(message, now)
        except AuthenticationError:
            self._queue.append(Enter(room))
            return
        self._ask(lambda: hub.broker.resume(room, ticket, fence, message.seq, self, now), returned)

    def _take(self, place: Place) -> bool:
        """Sit down; False if the peer has gone meanwhile, and the place with it."""
        if self._session.state is State.CLOSED:
            place.lost(self._clock.now())
            return False
        self._place = place
        self._seated()
        return True

    def _forward(self, message: Post | Commit | Offer | Need, now: float) -> None:
        place = self._place
        assert place is not None
        match message:
            case Post(reference, fence, sealed):
                self._ask(
                    lambda: place.post(reference, fence, sealed, now),
                    lambda outcome: self._answered(reference, outcome),
                )
            case Commit(reference):
                self._ask(
                    lambda: place.commit(message, now),
                    lambda outcome: self._committed(reference, outcome),
                )
            case Offer(reference):
                self._ask(
                    lambda: place.offer(message, now),
                    lambda outcome: self._answered(reference, outcome),
                )
            case Need():
                self._ask(lambda: place.need(now), lambda outcome: self._answered(None, outcome))
            case unreachable:
                assert_never(unreachable)

    def _answered(
        self, reference: Reference | None, outcome: int | RefusedError | None
    ) -> list[Effect]:
        """Note what the room has made of a message."""
        if isinstance(outcome, RefusedError):
            self._metrics.refusals += 1
            return self._session.refused(outcome, reference)
        self._session.accepted()
        return []

    def _committed(self, reference: Reference, outcome: RefusedError | None) -> list[Effect]:
        """Note what the room has made of a commit: the first one seats the session."""
        session, place = self._session, self._place
        if outcome is not None or place is None:
            return self._answered(reference, outcome)
        if session.state is State.UNJOINED:
            place.keep(session.allowance)
        session.committed(self._clock.now())
        return []

    def _reply(self, message: bytes) -> None:
        if self._place is None:
            self.deliver(message)
        else:
            self._place.send(message)

    def _retire(self, now: float, *, is_leaving: bool) -> None:
        """Give the place back, once; what was published before has then been written."""
        self._session.lost()
        place, self._place = self._place, None
        if place is not None and is_leaving:
            place.leave(now)
        elif place is not None:
            place.lost(now)
