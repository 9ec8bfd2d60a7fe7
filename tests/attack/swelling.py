"""Filling what a relay holds: rings above its ceiling of memory, and who may still come in then."""

from contextlib import suppress

from tests.attack.attacker import BINARY, FIN, Attacker, Visitor, quick_frame
from tests.attack.target import OPEN, Target, serving
from tests.relay.raw import Closed, from_b64url, post_bytes

MIB = 1 << 20
FREE = (*OPEN, "--message-rate=0", "--commit-interval=0", "--room-commit-interval=0")
SHORT = r"(WARNING relay memory is short[^\n]*\n)*"


def resting_bytes() -> int:
    """Return what a relay holds in which nothing goes on."""
    with serving(*FREE) as calm:
        return calm.rss_kb() * 1024


def fill(visitor: Visitor, size: int) -> int:
    """Post so many bytes, acknowledged one by one; the visitor knows the last number then."""
    sent = 0
    while sent < size:
        post_large(visitor)
        sent += 4141
    return sent


def post_large(visitor: Visitor) -> int:
    """Post once; return how many seats have gone away since."""
    visitor.raw(quick_frame(FIN | BINARY, post_bytes(visitor.fence, bytes(28 + 4096))))
    away = 0
    while (message := visitor.message())[0] != 0x13:
        away += message.startswith(b'{"type":"away"')
    visitor.seq = int.from_bytes(message[9:], "big")
    return away


def may_found(relay: Target) -> bool:
    """Try to open a room of one's own."""
    with suppress(Closed, ConnectionError), Visitor(relay.port) as stranger:
        if stranger.handshake() == 101:
            stranger.say_hello(from_b64url(stranger.json()["nonce"]))
            return bool(stranger.json()["type"] == "welcome")
    return False


def is_full(relay: Target) -> bool:
    """Tell whether no connection is let in at all: what can be given up was given up."""
    with suppress(Closed, ConnectionError), Attacker(relay.port) as stranger:
        stranger.try_raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        return stranger.response()[0] == 503
    return False
