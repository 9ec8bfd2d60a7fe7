"""A relay without a network, for harnesses: sockets that speak by script, and what they are told.

Every message of the relay goes through the client's own parser; nothing of it may be refused there.
"""

import functools
import re
from dataclasses import dataclass, field
from typing import Any, cast

from nacl.signing import SigningKey

from client import wire as client_wire
from relay import frame
from relay.clock import STALL_S
from relay.frame import FIN
from relay.websocket import Socket
from tests.relay import one_hub
from tests.relay.raw import Link, hello_text, resume_text

# RFC 6455 7.1.5: a close frame that says nothing.
NO_CODE = 1005
# Two rooms are enough to tell one from another.
LINKS = tuple(Link(SigningKey(bytes([number]) * 32)) for number in (1, 2))
_TOKEN = re.compile(rb'"(ticket|mark)":"[\w-]+"')
Message = client_wire.TextFrame | client_wire.BinaryFrame | client_wire.Unknown


@functools.cache
def signature(link: Link, nonce: bytes) -> bytes:
    """Prove a link; nonces of a World are numbers, and come again."""
    return link.sign(one_hub.HOST, nonce)


def client_frame(first: int, payload: bytes) -> bytes:
    """Frame what a client sends under a mask of zeros, so that scripts say what they mean."""
    head = bytearray(frame.header(first, len(payload)))
    head[1] |= 0x80
    return bytes(head) + bytes(4) + payload


def server_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Split what a socket wrote into (first byte, payload), and what is not whole yet."""
    frames = []
    while len(data) > 1:
        size, at = data[1], 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        assert size == len(data[at : at + size]) or size > len(data) - at
        if len(data) < at + size:
            break
        frames.append((data[0], data[at : at + size]))
        data = data[at + size :]
    return frames, data


def told(payload: bytes) -> Message:
    """Read a message of the relay as a client does."""
    if payload[:1] == b"{":
        return client_wire.parse_text(payload.decode())
    return client_wire.parse_binary(payload)


def without_tokens(data: bytes) -> bytes:
    """Tickets and marks are never the same; their length is."""
    return _TOKEN.sub(lambda match: match[1] + b"=" + bytes(len(match[0])), data)


@dataclass
class Peer:
    """One connection: what it was told, in order, and how it ended."""

    world: one_hub.World
    raw: one_hub.Client
    number: int
    link: Link
    said_hello: bool = False
    rest: bytes = b""
    log: list[Message] = field(default_factory=list)
    pongs: int = 0
    code: int | None = None
    is_lost: bool = False

    @property
    def is_over(self) -> bool:
        transport = self.raw.transport
        return transport.aborted or transport.eof

    def send(self, data: bytes) -> None:
        """Send raw bytes; what comes after the end reaches nobody."""
        if not self.is_lost and not self.raw.transport.aborted:
            self.raw.socket.data_received(data)

    def lose(self) -> None:
        """Let the transport be gone, for whatever reason."""
        if not self.is_lost:
            self.is_lost = self.raw.transport.aborted = True
            self.raw.socket.connection_lost(None)

    def text(self, payload: bytes) -> None:
        self.send(client_frame(FIN | frame.TEXT, payload))

    def binary(self, payload: bytes) -> None:
        self.send(client_frame(FIN | frame.BINARY, payload))

    def hello(self) -> None:
        self.said_hello = True
        self.text(hello_text(*self._proof()))

    def resume(self, ticket: str, mark: str, seen: int) -> None:
        self.said_hello = True
        self.text(resume_text(*self._proof(), ticket, mark, seen))

    def _proof(self) -> tuple[bytes, bytes, bytes]:
        nonce = self.number.to_bytes(32, "big")
        return self.link.room, self.link.access, signature(self.link, nonce)

    def read(self) -> list[Message]:
        """Return what came since the last time, read by the client's parser."""
        self.world.flush()
        transport = self.raw.transport
        frames, self.rest = server_frames(self.rest + transport.data)
        transport.data = b""
        fresh = []
        for first, payload in frames:
            assert self.code is None, "a word after the close"
            match first:
                case 0x88:
                    self.code = int.from_bytes(payload[:2], "big") if payload else NO_CODE
                case 0x89 | 0x8A:
                    self.pongs += 1
                case 0x81 | 0x82:
                    assert (first == 0x81) == (payload[:1] == b"{")
                    fresh.append(told(payload))
                case _:
                    raise AssertionError("a frame that the relay never sends")
        self.log += fresh
        return fresh


@dataclass
class Floor:
    """A hub and the peers that were ever connected."""

    world: one_hub.World = field(default_factory=one_hub.World)
    peers: list[Peer] = field(default_factory=list)

    def connect(self, link: Link = LINKS[0], kind: type[Socket] = Socket) -> Peer:
        transport = one_hub.FakeTransport()
        world = self.world
        socket = kind(world.hub, cast(Any, transport), world.source, (one_hub.HOST,))
        transport.protocol = socket
        socket.open()
        raw = one_hub.Client(world, transport, socket)
        peer = Peer(world, raw, len(self.peers) + 1, link)
        self.peers.append(peer)
        return peer

    def end(self) -> None:
        """Cut everybody, and let the time pass after which nothing may be left."""
        for peer in self.peers:
            peer.lose()
        world = self.world
        for _ in range(40):
            # As far as the clock goes without taking it for a stall.
            world.now += STALL_S
            world.hub.clock.tick()
            world.broker.expire(world.now)
            for socket in world.wheel.advance(world.now):
                socket.expire(world.now)
            world.flush()
        assert world.faults == []
        assert len(world.broker) == len(world.broker._wheel) == 0, "a room that nobody is in"
        assert len(world.wheel) == 0, "a connection that is waited for"
        assert world.broker._rings.total == 0, "bytes that nobody can ask for"
