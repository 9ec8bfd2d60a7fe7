"""Records are opened where they were sealed for, whole and unchanged, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.broker import cipher as cipher_module
from relay.broker.cipher import Cipher
from relay.broker.operation import NODE_BYTES, Node
from relay.errors import AuthenticationError
from relay.wire import RoomId

SECRET = b"s" * 32
ONE, TWO = Node(b"1" * NODE_BYTES), Node(b"2" * NODE_BYTES)
ROOM, OTHER = RoomId(b"r" * 16), RoomId(b"o" * 16)
NAME = Cipher(SECRET, ONE).name(ROOM)
PLAIN = b"what is done"


def sealed(number: int = 1, plain: bytes = PLAIN, name: bytes = NAME) -> bytes:
    return Cipher(SECRET, ONE).seal(name, number, plain)


def is_refused(record: bytes, name: bytes = NAME, secret: bytes = SECRET) -> bool:
    try:
        Cipher(secret, TWO).open(name, record)
    except AuthenticationError:
        return True
    return False


def test_every_node_opens_what_one_has_sealed_and_sees_whose_it_is() -> None:
    for node in (ONE, TWO):
        assert Cipher(SECRET, node).open(NAME, sealed(41)) == (ONE, 41, PLAIN)
    assert Cipher(SECRET, ONE).open(NAME, sealed(plain=b"")) == (ONE, 1, b"")


def test_rooms_have_names_that_say_nothing_without_the_key() -> None:
    assert Cipher(SECRET, TWO).name(ROOM) == NAME
    assert len(NAME) == cipher_module.ROOM_KEY_BYTES
    names = {NAME, Cipher(SECRET, ONE).name(OTHER), Cipher(b"x" * 32, ONE).name(ROOM), bytes(ROOM)}
    assert len(names) == 4


def test_numbers_come_once() -> None:
    cipher = Cipher(SECRET, ONE)
    assert [cipher.next() for _ in range(3)] == [1, 2, 3]


def test_record_moved_to_another_room_is_refused() -> None:
    assert not is_refused(sealed())
    assert is_refused(sealed(), Cipher(SECRET, ONE).name(OTHER))
    assert is_refused(sealed(), NAME + b"saved")


def test_record_under_another_key_is_refused() -> None:
    assert is_refused(sealed(), secret=b"x" * 32)


def test_record_given_to_another_node_or_number_is_refused() -> None:
    record = sealed()
    assert is_refused(TWO + record[NODE_BYTES:])
    assert is_refused(record[:NODE_BYTES] + bytes(7) + b"\x02" + record[NODE_BYTES + 8 :])


def test_truncated_record_is_refused_at_every_length() -> None:
    record = sealed()
    assert all(is_refused(record[:size]) for size in range(len(record)))
    assert is_refused(record + b"\x00")


def test_record_with_any_bit_flipped_is_refused() -> None:
    record = sealed()
    for bit in range(8 * len(record)):
        flipped = bytearray(record)
        flipped[bit // 8] ^= 1 << bit % 8
        assert is_refused(bytes(flipped))


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(record: bytes) -> None:
    assert is_refused(record)


def test_same_words_are_never_sealed_the_same() -> None:
    assert len({sealed(1), sealed(2), Cipher(SECRET, TWO).seal(NAME, 1, PLAIN)}) == 3
    bodies = {sealed(1)[24:], sealed(2)[24:], Cipher(SECRET, TWO).seal(NAME, 1, PLAIN)[24:]}
    assert len(bodies) == 3


def test_keys_of_nodes_that_were_not_heard_for_long_are_derived_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cipher_module, "MAX_NODES", 2)
    nodes = [Node(bytes((number,)) * NODE_BYTES) for number in range(5)]
    records = [Cipher(SECRET, node).seal(NAME, 1, PLAIN) for node in nodes]
    reader = Cipher(SECRET, ONE)
    for _ in range(2):
        for node, record in zip(nodes, records, strict=True):
            assert reader.open(NAME, record)[0] == node
            assert len(reader._keys) <= 2
