"""Any bytes in any pieces -> the same frames, then the same FrameError or none; bounded waiting.

A header has one spelling, no message is longer than the limit, control frames and fragments are
counted, and what the scanner waits for is never more than one frame of the limit.
"""

import struct

from relay import frame
from relay.errors import CloseCode, FrameError
from tests.fuzz.script import Script

LIMITS = (125, 4096, 131_072 + 21)
HEADER_BYTES = 14
Seen = list[tuple[int, int, int]]


def run(data: bytes) -> None:
    script = Script(data)
    limit = LIMITS[script.byte() % len(LIMITS)]
    sizes = [1 + script.byte() % 40 for _ in range(4)]
    stream = script.rest()
    whole = _scan([stream], limit)
    assert whole == _scan(_pieces(stream, sizes), limit), "pieces change nothing"
    _check(stream, limit, *whole)


def _pieces(stream: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at, turn = [], 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        pieces.append(stream[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


def _scan(pieces: list[bytes], limit: int) -> tuple[Seen, CloseCode | None]:
    """Read pieces as a socket does; return each frame's begin, payload and end."""
    scanner = frame.Scanner(limit)
    seen: Seen = []
    held, begin = b"", 0
    for piece in pieces:
        held += piece
        if len(held) < scanner.needed:
            continue
        at = 0
        while at < len(held):
            try:
                end = scanner.scan(held, at, 0.0)
            except FrameError as error:
                return seen, error.close_code
            assert scanner.needed <= limit + HEADER_BYTES, "waits for more than a frame"
            if end < 0:
                break
            assert at < scanner.payload <= end <= len(held)
            seen.append((begin + at, begin + scanner.payload, begin + end))
            at = end
        held, begin = held[at:], begin + at
    return seen, None


def _check(stream: bytes, limit: int, seen: Seen, code: CloseCode | None) -> None:
    assert code in (
        None, CloseCode.PROTOCOL, CloseCode.FLOOD, CloseCode.TOO_LONG
    ), "a code of another's"  # fmt: skip
    expected_begin = control = fragments = size = 0
    for begin, payload, end in seen:
        assert begin == expected_begin, "a hole between frames"
        expected_begin = end
        first = stream[begin]
        own = bytearray(frame.header(first, end - payload))
        own[1] |= 0x80
        assert stream[begin : payload - 4] == own, "a header has one spelling"
        assert not first & 0x70, "reserved bits"
        opcode = first & 0x0F
        if opcode >= frame.CLOSE:
            control += 1
            assert first & frame.FIN
            assert end - payload <= frame.MAX_CONTROL_BYTES
            continue
        assert (opcode == frame.CONTINUATION) == (fragments > 0), "messages do not interleave"
        size += end - payload
        assert size <= limit, "a message beyond the limit"
        fragments += 1
        assert fragments <= frame.MAX_FRAGMENTS, "as many fragments as one likes"
        if first & frame.FIN:
            fragments = size = 0
    assert control <= frame.CONTROL_RATE.burst, "as many control frames as one likes"
    if code is None:
        _check_rest(stream[expected_begin:], limit)


def _check_rest(rest: bytes, limit: int) -> None:
    """What is left is the beginning of one frame that is worth waiting for."""
    if len(rest) < 2:
        return
    size, at = rest[1] & 0x7F, 6
    if size == 126 and len(rest) >= 4:
        (size,), at = struct.unpack_from("!H", rest, 2), 8
    elif size == 127 and len(rest) >= 10:
        (size,), at = struct.unpack_from("!Q", rest, 2), 14
    elif size >= 126:
        return
    assert len(rest) < at + size <= limit + HEADER_BYTES, "a whole frame was left unread"
