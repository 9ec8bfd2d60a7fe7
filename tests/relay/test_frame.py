import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import CloseCode, FrameError
from relay.frame import (
    MAX_FRAGMENTS,
    Scanner,
    header,
    serialize_close,
)
from tests.relay.raw import client_frame

LIMIT = 70_000


def scan(data: bytes, limit: int = LIMIT) -> list[tuple[int, int]]:
    """Return (opcode, payload length) of each complete frame."""
    scanner = Scanner(limit)
    found, at = [], 0
    while (end := scanner.scan(data, at, 0.0)) >= 0:
        found.append((scanner.first & 0x0F, end - scanner.payload))
        at = end
    return found


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, LIMIT])
def test_every_length_has_its_header(size: int) -> None:
    assert scan(client_frame(2, bytes(size)) + client_frame(1, b"x")) == [(2, size), (1, 1)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client_frame(2, b"x", masked=False), CloseCode.PROTOCOL),
        (b"\xc2\x80", CloseCode.PROTOCOL),
        (b"\xa2\x80", CloseCode.PROTOCOL),
        (b"\x92\x80", CloseCode.PROTOCOL),
        (client_frame(3), CloseCode.PROTOCOL),
        (client_frame(7), CloseCode.PROTOCOL),
        (client_frame(0xB), CloseCode.PROTOCOL),
        (client_frame(0xF), CloseCode.PROTOCOL),
        (client_frame(9, bytes(126)), CloseCode.PROTOCOL),
        (client_frame(9, fin=False), CloseCode.PROTOCOL),
        (client_frame(8, fin=False), CloseCode.PROTOCOL),
        (client_frame(0, b"x"), CloseCode.PROTOCOL),
        (client_frame(2, b"x", fin=False) + client_frame(2, b"y"), CloseCode.PROTOCOL),
        (client_frame(1, b"x", fin=False) + client_frame(1, fin=False), CloseCode.PROTOCOL),
        (b"\x82\xfe" + struct.pack("!H", 125), CloseCode.PROTOCOL),
        (b"\x82\xff" + struct.pack("!Q", 65_535), CloseCode.PROTOCOL),
        (b"\x82\xff" + struct.pack("!Q", 1 << 63), CloseCode.PROTOCOL),
        (b"\x82\xff" + struct.pack("!Q", 1 << 40), CloseCode.TOO_LONG),
        (b"\x82\xff" + struct.pack("!Q", LIMIT + 1), CloseCode.TOO_LONG),
        (b"\x81\xff" + struct.pack("!Q", LIMIT + 1), CloseCode.TOO_LONG),
        (
            client_frame(2, bytes(LIMIT), fin=False) + client_frame(0, b"x"),
            CloseCode.TOO_LONG,
        ),
        (client_frame(2, fin=False) + client_frame(0, fin=False) * 64, CloseCode.FLOOD),
        (client_frame(9) * 21, CloseCode.FLOOD),
        (client_frame(10) * 21, CloseCode.FLOOD),
    ],
)
def test_broken_rule_has_its_code(data: bytes, code: CloseCode) -> None:
    with pytest.raises(FrameError) as caught:
        scan(data)
    assert caught.value.close_code is code


def test_message_may_have_64_fragments() -> None:
    pieces = [client_frame(1, b"a", fin=False)]
    pieces += [client_frame(0, b"b", fin=False)] * (MAX_FRAGMENTS - 2)
    pieces += [client_frame(0, b"c"), client_frame(2, b"next")]
    assert len(scan(b"".join(pieces))) == MAX_FRAGMENTS + 1


def test_control_frames_may_stand_between_fragments_and_refill() -> None:
    scanner = Scanner(LIMIT)
    first = client_frame(1, b"a", fin=False)
    assert scanner.is_between_messages
    assert scanner.scan(first, 0, 0.0) == len(first)
    assert not scanner.is_between_messages
    ping = client_frame(9, b"p")
    for _ in range(20):
        assert scanner.scan(ping, 0, 0.0) == len(ping)
    with pytest.raises(FrameError):
        scanner.scan(ping, 0, 0.0)
    assert scanner.scan(ping, 0, 1.0) == len(ping)


def test_incomplete_frame_is_charged_once() -> None:
    scanner = Scanner(LIMIT)
    ping = client_frame(9, bytes(100))
    for _ in range(1000):
        assert scanner.scan(ping[:50], 0, 0.0) == -1
        assert scanner.needed == len(ping)
    assert scanner.scan(ping, 0, 0.0) == len(ping)
    assert scanner.payload == 6
    assert scanner.needed == 2


@pytest.mark.parametrize("size", [0, 200, 66_000])
def test_header_may_come_byte_by_byte(size: int) -> None:
    scanner = Scanner(LIMIT)
    data = client_frame(2, bytes(size))
    for end in range(15):
        if end < len(data):
            assert scanner.scan(data[:end], 0, 0.0) == -1
    assert scanner.scan(data, 0, 0.0) == len(data)
    assert len(data) - scanner.payload == size


def test_limit_may_change_between_messages() -> None:
    scanner = Scanner(4)
    with pytest.raises(FrameError):
        Scanner(4).scan(client_frame(2, b"12345"), 0, 0.0)
    scanner.limit = 5
    assert scanner.scan(client_frame(2, b"12345"), 0, 0.0) > 0


@given(st.binary(max_size=400), st.integers(0, 2**32))
def test_any_bytes_are_frames_or_a_frame_error(data: bytes, seed: int) -> None:
    """However the bytes are cut, the verdict is the same."""

    def verdict(cuts: list[int]) -> object:
        scanner, held, found = Scanner(200), b"", []
        try:
            for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
                held += data[start:stop]
                while held and (end := scanner.scan(held, 0, 0.0)) >= 0:
                    found.append((scanner.first, scanner.payload, end))
                    held = held[end:]
        except FrameError as error:
            return (*found, error.close_code)
        return (*found, held)

    rng = random.Random(seed)
    cuts = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(0, 8)))
    assert verdict(cuts) == verdict([])


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_own_frames_are_whole_and_bare(size: int) -> None:
    message = bytes(size)
    assert header(0x82, size) + message == client_frame(2, message, masked=False)
    assert header(0x81, size) + message == client_frame(1, message, masked=False)


def test_close_carries_its_code() -> None:
    assert serialize_close(CloseCode.PROOF) == b"\x88\x02" + (4502).to_bytes(2, "big")
