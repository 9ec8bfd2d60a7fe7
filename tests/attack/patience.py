"""Peers that are slow to say what they want: all at once and beside other tests, for it is long."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from tests.attack.attacker import Attacker, seconds_to_eof
from tests.attack.target import OPEN, Target, serving
from tests.relay.raw import PATIENCE_S

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
# A handler of the page's largest file, asked for often enough to fill what the system buffers.
PAGE = b"GET /words.txt HTTP/1.1\r\nHost: a\r\n\r\n"


def repeat(peer: Attacker, data: bytes, every_s: float) -> None:
    """Send something now and then until the relay has had enough."""
    until = time.monotonic() + 2 * PATIENCE_S
    while peer.try_raw(data):
        assert time.monotonic() < until
        time.sleep(every_s)


def connect_and_silence(peer: Attacker) -> None:
    """Say nothing."""


def slowloris_header(peer: Attacker) -> None:
    """A line now and then."""
    peer.raw(b"GET / HTTP/1.1\r\n")
    repeat(peer, b"X: y\r\n", 0.5)


def slowloris_header_of_a_second_request(peer: Attacker) -> None:
    peer.raw(HEALTH)
    assert peer.response()[0] == 200
    slowloris_header(peer)


def slowloris_byte_by_byte(peer: Attacker) -> None:
    peer.raw(b"GET /")
    repeat(peer, b"a", 0.1)


def body_stall_on_post(peer: Attacker) -> None:
    peer.raw(b"POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
    status = peer.response()[0]
    assert status in (404, 405, 408)


def body_by_bytes_on_post(peer: Attacker) -> None:
    peer.raw(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000\r\n\r\n")
    repeat(peer, b"x", 0.5)


def kept_alive_and_silent(peer: Attacker) -> None:
    peer.raw(HEALTH)
    assert peer.response()[0] == 200


def websocket_without_hello(peer: Attacker) -> None:
    assert peer.handshake() == 101


def response_never_read(peer: Attacker) -> None:
    with suppress(TimeoutError):
        peer.sock.settimeout(2)
        while peer.try_raw(PAGE * 20):
            pass
    peer.sock.settimeout(PATIENCE_S)
    # One that reads would keep it alive: look only whether it was ended.
    repeat(peer, b"X", 0.2)


# What each may take by the relay's constants.
PEERS: dict[Callable[[Attacker], None], float] = {
    connect_and_silence: 5,
    slowloris_header: 5,
    slowloris_header_of_a_second_request: 5,
    slowloris_byte_by_byte: 5,
    body_stall_on_post: 10,
    body_by_bytes_on_post: 10,
    kept_alive_and_silent: 15,
    websocket_without_hello: 5,
    response_never_read: 12,
}


@contextmanager
def waiting() -> Iterator[dict[str, "Future[float]"]]:
    """Let all of them try a relay; each future says how long one was borne."""
    with serving(*OPEN) as relay, ThreadPoolExecutor(len(PEERS)) as threads:
        yield {peer.__name__: threads.submit(wait_out, relay, peer) for peer in PEERS}


def wait_out(relay: Target, act: Callable[[Attacker], None]) -> float:
    """Return for how long the relay bears a peer."""
    buffer = 4096 if act is response_never_read else None
    with Attacker(relay.port, receive_buffer=buffer) as peer:
        began = time.monotonic()
        act(peer)
        seconds_to_eof(peer)
        return time.monotonic() - began
