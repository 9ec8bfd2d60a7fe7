"""Each operation has one spelling; other bytes are none."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.broker import operation as op
from relay.broker.operation import NODE_BYTES, Node, Operation, parse, serialize
from relay.errors import AuthenticationError
from relay.wire import Commit, Life, Offer, Reference, Tag

SEED = st.binary(min_size=16, max_size=16)
TAG = st.integers(0, 0xFFFF).map(Tag)
NUMBER = st.integers(0, 2**53 - 1)
REFERENCE = st.binary(min_size=8, max_size=8).map(Reference)
BYTES = st.binary(max_size=300)
NODE = st.binary(min_size=NODE_BYTES, max_size=NODE_BYTES).map(Node)
LUGGAGE = st.lists(st.floats(allow_nan=False), max_size=4).map(tuple)
OPERATIONS: dict[type[Operation], st.SearchStrategy[Operation]] = {
    op.Enter: st.builds(op.Enter, SEED),
    op.Resume: st.builds(
        op.Resume, SEED, TAG, st.binary(min_size=8, max_size=8).map(Life), NUMBER,
        st.none() | NUMBER, NUMBER,
    ),
    op.Post: st.builds(op.Post, TAG, NUMBER, REFERENCE, NUMBER, BYTES),
    op.TakeCommit: st.builds(op.TakeCommit, TAG, NUMBER, REFERENCE, NUMBER, BYTES, BYTES),
    op.TakeOffer: st.builds(op.TakeOffer, TAG, NUMBER, REFERENCE, NUMBER, BYTES),
    op.Need: st.builds(op.Need, TAG, NUMBER),
    op.Confirm: st.builds(op.Confirm, TAG, NUMBER),
    op.Leave: st.builds(op.Leave, SEED, TAG, NUMBER),
    op.Lost: st.builds(op.Lost, SEED, TAG, NUMBER, LUGGAGE),
    op.Expire: st.builds(op.Expire, SEED),
    op.Gone: st.builds(op.Gone, SEED, NODE),
}  # fmt: skip
ANY = st.one_of(*OPERATIONS.values())


def test_every_operation_is_here() -> None:
    assert set(OPERATIONS) == set(op._KINDS) == set(Operation.__args__)


@given(ANY)
def test_what_was_spelt_is_what_is_read(operation: Operation) -> None:
    read = parse(serialize(operation))
    assert read == operation
    assert type(read) is type(operation)


@given(ANY, ANY)
def test_two_operations_have_two_spellings(one: Operation, other: Operation) -> None:
    assert (serialize(one) == serialize(other)) == (one == other)


@given(ANY, st.data())
def test_part_of_one_or_more_than_one_is_none(operation: Operation, data: st.DataObject) -> None:
    spelt = serialize(operation)
    for other in (spelt[: data.draw(st.integers(0, len(spelt) - 1))], spelt + b"\x00"):
        with pytest.raises(AuthenticationError):
            parse(other)


@given(st.binary(max_size=60))
def test_other_bytes_are_none_or_spell_one(data: bytes) -> None:
    try:
        operation = parse(data)
    except AuthenticationError:
        return
    assert serialize(operation) == data


@pytest.mark.parametrize(
    "value",
    [
        None, 7, "abc", b"", b"\x00\x41", [], [11, b""], [-1, b"", b""], [True, 1], [0],
        [0, b"", 1], [0.0, b""], ["", b""], [[0], b""], {b"a": 1}, [1, b"", 1, b"", 1, None],
    ],
)  # fmt: skip
def test_other_values_are_none(value: object) -> None:
    with pytest.raises(AuthenticationError):
        parse(bytes(msgpack.packb(value)))


def test_other_spelling_of_an_operation_is_none() -> None:
    short = serialize(op.Need(Tag(1), 2))
    assert short == b"\x93\x05\x01\x02"
    with pytest.raises(AuthenticationError):
        parse(b"\x93\x05\xcc\x01\x02")


def test_what_a_session_has_sent_is_in_what_is_done() -> None:
    reference = Reference(b"8 bytes.")
    take = op.TakeCommit(Tag(1), 2, reference, 3, b"sealed", b"info")
    assert take.message == Commit(reference, 3, b"sealed", b"info")
    assert op.TakeOffer(Tag(1), 2, reference, 3, b"info").message == Offer(reference, 3, b"info")
