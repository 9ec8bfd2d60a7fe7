"""Sealing: what opens, and everything that does not (R19, R20)."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.errors import AuthenticationError, UsageError
from client.link import RoomId, SealKey
from client.seal import CLASSES, OVERHEAD, Kind, is_sealed_length, seal, size_class, unseal

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/sealing.json").read_text())
KEY, ROOM = SealKey(bytes(32)), RoomId(bytes(16))
PADDED = (Kind.COMMIT, Kind.GROUP_INFO)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_r19_vectors(vector: dict[str, str]) -> None:
    key, room = SealKey(bytes.fromhex(vector["key"])), RoomId(bytes.fromhex(vector["room_id"]))
    kind, fence = Kind(vector["kind"]), int(vector["fence"])
    sealed = bytes.fromhex(vector["sealed"])
    if "error" in vector:
        assert vector["error"] == AuthenticationError.__name__
        with pytest.raises(AuthenticationError):
            unseal(key, room, kind, fence, sealed)
    else:
        assert unseal(key, room, kind, fence, sealed).hex() == vector["plaintext"]


@given(st.sampled_from(PADDED), st.binary(max_size=5000), st.integers(0, 2**53 - 1))
def test_r20_commits_and_group_infos_are_padded_to_blocks(
    kind: Kind, plain: bytes, fence: int
) -> None:
    sealed = seal(KEY, ROOM, kind, fence, plain)
    assert (len(sealed) - OVERHEAD) % 1024 == 0
    assert len(sealed) - OVERHEAD - len(plain) - 4 < 1024
    assert unseal(KEY, ROOM, kind, fence, sealed) == plain


@given(st.sampled_from(CLASSES))
def test_r20_application_messages_come_in_five_sizes(size: int) -> None:
    sealed = seal(KEY, ROOM, Kind.APPLICATION, 1, bytes(size))
    assert len(sealed) == size + OVERHEAD
    assert unseal(KEY, ROOM, Kind.APPLICATION, 1, sealed) == bytes(size)
    with pytest.raises(UsageError):
        seal(KEY, ROOM, Kind.APPLICATION, 1, bytes(size - 1))


def test_class_is_the_smallest_that_fits() -> None:
    assert [size_class(n) for n in (0, 256, 257, 4096)] == [256, 256, 512, 4096]
    with pytest.raises(UsageError):
        size_class(4097)


@given(st.data())
def test_r19_nothing_opens_in_another_place(data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, ROOM, Kind.COMMIT, 5, b"plain"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(AuthenticationError):
        unseal(KEY, ROOM, Kind.COMMIT, 5, bytes(sealed))


@given(st.binary(max_size=1100), st.sampled_from(Kind))
def test_any_bytes_are_refused_alike(data: bytes, kind: Kind) -> None:
    with pytest.raises(AuthenticationError) as caught:
        unseal(KEY, ROOM, kind, 1, data)
    assert str(caught.value) == "authentication failed"


def test_nonces_do_not_repeat() -> None:
    assert len({seal(KEY, ROOM, Kind.COMMIT, 1, b"")[:12] for _ in range(1000)}) == 1000


@pytest.mark.parametrize("length", [0, OVERHEAD, OVERHEAD + 1, OVERHEAD + 1023])
def test_r20_other_lengths_are_none(length: int) -> None:
    assert not any(is_sealed_length(kind, length) for kind in Kind)
