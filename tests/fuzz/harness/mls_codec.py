"""Any bytes under any sequence of reads -> values or FrameError; written again they are the same.

Nothing is read twice or left out, and no vector has more entries than its limit.
"""

from client.errors import FrameError
from client.mls import codec
from client.mls.codec import Reader
from tests.fuzz.script import Script

LIMIT = 8


def run(data: bytes) -> None:
    script = Script(data)
    reads = script.take(script.byte() % 16)
    body = script.rest()
    reader = Reader(body)
    written = b""
    for read in reads:
        before = reader.at
        try:
            written += _read(reader, read)
        except FrameError:
            assert before <= reader.at <= len(body)
            return
        assert reader.since(before) == written[before:], "another spelling"
    assert written == body[: reader.at], "read twice, or left out"
    try:
        reader.finish()
    except FrameError:
        assert reader.at < len(body)
    else:
        assert reader.at == len(body)


def _read(reader: Reader, read: int) -> bytes:
    match read % 8:
        case 0:
            return codec.u8(reader.u8())
        case 1:
            return codec.u16(reader.u16())
        case 2:
            return codec.u32(reader.u32())
        case 3:
            return codec.u64(reader.u64())
        case 4:
            return codec.opaque(reader.opaque())
        case 5:
            size = read // 8
            taken = reader.take(size)
            assert len(taken) == size
            return taken
        case 6:
            values = reader.vector(lambda inner: inner.opaque(), limit=LIMIT)
            assert len(values) <= LIMIT
            return codec.opaque(b"".join(map(codec.opaque, values)))
        case _:
            value = reader.optional(lambda inner: inner.opaque())
            return codec.optional(None if value is None else codec.opaque(value))
