"""Attacks by WebSocket frames: lengths, fragments, control floods, rules broken one by one."""

import random
import struct
import time
from collections.abc import Iterator

import pytest

from tests.attack import figures
from tests.attack.attacker import (
    BINARY,
    CLOSE,
    FIN,
    PING,
    PONG,
    TEXT,
    Attacker,
    Visitor,
    crowd,
    flood,
    quick_frame,
    seconds_to_eof,
)
from tests.attack.target import OPEN, Target, flooding, serving
from tests.relay.raw import PATIENCE_S, Closed, client_frame, new_link, post_bytes

MIB_KB = 1024


@pytest.fixture(scope="module")
def relay() -> Iterator[Target]:
    with serving(*OPEN) as relay:
        yield relay


@pytest.mark.parametrize("is_joined", [False, True])
def test_message_as_many_fragments_ignoring_1009(relay: Target, is_joined: bool) -> None:
    with flooding(relay, "fragments beyond the limit, 1009 ignored", MIB_KB) as cost:
        peer = Visitor(relay.port).join() if is_joined else Attacker(relay.port).upgraded()
        with peer:
            assert peer.try_raw(quick_frame(BINARY, bytes(1024)))
            began = time.monotonic()
            cost.sent = flood(peer, quick_frame(0, bytes(65_536)), 180_000_000)
            # The relay lingers for a second, so that its close frame is read, and no longer.
            assert cost.sent < 180_000_000 or time.monotonic() - began < 10
            assert peer.close_code() in (1009, None)
            assert seconds_to_eof(peer) < 10


@pytest.mark.parametrize(
    ("length", "code"),
    [(1 << 40, 1009), ((1 << 63) - 1, 1009), (1 << 16, 1009), (1 << 63, 1002), (125, 1002)],
)
def test_header_claims_2_to_the_40(relay: Target, length: int, code: int) -> None:
    with (
        flooding(relay, f"a header that claims {length}", MIB_KB) as cost,
        Attacker(relay.port).upgraded() as peer,
    ):
        peer.raw(b"\x82\xff" + struct.pack("!Q", length))
        cost.sent = 10
        assert peer.close_code() == code
        assert seconds_to_eof(peer) < 10


def test_a_million_zero_length_fragments(relay: Target) -> None:
    with (
        flooding(relay, "zero-length fragments", MIB_KB) as cost,
        Attacker(relay.port).upgraded() as peer,
    ):
        assert peer.try_raw(quick_frame(TEXT))
        cost.sent = flood(peer, quick_frame(0) * 1000, 6_000_000)
        assert peer.close_code() in (1008, None)


def test_fragments_are_closed_after_64(relay: Target) -> None:
    with Attacker(relay.port).upgraded() as peer:
        peer.raw(quick_frame(TEXT) + quick_frame(0) * 62 + quick_frame(FIN))
        assert peer.json()["reason"] == "malformed"
        peer.raw(quick_frame(TEXT) + quick_frame(0) * 63)
        assert peer.close_code() == 1008


def test_pings_between_fragments_do_not_start_the_count_anew(relay: Target) -> None:
    with Attacker(relay.port).upgraded() as peer:
        peer.raw(quick_frame(TEXT))
        for _ in range(15):
            peer.raw(quick_frame(0) * 5 + quick_frame(FIN | PING))
        assert peer.close_code() in (1008, None)


def test_ping_flood_reading(relay: Target) -> None:
    with (
        flooding(relay, "pings, reading", MIB_KB) as cost,
        Attacker(relay.port).upgraded() as peer,
    ):
        cost.sent = flood(peer, quick_frame(FIN | PING, bytes(100)) * 100, 1_000_000)
        pongs = 0
        try:
            while (frame := peer.frame())[0] == PONG:
                pongs += 1
            assert frame[0] == CLOSE
            assert int.from_bytes(frame[1][:2], "big") == 1008
        except Closed:
            pass  # What was still on its way to the relay made it a reset.
        assert pongs <= 21


def test_ping_flood_never_reading(relay: Target) -> None:
    with (
        flooding(relay, "pings, never reading", MIB_KB) as cost,
        Attacker(relay.port, receive_buffer=4096) as peer,
    ):
        peer.handshake()
        began = time.monotonic()
        while peer.try_raw(quick_frame(FIN | PING, bytes(125)) * 10):
            cost.sent += 1310
            assert time.monotonic() - began < PATIENCE_S
            time.sleep(0.01)


@pytest.mark.parametrize("opcode", [PONG, CLOSE])
def test_other_control_frames_in_masses(relay: Target, opcode: int) -> None:
    payload = struct.pack("!H", 1000) if opcode == CLOSE else b""
    with (
        flooding(relay, f"control frames, opcode {opcode}", MIB_KB) as cost,
        Attacker(relay.port).upgraded() as peer,
    ):
        cost.sent = flood(peer, quick_frame(FIN | opcode, payload) * 1000, 8_000_000)
        assert peer.close_code() in (1000, 1008, None)


RULES = {
    "bad UTF-8": (client_frame(TEXT, b"\xff\xfe"), 1007),
    "bad UTF-8 at the end": (client_frame(TEXT, b"a" * 100 + b"\xc3"), 1007),
    "a surrogate in UTF-8": (client_frame(TEXT, b"\xed\xa0\x80"), 1007),
    "overlong UTF-8": (client_frame(TEXT, b"\xc0\xaf"), 1007),
    "bad UTF-8 over fragments": (
        client_frame(TEXT, b"\xc3", fin=False) + client_frame(0, b"\x28"),
        1007,
    ),
    "unmasked": (client_frame(BINARY, b"x", masked=False), 1002),
    "unmasked ping": (client_frame(PING, masked=False), 1002),
    "ping of 126": (client_frame(PING, bytes(126)), 1002),
    "ping of 65536": (client_frame(PING, bytes(65_536)), 1002),
    "fragmented ping": (client_frame(PING, fin=False), 1002),
    "fragmented close": (client_frame(CLOSE, fin=False), 1002),
    "continuation of nothing": (client_frame(0, b"x"), 1002),
    "message within a message": (client_frame(1, b"a", fin=False) + client_frame(1, b"b"), 1002),
    "close of 1 byte": (client_frame(CLOSE, b"\x03"), 1002),
    "close with bad UTF-8": (client_frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "length 126 for 125": (b"\x82\xfe\x00\x7d" + bytes(129), 1002),
    "length 127 for 65535": (b"\x82\xff" + struct.pack("!Q", 65_535), 1002),
    **{f"RSV {bit:#x}": (client_frame(BINARY | bit, b"x"), 1002) for bit in (0x10, 0x20, 0x40)},
    **{f"RSV {bit:#x} on a ping": (client_frame(PING | bit), 1002) for bit in (0x10, 0x20, 0x40)},
    **{f"opcode {n}": (client_frame(n), 1002) for n in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    **{
        f"close code {n}": (client_frame(CLOSE, struct.pack("!H", n)), 1002)
        for n in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65_535)
    },
}


@pytest.mark.parametrize("rule", RULES)
def test_rules_broken_one_at_a_time(relay: Target, rule: str) -> None:
    """A close frame that says why, then the end of the connection."""
    data, code = RULES[rule]
    with Attacker(relay.port).upgraded() as peer:
        peer.raw(data)
        assert peer.close_code() == code
        assert peer.sock.recv(1) == b""


def test_permessage_deflate_bomb(relay: Target) -> None:
    with flooding(relay, "compressed messages", MIB_KB) as cost, Attacker(relay.port) as peer:
        peer.raw(
            f"GET /v1/connect HTTP/1.1\r\nHost: {peer.host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate, "
            "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame\r\n\r\n".encode()
        )
        status, fields, _ = peer.response()
        assert status == 101
        assert "sec-websocket-extensions" not in fields
        cost.sent = flood(peer, quick_frame(FIN | 0x40 | BINARY, bytes(4000)), 4_000_000)
        assert peer.close_code() in (1002, None)


def test_nothing_is_read_behind_a_close(relay: Target) -> None:
    link = new_link()
    with Visitor(relay.port, link).join() as one, Visitor(relay.port, link).join() as two:
        one.raw(quick_frame(FIN | CLOSE) + quick_frame(FIN | BINARY, post_bytes(2)))
        assert two.until("away")["tag"] == one.tag
        with pytest.raises(Closed):
            one.until("nothing")


def test_messages_that_never_end_cost_what_they_have_sent(relay: Target) -> None:
    """Each may hold one message of the largest kind: that is the price of a connection."""
    count, size = 20, 131_000
    peers = [Visitor(relay.port).join() for _ in range(count)]
    began = time.monotonic()
    with (
        crowd(*peers),
        flooding(relay, "messages without an end", count * 2 * size // 1024) as cost,
    ):
        for peer in peers:
            data = quick_frame(FIN | BINARY, bytes(size))[:-1]
            peer.raw(data)
            cost.sent += len(data)
        with Visitor(relay.port).join():
            pass
    figures.note("a message without an end", f"{cost.grown_kb / count:.0f} kB each")
    assert time.monotonic() - began < PATIENCE_S


def test_random_frames(relay: Target) -> None:
    chance = random.Random(7)
    for _ in range(100):
        with Attacker(relay.port).upgraded() as peer:
            for _ in range(chance.randint(1, 5)):
                first, payload = chance.randrange(256), chance.randbytes(chance.randint(0, 300))
                peer.try_raw(client_frame(first & 0x7F, payload, fin=first > 127))
            peer.try_raw(chance.randbytes(40))
