"""A simple mutator of our own: what the gate replays, and what fuzzes where atheris is missing."""

import random
from collections.abc import Sequence

MAX_BYTES = 1 << 16
# Lengths, kinds and quotes: what parsers decide by.
_TELLING = (0, 1, 2, 3, 4, 0x10, 0x1F, 0x20, 0x22, 0x2E, 0x30, 0x3F, 0x40, 0x5B, 0x5C, 0x7B, 0x7D)
_BYTES = bytes((*_TELLING, 0x7E, 0x7F, 0x80, 0x81, 0xBF, 0xC0, 0xFE, 0xFF))


def mutated(corpus: Sequence[bytes], draw: random.Random) -> bytes:
    """Return a seed changed in one place, or in up to five."""
    data = bytearray(draw.choice(corpus))
    for _ in range(draw.choice((1, 1, 1, 2, 3, 5))):
        _change(data, corpus, draw)
    return bytes(data[:MAX_BYTES])


def _change(data: bytearray, corpus: Sequence[bytes], draw: random.Random) -> None:
    at = draw.randint(0, len(data))
    match draw.randrange(11):
        case 0 if at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        case 1 if at < len(data):
            data[at] = draw.choice(_BYTES)
        case 2 if at < len(data):
            data[at] = (data[at] + draw.choice((-1, 1))) & 0xFF
        case 3:
            data.insert(at, draw.choice(_BYTES))
        case 4:
            del data[at : at + draw.randint(1, 8)]
        case 5:
            del data[at:]
        case 6:
            # The end is where two spellings are told apart.
            data.append(draw.choice(_BYTES))
        case 7:
            size = draw.randint(1, 64)
            data[at:at] = data[at : at + size]
        case 8:
            other = draw.choice(corpus)
            begin = draw.randint(0, len(other))
            data[at:at] = other[begin : begin + draw.randint(1, 64)]
        case 9 if at < len(data) and data[at] < 0x40:
            # The same number in a longer form (RFC 9420 2.1.2).
            data.insert(at, 0x40)
        case _:
            other = draw.choice(corpus)
            data[at:] = other[at:]
