"""The groups 1 to 7 and 10 of the Autobahn suite as cases of our own (it needs Python 2.7).

The relay echoes nothing. A text that is no message of its protocol is answered by one `malformed`,
so that many answers are so many messages taken, whole and in order.
"""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.attack.attacker import BINARY, CLOSE, FIN, PING, PONG, TEXT, Attacker, Visitor
from tests.attack.target import OPEN, Target, serving
from tests.relay.raw import Closed, Peer, client_frame, commit_bytes, new_reference

SIZES = (0, 1, 125, 126, 127, 128, 1000, 4095, 4096)
LARGE = (4097, 65_535, 65_536, 131_000)
CHOPS = (1, 7, 64, 4096)
TEXTS = {
    "Hello-µ@ßöäüàá-UTF-8!!": True,
    "κόσμε": True,
    "\U0010ffff \ufffe \uffff \x00 \x7f": True,
    "日本語 🦦 \u200b\u202e": True,
}


@pytest.fixture(scope="module")
def relay() -> Iterator[Target]:
    with serving(*OPEN) as relay:
        yield relay


@pytest.fixture
def peer(relay: Target) -> Iterator[Attacker]:
    with Attacker(relay.port).upgraded() as peer:
        yield peer


def is_taken(peer: Peer) -> bool:
    """Read the answer to one message that is none of the protocol's."""
    return bool(peer.json()["reason"] == "malformed")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_1_framing(peer: Attacker, opcode: int, size: int) -> None:
    peer.raw(client_frame(opcode, b"*" * size))
    assert is_taken(peer)


@pytest.mark.parametrize("size", LARGE)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_1_framing_of_large_messages(relay: Target, opcode: int, size: int) -> None:
    with Visitor(relay.port) as peer:
        peer.hello()
        peer.info()
        peer.raw(client_frame(opcode, b"*" * size))
        assert is_taken(peer)


@pytest.mark.parametrize("chop", CHOPS)
def test_1_frames_in_small_writes(relay: Target, chop: int) -> None:
    with Visitor(relay.port) as peer:
        peer.hello()
        peer.info()
        reference = new_reference()
        data = client_frame(TEXT, b"*" * 300) + client_frame(
            BINARY, commit_bytes(0, reference=reference)
        )
        for at in range(0, len(data), chop):
            peer.raw(data[at : at + chop])
        assert is_taken(peer)
        while peer.message()[:9] != b"\x13" + reference:
            pass


@pytest.mark.parametrize("size", [0, 1, 124, 125])
@pytest.mark.parametrize("chop", [1, 200])
def test_2_pings(peer: Attacker, size: int, chop: int) -> None:
    payload = bytes(range(130, 255))[:size]
    data = client_frame(PING, payload)
    for at in range(0, len(data), chop):
        peer.raw(data[at : at + chop])
    assert peer.frame() == (PONG, payload)


def test_2_pings_in_order_and_pongs_unasked(peer: Attacker) -> None:
    peer.raw(client_frame(PONG, b"unasked"))
    for number in range(10):
        peer.raw(client_frame(PING, b"%d" % number))
    assert [peer.frame() for _ in range(10)] == [(PONG, b"%d" % n) for n in range(10)]


@pytest.mark.parametrize("bits", [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70])
@pytest.mark.parametrize("before", [b"", client_frame(TEXT, b"*")])
def test_3_reserved_bits(peer: Attacker, bits: int, before: bytes) -> None:
    peer.raw(before + client_frame(TEXT | bits, b"*") + client_frame(PING))
    assert not before or is_taken(peer)
    assert peer.close_code() == 1002


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", b"reserved"])
def test_4_opcodes(peer: Attacker, opcode: int, payload: bytes) -> None:
    peer.raw(client_frame(TEXT, b"*") + client_frame(opcode, payload) + client_frame(PING))
    assert is_taken(peer)
    assert peer.close_code() == 1002


def fragments(text: bytes, size: int) -> list[bytes]:
    """Split a text message into frames."""
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    return [
        client_frame(TEXT if not at else 0, part, fin=at == len(parts) - 1)
        for at, part in enumerate(parts)
    ]


@pytest.mark.parametrize("size", [1, 2, 17, 60])
@pytest.mark.parametrize("between", [b"", client_frame(PING, b"between")])
def test_5_fragments(peer: Attacker, size: int, between: bytes) -> None:
    frames = fragments(b"*" * 60, size)
    # No more pings than a burst of control frames has.
    frames[1:1] = [between] * bool(between)
    peer.raw(b"".join(frames))
    if between and len(frames) > 2:
        assert peer.frame() == (PONG, b"between")
    elif between:
        assert is_taken(peer)
        assert peer.frame() == (PONG, b"between")
        return
    assert is_taken(peer)


@pytest.mark.parametrize(
    "data",
    [
        client_frame(0, b"*"),
        client_frame(0, b"*", fin=False),
        client_frame(TEXT, b"*") + client_frame(0, b"*"),
        client_frame(TEXT, b"*", fin=False) + client_frame(TEXT, b"*"),
        client_frame(TEXT, b"*", fin=False) + client_frame(BINARY, b"*", fin=False),
        client_frame(PING, b"*", fin=False) + client_frame(0, b"*"),
        client_frame(PONG, b"*", fin=False) + client_frame(0, b"*"),
    ],
)
def test_5_fragments_of_nothing(peer: Attacker, data: bytes) -> None:
    peer.raw(data)
    assert peer.close_code() == 1002


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_6_good_utf_8_wherever_it_is_cut(peer: Attacker, text: str, size: int) -> None:
    peer.raw(b"".join(fragments(text.encode(), size)))
    assert is_taken(peer)


@pytest.mark.parametrize(
    "data",
    [
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", b"\x80", b"\xbf\x80",
        b"\xfe", b"\xff", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf",
        b"\xf8\x88\x80\x80\x80", b"\xc1\xbf", b"\xf4\x90\x80\x80", b"\xed\xbf\xbf", b"\xe4\xb8",
        b"*\xf0\x9f\xa6",
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 100])
def test_6_bad_utf_8_wherever_it_is_cut(peer: Attacker, data: bytes, size: int) -> None:
    peer.raw(b"".join(fragments(data, size)))
    assert peer.close_code() == 1007


def test_6_binary_may_be_anything(peer: Attacker) -> None:
    peer.raw(client_frame(BINARY, b"\xff\xfe\x80"))
    assert is_taken(peer)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999])
@pytest.mark.parametrize("reason", [b"", b"why", "µ".encode() * 61])
def test_7_close_is_answered_in_kind(peer: Attacker, code: int, reason: bytes) -> None:
    peer.raw(client_frame(CLOSE, code.to_bytes(2, "big") + reason))
    assert peer.close_code() == code
    peer.wait_eof()


def test_7_close_without_a_code(peer: Attacker) -> None:
    peer.raw(client_frame(CLOSE))
    assert peer.close_code() in (1000, 1005)


@pytest.mark.parametrize("behind", [client_frame(TEXT, b"*"), client_frame(PING), client_frame(8)])
def test_7_nothing_is_answered_behind_a_close(peer: Attacker, behind: bytes) -> None:
    peer.raw(client_frame(CLOSE, (1000).to_bytes(2, "big")) + behind * 3)
    opcodes = []
    with suppress(Closed):
        while True:
            opcodes.append(peer.frame()[0])
    assert opcodes == [CLOSE]


@pytest.mark.parametrize("size", [1024, 2048])
def test_10_large_message_in_fragments(relay: Target, size: int) -> None:
    with Visitor(relay.port) as peer:
        peer.hello()
        peer.info()
        peer.raw(b"".join(fragments(b"*" * 63 * size, size)))
        assert is_taken(peer)


def test_frames_masked_with_zeros_and_with_anything(peer: Attacker) -> None:
    for key in (bytes(4), b"\xff" * 4, b"\x00\xff\x00\xff"):
        payload = bytes(byte ^ key[at % 4] for at, byte in enumerate(b"****"))
        peer.raw(bytes((FIN | TEXT, 0x84)) + key + payload)
        assert is_taken(peer)
