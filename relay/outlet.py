"""The writing half of one connection: how far its peer is behind, and replays in pieces.

Knows framed bytes, a transport and moments; never what is said, nor to whom.

    plain --replay--> replaying --the peer has taken it--> plain
      |                   |
      '------ halt -------+--> halted
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from relay import wire
from relay.clock import Clock
from relay.fanout import framed
from relay.metrics import Metrics

# What a replay puts into the transport at a time: the rest of it waits as messages that the ring
# and all who replay them share.
PIECE_BYTES = 65536
# Never added to: what waits behind a replay has a list of its own.
_NOTHING: list[bytes] = []


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """The moments and sizes of one connection."""

    ping_s: float
    dead_s: float
    slow_bytes: int
    slow_s: float


class Outlet(asyncio.Protocol):
    """What leaves by one transport; a fanout.Writer and, but for `end`, a broker.Port."""

    __slots__ = (
        "_allowance", "_behind", "_behind_since", "_clock", "_is_diverted", "_later",
        "_later_bytes", "_limits", "_metrics", "_replay", "_transport", "_written",
    )  # fmt: skip

    def __init__(
        self, transport: asyncio.Transport, limits: SocketLimits, clock: Clock, metrics: Metrics
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        # When the peer was last judged, what it had not taken then, and what was written since.
        self._behind_since: float | None = None
        self._behind = self._written = 0
        self._allowance = 0
        # Replaying or halted: nothing goes straight to the transport.
        self._is_diverted = False
        self._replay: deque[bytes] | None = None
        self._later: list[bytes] = _NOTHING
        self._later_bytes = 0
        # A transport that holds back anything says so: that is when the clock starts. (With a mark
        # of 0 that of TLS would say so of nothing, too.)
        transport.set_write_buffer_limits(high=1, low=0)

    def pause_writing(self) -> None:
        """Note that the peer has not taken everything."""
        self._behind_since = self._clock.now()
        self._behind = self._transport.get_write_buffer_size()
        self._written = 0

    def resume_writing(self) -> None:
        """Note that the peer has taken everything."""
        self._behind_since = None
        if self._replay is None:
            self._allowance = 0
        else:
            self._pump(self._replay)

    def write(self, data: bytes) -> None:
        """Send framed bytes; cut a peer that is too many of them behind. Hot (STYLE 2.8)."""
        # A transport whose peer is gone takes data in silence, and logs from the fifth time on.
        if self._is_diverted or self._transport.is_closing():
            self._divert(data)
            return
        was_behind = self._behind_since is not None
        self._transport.write(data)
        if self._behind_since is None:
            return
        if was_behind:
            self._written += len(data)
        most = self._limits.slow_bytes + self._allowance
        if self._transport.get_write_buffer_size() > most:
            self._cut()

    def deliver(self, message: bytes) -> None:
        """Send one message."""
        if message[0] == wire.INFO:
            # Up to half a megabyte at once, by the relay's own doing; not as often as it is asked
            # for by who takes none.
            self._allowance = max(self._allowance, len(message))
        self.write(framed(message))
        if self._behind_since is None:
            self._allowance = 0

    def control(self, data: bytes) -> None:
        """Send a framed control frame; a replay it overtakes, or a peer would seem dead by it."""
        if self._replay is None:
            self.write(data)
        elif not self._transport.is_closing():
            self._written += len(data)
            self._transport.write(data)

    def replay(self, messages: list[bytes]) -> None:
        """Send many messages in pieces, as the peer takes them; what is written later follows.

        They do not count as being behind, but what has to wait for them does.
        """
        self._replay = deque(messages)
        self._later = []
        self._is_diverted = True
        self._pump(self._replay)

    def abandon(self) -> None:
        """Go on without the rest of a replay and what waits behind it: the peer will come back."""
        if self._replay is not None:
            self._replay = None
            self._is_diverted = False
            # What is on its way of it is no fault of the peer's either.
            self._allowance += self._transport.get_write_buffer_size()
            self._later, self._later_bytes = _NOTHING, 0

    def halt(self) -> None:
        """Send nothing any more."""
        self.abandon()
        self._is_diverted = True

    def abort(self) -> None:
        """Drop the connection without another word."""
        self.halt()
        self._transport.abort()

    def shed(self, most: int) -> None:
        """Cut a peer that is further behind than ``most`` bytes: there is no memory for it."""
        if self._transport.get_write_buffer_size() + self._later_bytes > most:
            self._cut()

    def judge(self, now: float, *, is_patient: bool) -> None:
        """Cut a peer that has not taken within `slow_s` what it was behind by then.

        In a replay, of which it has no fault, it must only have taken something. A patient relay
        cuts nobody here: it has another deadline.
        """
        left = self._transport.get_write_buffer_size()
        if self._replay is None:
            is_slow = left > self._written and not is_patient
        else:
            is_slow = left >= self._behind + self._written
        if is_slow:
            self._cut()
        else:
            self._behind_since, self._behind, self._written = now, left, 0

    def _divert(self, data: bytes) -> None:
        if self._replay is None:
            return
        self._later.append(data)
        self._later_bytes += len(data)
        if self._later_bytes > self._limits.slow_bytes + self._allowance:
            self._cut()

    def _pump(self, replay: deque[bytes]) -> None:
        """Write pieces until the peer has to be waited for; at the end what came meanwhile."""
        while replay and self._behind_since is None and not self._transport.is_closing():
            piece: list[bytes] = []
            size = 0
            while replay and size < PIECE_BYTES:
                data = framed(replay.popleft())
                piece.append(data)
                size += len(data)
            self._transport.write(b"".join(piece))
        if not replay and self._behind_since is None:
            later = b"".join(self._later)
            self.abandon()
            if later:
                self.write(later)
            if self._behind_since is None:
                self._allowance = 0

    def _cut(self) -> None:
        self._metrics.slow += 1
        self.abort()
