"""Groups: founding, joining, rejoining, removing, and messages between members (PROTOCOL 8)."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client import mls
from client.errors import (
    AuthenticationError,
    CommitRefusedError,
    FrameError,
    LimitError,
    RemovedError,
    StateError,
    UsageError,
)
from client.mls import CONTENT_OVERHEAD, Identity, found, framing, inspect, join, private
from client.mls.codec import opaque
from client.mls.policy import KIND_APPLICATION, KIND_COMMIT, Binding
from client.mls.private import Private, SenderData
from client.mls.suite import SUITE_1 as SUITE
from tests.client.mls.forge import PSK, ROOM_ID, SIZE, World, state, stranded, tag, world

# Founding and joining


def test_r09_the_founder_shows_the_empty_commit_after_the_psks():
    identity = Identity.generate()
    staged = found(identity, "0xabcd", PSK, ROOM_ID)
    framed = framing.read_public_commit(staged.commit)
    assert (framed.epoch, framed.sender) == (1, 0)
    assert framed.commit.proposals == ()
    assert framed.authenticated_data == Binding(ROOM_ID, KIND_COMMIT, 0).to_bytes()
    assert staged.group.epoch == 2
    assert staged.group.me == mls.Member(0, "0xabcd", identity.signature_key)
    info = inspect(staged.group_info, ROOM_ID, 1)
    assert info.members == (staged.group.me,)
    assert info.tree_hash == staged.group.tree_hash
    assert len(staged.group.group_id) == 16


def test_r09_no_two_groups_are_alike():
    groups = [found(Identity.generate(), tag(0), PSK, ROOM_ID).group for _ in range(4)]
    assert len({group.group_id for group in groups}) == 4
    assert len({group.authenticator for group in groups}) == 4


def test_r09_a_joiner_with_another_psk_is_followed_by_nobody():
    room = world(3)
    staged = join(room.offer(), Identity.generate(), "0xffff", bytes(32))
    error = stranded(room, staged.commit)
    # They could tell its epoch, but not enter it.
    assert error.tree_hash == staged.group.tree_hash
    assert error.confirmed_transcript_hash == staged.group.confirmed_transcript_hash
    assert all(staged.group.authenticator != group.authenticator for group in room.groups.values())


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 9)), max_size=14))
def test_all_stay_in_one_epoch_through_any_script(script):
    """Joins, rejoins, removals and empty commits, in any order, by anybody."""
    room, count = world(2), 2
    for who, what, whom in script:
        leaves = sorted(room.groups)
        actor, target = leaves[who % len(leaves)], leaves[whom % len(leaves)]
        if what == 0:
            room, count = room.after(room.joining(count)), count + 1
        elif what == 1:
            identity = room[actor]._epoch.identity
            room, count = room.after(room.joining(count, identity)), count + 1
        elif what == 2 and actor != target:
            staged = room[actor].commit((target,), room.fence)
            with pytest.raises(RemovedError):
                room[target].follow(staged.commit, room.fence)
            room = room.after(staged)
        else:
            room = room.after(room[actor].commit((), room.fence))
        room.assert_one()
        inspected = room.offer()
        assert inspected.members == room[min(room.groups)].members
        sender = room[min(room.groups)]
        message = sender.encrypt(b"hello", room.fence, SIZE)
        for group in room.groups.values():
            if group is not sender:
                assert group.decrypt(message, room.fence).content == b"hello"


def test_r04_a_joiner_whose_tag_is_in_use_asks_for_another():
    room = world(3)
    with pytest.raises(StateError):
        join(room.offer(), Identity.generate(), tag(1), PSK)
    # Its own old leaf is no other member.
    again = join(room.offer(), room[1]._epoch.identity, tag(1), PSK)
    assert len(again.group.members) == 3


@pytest.mark.parametrize("name", [tag(1), "0xbbbb"])
def test_r05_a_rejoin_with_the_same_key_takes_the_old_leafs_place(name):
    room = world(4)
    identity = room[1]._epoch.identity
    staged = join(room.offer(), identity, name, PSK)
    for leaf in (0, 2, 3):
        followed = room[leaf].follow(staged.commit, room.fence)
        assert followed.joined == mls.Member(1, name, identity.signature_key)
        assert [member.tag for member in followed.removed] == [tag(1)]
        assert state(followed.group) == state(staged.group)
    with pytest.raises(RemovedError):
        room[1].follow(staged.commit, room.fence)


def test_r05_somebody_alone_rejoins_its_own_group():
    room = world(1)
    staged = room.joining(1, room[0]._epoch.identity)
    assert [member.tag for member in staged.group.members] == [tag(1)]
    assert staged.group.epoch == room[0].epoch + 1


def test_r12_a_group_stays_as_it_was_whatever_follows_it():
    room = world(3)
    before = [state(group) for group in room.groups.values()]
    one, other = room[0].commit((1,), room.fence), room[2].commit((), room.fence)
    for staged in (one, other):
        assert room[1].me.leaf == 1
        for leaf in {0, 1, 2} - {staged.group.me.leaf}:
            if leaf == 1 and staged is one:
                continue
            assert state(room[leaf].follow(staged.commit, room.fence).group) == state(staged.group)
    assert [state(group) for group in room.groups.values()] == before


def test_r15_of_two_staged_commits_either_can_be_merged():
    room = world(3)
    one, other = room[0].commit((), room.fence), room[0].commit((2,), room.fence)
    for staged in (one, other):
        group = room[1].follow(staged.commit, room.fence).group
        assert state(group) == state(staged.group)


def test_only_another_present_leaf_can_be_removed():
    room = world(4, removed=(2,))
    for removes in ((0,), (2,), (4,), (-1,), (2**32,), (1, 1)):
        with pytest.raises(UsageError):
            room[0].commit(removes, room.fence)


def test_nobody_joins_with_a_group_info_of_the_epoch_before():
    room = world(3)
    old = room.offer()
    room = World(room.after(room[0].commit((), room.fence)).groups, room.fence + 1)
    staged = join(replace(old, binding=replace(old.binding, fence=room.fence)),
                  Identity.generate(), "0xffff", PSK)  # fmt: skip
    for group in room.groups.values():
        with pytest.raises(CommitRefusedError, match="epoch"):
            group.follow(staged.commit, room.fence)


def test_what_is_no_commit_is_refused():
    room = world(2)
    for data in (b"", room[1].group_info(room.fence), room[1].encrypt(b"x", room.fence, SIZE)):
        with pytest.raises(CommitRefusedError, match="syntax"):
            room[0].follow(data, room.fence)


# Messages


@pytest.fixture
def two():
    return world(2)


def test_a_message_is_opened_by_all_others_and_not_by_its_sender():
    room = world(5)
    message = room[3].encrypt(b"hello", room.fence, SIZE)
    for leaf in (0, 1, 2, 4):
        opened = room[leaf].decrypt(message, room.fence, tag(3))
        assert opened == mls.Opened(room[3].me, 0, b"hello")
    with pytest.raises(AuthenticationError):
        room[3].decrypt(message, room.fence)


@pytest.mark.parametrize("size", [256, 512, 1024, 2048, 4096])
def test_r20_a_message_has_exactly_the_size_asked_for(two, size):
    for length in (0, 1, 63, 64, size - CONTENT_OVERHEAD):
        message = two[0].encrypt(b"x" * length, two.fence, size)
        assert len(message) == size
        assert two[1].decrypt(message, two.fence).content == b"x" * length
    with pytest.raises(UsageError):
        two[0].encrypt(b"x" * (size - CONTENT_OVERHEAD + 1), two.fence, size)


def test_r16_a_generation_is_never_used_twice(two):
    generations = []
    for _ in range(5):
        message = two[0].encrypt(b"hello", two.fence, SIZE)
        generations.append(two[1].decrypt(message, two.fence).generation)
    assert generations == [0, 1, 2, 3, 4]


def test_a_content_that_does_not_fit_uses_up_no_generation(two):
    with pytest.raises(UsageError):
        two[0].encrypt(bytes(SIZE), two.fence, SIZE)
    message = two[0].encrypt(b"hello", two.fence, SIZE)
    assert two[1].decrypt(message, two.fence).generation == 0


def test_r16_messages_come_in_any_order_and_once(two):
    messages = [two[0].encrypt(b"%d" % n, two.fence, SIZE) for n in range(40)]
    order = list(enumerate(messages))
    random.Random(1).shuffle(order)
    for number, message in order:
        assert two[1].decrypt(message, two.fence).content == b"%d" % number
    for message in messages:
        with pytest.raises(AuthenticationError):
            two[1].decrypt(message, two.fence)


def test_r16_a_jump_of_more_than_64_is_not_followed(two):
    messages = [two[0].encrypt(b"%d" % n, two.fence, SIZE) for n in range(67)]
    for number in (65, 66):
        with pytest.raises(LimitError):
            two[1].decrypt(messages[number], two.fence)
    assert two[1].decrypt(messages[64], two.fence).content == b"64"
    assert two[1].decrypt(messages[0], two.fence).content == b"0"


def test_a_message_for_another_fence_is_refused(two):
    message = two[0].encrypt(b"hello", two.fence, SIZE)
    for fence in (two.fence - 1, two.fence + 1):
        with pytest.raises(AuthenticationError):
            two[1].decrypt(message, fence)
    assert two[1].decrypt(message, two.fence).content == b"hello"


def test_a_message_of_another_epoch_or_group_is_refused(two):
    after = two.after(two[0].commit((), two.fence))
    old, new = (room[0].encrypt(b"hello", room.fence, SIZE) for room in (two, after))
    with pytest.raises(AuthenticationError):
        after[1].decrypt(old, two.fence)
    with pytest.raises(AuthenticationError):
        two[1].decrypt(new, after.fence)
    other = world(2)
    with pytest.raises(AuthenticationError):
        other[1].decrypt(old, two.fence)


def test_a_removed_member_opens_nothing_of_later_epochs():
    room = world(4)
    removed = room[3]
    after = room.after(room[0].commit((3,), room.fence))
    message = after[1].encrypt(b"secret", after.fence, SIZE)
    with pytest.raises(AuthenticationError):
        removed.decrypt(message, after.fence)
    epoch = removed._epoch
    sealed = private.read_private(message)
    with pytest.raises(AuthenticationError):
        private.open_sender_data(SUITE, epoch.secrets.sender_data, sealed)
    with pytest.raises(RemovedError):
        removed.follow(room[0].commit((3,), room.fence).commit, room.fence)


def test_a_newcomer_opens_nothing_of_earlier_epochs():
    room = world(3)
    message = room[0].encrypt(b"secret", room.fence, SIZE)
    staged = room.joining(3)
    with pytest.raises(AuthenticationError):
        staged.group.decrypt(message, room.fence)


def test_r04_a_message_under_anothers_delivery_tag_is_dropped_and_moves_nothing(two):
    message = two[0].encrypt(b"hello", two.fence, SIZE)
    with pytest.raises(StateError):
        two[1].decrypt(message, two.fence, tag(1))
    assert two[1].decrypt(message, two.fence, tag(0)).content == b"hello"


def test_no_byte_of_a_message_can_be_changed(two):
    message = two[0].encrypt(b"hello", two.fence, SIZE)
    for at in range(len(message)):
        spoiled = message[:at] + bytes((message[at] ^ 1,)) + message[at + 1 :]
        with pytest.raises((AuthenticationError, FrameError)):
            two[1].decrypt(spoiled, two.fence)
    assert two[1].decrypt(message, two.fence).content == b"hello"


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data):
    for spelling in (data, b"\0\1\0\2" + data):
        with pytest.raises((AuthenticationError, FrameError)):
            TWO[1].decrypt(spelling, TWO.fence)


TWO = world(2)


class Liar:
    """A member that seals what it likes, as whom it likes: it holds the secrets that all share."""

    def __init__(self, room, who=0):
        self.room, self.group, self.epoch = room, room[who], room[who]._epoch

    def message(
        self,
        leaf=0,
        generation=0,
        *,
        aad=None,
        kind=framing.CONTENT_APPLICATION,
        tail=b"",
        signer=None,
        signed_aad=None,
    ):
        room, group, epoch = self.room, self.group, self.epoch
        aad = Binding(ROOM_ID, KIND_APPLICATION, room.fence).to_bytes() if aad is None else aad
        encoded = framing.encode_content(
            group.group_id,
            group.epoch,
            leaf,
            aad if signed_aad is None else signed_aad,
            framing.CONTENT_APPLICATION,
            opaque(b"hello"),
        )
        framed = framing.Framed(2, group.group_id, group.epoch, leaf, aad, encoded, b"")
        tbs = framed.signed(epoch.context.to_bytes())
        signature = (signer or epoch.identity).sign("FramedContentTBS", tbs)
        plain = opaque(b"hello") + opaque(signature) + tail
        ratchet = group._ratchets.ratchet(leaf)
        for _ in range(generation + 1):
            key, ratchet = ratchet.advanced()
        head = Private(group.group_id, group.epoch, kind, aad, b"", b"")
        who = SenderData(leaf, generation, b"abcd")
        return private.seal_private(SUITE, epoch.secrets.sender_data, head, who, key, plain)


def test_a_liars_honest_message_is_opened():
    room = world(3)
    message = Liar(room).message()
    assert room[1].decrypt(message, room.fence).member == room[0].me


def test_a_message_in_anothers_name_is_refused_and_moves_nothing():
    room = world(3)
    with pytest.raises(AuthenticationError):
        room[1].decrypt(Liar(room).message(leaf=2), room.fence)
    with pytest.raises(AuthenticationError):
        room[1].decrypt(Liar(room).message(leaf=2, generation=40), room.fence)
    for number in range(3):
        opened = room[1].decrypt(room[2].encrypt(b"true", room.fence, SIZE), room.fence)
        assert (opened.generation, opened.content) == (number, b"true")


def test_our_own_message_reflected_by_another_is_refused():
    room = world(2)
    identity = room[1]._epoch.identity
    with pytest.raises(AuthenticationError):
        room[1].decrypt(Liar(room).message(leaf=1, signer=identity), room.fence)


def test_a_message_of_nobody_is_refused():
    room = world(4, removed=(2,))
    liar = Liar(room)
    with pytest.raises(AuthenticationError):
        room[1].decrypt(liar.message(leaf=2), room.fence)
    sealed = private.read_private(liar.message())
    for leaf in (4, 2**32 - 1):
        key = private.sender_data_key(SUITE, liar.epoch.secrets.sender_data, sealed.ciphertext)
        plain = leaf.to_bytes(4, "big") + bytes(8)
        data = SUITE.seal(key.key, key.nonce, sealed.head(), plain)
        with pytest.raises(AuthenticationError):
            room[1].decrypt(private.encode_private(replace(sealed, sender_data=data)), room.fence)


def test_r16_a_hostile_generation_is_no_work():
    room = world(2)
    sealed = private.read_private(Liar(room).message())
    key = private.sender_data_key(SUITE, room[0]._epoch.secrets.sender_data, sealed.ciphertext)
    data = SUITE.seal(key.key, key.nonce, sealed.head(), bytes(4) + b"\xff" * 4 + bytes(4))
    message = private.encode_private(replace(sealed, sender_data=data))
    with pytest.raises(StateError):
        room[1].decrypt(message, room.fence, tag(1))
    with pytest.raises(LimitError):
        room[1].decrypt(message, room.fence, tag(0))


@pytest.mark.parametrize(
    "binding",
    [
        Binding(bytes(16), KIND_APPLICATION, 2).to_bytes(),
        Binding(ROOM_ID, KIND_COMMIT, 2).to_bytes(),
        Binding(ROOM_ID, KIND_APPLICATION, 1).to_bytes(),
        b"\0\2" + Binding(ROOM_ID, KIND_APPLICATION, 2).to_bytes()[2:],
        b"",
    ],
)
def test_r11_a_message_for_another_room_kind_fence_or_version_is_refused(two, binding):
    assert two.fence == 2
    with pytest.raises(AuthenticationError):
        two[1].decrypt(Liar(two).message(aad=binding), two.fence)


def test_what_is_signed_for_another_place_is_refused(two):
    other = Binding(ROOM_ID, KIND_APPLICATION, two.fence - 1).to_bytes()
    with pytest.raises(AuthenticationError):
        two[1].decrypt(Liar(two).message(signed_aad=other), two.fence)


@pytest.mark.parametrize("kind", [0, 2, 3, 255])
def test_a_private_handshake_message_is_refused(two, kind):
    with pytest.raises(FrameError):
        two[1].decrypt(Liar(two).message(kind=kind), two.fence)


def test_r20_padding_that_is_not_zero_is_refused(two):
    assert two[1].decrypt(Liar(two).message(tail=bytes(9)), two.fence).content == b"hello"
    with pytest.raises(FrameError):
        two[1].decrypt(Liar(two).message(generation=1, tail=bytes(9) + b"\1"), two.fence)


# Secrets


def test_an_export_is_the_same_for_all_and_for_no_other_epoch():
    room = world(3)
    values = {group.export("beacon", b"context", 40) for group in room.groups.values()}
    assert len(values) == 1
    after = room.after(room[0].commit((), room.fence))
    assert after[1].export("beacon", b"context", 40) not in values
    assert len(values.pop()) == 40


def test_r18_a_wiped_group_has_no_keys_left():
    room = world(2)
    group, message = room[1], room[0].encrypt(b"hello", room.fence, SIZE)
    sealed = room[0].seal_repair(1, bytes(32), 7, b"content")
    commit = room[0].commit((), room.fence).commit
    group.wipe()
    for use in (
        lambda: group.authenticator,
        lambda: group.export("label", b"", 32),
        lambda: group.encrypt(b"hello", room.fence, SIZE),
        lambda: group.decrypt(message, room.fence),
        lambda: group.commit((), room.fence),
        lambda: group.follow(commit, room.fence),
        lambda: group.group_info(room.fence),
        lambda: group.open_repair(bytes(32), 7, sealed),
    ):
        with pytest.raises(StateError):
            use()
    assert group._whole is None
    assert not group._ratchets._secrets
    assert not group._ratchets._ratchets
    # What everybody may know stays.
    assert group.epoch == room[0].epoch
    assert group.me == room[0].members[1]
    group.wipe()


def test_r18_a_forgotten_identity_signs_and_joins_nothing():
    room = world(2)
    gone = Identity.forgotten()
    assert gone.signature_key == b""
    with pytest.raises(StateError):
        gone.sign("label", b"content")
    with pytest.raises(StateError):
        join(room.offer(), gone, "0xffff", PSK)
    with pytest.raises(StateError):
        found(gone, "0xffff", PSK, ROOM_ID)


def test_r18_wiping_an_epoch_leaves_the_next_one_whole():
    room = world(2)
    after = room.after(room[0].commit((), room.fence))
    for group in room.groups.values():
        group.wipe()
    after.assert_one()
    message = after[0].encrypt(b"hello", after.fence, SIZE)
    assert after[1].decrypt(message, after.fence).content == b"hello"


def test_no_secret_is_printed():
    room = world(2)
    group = room[1]
    epoch = group._epoch
    shown = repr(group) + repr(epoch) + repr(room.joining(2)) + repr(room.offer())
    secrets = [*epoch.privates.values(), epoch.secrets.init, epoch.identity._keys.private, PSK]
    for secret in secrets:
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
    assert repr(group) == f"Group(epoch={group.epoch}, leaf=1, leaves=2)"


# Repair


def test_r32_a_repair_is_opened_by_the_asker_alone():
    room = world(4)
    key = room[0].me.signature_key
    sealed = room[1].seal_repair(3, key, 7, b"content")
    assert room[3].open_repair(key, 7, sealed) == b"content"
    for leaf in (0, 1, 2):
        with pytest.raises(AuthenticationError):
            room[leaf].open_repair(key, 7, sealed)


def test_r32_a_repair_is_bound_to_what_it_repairs_and_where():
    room = world(4)
    key, other = room[0].me.signature_key, room[2].me.signature_key
    sealed = room[1].seal_repair(3, key, 7, b"content")
    later = room.after(room[0].commit((), room.fence))
    for group, signature_key, counter, data in (
        (room[3], other, 7, sealed),
        (room[3], key, 8, sealed),
        (later[3], key, 7, sealed),
        (room[3], key, 7, sealed[:-1]),
        (room[3], key, 7, sealed[:31]),
        (room[3], key, 7, b""),
        (room[3], key, 7, bytes(32) + sealed[32:]),
    ):
        with pytest.raises(AuthenticationError):
            group.open_repair(signature_key, counter, data)
    for at in range(len(sealed)):
        spoiled = sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
        with pytest.raises(AuthenticationError):
            room[3].open_repair(key, 7, spoiled)


def test_r32_a_repair_for_nobody_cannot_be_made():
    room = world(4, removed=(2,))
    for leaf in (2, 4, -1):
        with pytest.raises(UsageError):
            room[0].seal_repair(leaf, bytes(32), 7, b"content")


def test_r32_a_repair_is_what_protocol_8_4_says():
    room = world(2)
    group, key = room[1], room[0].me.signature_key
    context = group.group_id + group.epoch.to_bytes(8, "big") + (1).to_bytes(4, "big")
    context += key + (7).to_bytes(8, "big")
    asker = group._tree.leaf(1).encryption_key
    output, sealed = SUITE.encrypt_with_label(asker, "beacon repair v1", context, b"content")
    assert group.open_repair(key, 7, output + sealed) == b"content"
