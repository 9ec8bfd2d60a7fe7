"""A peer that keeps no rule: floods, its own addresses, a link that is down, TLS if it must be."""

import ctypes
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.relay.raw import PATIENCE_S, Closed, Link, Member, Peer, new_link

_SO_ATTACH_FILTER = 26
# Classic BPF: return 0, keep nothing of any packet.
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)
FIN, TEXT, BINARY, CLOSE, PING, PONG = 0x80, 1, 2, 8, 9, 10


class _Attempt:
    """A peer that may never have got a connection."""

    sock: socket.socket

    def __del__(self) -> None:
        if hasattr(self, "sock"):
            self.sock.close()


class Attacker(_Attempt, Peer):
    """One connection; ``source`` is the loopback address that it comes from."""

    def __init__(
        self,
        port: int,
        *,
        source: str | None = None,
        tls: bool = False,
        receive_buffer: int | None = None,
    ) -> None:
        self.sock = connect(port, source, tls, receive_buffer)
        self.port = port
        self.host = f"127.0.0.1:{port}"
        self._held = b""
        self.pings = 0

    def upgraded(self) -> "Attacker":
        """Shake hands and take the challenge."""
        assert self.handshake() == 101
        assert self.json()["type"] == "challenge"
        return self


class Visitor(_Attempt, Member):
    """A member of a room that comes from an address of its choice."""

    def __init__(
        self,
        port: int,
        link: Link | None = None,
        *,
        source: str | None = None,
        tls: bool = False,
        receive_buffer: int | None = None,
    ) -> None:
        self.sock = connect(port, source, tls, receive_buffer)
        self.port = port
        self.host = f"127.0.0.1:{port}"
        self._held = b""
        self.pings = 0
        self.link = link or new_link()
        self.tag = self.life = self.ticket = self.mark = ""
        self.fence = self.seq = 0


def connect(
    port: int,
    source: str | None = None,
    tls: bool = False,
    receive_buffer: int | None = None,
) -> socket.socket:
    """Open a connection to the relay."""
    sock = socket.socket()
    try:
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(PATIENCE_S)
        if source is not None:
            sock.bind((source, 0))
        sock.connect(("127.0.0.1", port))
        return trusting().wrap_socket(sock, server_hostname="localhost") if tls else sock
    except BaseException:
        sock.close()
        raise


def trusting(*protocols: str) -> ssl.SSLContext:
    """Return a context that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def quick_frame(first: int, payload: bytes = b"") -> bytes:
    """Frame under a mask of zeros: a flood has no time to mask."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((first, 0xFE)) + struct.pack("!H", size)
    else:
        head = bytes((first, 0xFF)) + struct.pack("!Q", size)
    return head + bytes(4) + payload


def flood(peer: Peer, data: bytes, most: int) -> int:
    """Send ``data`` again and again until the relay has had enough; return the bytes sent."""
    sent = 0
    while sent < most and peer.try_raw(data):
        sent += len(data)
    return sent


def answers(peer: Peer) -> Iterator[bytes]:
    """Yield messages up to the end of the connection, however it ends."""
    try:
        while True:
            yield peer.message()
    except Closed:
        pass


def seconds_to_eof(peer: Peer) -> float:
    """Read to the end; return how long that took."""
    began = time.monotonic()
    peer.wait_eof()
    return time.monotonic() - began


def go_deaf(sock: socket.socket) -> None:
    """Let nothing arrive any more, and acknowledge nothing: the link is down."""
    code = ctypes.create_string_buffer(_DROP_ALL)
    program = struct.pack("HP", 1, ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


@contextmanager
def crowd(*peers: Peer) -> Iterator[None]:
    """Close many connections at the end."""
    try:
        yield
    finally:
        for peer in peers:
            peer.sock.close()
