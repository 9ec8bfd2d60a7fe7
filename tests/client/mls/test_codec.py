"""Lengths, vectors and optional values of the TLS presentation language (RFC 9420 2.1)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.errors import FrameError
from client.mls import codec
from client.mls.codec import Reader

INTEGERS = [
    (codec.u8, "u8", 1),
    (codec.u16, "u16", 2),
    (codec.u32, "u32", 4),
    (codec.u64, "u64", 8),
]


@pytest.mark.parametrize(("write", "read", "size"), INTEGERS)
def test_integers_are_big_endian_and_of_fixed_size(write, read, size):
    value = 0x0123456789ABCDEF >> (64 - 8 * size)
    assert write(value) == bytes.fromhex("0123456789abcdef")[:size]
    reader = Reader(write(value))
    assert getattr(reader, read)() == value
    reader.finish()
    with pytest.raises(FrameError):
        getattr(Reader(write(value)[:-1]), read)()


@pytest.mark.parametrize(
    ("length", "head"),
    [(0, "00"), (63, "3f"), (64, "4040"), (16383, "7fff"), (16384, "80004000")],
)
def test_a_length_takes_its_shortest_form(length, head):
    encoded = codec.opaque(bytes(length))
    assert encoded == bytes.fromhex(head) + bytes(length)
    assert Reader(encoded).opaque() == bytes(length)


@pytest.mark.parametrize("head", ["4000", "403f", "80000000", "80003fff", "c0", "ffffffffffffffff"])
def test_any_other_form_of_a_length_is_refused(head):
    with pytest.raises(FrameError):
        Reader(bytes.fromhex(head) + bytes(20000)).length()


@pytest.mark.parametrize("head", ["", "40", "800000"])
def test_a_length_cut_short_is_refused(head):
    with pytest.raises(FrameError):
        Reader(bytes.fromhex(head)).length()


def test_a_vector_longer_than_its_bytes_is_refused():
    with pytest.raises(FrameError):
        Reader(b"\3ab").opaque()


def test_a_vector_holds_at_most_so_many_values():
    data = codec.opaque(bytes(6))
    assert Reader(data).vector(Reader.u16, limit=3) == [0, 0, 0]
    with pytest.raises(FrameError):
        Reader(data).vector(Reader.u16, limit=2)


def test_a_vector_ends_with_a_whole_value():
    with pytest.raises(FrameError):
        Reader(codec.opaque(bytes(3))).vector(Reader.u16, limit=9)


def test_an_optional_value_is_absent_or_present_and_nothing_else():
    assert codec.optional(None) == b"\0"
    assert codec.optional(b"\7") == b"\1\7"
    assert Reader(b"\0").optional(Reader.u8) is None
    assert Reader(b"\1\7").optional(Reader.u8) == 7
    with pytest.raises(FrameError):
        Reader(b"\2\7").optional(Reader.u8)


def test_bytes_left_over_are_refused():
    reader = Reader(b"ab")
    assert reader.take(1) == b"a"
    assert reader.since(0) == b"a"
    with pytest.raises(FrameError):
        reader.finish()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_a_length_has_one_spelling(data):
    reader = Reader(data)
    try:
        value = reader.opaque()
    except FrameError:
        return
    assert codec.opaque(value) == data[: reader.at]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=90), max_size=9))
def test_vectors_come_back(values):
    data = codec.opaque(b"".join(map(codec.opaque, values)))
    reader = Reader(data)
    assert reader.vector(Reader.opaque, limit=9) == values
    reader.finish()
