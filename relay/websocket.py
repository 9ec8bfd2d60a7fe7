"""One WebSocket on a raw transport, around one Session.

Knows bytes that come in and moments; what a message means is the session's and the room's, how
messages go out is outlet's. Whole messages are split here; control frames and fragments are the
library's.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from relay import frame, wire
from relay.broker import Broker, Place
from relay.clock import Clock
from relay.errors import AuthenticationError, CloseCode, FrameError, RefusedError
from relay.frame import Scanner
from relay.library import Uncommon
from relay.metrics import Metrics
from relay.outlet import Outlet, SocketLimits
from relay.returns import Returns
from relay.session import (
    Allowance,
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
    SessionLimits,
    State,
)
from relay.source import Source
from relay.wheel import IDLE, Wheel
from relay.wire import Commit, Need, Offer, Post, Resume

try:
    from websockets.speedups import apply_mask
except ImportError:  # A build without the C extension.
    from websockets.utils import apply_mask

# After its close frame a connection may linger this long: closing at once would reset it, and the
# peer would never read why.
LINGER_S = 1.0
_WHOLE_TEXT, _WHOLE_BINARY = frame.FIN | frame.TEXT, frame.FIN | frame.BINARY
_POST_SIZES = frozenset(wire.POST_HEADER.size + size for size in wire.POST_LENGTHS)
_PING = frame.header(frame.FIN | frame.PING, 0)


@dataclass(frozen=True, slots=True)
class Hub:
    """What all sockets of this process share."""

    broker: Broker
    wheel: "Wheel[Socket]"
    clock: Clock
    metrics: Metrics
    session_limits: SessionLimits
    limits: SocketLimits
    nonce: Callable[[], bytes]
    fault: Callable[[Exception], None]
    returns: Returns
    closed: Callable[["Socket"], None]


class Socket(Outlet):
    """One connection after its handshake; a broker.Port and a fanout.Writer."""

    __slots__ = (
        "_end_by", "_held", "_hub", "_others", "_pinged", "_place", "_scanner", "_seen",
        "_session", "source", "turn",
    )  # fmt: skip

    def __init__(
        self, hub: Hub, transport: asyncio.Transport, source: Source, hosts: tuple[str, ...]
    ) -> None:
        super().__init__(transport, hub.limits, hub.clock, hub.metrics)
        now = hub.clock.now()
        self._hub = hub
        self._session = Session(hub.session_limits, source.messages, hosts, hub.nonce(), now)
        self._scanner = Scanner(wire.MAX_TEXT_BYTES)
        self._place: Place | None = None
        self._held = bytearray()
        self._others: Uncommon | None = None
        self._seen = self._pinged = now
        self._end_by: float | None = None
        self.source = source
        self.turn = IDLE
        hub.metrics.websockets += 1

    def open(self) -> None:
        """Begin to speak; the transport is this socket's from now on."""
        self._perform(self._session.opened(), self._seen)
        self._hub.wheel.wait(self, self._deadline())

    def data_received(self, data: bytes) -> None:
        """Take what the peer has sent."""
        if self._end_by is not None:
            return
        try:
            self._receive(data, self._clock.now())
        except FrameError as error:
            self.end(error.close_code)
        except Exception as exc:
            self._hub.fault(exc)
            self.end(CloseCode.FAULT)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the transport is gone."""
        self._retire(self._clock.now(), is_leaving=False)
        self._hub.wheel.forget(self)
        self._hub.closed(self)

    def pause_writing(self) -> None:
        """Note that the peer has not taken everything, and look again."""
        super().pause_writing()
        self._hub.wheel.wait(self, self._deadline())

    def end(self, code: CloseCode) -> None:
        """Close the connection, telling the peer why; see broker.Port."""
        self._retire(self._clock.now(), is_leaving=code is CloseCode.NORMAL)
        self.abandon()
        self.write(frame.serialize_close(code))
        self._linger()

    def drain(self, retry_after_ms: int) -> None:
        """Tell the peer when to come back, and close."""
        self.abandon()
        self.deliver(wire.serialize_drain(retry_after_ms))
        # The rooms end with the process: nobody is to be told that one after the other goes.
        self._place = None
        self.end(CloseCode.RESTART)

    def abort(self) -> None:
        """See Outlet; what the peer may have sent is not read any more."""
        self._end_by = self._clock.now()
        super().abort()

    def expire(self, now: float) -> None:
        """Do what time has brought."""
        limits = self._limits
        if self._end_by is not None:
            self.abort()
            return
        self._perform(self._session.expire(now), now)
        if self._end_by is None:
            if self._seen + limits.dead_s <= now:
                self._metrics.dead += 1
                self.abort()
                return
            if self._behind_since is not None and self._behind_since + limits.slow_s <= now:
                # One that still reads what it is to join by has the time to join instead.
                self.judge(now, is_patient=not self._session.is_seated)
            if self._pinged + limits.ping_s <= now:
                self._pinged = now
                self.control(_PING)
        self._hub.wheel.wait(self, self._deadline())

    def _deadline(self) -> float:
        if self._end_by is not None:
            return self._end_by
        limits = self._limits
        moment = min(self._seen + limits.dead_s, self._pinged + limits.ping_s)
        if self._behind_since is not None:
            moment = min(moment, self._behind_since + limits.slow_s)
        hello_by = self._session.deadline()
        return moment if hello_by is None else min(moment, hello_by)

    def _receive(self, data: bytes, now: float) -> None:
        """Split what came into frames. Hot: 1.1 us a frame besides unmasking (STYLE 2.8)."""
        self._seen = now
        scanner = self._scanner
        if self._held:
            self._held += data
            if len(self._held) < scanner.needed:
                return
            data = bytes(self._held)
            self._held = bytearray()
        at, size = 0, len(data)
        while at < size:
            end = scanner.scan(data, at, now)
            if end < 0:
                self._held += data[at:]
                return
            start = scanner.payload
            if scanner.first == _WHOLE_BINARY:
                self._binary(apply_mask(data[start:end], data[start - 4 : start]), now)
            elif scanner.first == _WHOLE_TEXT:
                self._text(apply_mask(data[start:end], data[start - 4 : start]), now)
            else:
                self._uncommon(data[at:end], now)
            if self._end_by is not None:
                return
            at = end

    def _binary(self, message: bytes, now: float) -> None:
        """Take one binary message. Hot for a post that may go: no effects (STYLE 2.8)."""
        place, session = self._place, self._session
        if (
            len(message) in _POST_SIZES
            and message[0] == wire.POST
            and place is not None
            and session.state is State.JOINED
        ):
            _, reference, fence = wire.POST_HEADER.unpack_from(message)
            if fence == place.fence and session.may_post(now):
                sealed = message[wire.POST_HEADER.size :]
                try:
                    place.post(reference, fence, sealed, now)
                except RefusedError as refusal:
                    self._perform(session.refused(refusal, reference), now)
                return
        self._perform(session.binary(message, 0 if place is None else place.fence, now), now)

    def _text(self, message: bytes, now: float) -> None:
        try:
            message.decode()
        except UnicodeDecodeError as exc:
            raise FrameError(CloseCode.NOT_UTF8) from exc
        self._perform(self._session.text(message, now), now)

    def _uncommon(self, raw: bytes, now: float) -> None:
        """Let the library answer one control frame or take one fragment."""
        if self._others is None:
            self._others = Uncommon()
        taken = self._others.take(raw, self._scanner.limit)
        if self._scanner.is_between_messages:
            self._others = None
        if taken.is_over:
            # The peer's close, or a fault of it that the library has answered with its own: what
            # was published before goes out before that answer, for nothing may after it.
            self._retire(now, is_leaving=False)
        if taken.answer:
            self.control(taken.answer)
        if taken.is_over:
            self._linger()
        elif taken.message is not None:
            (self._text if taken.is_text else self._binary)(taken.message, now)

    def _perform(self, effects: list[Effect], now: float) -> None:
        queue = deque(effects)
        while queue:
            effect = queue.popleft()
            match effect:
                case Reply(message):
                    self._reply(message)
                case Enter(room):
                    try:
                        self._place = self._hub.broker.enter(room, self, now)
                    except RefusedError as refusal:
                        queue.extend(self._session.refused(refusal, None))
                    else:
                        self._session.entered()
                        self._scanner.limit = self._message_limit()
                        self._metrics.hellos += 1
                case Return(message):
                    queue.extend(self._return(message, now))
                case Confirm():
                    if self._place is not None:
                        self._place.confirm(now)
                case Forward(message):
                    queue.extend(self._forward(message, now))
                case Inform():
                    if self._place is not None:
                        self._place.inform(now)
                case Ignored():
                    self._metrics.ignored += 1
                case End(code):
                    self.end(code)
                case unreachable:
                    assert_never(unreachable)

    def _return(self, message: Resume, now: float) -> list[Effect]:
        """Give back a seat, or let the session in as one that is new."""
        hub, room = self._hub, message.hello.room
        try:
            ticket, fence = hub.returns.open(message, now)
            place = hub.broker.resume(room, ticket, fence, message.seq, self, now)
        except AuthenticationError:
            place = None
        except RefusedError as refusal:
            return self._session.refused(refusal, None)
        if place is None:
            return [Enter(room)]
        self._place = place
        luggage = place.luggage
        self._session.resumed(luggage if isinstance(luggage, Allowance) else None)
        place.keep(self._session.allowance)
        self._scanner.limit = self._message_limit()
        self._metrics.resumes += 1
        return []

    def _forward(self, message: Post | Commit | Offer | Need, now: float) -> list[Effect]:
        place, session = self._place, self._session
        assert place is not None
        try:
            match message:
                case Post(reference, fence, sealed):
                    place.post(reference, fence, sealed, now)
                case Commit():
                    place.commit(message, now)
                    if session.state is State.UNJOINED:
                        place.keep(session.allowance)
                    session.committed(now)
                case Offer():
                    place.offer(message, now)
                case Need():
                    place.need(now)
        except RefusedError as refusal:
            self._metrics.refusals += 1
            reference_ = None if isinstance(message, Need) else message.reference
            return session.refused(refusal, reference_)
        session.accepted()
        return []

    def _message_limit(self) -> int:
        return self._hub.session_limits.max_commit_bytes + wire.MAX_HEADER_BYTES

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

    def _linger(self) -> None:
        """Wait a moment for the peer to close, reading nothing any more."""
        if self._end_by is not None:
            return
        self._end_by = self._clock.now() + LINGER_S
        self._metrics.closed += 1
        self._held = bytearray()
        self._others = None
        self.halt()
        if self._transport.can_write_eof() and not self._transport.is_closing():
            # The peer may be gone without the transport knowing it yet.
            with contextlib.suppress(OSError):
                self._transport.write_eof()
        self._hub.wheel.wait(self, self._end_by)
