"""A hub without a network: sockets on transports that are lists, time that is set."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from relay.broker.memory import MemoryBroker
from relay.clock import Clock
from relay.fanout import Fan, RoomChannel
from relay.hub import Hub
from relay.limits import Rate
from relay.metrics import Metrics
from relay.outlet import Outlet, SocketLimits
from relay.returns import Returns
from relay.ring import RingLimits
from relay.room import Draw, RoomLimits
from relay.session import SessionLimits
from relay.source import Source, SourceLimits
from relay.tickets import Tickets
from relay.turn import TurnLimits
from relay.websocket import Socket
from relay.wheel import Wheel
from relay.wire import Life, Tag
from tests.relay.raw import (
    Link,
    client_frame,
    commit_bytes,
    from_b64url,
    hello_text,
    new_link,
    resume_text,
)

HOST = "relay.example"
KEY = bytes(32)
WALL = 1_700_000_000.0
MESSAGES = Rate(1.0, 10)
SLOW_BYTES = 4096


class FakeTransport:
    """As much of a transport as a socket uses; ``room`` is what the peer still takes."""

    def __init__(self) -> None:
        self.data = b""
        self.held = b""
        self.room = 1 << 30
        self.aborted = self.eof = self.is_paused = False
        self.writes = 0
        self.protocol: Outlet | None = None

    @property
    def buffered(self) -> int:
        return len(self.held)

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        assert (high, low) == (1, 0)

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        assert not self.aborted
        self.is_paused = False

    def write_eof(self) -> None:
        self.eof = True

    def abort(self) -> None:
        self.aborted = True

    def write(self, data: bytes) -> None:
        assert not self.aborted
        assert not self.eof
        self.writes += 1
        taken = 0 if self.held else min(self.room, len(data))
        was_empty = not self.held
        self._take(data[:taken])
        self.held += data[taken:]
        if was_empty and self.held:
            assert self.protocol is not None
            self.protocol.pause_writing()

    def drain(self, size: int) -> None:
        """Let the peer take so many bytes of what is buffered."""
        taken, self.held = self.held[:size], self.held[size:]
        self.data += taken
        if not self.held:
            assert self.protocol is not None
            self.protocol.resume_writing()

    def _take(self, data: bytes) -> None:
        self.room -= len(data)
        self.data += data


@dataclass
class World:
    """A hub without a network: time is set, ticks are called."""

    plain: bool = False
    slow_bytes: int = SLOW_BYTES
    messages: Rate = MESSAGES
    seats: int = 8
    rooms: int = 10
    now: float = 100.0
    soon: list[Callable[[], None]] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    closed: list[Socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        tags, lives = itertools.count(0x10), itertools.count(1)
        self.tickets = Tickets(KEY)
        self.fan = Fan(self.soon.append, self.faults.append)
        self.metrics = Metrics()
        self.wheel: Wheel[Socket] = Wheel(self.now)
        limits = RoomLimits(
            seats=self.seats,
            away_s=60.0,
            turns=TurnLimits(unjoined=8, turn_s=3.0, join_s=15.0),
            commits=Rate(4.0, 32),
            message_rate=Rate(1.0, 10),
        )
        self.broker = MemoryBroker(
            limits,
            RingLimits(100, 10**6, 60.0, 10**7),
            self.rooms,
            Draw(
                life=lambda: Life(next(lives).to_bytes(8, "big")),
                tag=lambda: Tag(next(tags)),
                ticket=lambda room, life, tag, g: self.tickets.ticket(room, life, tag, g, WALL),
                mark=lambda room, life, fence, seq: self.tickets.mark(room, life, fence, seq, WALL),
            ),
            lambda: RoomChannel(self.fan),
            self.now,
        )
        nonces = itertools.count(1)
        self.hub = Hub(
            broker=self.broker,
            wheel=self.wheel,
            clock=Clock(lambda: self.now),
            metrics=self.metrics,
            session_limits=SessionLimits(self.messages, Rate(0.5, 5), 131_072, 5.0),
            limits=SocketLimits(20.0, 45.0, self.slow_bytes, 3.0),
            nonce=lambda: next(nonces).to_bytes(32, "big"),
            fault=self.faults.append,
            returns=Returns(self.tickets, lambda: WALL, self.now + 60.0),
            closed=self.closed.append,
        )
        self.source = Source(SourceLimits(Rate(0.0, 1), Rate(30.0, 300), 0))

    def connect(self) -> "Client":
        transport = FakeTransport()
        kind = PlainSocket if self.plain else Socket
        socket = kind(self.hub, cast(Any, transport), self.source, (HOST,))
        transport.protocol = socket
        socket.open()
        return Client(self, transport, socket)

    def flush(self) -> None:
        while self.soon:
            self.soon.pop(0)()

    def advance(self, seconds: float) -> None:
        """Let time pass, in ticks."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(self.now + 0.25, until)
            self.hub.clock.tick()
            self.broker.expire(self.now)
            for socket in self.wheel.advance(self.now):
                socket.expire(self.now)
            self.flush()


class PlainSocket(Socket):
    """Without the hot path: every message goes through effects."""

    def _binary(self, message: bytes, now: float) -> None:
        fence = 0 if self._place is None else self._place.fence
        self._perform(self._session.binary(message, fence, now), now)


@dataclass
class Client:
    world: World
    transport: FakeTransport
    socket: Socket
    ticket: str = ""
    mark: str = ""

    def frames(self) -> list[tuple[int, bytes]]:
        """Return (opcode, payload) of what came since the last time, as far as it is whole.

        Of marks and tickets the newest is kept, and no mark is returned.
        """
        self.world.flush()
        data, found = self.transport.data, []
        while len(data) > 1:
            size, at = data[1], 2
            if size == 126:
                size, at = int.from_bytes(data[2:4], "big"), 4
            if len(data) < at + size:
                break
            opcode, payload = data[0] & 0x0F, data[at : at + size]
            data = data[at + size :]
            if opcode == 1:
                self._keep(json.loads(payload))
            if not payload.startswith(b'{"type":"mark"'):
                found.append((opcode, payload))
        self.transport.data = data
        return found

    def json(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for opcode, payload in self.frames() if opcode == 1]

    def _keep(self, message: dict[str, Any]) -> None:
        self.ticket = message.get("ticket", self.ticket)
        self.mark = message.get("mark", self.mark)

    def raw(self, data: bytes) -> None:
        self.socket.data_received(data)

    def text(self, data: bytes) -> None:
        self.raw(client_frame(1, data))

    def send(self, data: bytes) -> None:
        self.raw(client_frame(2, data))

    def hello(self, link: Link) -> None:
        nonce = from_b64url(self.json()[0]["nonce"])
        self.text(hello_text(link.room, link.access, link.sign(HOST, nonce)))

    def join(self, link: Link, fence: int) -> "Client":
        self.hello(link)
        self.send(commit_bytes(fence))
        assert self.json()[-1]["type"] == "joined"
        return self

    def resume(self, link: Link, seen: int, room: int | None = None) -> "Client":
        """Show the ticket on a new connection, which takes ``room`` bytes at first."""
        other = self.world.connect()
        nonce = from_b64url(other.json()[0]["nonce"])
        if room is not None:
            other.transport.room = room
        proof = link.room, link.access, link.sign(HOST, nonce)
        other.text(resume_text(*proof, self.ticket, self.mark, seen))
        return other

    @property
    def close_code(self) -> int | None:
        """The code of the close frame that the peer got; None if it was cut."""
        opcode, payload = self.frames()[-1]
        return int.from_bytes(payload[:2], "big") if opcode == 8 else None


def joined_pair(world: World) -> tuple[Client, Client]:
    link = new_link()
    one, two = world.connect().join(link, 0), world.connect().join(link, 1)
    one.frames()
    return one, two
