"""ATTACKS, the WebSocket and HTTP rows: raw sockets against a real relay; names are the rows'.

Rows that need no figure stand in tests/e2e/test_relay_connection.py.
"""

import random
import resource
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.relay.process import ROOT, Relay, running
from tests.relay.raw import (
    Closed,
    Member,
    Peer,
    client_frame,
    new_link,
    post_bytes,
)

OPEN = ("--source-connection-rate", "0", "--source-connections", "0")


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    with running(*OPEN) as relay:
        with Member(relay.port, new_link()).join():
            pass
        yield relay


def flood(peer: Peer, data: bytes, most: int) -> int:
    """Send ``data`` again and again until the relay has had enough; return the bytes sent."""
    sent = 0
    while sent < most and peer.try_raw(data):
        sent += len(data)
    return sent


def seconds_to_eof(peer: Peer) -> float:
    began = time.monotonic()
    peer.wait_eof()
    return time.monotonic() - began


def test_message_as_many_fragments_ignoring_1009(relay: Relay) -> None:
    before = relay.rss_kb()
    with Peer(relay.port) as peer:
        peer.handshake()
        first = client_frame(2, bytes(1024), fin=False)
        rest = client_frame(0, bytes(65_536), fin=False)
        began = time.monotonic()
        peer.try_raw(first)
        flood(peer, rest, 180_000_000)
        assert time.monotonic() - began < 10.0
    assert relay.rss_kb() - before < 4096


def test_header_claims_2_to_the_40(relay: Relay) -> None:
    before = relay.rss_kb()
    with Peer(relay.port) as peer:
        peer.handshake()
        peer.raw(b"\x82\xff" + struct.pack("!Q", 1 << 40))
        assert peer.close_code() == 1009
    assert relay.rss_kb() - before < 1024


def test_a_million_zero_length_fragments(relay: Relay) -> None:
    with Peer(relay.port) as peer:
        peer.handshake()
        peer.try_raw(client_frame(1, fin=False))
        flood(peer, client_frame(0, fin=False) * 1000, 6_000_000)
        assert peer.close_code() in (1008, None)


@pytest.mark.parametrize("reads", [True, False])
def test_ping_flood(relay: Relay, reads: bool) -> None:
    with Peer(relay.port) as peer:
        peer.handshake()
        peer.try_raw(client_frame(9, bytes(100)) * 1000)
        if reads:
            pongs = 0
            try:
                while True:
                    opcode, payload = peer.frame()
                    pongs += opcode == 0xA
                    if opcode == 8:
                        assert int.from_bytes(payload[:2], "big") == 1008
                        break
            except Closed:
                pass  # What was still on its way to the relay made it a reset.
            assert pongs <= 21
        else:
            began = time.monotonic()
            while peer.try_raw(client_frame(9)):
                assert time.monotonic() - began < 30.0
                time.sleep(0.05)


def test_slowloris_header() -> None:
    with running() as relay, Peer(relay.port) as peer:
        began = time.monotonic()
        peer.raw(b"GET / HTTP/1.1\r\n")
        while peer.try_raw(b"X: y\r\n"):
            assert time.monotonic() - began < 60.0
            time.sleep(0.5)
        assert time.monotonic() - began > 4.0


def test_connect_and_silence(relay: Relay) -> None:
    with Peer(relay.port) as peer:
        assert 4.0 < seconds_to_eof(peer) < 60.0


def test_body_stall_on_post(relay: Relay) -> None:
    with Peer(relay.port) as peer:
        peer.raw(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        status = peer.response()[0]
        assert status in (405, 408)
        seconds_to_eof(peer)


def test_connection_flood_per_source() -> None:
    with running("--source-connections", "20", "--source-connection-rate", "0") as relay:
        peers = [Peer(relay.port) for _ in range(20)]
        assert {peer.handshake() for peer in peers} == {101}
        with Peer(relay.port) as peer:
            assert peer.response()[0] == 429
        extra = [Peer(relay.port) for _ in range(100)]
        peers[0].raw(client_frame(9, b"x"))
        assert peers[0].json()["type"] == "challenge"
        assert peers[0].frame() == (0xA, b"x")
        for peer in (*peers, *extra):
            peer.sock.close()


def test_random_bytes_to_the_port(relay: Relay) -> None:
    rng = random.Random(7)
    for _ in range(200):
        with Peer(relay.port) as peer:
            peer.try_raw(rng.randbytes(rng.randint(1, 3000)))
            if rng.random() < 0.5:
                peer.try_raw(b"\r\n\r\n")


def test_one_member_floods_and_the_others_lose_nothing() -> None:
    with running(*OPEN) as relay:
        link = new_link()
        one, two = Member(relay.port, link).join(), Member(relay.port, link).join()
        loud = Member(relay.port, link).join()
        for _ in range(45):
            loud.try_raw(client_frame(2, post_bytes(3)))
        one.send(post_bytes(3, b"z" * 284))
        while two.message()[-284:] != b"z" * 284:
            pass
        assert loud.close_code() in (4500, None)
        for member in (one, two, loud):
            member.sock.close()


def test_descriptor_exhaustion() -> None:
    """New ones are refused, old ones live, the log stays silent."""
    limit = 300

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    process = subprocess.Popen(
        [sys.executable, "-m", "relay", "serve", "--port", "0", *OPEN],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=lower,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        relay = Relay(process, int(process.stdout.readline().rpartition(":")[2]))
        old = Member(relay.port, new_link()).join()
        crowd = []
        for _ in range(600):
            sock = socket.socket()
            sock.settimeout(5)
            sock.connect(("127.0.0.1", relay.port))
            crowd.append(sock)
        old.send(post_bytes(1))
        while old.message()[0] != 0x13:
            pass
        assert len(list(Path(f"/proc/{relay.pid}/fd").iterdir())) < limit
        for sock in crowd:
            sock.close()
        old.sock.close()
    finally:
        code, out, err = relay.stop()
    assert (code, out, err) == (0, "", "")


def test_idle_connections_cost_little() -> None:
    """The row says 10,000 at 10 KB each; here 500, and room for the interpreter's arenas."""
    with running(*OPEN) as relay:
        peers = [Peer(relay.port) for _ in range(50)]
        for peer in peers:
            peer.handshake()
        before = relay.rss_kb()
        more = [Peer(relay.port) for _ in range(500)]
        for peer in more:
            assert peer.handshake() == 101
        assert (relay.rss_kb() - before) / 500 < 20
        for peer in (*peers, *more):
            peer.sock.close()
