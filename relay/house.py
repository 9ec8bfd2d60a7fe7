"""What all doors of this process share: who is in, and who may come.

Knows counts and caps; what comes through a door is its own affair.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from relay.forwarded import Proxies
from relay.hub import Hub
from relay.inner import Inner
from relay.metrics import Metrics
from relay.source import Source, Sources
from relay.tls import Certificate
from relay.websocket import Socket
from relay.wheel import Wheel


class Guest(Protocol):
    """A connection that is no WebSocket (yet)."""

    turn: int

    def abort(self) -> None:
        """Drop the connection."""

    def expire(self, now: float) -> None:
        """Do what time has brought."""


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """``names`` are the hosts that hellos may be signed for; none: whatever Host a request has.

    ``origins`` are foreign ones let in; for ``proxies``, whom they speak for counts as the source.
    """

    connections: int
    names: tuple[str, ...]
    origins: frozenset[str]
    proxies: Proxies


class House:
    """The connections of this process, and the rules by which they are let in."""

    def __init__(
        self,
        hub: Hub,
        inner: Inner,
        sources: Sources,
        wheel: Wheel[Guest],
        limits: DoorLimits,
        certificate: Certificate | None,
    ) -> None:
        self.hub = hub
        self.inner = inner
        self.sources = sources
        self.wheel = wheel
        self.limits = limits
        self.certificate = certificate
        self.is_draining = False
        # There is no memory left for anybody else.
        self.is_full = False
        self.is_empty = asyncio.Event()
        self.doors: set[Guest] = set()
        self.sockets: set[Socket] = set()
        self.turned_away = 0

    @property
    def metrics(self) -> Metrics:
        return self.hub.metrics

    def now(self) -> float:
        """Return the present moment."""
        return self.hub.clock.now()

    def closed(self, socket: Socket) -> None:
        """Forget a WebSocket that is gone."""
        self.sockets.discard(socket)
        self.sources.release(socket.source)
        self._note_empty()

    def forget(self, door: Guest) -> None:
        """Forget a door that is gone, or whose connection is a WebSocket now."""
        self.doors.discard(door)
        self._note_empty()

    def drain(self) -> None:
        """Let nobody in any more; ``is_empty`` will be set when the last one has gone."""
        self.is_draining = True
        self._note_empty()

    def abort(self) -> None:
        """Drop everybody who is still here."""
        for socket in list(self.sockets):
            socket.abort()
        for door in list(self.doors):
            door.abort()

    def _note_empty(self) -> None:
        if self.is_draining and not self.doors and not self.sockets:
            self.is_empty.set()

    def admit(self, address: str) -> Source | int | None:
        """Let a connection in, or return the HTTP status that turns it away.

        Returns its source, None for a trusted proxy: each of its requests has a source of its own.
        """
        self.metrics.connections += 1
        if self.is_draining or self.is_full:
            return 503
        if len(self.doors) + len(self.sockets) - self.turned_away > self.limits.connections:
            return 503
        if self.limits.proxies.trusts(address):
            return None
        now = self.now()
        source = self.sources.find(address, now)
        return 429 if self.sources.admit(source, now) else source
