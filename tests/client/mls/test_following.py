"""Others' commits: each deviation is refused by its own check, or strands (R7 to R9, R11, R12)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.errors import CommitRefusedError, RemovedError, StrandedError
from client.mls import Identity, found, framing, inspect, join
from client.mls.codec import opaque, u16
from client.mls.policy import KIND_COMMIT, Binding
from client.mls.suite import SUITE_1 as SUITE
from client.mls.suite import draw
from client.mls.tree import SOURCE_KEY_PACKAGE, SOURCE_UPDATE
from tests.client.mls.forge import (
    PSK,
    ROOM_ID,
    World,
    forge,
    member_plan,
    newcomer_plan,
    refused,
    state,
    stranded,
    tag,
    world,
)

SMALL = bytes(32)


@pytest.fixture(scope="module")
def room():
    """Leaves 0, 1, 2, 3, 5; 4, 6 and 7 are blank. Groups do not change by following."""
    return world(6, removed=(4,))


def new_key():
    return SUITE.derive_key_pair(draw(32)).public


# What is right is followed


def test_a_forged_commit_without_deviation_is_followed(room):
    commit, epoch = forge(member_plan(room[1], room.fence, (3,)))
    for leaf in (0, 2, 5):
        followed = room[leaf].follow(commit, room.fence)
        assert followed.group.authenticator == epoch.secrets.authenticator
        assert (followed.committer.leaf, followed.joined) == (1, None)
        assert [member.tag for member in followed.removed] == [tag(3)]
    with pytest.raises(RemovedError):
        room[3].follow(commit, room.fence)


def test_a_forged_join_without_deviation_is_followed(room):
    commit, epoch = forge(newcomer_plan(room.offer()))
    for group in room.groups.values():
        followed = group.follow(commit, room.fence)
        assert followed.group.authenticator == epoch.secrets.authenticator
        assert followed.joined == followed.committer
        assert (followed.joined.leaf, followed.joined.tag) == (4, "0xffff")
        assert followed.removed == ()


@pytest.mark.parametrize("data", [b"", b"\0\1\0\1", b"\0\1\0\2" + bytes(60)])
def test_what_is_no_commit_is_refused(room, data):
    refused(room, data, "syntax")


# R9: which proposals, while joining


def altered(room, alter, check, **how):
    commit, _ = forge(newcomer_plan(room.offer(), alter=alter, **how))
    refused(room, commit, check)


def test_r09_a_join_without_the_psk_is_refused(room):
    altered(room, lambda proposals: proposals[1:], "pre-shared key")


def test_r09_a_join_with_two_psks_is_refused(room):
    altered(room, lambda proposals: [proposals[0], *proposals], "pre-shared key")


def test_r09_a_join_with_another_psk_id_is_refused(room):
    altered(room, list, "pre-shared key", psk_id=b"beacon room psk v2")


@pytest.mark.parametrize("length", [0, 31, 33])
def test_r09_a_psk_nonce_of_another_length_is_refused(room, length):
    altered(room, list, "pre-shared key", nonce=bytes(length))


def test_r09_a_join_with_a_wrong_psk_strands_everybody(room):
    stranded(room, forge(newcomer_plan(room.offer(), psk=bytes(32)))[0])


def test_r09_a_join_without_external_init_is_refused(room):
    altered(room, lambda proposals: proposals[:1], "external init")


def test_r09_a_join_with_two_external_inits_is_refused(room):
    altered(room, lambda proposals: [*proposals, proposals[-1]], "external init")


def test_r09_a_join_with_another_kem_output_strands_everybody(room):
    def alter(proposals):
        return [proposals[0], framing.encode_external_init(new_key())]

    stranded(room, forge(newcomer_plan(room.offer(), alter=alter))[0])


@pytest.mark.parametrize("output", [SMALL, bytes(31), b"\xff" * 32])
def test_r07_a_join_with_a_kem_output_of_small_order_is_refused(room, output):
    altered(room, lambda p: [p[0], framing.encode_external_init(output)], "encryption key")


def test_r09_a_newcomer_who_removes_somebody_else_is_refused(room):
    altered(room, list, "removes somebody else while joining", removes=(2,))


def test_r09_a_newcomer_who_removes_two_is_refused(room):
    own = room[2]._epoch.identity
    altered(room, list, "removes more than its own leaf", removes=(2, 3), identity=own)


def test_r09_a_newcomer_who_removes_a_blank_leaf_is_refused(room):
    def alter(proposals):
        return [framing.encode_remove(4), *proposals]

    altered(room, alter, "removes nobody")


def test_r09_a_newcomer_who_removes_beyond_the_tree_is_refused(room):
    altered(room, lambda p: [framing.encode_remove(2**32 - 1), *p], "removes nobody")


# R9: which proposals, as a member


def extra(room, proposals, check, removes=()):
    commit, _ = forge(member_plan(room[1], room.fence, removes, proposals))
    refused(room, commit, check, but=(1,))


def test_r09_a_member_that_removes_itself_is_refused(room):
    extra(room, [framing.encode_remove(1)], "removes itself")


def test_r09_a_member_that_removes_twice_is_refused(room):
    extra(room, [framing.encode_remove(3)], "removes twice", removes=(3,))


@pytest.mark.parametrize("leaf", [4, 7, 8, 2**32 - 1])
def test_r09_a_member_that_removes_nobody_is_refused(room, leaf):
    extra(room, [framing.encode_remove(leaf)], "removes nobody")


def test_r09_a_psk_in_a_members_commit_is_refused(room):
    psk_id = b"\1" + opaque(b"beacon room psk v1") + opaque(bytes(32))
    extra(room, [framing.encode_psk(psk_id)], "proposal")


def test_r09_an_external_init_in_a_members_commit_is_refused(room):
    extra(room, [framing.encode_external_init(new_key())], "proposal")


@pytest.mark.parametrize("newcomer", [False, True])
def test_r09_a_proposal_by_reference_is_refused(room, newcomer):
    def body(inside, path):
        return opaque(b"\2" + opaque(bytes(32)) + inside[_head(inside) :]) + b"\1" + path

    plan = newcomer_plan(room.offer()) if newcomer else member_plan(room[1], room.fence)
    commit, _ = forge(plan, body=body)
    refused(room, commit, "proposal", but=() if newcomer else (1,))


def _head(inside):
    return 1 << (inside[0] >> 6)


def _other_proposals(room):
    leaf = room[0]._tree.leaf(0).encoded
    package = u16(1) + u16(1) + opaque(bytes(32)) + leaf + opaque(b"") + opaque(bytes(64))
    resumption = b"\2\1" + opaque(bytes(16)) + bytes(8) + opaque(bytes(32))
    return {
        "add": u16(1) + package,
        "update": u16(2) + leaf,
        "resumption psk": u16(4) + resumption,
        "reinit": u16(5) + opaque(bytes(16)) + u16(1) + u16(1) + opaque(b""),
        "context extensions": u16(7) + opaque(b""),
        "grease": u16(0x0A0A) + opaque(b""),
    }


@pytest.mark.parametrize(
    "kind", ["add", "update", "resumption psk", "reinit", "context extensions", "grease"]
)
def test_r09_other_proposals_are_refused(room, kind):
    other = _other_proposals(room)[kind]
    extra(room, [other], "syntax")
    altered(room, lambda proposals: [other, *proposals], "syntax")


@pytest.mark.parametrize("newcomer", [False, True])
def test_r09_a_commit_without_path_is_refused(room, newcomer):
    plan = newcomer_plan(room.offer()) if newcomer else member_plan(room[1], room.fence)
    commit, _ = forge(plan, body=lambda inside, path: inside + b"\0")
    refused(room, commit, "path", but=() if newcomer else (1,))


# R11: where it belongs


@pytest.mark.parametrize(
    "binding",
    [
        Binding(bytes(16), KIND_COMMIT, 7),
        Binding(ROOM_ID, 1, 7),
        Binding(ROOM_ID, KIND_COMMIT, 6),
        Binding(ROOM_ID, KIND_COMMIT, 8),
    ],
)
def test_r11_a_commit_for_another_room_kind_or_fence_is_refused(room, binding):
    assert room.fence == 7
    commit, _ = forge(member_plan(room[1], 7), content=lambda f: {**f, "aad": binding.to_bytes()})
    refused(room, commit, "binding", but=(1,))


def test_r11_a_commit_of_another_protocol_version_is_refused(room):
    def content(fields):
        return {**fields, "aad": b"\0\2" + fields["aad"][2:]}

    refused(room, forge(member_plan(room[1], 7), content=content)[0], "binding", but=(1,))


def test_r11_a_commit_is_refused_at_another_fence_than_its_own(room):
    commit = room[1].commit((), room.fence).commit
    with pytest.raises(CommitRefusedError, match="binding"):
        room[0].follow(commit, room.fence + 1)


def test_a_commit_of_another_group_or_epoch_is_refused(room):
    def other(**change):
        return forge(member_plan(room[1], room.fence), content=lambda f: {**f, **change})[0]

    refused(room, other(group_id=bytes(16)), "group id", but=(1,))
    refused(room, other(epoch=room[1].epoch + 1), "epoch", but=(1,))
    refused(room, other(epoch=room[1].epoch - 1), "epoch", but=(1,))


# Who says so


def test_a_commit_in_anothers_name_is_refused(room):
    commit, _ = forge(member_plan(room[1], room.fence), content=lambda f: {**f, "sender": 2})
    assert framing.read_public_commit(commit).sender == 2
    commit = _with_membership(room, commit)
    refused(room, commit, "leaf identity", but=(1,))


def _with_membership(room, commit):
    epoch = room[1]._epoch
    framed = framing.read_public_commit(commit)
    mac = SUITE.mac(epoch.secrets.membership, framed.tagged(epoch.context.to_bytes()))
    return framing.encode_public(replace(framed, membership_tag=mac))


@pytest.mark.parametrize("sender", [4, 8, 2**32 - 1])
def test_a_commit_of_nobody_is_refused(room, sender):
    commit, _ = forge(member_plan(room[1], room.fence), content=lambda f: {**f, "sender": sender})
    refused(room, commit, "sender", but=(1,))


def test_a_commit_with_another_membership_tag_is_refused(room):
    for spoil in (lambda mac: bytes(32), lambda mac: mac[:31], lambda mac: b""):
        commit, _ = forge(member_plan(room[1], room.fence), membership=spoil)
        refused(room, commit, "membership tag", but=(1,))


@pytest.mark.parametrize("newcomer", [False, True])
def test_a_commit_with_another_signature_is_refused(room, newcomer):
    plan = newcomer_plan(room.offer()) if newcomer else member_plan(room[1], room.fence)
    framed = framing.read_public_commit(forge(plan)[0])
    framed = replace(framed, signature=bytes(64))
    mac = SUITE.mac(plan.membership, framed.tagged(plan.before.context.to_bytes()))
    commit = framing.encode_public(replace(framed, membership_tag=mac))
    refused(room, commit, "signature", but=() if newcomer else (1,))


def test_a_member_that_changes_its_signature_key_is_refused(room):
    other = Identity.generate()
    plan = member_plan(room[1], room.fence)
    plan = replace(plan, identity=other, owner=other.owner(1, tag(1)))
    refused(room, forge(plan)[0], "leaf identity", but=(1,))


def test_a_member_that_changes_its_tag_is_refused(room):
    plan = member_plan(room[1], room.fence)
    plan = replace(plan, owner=room[1]._epoch.identity.owner(1, "0xbbbb"))
    refused(room, forge(plan)[0], "leaf identity", but=(1,))


def test_r12_our_own_commit_that_we_lost_strands_us_as_others_follow_it(room):
    commit = room[1].commit((), room.fence).commit
    group = room[0].follow(commit, room.fence).group
    with pytest.raises(StrandedError) as caught:
        room[1].follow(commit, room.fence)
    assert caught.value.tree_hash == group.tree_hash
    assert caught.value.confirmed_transcript_hash == group.confirmed_transcript_hash


def test_r05_our_own_rejoin_removes_the_group_that_we_had(room):
    staged = room.joining(1, room[1]._epoch.identity)
    with pytest.raises(RemovedError):
        room[1].follow(staged.commit, room.fence)


# R7, R8: the leaf

FAT = {
    "leaf source": [
        {"source": SOURCE_KEY_PACKAGE, "lifetime": bytes(16)},
        {"source": SOURCE_UPDATE},
    ],
    "leaf capabilities": [
        {"capabilities": opaque(b"") * 5},
        {
            "capabilities": opaque(u16(1))
            + opaque(u16(1) + u16(2))
            + opaque(u16(0xF0BE))
            + b"\0\2\0\1"
        },
    ],
    "leaf extensions": [{"extensions": u16(0xF0BE) + opaque(b"")}, {"extensions": b"x"}],
    "encryption key": [
        {"encryption_key": SMALL},
        {"encryption_key": bytes(31)},
        {"encryption_key": b"\xff" * 32},
    ],
    "signature": [{"signature": bytes(64)}, {"signature": b""}],
    "parent hash": [{"parent_hash": bytes(32)}, {"parent_hash": b""}],
}
FAT_NEWCOMER = {
    "leaf credential": [
        {"credential": u16(1) + opaque(b"0xffff0")},
        {"credential": u16(2) + opaque(b"0xffff")},
        {"credential": u16(1) + opaque(b"")},
    ],
    "leaf tag": [
        {"credential": u16(1) + opaque(name)} for name in (b"0xFFFF", b"1xffff", b"0xfff\n")
    ],
    "signature key": [{"signature_key": b"\1" + bytes(31)}, {"signature_key": bytes(31)}],
}


def _cases(*tables):
    return [
        pytest.param(check, change, id=f"{check}-{number}")
        for table in tables
        for check, changes in table.items()
        for number, change in enumerate(changes)
    ]


@pytest.mark.parametrize(("check", "change"), _cases(FAT, FAT_NEWCOMER))
def test_r08_a_newcomers_leaf_of_another_form_is_refused(room, check, change):
    commit, _ = forge(
        newcomer_plan(room.offer()),
        leaf=lambda leaf: replace(leaf, **change),
        sign_leaf=check != "signature",
    )
    refused(room, commit, check)


@pytest.mark.parametrize(("check", "change"), _cases(FAT))
def test_r08_a_members_leaf_of_another_form_is_refused(room, check, change):
    commit, _ = forge(
        member_plan(room[1], room.fence),
        leaf=lambda leaf: replace(leaf, **change),
        sign_leaf=check != "signature",
    )
    refused(room, commit, check, but=(1,))


def test_r09_a_newcomer_with_anothers_tag_is_refused(room):
    refused(room, forge(newcomer_plan(room.offer(), tag(2)))[0], "duplicate tag")


def test_r09_a_newcomer_with_a_members_signature_key_is_refused(room):
    plan = newcomer_plan(room.offer(), identity=room[2]._epoch.identity)
    refused(room, forge(plan)[0], "duplicate signature key")


def test_r09_an_encryption_key_of_the_tree_is_refused(room):
    tree = room[1]._tree
    for node in (n for n in tree.nodes if n is not None):
        commit, _ = forge(
            member_plan(room[1], room.fence),
            leaf=lambda leaf, node=node: replace(leaf, encryption_key=node.encryption_key),
        )
        refused(room, commit, "encryption key reused", but=(1,))


def test_r09_the_key_of_a_leaf_that_goes_is_not_used_again(room):
    key = room[1]._tree.leaf(3).encryption_key
    commit, _ = forge(
        member_plan(room[1], room.fence, (3,)),
        leaf=lambda leaf: replace(leaf, encryption_key=key),
    )
    refused(room, commit, "encryption key reused", but=(1,))


def test_r09_a_path_key_of_the_tree_or_used_twice_is_refused(room):
    old = room[1]._tree.nodes[1].encryption_key
    for nodes in (
        lambda nodes: [replace(nodes[0], encryption_key=old), *nodes[1:]],
        lambda nodes: [
            nodes[0],
            replace(nodes[1], encryption_key=nodes[0].encryption_key),
            nodes[2],
        ],
    ):
        commit, _ = forge(member_plan(room[1], room.fence), nodes=nodes)
        refused(room, commit, "encryption key reused", but=(1,))


def test_r09_the_leaf_cap_holds():
    first = found(Identity.generate(), tag(0), PSK, ROOM_ID, leaf_cap=2)
    info = inspect(first.group_info, ROOM_ID, 1, leaf_cap=2)
    second = join(info, Identity.generate(), tag(1), PSK)
    group = first.group.follow(second.commit, 1).group
    full = World({0: group, 1: second.group}, 2)
    info = inspect(second.group_info, ROOM_ID, 2, leaf_cap=2)
    refused(full, forge(newcomer_plan(info))[0], "leaf cap")
    with pytest.raises(CommitRefusedError, match="leaf cap"):
        join(info, Identity.generate(), "0xffff", PSK)
    # A rejoin takes the place of its old leaf.
    rejoined = join(info, second.group._epoch.identity, "0xffff", PSK)
    assert len(group.follow(rejoined.commit, 2).group.members) == 2


# The path


def spoiled_path(room, nodes, check):
    commit, _ = forge(member_plan(room[1], room.fence), nodes=nodes)
    refused(room, commit, check, but=(1,))
    commit, _ = forge(newcomer_plan(room.offer()), nodes=nodes)
    refused(room, commit, check)


def with_ciphertexts(change):
    def nodes(nodes):
        last = nodes[-1]
        return [*nodes[:-1], replace(last, ciphertexts=tuple(change(list(last.ciphertexts))))]

    return nodes


def test_a_path_of_another_length_is_refused(room):
    spoiled_path(room, lambda nodes: nodes[:-1], "path length")
    spoiled_path(room, lambda nodes: [], "path length")
    more = framing.PathNode(new_key(), ())
    spoiled_path(room, lambda nodes: [*nodes, more], "path length")


def test_another_number_of_ciphertexts_is_refused(room):
    spoiled_path(room, with_ciphertexts(lambda c: c[:-1]), "number of ciphertexts")
    spoiled_path(room, with_ciphertexts(lambda c: [*c, c[0]]), "number of ciphertexts")


def test_a_ciphertext_of_another_length_is_refused(room):
    for length in (0, 47, 49):
        spoiled_path(
            room,
            with_ciphertexts(lambda c, n=length: [(c[0][0], bytes(n)), *c[1:]]),
            "ciphertext length",
        )


@pytest.mark.parametrize("key", [SMALL, bytes(31), b"\xff" * 32])
def test_r07_a_path_key_or_kem_output_of_small_order_is_refused_by_all(room, key):
    spoiled_path(
        room, lambda nodes: [replace(nodes[0], encryption_key=key), *nodes[1:]], "encryption key"
    )
    spoiled_path(room, with_ciphertexts(lambda c: [(key, c[0][1]), *c[1:]]), "encryption key")


def test_another_path_key_breaks_the_parent_hash(room):
    key = new_key()
    spoiled_path(
        room, lambda nodes: [*nodes[:-1], replace(nodes[-1], encryption_key=key)], "parent hash"
    )


def test_a_removed_member_refuses_what_the_others_refuse(room):
    commit, _ = forge(
        member_plan(room[1], room.fence, (3, 5)),
        leaf=lambda leaf: replace(leaf, parent_hash=bytes(32)),
    )
    refused(room, commit, "parent hash", but=(1,))


# R12: stranding


def test_r12_a_spoiled_ciphertext_strands_those_below_it_and_nobody_else(room):
    # Of leaf 1's path: one ciphertext for leaf 0, one for 2 and 3, one for 5.
    spoils = {(0,): 0, (2, 3): 1, (5,): 2}
    for below, step in spoils.items():

        def nodes(nodes, step=step):
            ((output, text),) = nodes[step].ciphertexts
            spoiled = replace(nodes[step], ciphertexts=((output, bytes(48)),))
            assert len(text) == 48
            return [*nodes[:step], spoiled, *nodes[step + 1 :]]

        commit, epoch = forge(member_plan(room[1], room.fence), nodes=nodes)
        error = stranded(room, commit, but={0, 1, 2, 3, 5} - set(below))
        for leaf in {0, 2, 3, 5} - set(below):
            group = room[leaf].follow(commit, room.fence).group
            assert group.authenticator == epoch.secrets.authenticator
            assert error.tree_hash == group.tree_hash
            assert error.confirmed_transcript_hash == group.confirmed_transcript_hash


def test_r12_a_path_secret_that_gives_another_key_strands(room):
    """Leaf 0's ciphertext opens, but what is inside belongs to no key of the path."""

    def reseal(nodes, context):
        key = room[1]._tree.leaf(0).encryption_key
        sealed = SUITE.encrypt_with_label(key, "UpdatePathNode", context, bytes(32))
        return [replace(nodes[0], ciphertexts=(sealed,)), *nodes[1:]]

    commit, _ = forge(member_plan(room[1], room.fence), reseal=reseal)
    stranded(room, commit, but=(1, 2, 3, 5))
    for leaf in (2, 3, 5):
        room[leaf].follow(commit, room.fence)


@pytest.mark.parametrize("spoil", [lambda t: bytes(32), lambda t: t[:31], lambda t: b""])
def test_r12_a_wrong_confirmation_tag_strands_everybody(room, spoil):
    commit, epoch = forge(member_plan(room[1], room.fence), confirmation=spoil)
    error = stranded(room, commit, but=(1,))
    assert error.tree_hash == epoch.context.tree_hash
    assert error.confirmed_transcript_hash == epoch.context.confirmed_transcript_hash
    stranded(room, forge(newcomer_plan(room.offer()), confirmation=spoil)[0])


# Any byte


@pytest.fixture(scope="module")
def honest(room):
    return [room[1].commit((3,), room.fence).commit, room.joining(9).commit]


@pytest.mark.parametrize("which", [0, 1])
def test_no_byte_of_a_commit_can_be_changed(room, honest, which):
    commit = honest[which]
    group = room[0]
    before, after = state(group), group.follow(commit, room.fence).group
    for at in range(len(commit)):
        spoiled = commit[:at] + bytes((commit[at] ^ 1,)) + commit[at + 1 :]
        with pytest.raises((CommitRefusedError, StrandedError)):
            group.follow(spoiled, room.fence)
    assert state(group) == before
    assert state(group.follow(commit, room.fence).group) == state(after)


@settings(deadline=None)
@given(st.data(), st.integers(0, 1), st.sampled_from([0, 2, 3, 5]))
def test_a_spoiled_commit_changes_nobody(room, honest, data, which, leaf):
    commit, group = honest[which], room[leaf]
    before = state(group)
    at = data.draw(st.integers(0, len(commit) - 1))
    change = data.draw(st.binary(min_size=1, max_size=4))
    spoiled = commit[:at] + change + commit[at + len(change) :]
    if spoiled == commit:
        return
    with pytest.raises((CommitRefusedError, StrandedError)):
        group.follow(spoiled, room.fence)
    assert state(group) == before


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(room, data):
    with pytest.raises(CommitRefusedError):
        room[0].follow(data, room.fence)


def test_nothing_is_left_of_keys_whose_nodes_are_gone(room):
    """After others' removals and paths every member holds the keys of its own path, and no more."""
    here = room
    here.assert_one()
    for committer, removes in ((5, ()), (0, (3,)), (2, (0, 5))):
        here = here.after(here[committer].commit(removes, here.fence))
        here.assert_one()
    assert set(here.groups) == {1, 2}
    for number in range(7, 12):
        here = here.after(here.joining(number))
        here.assert_one()
    assert set(here.groups) == {0, 1, 2, 3, 4, 5, 6}
