"""GroupInfo: what a newcomer checks before it joins (R7, R8, R11, R25)."""

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.errors import CommitRefusedError, FrameError
from client.mls import Identity, found, groupinfo, inspect, join
from client.mls.codec import opaque, u8, u16
from client.mls.policy import KIND_COMMIT, KIND_GROUP_INFO, Binding, credential_of
from client.mls.suite import SUITE_1 as SUITE
from client.mls.suite import draw
from client.mls.tree import SOURCE_KEY_PACKAGE, LeafNode, ParentNode, Tree
from tests.client.mls.forge import PSK, ROOM_ID, forge_group_info, resigned, tag, world
from tests.client.mls.test_following import FAT, FAT_NEWCOMER, SMALL, _cases


@pytest.fixture(scope="module")
def room():
    return world(5, removed=(3,))


@pytest.fixture(scope="module")
def alone():
    """One member and no parent nodes: any leaf can be changed and signed anew."""
    return world(1)


def refuses(room, check, **how):
    data = forge_group_info(room[0], room.fence, **how)
    with pytest.raises(CommitRefusedError) as caught:
        inspect(data, ROOM_ID, room.fence)
    assert caught.value.check == check


def test_a_group_info_tells_all_of_its_epoch(room):
    for group in room.groups.values():
        info = inspect(group.group_info(room.fence), ROOM_ID, room.fence)
        assert (info.signer, info.members) == (group.me, group.members)
        assert (info.epoch, info.tree_hash) == (group.epoch, group.tree_hash)
        assert info.confirmed_transcript_hash == group.confirmed_transcript_hash
        assert info.words_context == group.words_context
        assert info.external_pub == group._epoch.secrets.external_key_pair().public
        assert info.binding == Binding(ROOM_ID, KIND_GROUP_INFO, room.fence)


def test_a_forged_one_without_deviation_is_what_the_group_says(room):
    assert forge_group_info(room[0], room.fence) == room[0].group_info(room.fence)


# Extensions


def test_r08_missing_extra_or_misordered_extensions_are_refused(room):
    for change in (
        lambda e: e[1:],
        lambda e: e[:1] + e[2:],
        lambda e: e[:2],
        lambda e: [],
        lambda e: [*e, (0xF0BF, b"")],
        lambda e: [*e, e[2]],
        lambda e: [e[0], *e],
        lambda e: [e[1], e[0], e[2]],
        lambda e: [e[2], e[0], e[1]],
    ):
        refuses(room, "GroupInfo extensions", extensions=change)


def test_a_group_info_with_very_many_extensions_is_refused(room):
    data = forge_group_info(room[0], room.fence, extensions=lambda e: e + [(9, b"")] * 6)
    with pytest.raises(FrameError):
        inspect(data, ROOM_ID, room.fence)


@pytest.mark.parametrize(
    "binding",
    [
        Binding(bytes(16), KIND_GROUP_INFO, 6),
        Binding(ROOM_ID, KIND_COMMIT, 6),
        Binding(ROOM_ID, KIND_GROUP_INFO, 5),
        Binding(ROOM_ID, KIND_GROUP_INFO, 7),
    ],
)
def test_r11_a_group_info_for_another_room_kind_or_fence_is_refused(room, binding):
    assert room.fence == 6
    refuses(room, "binding", binding=binding)


def test_r11_a_group_info_of_another_protocol_version_is_refused(room):
    def other(extensions):
        kind, data = extensions[2]
        return [*extensions[:2], (kind, b"\0\2" + data[2:])]

    refuses(room, "binding", extensions=other)


def external(data):
    return lambda e: [e[0], (4, data), e[2]]


@pytest.mark.parametrize(
    "data",
    [b"\x09" * 32, b"\x20" * 32, b"\x20" * 34, b"\x40" + b"\x20" * 33, b"\x21" * 33, b""],
)
def test_r08_an_external_key_without_its_own_length_is_refused(room, data):
    refuses(room, "external public key", extensions=external(data))


def test_r07_an_external_key_of_small_order_is_refused(room):
    refuses(room, "encryption key", extensions=external(b"\x20" + SMALL))


# The group's context


def test_r08_a_context_with_extensions_is_refused(room):
    context = {"extensions": u16(3) + opaque(b"")}
    refuses(room, "context extensions", context=context)


def test_r08_a_group_id_of_another_length_is_refused(room):
    for length in (0, 15, 17):
        refuses(room, "group id", context={"group_id": bytes(length)})


def test_another_suite_is_refused(room):
    refuses(room, "suite", context={"suite": replace(SUITE, id=3)})


def test_r13_epoch_that_no_commits_can_have_led_to_is_refused(room):
    for epoch in (room.fence + 2, 2**63, 2**64 - 1):
        refuses(room, "epoch", context={"epoch": epoch})
    data = forge_group_info(room[0], room.fence, context={"epoch": room.fence + 1})
    staged = join(inspect(data, ROOM_ID, room.fence), Identity.generate(), "0xffff", PSK)
    assert staged.group.epoch == room.fence + 2


def test_another_tree_hash_is_refused(room):
    refuses(room, "tree hash", context={"tree_hash": bytes(32)})
    refuses(room, "tree hash", context={"tree_hash": b""})


# Who says so


@pytest.mark.parametrize("signer", [3, 5, 8, 2**32 - 1])
def test_a_group_info_of_nobody_is_refused(room, signer):
    refuses(room, "GroupInfo signer", signer=signer)


def test_a_group_info_signed_by_another_is_refused(room):
    refuses(room, "signature", signer=1)
    refuses(room, "signature", sign=lambda signature: bytes(64))
    refuses(room, "signature", sign=lambda signature: signature[:-1])


# The tree


def test_r08_unmerged_leaves_are_refused(room):
    tree = room[0]._tree
    at = next(i for i, node in enumerate(tree.nodes) if isinstance(node, ParentNode))
    refuses(
        room, "unmerged leaves", tree=tree.replaced({at: replace(tree.nodes[at], unmerged=(0,))})
    )


def test_a_parent_that_nobody_made_is_refused(room):
    tree = room[0]._tree
    parents = [i for i, node in enumerate(tree.nodes) if isinstance(node, ParentNode)]
    for at in parents:
        key = SUITE.derive_key_pair(draw(32)).public
        spoiled = tree.replaced({at: replace(tree.nodes[at], encryption_key=key)})
        refuses(room, "parent hash", tree=spoiled)
        spoiled = tree.replaced({at: replace(tree.nodes[at], encryption_key=SMALL)})
        refuses(room, "encryption key", tree=spoiled)


def test_any_leaf_with_a_wrong_signature_is_refused(alone):
    tree = alone[0]._tree
    leaf = tree.leaf(0)
    for signature in (bytes(64), leaf.signature[:-1], b""):
        refuses(alone, "signature", tree=tree.replaced({0: replace(leaf, signature=signature)}))


def test_a_leaf_signed_for_another_group_or_place_is_refused(alone):
    group = alone[0]
    leaf = group._tree.leaf(0)
    for tbs in (leaf.signed_in(bytes(16), 0), leaf.signed_in(group.group_id, 1)):
        other = replace(leaf, signature=group._epoch.identity.sign("LeafNodeTBS", tbs))
        refuses(alone, "signature", tree=group._tree.replaced({0: other}))


FORMS = {check: FAT[check] for check in FAT if check not in ("signature", "parent hash")}


@pytest.mark.parametrize(("check", "change"), _cases(FORMS, FAT_NEWCOMER))
def test_r08_a_leaf_of_another_form_is_refused(alone, check, change):
    group = alone[0]
    leaf = replace(group._tree.leaf(0), **change)
    refuses(alone, check, tree=resigned(group, group._tree, 0, leaf))


def pair(alone, **change):
    """The only member's tree with a second leaf, which it signs itself."""
    group = alone[0]
    other = Identity.generate()
    fresh = {
        "encryption_key": SUITE.derive_key_pair(draw(32)).public,
        "signature_key": other.signature_key,
        "credential": credential_of("0xbbbb"),
    }
    leaf = replace(group._tree.leaf(0), **{**fresh, **change})
    tree = group._tree.grown(1)
    signature = other.sign("LeafNodeTBS", leaf.signed_in(group.group_id, 1))
    return tree.replaced({2: replace(leaf, signature=signature)})


def test_two_leaves_with_nothing_above_them_may_stand(alone):
    data = forge_group_info(alone[0], alone.fence, tree=pair(alone))
    assert len(inspect(data, ROOM_ID, alone.fence).members) == 2


@pytest.mark.parametrize(
    ("field", "check"),
    [
        ("encryption_key", "duplicate encryption key"),
        ("signature_key", "duplicate signature key"),
        ("credential", "duplicate tag"),
    ],
)
def test_r09_what_two_leaves_share_is_refused(alone, field, check):
    shared = {field: getattr(alone[0]._tree.leaf(0), field)}
    refuses(alone, check, tree=pair(alone, **shared))


def test_r09_a_key_of_a_leaf_that_a_parent_has_too_is_refused(room):
    tree = room[0]._tree
    at = next(i for i, node in enumerate(tree.nodes) if isinstance(node, ParentNode))
    key = tree.leaf(0).encryption_key
    spoiled = tree.replaced({at: replace(tree.nodes[at], encryption_key=key)})
    refuses(room, "duplicate encryption key", tree=spoiled)


def test_r09_more_leaves_than_the_cap_are_refused(room):
    data = room[0].group_info(room.fence)
    assert len(inspect(data, ROOM_ID, room.fence, leaf_cap=4).members) == 4
    for cap in (1, 2, 3):
        with pytest.raises(CommitRefusedError, match="leaf cap"):
            inspect(data, ROOM_ID, room.fence, leaf_cap=cap)
    with pytest.raises(CommitRefusedError, match="leaf cap"):
        join(inspect(data, ROOM_ID, room.fence, leaf_cap=4), Identity.generate(), "0xffff", PSK)


def test_the_founders_hidden_epoch_cannot_be_shown():
    """Its leaf has source key_package: whoever shows it is refused by everybody."""
    identity = Identity.generate()
    group = found(identity, tag(0), PSK, ROOM_ID).group
    leaf = replace(group._tree.leaf(0), source=SOURCE_KEY_PACKAGE, lifetime=bytes(8) + b"\xff" * 8)
    tree = Tree(SUITE, (replace(leaf, signature=identity.sign("LeafNodeTBS", leaf.unsigned)),))
    with pytest.raises(CommitRefusedError, match="leaf source"):
        inspect(forge_group_info(group, 1, tree=tree), ROOM_ID, 1)


# Hostile sizes


def spread(leaf: LeafNode, leaves: int) -> bytes:
    """A tree of so many copies of a leaf."""
    entry = b"\1" + u8(1) + leaf.encoded
    return opaque((entry + b"\0") * (leaves - 1) + entry)


@pytest.mark.parametrize("leaves", [513, 2048, 10_000, 100_000])
def test_a_hostile_tree_is_refused_quickly(alone, leaves):
    encoded = spread(alone[0]._tree.leaf(0), leaves)
    data = forge_group_info(alone[0], alone.fence, tree=encoded)
    begin = time.perf_counter()
    with pytest.raises((CommitRefusedError, FrameError)):
        inspect(data, ROOM_ID, alone.fence)
    assert time.perf_counter() - begin < 10


def test_a_hostile_tree_with_its_right_hash_is_refused_quickly(alone):
    leaf = alone[0]._tree.leaf(0)
    for blank in (None, ParentNode(draw(32), b"")):
        nodes = tuple(leaf if i % 2 == 0 else blank for i in range(2 * 2048 - 1))
        data = forge_group_info(alone[0], alone.fence, tree=Tree(SUITE, nodes))
        begin = time.perf_counter()
        with pytest.raises(CommitRefusedError, match="leaf cap"):
            inspect(data, ROOM_ID, alone.fence)
        assert time.perf_counter() - begin < 10


# Any byte


def test_no_byte_of_a_group_info_can_be_changed(room):
    data = room[0].group_info(room.fence)
    for at in range(len(data)):
        spoiled = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
        with pytest.raises((CommitRefusedError, FrameError)):
            inspect(spoiled, ROOM_ID, room.fence)


@settings(deadline=None)
@given(st.binary(max_size=300), st.data())
def test_any_bytes_are_a_group_info_of_one_spelling_or_refused(room, tail, data):
    whole = room[0].group_info(room.fence)
    cut = data.draw(st.integers(0, len(whole)))
    for spelling in (tail, whole[:cut] + tail, whole[:cut] + tail + whole[cut + len(tail) :]):
        try:
            info = groupinfo.read_group_info(spelling)
        except FrameError:
            continue
        assert groupinfo.frame_group_info(info.signed, info.signature) == spelling
        extensions = b"".join(u16(kind) + opaque(body) for kind, body in info.extensions)
        assert opaque(extensions) in info.signed


def test_other_versions_of_a_group_info_are_refused(room):
    data = room[0].group_info(room.fence)
    for spoiled in (data[:4] + b"\0\2" + data[6:], data[:2] + b"\0\3" + data[4:], data + b"x"):
        with pytest.raises(FrameError):
            groupinfo.read_group_info(spoiled)
