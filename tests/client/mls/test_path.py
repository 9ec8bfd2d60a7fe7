"""UpdatePaths: who can open them, and what follows from them (RFC 9420 7.4 to 7.6, 12.4.1)."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_sign_seed_keypair

from client.errors import AuthenticationError, CommitRefusedError
from client.mls import framing, inspect
from client.mls.epoch import Epoch, Identity, Outside, Room
from client.mls.group import Group
from client.mls.keyschedule import GroupContext, secrets_of
from client.mls.path import make_path, node_keys, open_path
from client.mls.suite import SUITE_1 as SUITE
from client.mls.suite import SignatureKeyPair
from client.mls.tree import read_tree
from client.mls.treemath import is_below
from tests.client.mls.forge import forge_group_info, world

TRAPS = json.loads((Path(__file__).parents[2] / "vectors" / "mls-traps.json").read_text())
h = bytes.fromhex


def made(group, tree=None):
    epoch = group._epoch
    owner = epoch.identity.owner(epoch.me, group.me.tag)
    return make_path(
        SUITE, tree or epoch.tree, owner, group.group_id, lambda after: b"at" + after.hash()
    )


ROOM = world(8, removed=(1, 6))


@settings(deadline=None)
@given(st.sampled_from([0, 2, 3, 4, 5, 7]), st.sets(st.sampled_from([2, 3, 4, 5, 7]), max_size=4))
def test_everybody_who_stays_opens_the_same(committer, gone):
    gone = gone - {committer}
    tree = ROOM[0]._tree
    for leaf in gone:
        tree = tree.without(leaf)
    ours = made(ROOM[committer], tree)
    steps = tree.filtered_path(committer)
    context = b"at" + ours.tree.hash()
    for leaf, group in ROOM.groups.items():
        if leaf == committer or leaf in gone:
            continue
        held = {
            node: key
            for node, key in group._epoch.privates.items()
            if node < len(tree.nodes) and tree.nodes[node] is not None
        }
        opened = open_path(SUITE, steps, ours.path, leaf, held, context)
        assert opened.commit_secret == ours.commit_secret
        shared = {step.node for step in steps if is_below(2 * leaf, step.node)}
        assert set(opened.privates) == shared
        assert all(ours.privates[node] == opened.privates[node] for node in shared)


@settings(deadline=None)
@given(st.sampled_from([2, 3, 4, 5, 7]))
def test_a_removed_member_opens_nothing_with_all_the_keys_it_has(leaf):
    tree = ROOM[0]._tree.without(leaf)
    ours = made(ROOM[0], tree)
    steps = tree.filtered_path(0)
    held = ROOM[leaf]._epoch.privates
    context = b"at" + ours.tree.hash()
    with pytest.raises(AuthenticationError):
        open_path(SUITE, steps, ours.path, leaf, held, context)
    for node in ours.path.nodes:
        for output, text in node.ciphertexts:
            for private in held.values():
                with pytest.raises(AuthenticationError):
                    SUITE.decrypt_with_label(private, "UpdatePathNode", context, output, text)


def test_a_path_opens_in_its_own_context_only():
    ours = made(ROOM[0])
    steps = ROOM[0]._tree.filtered_path(0)
    for leaf in (2, 3, 4, 5, 7):
        with pytest.raises(AuthenticationError):
            open_path(SUITE, steps, ours.path, leaf, ROOM[leaf]._epoch.privates, b"elsewhere")


def test_a_path_whose_secret_gives_another_key_further_up_opens_for_nobody_below():
    ours = made(ROOM[0])
    steps = ROOM[0]._tree.filtered_path(0)
    other = SUITE.derive_key_pair(b"another").public
    nodes = (*ours.path.nodes[:-1], replace(ours.path.nodes[-1], encryption_key=other))
    path, context = replace(ours.path, nodes=nodes), b"at" + ours.tree.hash()
    for leaf in (2, 3, 4, 5, 7):
        with pytest.raises(AuthenticationError):
            open_path(SUITE, steps, path, leaf, ROOM[leaf]._epoch.privates, context)


def test_nobody_opens_the_path_of_somebody_alone():
    group = world(1)[0]
    ours = made(group)
    assert ours.path.nodes == ()
    with pytest.raises(AuthenticationError):
        open_path(SUITE, [], ours.path, 0, group._epoch.privates, b"")


def test_a_made_path_holds_a_fresh_key_for_every_step():
    one, other = made(ROOM[0]), made(ROOM[0])
    keys = [
        key
        for ours in (one, other)
        for key in (ours.path.leaf.encryption_key, *(n.encryption_key for n in ours.path.nodes))
    ]
    assert len(set(keys)) == len(keys)
    assert one.tree.has_sound_parents()
    assert repr(one.privates) not in repr(one)


# Traps


@pytest.fixture(scope="module")
def blank_root():
    v = TRAPS["blank_root"]
    tree = read_tree(SUITE, h(v["ratchet_tree"]))
    context = GroupContext(
        SUITE, h(v["group_id"]), v["epoch"], tree.hash(), h(v["confirmed_transcript_hash"])
    )
    return Group(
        Epoch(
            Outside(context, h(v["confirmation_tag"])),
            tree,
            v["leaf"],
            Identity(SignatureKeyPair(*crypto_sign_seed_keypair(h(v["signature_seed"])))),
            {2 * v["leaf"]: h(v["encryption_private"])},
            secrets_of(SUITE, h(v["epoch_secret"])),
            Room(h(v["room_id"]), bytes(32)),
        )
    )


def test_trap_with_a_blank_root_the_commit_secret_follows_the_last_path_secret(blank_root):
    v = TRAPS["blank_root"]
    followed = blank_root.follow(h(v["commit"]), v["fence"])
    group = followed.group
    assert group._tree.nodes[3] is None
    assert [member.leaf for member in followed.removed] == [0, 1]
    assert [member.leaf for member in group.members] == [2, 3]
    assert group.tree_hash == h(v["tree_hash_after"])
    assert node_keys(SUITE, h(v["path_secret"])).private == group._epoch.privates[5]
    assert SUITE.derive_secret(h(v["path_secret"]), "path") == h(v["commit_secret"])
    assert group.authenticator == h(v["epoch_authenticator"])


def test_trap_our_own_commit_with_a_blank_root_is_followed():
    room = world(4)
    staged = room[2].commit((0, 1), room.fence)
    assert staged.group._tree.nodes[3] is None
    after = room.after(staged)
    after.assert_one()
    assert set(after.groups) == {2, 3}


def test_trap_the_external_key_has_a_length_of_its_own(blank_root):
    v, external = TRAPS["blank_root"], TRAPS["external_pub"]
    group = blank_root.follow(h(v["commit"]), v["fence"]).group
    # Signatures are deterministic, so that the whole GroupInfo is.
    assert group.group_info(v["fence"] + 1) == h(external["group_info"])
    assert external["extension_data"] == "20" + external["key"]
    info = inspect(h(external["group_info"]), h(v["room_id"]), v["fence"] + 1)
    assert info.external_pub == h(external["key"])


def test_trap_an_external_key_without_it_is_refused():
    room = world(2)

    def bare(extensions):
        kind, data = extensions[1]
        return [extensions[0], (kind, data[1:]), extensions[2]]

    data = forge_group_info(room[0], room.fence, extensions=bare)
    with pytest.raises(CommitRefusedError, match="external public key"):
        inspect(data, bytes(range(16)), room.fence)


def test_a_path_is_read_as_it_was_made():
    ours = made(ROOM[0])
    encoded = framing.encode_path(ours.path.leaf, list(ours.path.nodes))
    reader = framing.Reader(encoded)
    assert framing.read_path(reader) == ours.path
    reader.finish()
