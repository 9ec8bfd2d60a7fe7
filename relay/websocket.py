"""One WebSocket on a raw transport, around one Session.

Knows bytes that come in and moments; what a message means is the session's and the room's, how
messages go out is outlet's. Whole messages are split here; control frames and fragments are the
library's.
"""

import asyncio
import contextlib

from relay import frame, wire
from relay.broker.later import Later
from relay.errors import CloseCode, FrameError, RefusedError
from relay.frame import Scanner
from relay.hub import Hub
from relay.library import Uncommon
from relay.session import Session, State
from relay.source import Source
from relay.visitor import Visitor
from relay.wheel import IDLE

try:
    from websockets.speedups import apply_mask
except ImportError:  # A build without the C extension.
    from websockets.utils import apply_mask

# After its close frame a connection may linger this long: closing at once would reset it, and the
# peer would never read why.
LINGER_S = 1.0
_WHOLE_TEXT, _WHOLE_BINARY = frame.FIN | frame.TEXT, frame.FIN | frame.BINARY
_WHOLE_PING, _WHOLE_PONG = frame.FIN | frame.PING, frame.FIN | frame.PONG
_POST_SIZES = frozenset(wire.POST_HEADER.size + size for size in wire.POST_LENGTHS)
_PING = frame.header(frame.FIN | frame.PING, 0)


class Socket(Visitor):
    """One connection after its handshake; a broker.Port and a fanout.Writer."""

    __slots__ = (
        "_end_by", "_held", "_others", "_pinged", "_scanner", "_seen", "source", "turn",
    )  # fmt: skip

    def __init__(
        self, hub: Hub, transport: asyncio.Transport, source: Source, hosts: tuple[str, ...]
    ) -> None:
        now = hub.clock.now()
        session = Session(hub.session_limits, source.messages, hosts, hub.nonce(), now)
        super().__init__(hub, transport, session)
        self._scanner = Scanner(wire.MAX_TEXT_BYTES)
        # None as long as there is nothing: there are many, and most of them idle.
        self._held: bytearray | None = None
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
            if self._is_waiting:
                self._hold(data)
            else:
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
        if not self._hub.broker.outlives:
            # Nobody is to be told that one after the other goes.
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
        if self._is_waiting:
            # Nothing is read from a peer that waits, and a hello whose answer is late was in time.
            self._seen = now
        else:
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
        if self._held is not None:
            self._held += data
            if len(self._held) < scanner.needed:
                return
            data = bytes(self._held)
            self._held = None
        at, size = 0, len(data)
        while at < size:
            end = scanner.scan(data, at, now)
            if end < 0:
                self._hold(data[at:])
                return
            start = scanner.payload
            if scanner.first == _WHOLE_BINARY:
                self._binary(apply_mask(data[start:end], data[start - 4 : start]), now)
            elif scanner.first == _WHOLE_TEXT:
                self._text(apply_mask(data[start:end], data[start - 4 : start]), now)
            elif scanner.first == _WHOLE_PING:
                payload = apply_mask(data[start:end], data[start - 4 : start])
                self.control(frame.header(frame.FIN | frame.PONG, len(payload)) + payload)
            elif scanner.first != _WHOLE_PONG:
                self._uncommon(data[at:end], now)
            if self._end_by is not None:
                return
            at = end
            if self._is_waiting:
                if at < size:
                    self._hold(data[at:])
                return

    def _hold(self, data: bytes) -> None:
        if self._held is None:
            self._held = bytearray(data)
        else:
            self._held += data

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
                    seq = place.post(reference, fence, sealed, now)
                except RefusedError as refusal:
                    self._perform(session.refused(refusal, reference), now)
                else:
                    if seq.__class__ is Later:
                        self._wait_posted(seq, reference)
                return
        self._perform(session.binary(message, 0 if place is None else place.fence, now), now)

    def _text(self, message: bytes, now: float) -> None:
        try:
            message.decode()
        except UnicodeDecodeError as exc:
            raise FrameError(CloseCode.NOT_UTF8) from exc
        self._perform(self._session.text(message, now), now)

    def _uncommon(self, raw: bytes, now: float) -> None:
        """Let the library answer a close frame or take one fragment."""
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

    def _seated(self) -> None:
        self._scanner.limit = self._hub.session_limits.max_commit_bytes + wire.MAX_HEADER_BYTES

    def _go_on(self) -> None:
        held, self._held = self._held, None
        if held and self._end_by is None:
            self.data_received(bytes(held))
        if not self._is_waiting and not self._transport.is_closing():
            self._transport.resume_reading()

    def _linger(self) -> None:
        """Wait a moment for the peer to close, reading nothing any more."""
        if self._end_by is not None:
            return
        self._end_by = self._clock.now() + LINGER_S
        self._metrics.closed += 1
        self._held = self._others = None
        self.halt()
        if self._is_waiting:
            # Or its close would not be seen, and what it has sent would reset the connection.
            self._transport.resume_reading()
        if self._transport.can_write_eof() and not self._transport.is_closing():
            # The peer may be gone without the transport knowing it yet.
            with contextlib.suppress(OSError):
                self._transport.write_eof()
        self._hub.wheel.wait(self, self._end_by)
