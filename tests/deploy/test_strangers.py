"""What strangers can do to a relay behind a proxy, and what the proxy keeps of them."""

import itertools
import socket
import ssl
import struct
import time
import warnings
from contextlib import suppress
from pathlib import Path

import pytest

from tests.attack.attacker import connect, crowd, trusting
from tests.deploy.front import DEAD_PORT, front
from tests.deploy.place import SEATS, STRANGER, Place, ask, assert_silent, peer_of
from tests.relay.raw import Closed

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize(
    "spoofed",
    [
        "X-Forwarded-For: 192.0.2.{n}", "Forwarded: for=192.0.2.{n}", "X-Real-IP: 192.0.2.{n}",
        "X-Forwarded-For: 192.0.2.{n}, 127.0.0.1", "x-forwarded-for: 127.0.0.1",
        "X-Forwarded-For: 192.0.2.{n}\r\nX-Forwarded-For: 127.0.0.1",
        "X_Forwarded_For: 192.0.2.{n}", "Connection: X-Forwarded-For",
    ],
)  # fmt: skip
def test_what_strangers_say_of_their_address_counts_for_nothing(
    place: Place, client: str, spoofed: str
) -> None:
    peers = [peer_of(place.front, client) for _ in range(SEATS + 2)]
    with crowd(*peers):
        found = [ask(peer, spoofed.format(n=n)) for n, peer in enumerate(peers)]
        assert found == [101] * SEATS + [429] * 2


def test_bodies_have_a_bound(place: Place, client: str) -> None:
    """The greater one is refused by the proxy, the smaller one by the relay, which takes 8 KiB.

    Caddy is still sending when the relay has answered and gone, and may not have read the answer.
    """
    refused = {413} if place.front.name == "nginx" else {413, 502}
    for size in (200_000, 100_000):
        with peer_of(place.front, client) as peer:
            head = f"POST / HTTP/1.1\r\nHost: {peer.host}\r\nContent-Length: {size}\r\n\r\n"
            with suppress(OSError):
                peer.raw(head.encode() + bytes(size))
            assert peer.response()[0] in refused, size


def test_strangers_cannot_make_a_relay_look_dead(place: Place, client: str) -> None:
    """Whatever is asked, and however it is broken off, the next one is served."""
    nasty = [
        b"Content-Length: 100000\r\n\r\n" + bytes(100_000),
        b"Content-Length: 159000\r\n\r\n" + bytes(159_000),
        b"Content-Length: 159000\r\n\r\n" + bytes(9_000),
        b"Content-Length: 100\r\n\r\n" + bytes(10),
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"2000\r\n" + bytes(0x2000) + b"\r\n0\r\n\r\n",
        b"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n",
        b"X: " + bytes(range(128, 255)) + b"\r\n\r\n",
        b"\r\n".join(b"X%d: y" % n for n in range(90)) + b"\r\n\r\n",
        b"X: " + b"y" * 7900 + b"\r\n\r\n",
        b"\r\n",
    ]
    for rest, is_reset in itertools.product(nasty, (False, True)):
        with peer_of(place.front, client) as peer, suppress(OSError, Closed):
            peer.raw(f"POST / HTTP/1.1\r\nHost: {peer.host}\r\n".encode() + rest)
            if is_reset:
                peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                peer.sock.settimeout(0.05)
                peer.response()
        with peer_of(place.front, STRANGER) as peer:
            assert peer.handshake() == 101


def test_only_its_own_name_and_present_versions_are_spoken(place: Place) -> None:
    context = trusting("h2", "http/1.1")
    with context.wrap_socket(connect(place.front.port), server_hostname="localhost") as sock:
        assert sock.version() == "TLSv1.3"
        assert sock.selected_alpn_protocol() in ("http/1.1", None)
    with connect(place.front.port) as raw, pytest.raises(ssl.SSLError):
        context.wrap_socket(raw, server_hostname="other.example")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with connect(place.front.port) as raw, pytest.raises(ssl.SSLError) as refused:
        context.wrap_socket(raw, server_hostname="localhost")
    assert refused.value.reason != "NO_PROTOCOLS_AVAILABLE"
    with peer_of(place.front) as peer:
        peer.raw(b"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n")
        status, _, body = peer.response()
        assert status == 421 or body == b""


def test_troubles_leave_nobody_in_the_log(place: Place, client: str, tmp_path: Path) -> None:
    """No relay answers, handshakes and requests are nonsense, connections break."""
    soon = {"lb_try_duration 5s": "lb_try_duration 1s"} if place.front.name == "caddy" else {}
    with front(place.front.name, tmp_path, (DEAD_PORT, DEAD_PORT), soon) as running:
        with peer_of(running, client) as peer:
            # Not a status that sends people away for good.
            assert ask(peer) in (502, 503)
        for beginning in (b"GET /v1/connect HTTP/1.1\r\n\r\n", b"\x16\x03\x01", bytes(300), b""):
            with connect(running.port, client) as sock:
                sock.sendall(beginning)
        for head in (b"GET /v1/", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 9000, b"GET /\r\n\r\n"):
            with peer_of(running, client) as peer:
                peer.raw(head)
        with peer_of(running, client) as peer:
            assert ask(peer, "Transfer-Encoding: chunked, x", target="/v1/x") >= 400
        assert_silent(running)
    with front(place.front.name, tmp_path, (place.relay.port, DEAD_PORT)) as running:
        with peer_of(running, client).upgraded() as peer:
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with peer_of(running, client).upgraded():
            pass
        time.sleep(0.1)
        assert_silent(running)
