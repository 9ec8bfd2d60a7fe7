"""Attacks by HTTP: heads, smuggling, h2c, bodies; in every request of a connection."""

import random
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.attack.attacker import Attacker, flood
from tests.attack.target import OPEN, Target, flooding, serving
from tests.relay.raw import Closed, Peer

GOOD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n"
H2_FRAMES = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)) + bytes((0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8)) * 50


def get(*fields: bytes, line: bytes = b"GET /healthz HTTP/1.1") -> bytes:
    """Lay out a request with these fields and one Host before them."""
    return b"\r\n".join((line, b"Host: a", *fields, b"", b""))


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return get(*fields, line=b"POST /healthz HTTP/1.1") + body


REFUSED = {
    # Heads that are too large.
    "40 KB in one field": (get(b"X: " + b"y" * 40_000), 431),
    "400 fields": (get(*[b"X: y"] * 400), 431),
    "65 fields": (get(*[b"X: y"] * 64), 431),
    "a target of 40 KB": (get(line=b"GET /" + b"a" * 40_000 + b" HTTP/1.1"), 431),
    "8 KiB and no end": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 8192, 431),
    # Two lengths, or none that all agree on.
    "CL and TE": (
        post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        400,
    ),
    "TE and CL": (
        post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"),
        400,
    ),
    "CL 0 and TE": (post(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=SMUGGLED), 400),
    "TE alone": (post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED), 411),
    "TE xchunked": (post(b"Transfer-Encoding: xchunked", body=SMUGGLED), 411),
    "TE identity": (post(b"Transfer-Encoding: identity", body=SMUGGLED), 411),
    "TE in capitals": (post(b"TRANSFER-ENCODING: CHUNKED", body=SMUGGLED), 411),
    "TE with a space before the colon": (post(b"Transfer-Encoding : chunked", body=SMUGGLED), 400),
    "TE with a vertical tab": (post(b"Transfer-Encoding:\x0bchunked", body=SMUGGLED), 400),
    "TE folded": (post(b"X: y", b" Transfer-Encoding: chunked", body=SMUGGLED), 400),
    "two CL alike": (post(b"Content-Length: 1", b"Content-Length: 1", body=b"x"), 400),
    "two CL unlike": (post(b"Content-Length: 0", b"Content-Length: 44", body=SMUGGLED), 400),
    "CL listed": (post(b"Content-Length: 0, 44", body=SMUGGLED), 400),
    "CL with a sign": (post(b"Content-Length: +5", body=b"abcde"), 400),
    "CL negative": (post(b"Content-Length: -1", body=SMUGGLED), 400),
    "CL hexadecimal": (post(b"Content-Length: 0x2c", body=SMUGGLED), 400),
    "CL with an underscore": (post(b"Content-Length: 4_4", body=SMUGGLED), 400),
    "CL in other digits": (post("Content-Length: ٤٤".encode(), body=SMUGGLED), 400),
    "CL empty": (post(b"Content-Length:", body=SMUGGLED), 400),
    "CL of 20 digits": (post(b"Content-Length: 18446744073709551616", body=SMUGGLED), 400),
    "CL of a gigabyte": (post(b"Content-Length: 1000000000", body=b"x" * 1000), 413),
    # Lines that end in another way.
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "bare LF within": (get(b"X: y\nZ: w"), 400),
    "bare CR within": (get(b"X: y\rZ: w"), 400),
    "NUL within": (get(b"X: \0"), 400),
    "a field that is folded": (get(b"X: y", b"\tz"), 400),
    "a field without a name": (get(b": y"), 400),
    "a field without a colon": (get(b"X"), 400),
    "a space before the colon": (get(b"X : y"), 400),
    "a name beyond ASCII": (get("Ä: y".encode()), 400),
    "a value beyond ASCII": (get("X: ä".encode()), 400),
    # Request lines.
    "an empty line first": (b"\r\n" + GOOD, 400),
    "a method in lower case": (get(line=b"get / HTTP/1.1"), 400),
    "a method beyond ASCII": (get(line="GÉT / HTTP/1.1".encode()), 400),
    "a target beyond ASCII": (get(line="GET /é HTTP/1.1".encode()), 400),
    "two spaces": (get(line=b"GET  / HTTP/1.1"), 400),
    "a tab": (get(line=b"GET\t/ HTTP/1.1"), 400),
    "no version": (get(line=b"GET /"), 400),
    "absolute form": (get(line=b"GET http://a/ HTTP/1.1"), 400),
    "authority form": (get(line=b"CONNECT a:80 HTTP/1.1"), 400),
    "asterisk form": (get(line=b"OPTIONS * HTTP/1.1"), 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/1.0": (get(line=b"GET / HTTP/1.0"), 505),
    "HTTP/1.2": (get(line=b"GET / HTTP/1.2"), 505),
    "HTTP/2.0": (get(line=b"GET / HTTP/2.0"), 505),
    "prior knowledge of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + H2_FRAMES, 505),
    # Hosts.
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (get(b"Host: b"), 400),
    "two Hosts alike": (get(b"Host: a"), 400),
    "an empty Host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "a Host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "a Host with a user": (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    "a Host with a comma": (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    "a Host with a bad port": (b"GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", 400),
    # The way to the socket.
    "the socket without an upgrade": (get(line=b"GET /v1/connect HTTP/1.1"), 426),
    "the socket by POST": (
        get(b"Connection: upgrade", b"Upgrade: websocket", line=b"POST /v1/connect HTTP/1.1"),
        426,
    ),
    "the socket with a body": (
        get(
            *(b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 1"),
            line=b"GET /v1/connect HTTP/1.1",
        ),
        400,
    ),
    "the socket without a key": (
        get(b"Connection: upgrade", b"Upgrade: websocket", line=b"GET /v1/connect HTTP/1.1"),
        400,
    ),
    "the socket by h2c": (
        get(b"Connection: upgrade", b"Upgrade: h2c", line=b"GET /v1/connect HTTP/1.1"),
        426,
    ),
}


@pytest.fixture(scope="module")
def relay() -> Iterator[Target]:
    with serving(*OPEN) as relay:
        yield relay


def statuses(peer: Peer) -> Iterator[int]:
    """Yield the statuses of all responses up to the end."""
    try:
        while True:
            yield peer.response()[0]
    except Closed:
        pass


@pytest.mark.parametrize("name", REFUSED)
def test_requests_that_two_could_read_differently(relay: Target, name: str) -> None:
    """One refusal, the end, and no word about what was smuggled behind it."""
    data, status = REFUSED[name]
    for earlier in (0, 1, 3):
        with Attacker(relay.port) as peer:
            peer.try_raw(GOOD * earlier + data + SMUGGLED)
            assert list(statuses(peer)) == [200] * earlier + [status]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_requests_in_small_pieces_are_vetted_alike(relay: Target, size: int) -> None:
    for name in ("CL and TE", "bare LF", "no Host", "HTTP/1.0", "TE alone", "two CL unlike"):
        data, status = REFUSED[name]
        with Attacker(relay.port) as peer:
            for at in range(0, len(data), size):
                peer.try_raw(data[at : at + size])
            assert list(statuses(peer)) == [status]


def test_body_is_no_request(relay: Target) -> None:
    length = b"Content-Length: %d" % len(SMUGGLED)
    with Attacker(relay.port) as peer:
        peer.raw(post(length, body=SMUGGLED) + get(b"Connection: close"))
        assert list(statuses(peer)) == [405, 200]
    with Attacker(relay.port) as peer:
        peer.raw(get(length) + SMUGGLED + get(b"Connection: close"))
        assert all(status in (200, 400, 413) for status in statuses(peer))


def test_h2c_upgrade_is_answered_over_1_1(relay: Target) -> None:
    ask = (b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABkAAQAAP__")
    for upgrade in (b"Upgrade: h2c", b"Upgrade: h2c, foo", b"UPGRADE: H2C", b"Upgrade: foo, h2c"):
        with Attacker(relay.port) as peer:
            peer.raw(get(upgrade, *ask) * 2 + get(upgrade, b"Connection: close", *ask))
            assert list(statuses(peer)) == [200] * 3


def test_rapid_reset_finds_no_http_2(relay: Target) -> None:
    """Nor does anything else of HTTP/2: its preface ends the connection."""
    with flooding(relay, "HTTP/2 preface and resets", 1024) as cost, Attacker(relay.port) as peer:
        peer.try_raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        cost.sent = flood(peer, H2_FRAMES, 200 * len(H2_FRAMES))
        assert list(statuses(peer)) in ([505], [])


def test_expect_is_not_answered_before_the_body(relay: Target) -> None:
    with Attacker(relay.port) as peer:
        peer.raw(post(b"Expect: 100-continue", b"Content-Length: 2"))
        peer.raw(b"ab" + get(b"Connection: close"))
        assert list(statuses(peer)) in ([405, 200], [405])


@pytest.mark.parametrize(
    "target",
    [
        *(b"/../../etc/passwd", b"/%2e%2e/%2e%2e/etc/passwd", b"/\\", b"/%00", b"/.git/config"),
        *(b"/index.html%00.js", b"/js/..%2f..%2fconfig.py", b"/" + b"a/" * 3000, b"//etc/passwd"),
    ],
)
def test_paths_lead_nowhere_else(relay: Target, target: bytes) -> None:
    with Attacker(relay.port) as peer:
        peer.raw(get(b"Connection: close", line=b"GET " + target + b" HTTP/1.1"))
        assert list(statuses(peer)) == [404]


def test_http_fuzz_finds_no_5xx(relay: Target) -> None:
    """Mutated requests: what is answered is a refusal or the page, never a fault."""
    chance = random.Random(11)
    seeds = [data[:3000] for data, _ in REFUSED.values()] + [GOOD, post(b"Content-Length: 0")]
    seen: set[int] = set()
    for _ in range(300):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(0, 4)):
            at = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randint(1, 9)]
                    data = data or bytearray(b"G")
                case _:
                    data[at:at] = chance.choice((b"\r\n", b"\n", b": ", b"\0", b"HTTP/1.1", b"0"))
        with Attacker(relay.port) as peer:
            peer.try_raw(bytes(data))
            # What is left open for a next request is not waited for.
            peer.sock.settimeout(0.03)
            with suppress(TimeoutError):
                seen.update(statuses(peer))
    assert seen <= {200, 400, 404, 405, 411, 413, 426, 431, 505}, seen


def test_random_bytes_to_the_port(relay: Target) -> None:
    chance = random.Random(7)
    for _ in range(100):
        with Attacker(relay.port) as peer:
            peer.try_raw(chance.randbytes(chance.randint(1, 3000)))
            if chance.random() < 0.5:
                peer.try_raw(b"\r\n\r\n")
    with Attacker(relay.port) as peer:
        peer.raw(GOOD)
        assert peer.response()[0] == 200
