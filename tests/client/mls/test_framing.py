"""Commits and PublicMessages: bytes to values and back (RFC 9420 6, 12)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.errors import FrameError
from client.mls import framing
from client.mls.codec import Reader, opaque, u8, u16, u32
from client.mls.framing import (
    Commit,
    ExternalInit,
    OtherProposal,
    PathNode,
    PreSharedKey,
    Remove,
    UpdatePath,
)
from client.mls.keyschedule import external_psk_id
from tests.client.mls.forge import world
from tests.client.mls.test_tree import SOURCE_COMMIT, leaf

PSK_ID = external_psk_id(b"id", b"nonce")


def nodes():
    return st.lists(
        st.builds(
            PathNode,
            st.binary(max_size=40),
            st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=90)), max_size=4).map(
                tuple
            ),
        ),
        max_size=5,
    )


PROPOSALS = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda n: (framing.encode_remove(n), Remove(n))),
    st.binary(max_size=70).map(lambda b: (framing.encode_external_init(b), ExternalInit(b))),
    st.just((framing.encode_psk(PSK_ID), PreSharedKey(b"id", b"nonce", PSK_ID))),
)


@settings(deadline=None)
@given(st.lists(PROPOSALS, max_size=5), nodes(), st.none() | st.integers(0, 2**32 - 1))
def test_a_commit_comes_back(proposals, path, sender):
    value = leaf(1, SOURCE_COMMIT, parent_hash=b"above")
    body = framing.encode_commit([p for p, _ in proposals], framing.encode_path(value, path))
    content = framing.encode_content(b"group", 7, sender, b"aad", framing.CONTENT_COMMIT, body)
    tags = opaque(b"signature") + opaque(b"tag") + (b"" if sender is None else opaque(b"member"))
    data = u16(1) + u16(1) + content + tags
    framed = framing.read_public_commit(data)
    assert framed.commit == Commit(tuple(p for _, p in proposals), UpdatePath(value, tuple(path)))
    assert (framed.group_id, framed.epoch, framed.sender) == (b"group", 7, sender)
    assert (framed.authenticated_data, framed.encoded) == (b"aad", content)
    assert (framed.signature, framed.confirmation_tag) == (b"signature", b"tag")
    assert framed.membership_tag == (b"" if sender is None else b"member")
    assert framing.encode_public(framed) == data


def public(commit, *, sender=b"\1" + bytes(4), kind=3, version=1, wire=1):
    data = u16(version) + u16(wire) + opaque(b"group") + bytes(8) + sender + opaque(b"aad")
    return data + u8(kind) + commit + opaque(b"s") + opaque(b"t") + opaque(b"m")


EMPTY = opaque(b"") + b"\0"


def test_a_commit_without_path_is_read_for_policy_to_refuse():
    assert framing.read_public_commit(public(EMPTY)).commit == Commit((), None)


def test_a_reference_is_read_for_policy_to_refuse():
    data = opaque(b"\2" + opaque(bytes(32))) + b"\0"
    assert framing.read_public_commit(public(data)).commit == Commit((OtherProposal(),), None)


@pytest.mark.parametrize(
    "data",
    [
        public(EMPTY) + b"x",
        public(EMPTY)[:-1],
        public(EMPTY, version=2),
        public(EMPTY, wire=2),
        public(EMPTY, kind=1),
        public(EMPTY, kind=2),
        public(EMPTY, sender=b"\2" + bytes(4)),
        public(EMPTY, sender=b"\3"),
        *[public(EMPTY, sender=bytes((kind,)))[:-2] for kind in (0, 2, 3, 5)],
        public(opaque(b"") + b"\2"),
        public(opaque(b"\0" + framing.encode_remove(1)) + b"\0"),
        public(opaque(b"\3" + framing.encode_remove(1)) + b"\0"),
        public(opaque(b"\1" + u16(4) + b"\2" + PSK_ID[1:]) + b"\0"),
        *[public(opaque(b"\1" + u16(kind)) + b"\0") for kind in (0, 1, 2, 5, 7, 0xF000)],
    ],
)
def test_what_is_no_public_commit_is_refused(data):
    with pytest.raises(FrameError):
        framing.read_public_commit(data)


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        (
            public(opaque((b"\1" + framing.encode_remove(1)) * 2048) + b"\0"),
            public(opaque((b"\1" + framing.encode_remove(1)) * 2049) + b"\0"),
        ),
        (
            public(opaque(b"") + b"\1" + framing.encode_path(leaf(1), [PathNode(b"", ())] * 32)),
            public(opaque(b"") + b"\1" + framing.encode_path(leaf(1), [PathNode(b"", ())] * 33)),
        ),
        (
            public(
                opaque(b"")
                + b"\1"
                + framing.encode_path(leaf(1), [PathNode(b"", ((b"", b""),) * 2048)])
            ),
            public(
                opaque(b"")
                + b"\1"
                + framing.encode_path(leaf(1), [PathNode(b"", ((b"", b""),) * 2049)])
            ),
        ),
    ],
    ids=["proposals", "path", "ciphertexts"],
)
def test_lists_are_bounded(within, beyond):
    framing.read_public_commit(within)
    with pytest.raises(FrameError):
        framing.read_public_commit(beyond)


@settings(deadline=None)
@given(st.binary(max_size=200), st.data())
def test_any_bytes_are_a_commit_of_one_spelling_or_refused(tail, data):
    whole = world_commits()[data.draw(st.integers(0, 1))]
    cut = data.draw(st.integers(0, len(whole)))
    for spelling in (tail, whole[:cut] + tail, whole[:cut] + tail + whole[cut + len(tail) :]):
        try:
            framed = framing.read_public_commit(spelling)
        except FrameError:
            continue
        assert framing.encode_public(framed) == spelling


_COMMITS = []


def world_commits():
    if not _COMMITS:
        room = world(4)
        _COMMITS.extend([room[1].commit((2,), room.fence).commit, room.joining(5).commit])
    return _COMMITS


def test_what_is_signed_tagged_and_confirmed_is_as_in_6_1_6_2_and_8_2():
    framed = framing.read_public_commit(world_commits()[0])
    head = u16(1) + u16(1)
    assert framed.encoded[17 + 8 : 17 + 8 + 5] == b"\1" + u32(1)
    assert framed.signed(b"context") == head + framed.encoded + b"context"
    auth = opaque(framed.signature) + opaque(framed.confirmation_tag)
    assert framed.authentication() == auth
    assert framed.tagged(b"context") == framed.signed(b"context") + auth
    assert framed.confirmed() == u16(1) + framed.encoded + opaque(framed.signature)


def test_an_application_message_has_no_confirmation_tag():
    framed = framing.Framed(2, b"", 0, 1, b"", b"encoded", b"signature")
    assert framed.authentication() == opaque(b"signature")


def test_a_message_of_another_wire_format_is_refused():
    assert framing.open_message(b"\0\1\0\2x", 2).take(1) == b"x"
    for data in (b"\0\1\0\1", b"\0\2\0\2", b"\0\1\0", b""):
        with pytest.raises(FrameError):
            framing.open_message(data, 2)


def test_a_proposal_ends_where_its_value_does():
    reader = Reader(framing.encode_remove(7) + b"rest")
    assert framing.read_proposal(reader) == Remove(7)
    assert reader.take(4) == b"rest"
