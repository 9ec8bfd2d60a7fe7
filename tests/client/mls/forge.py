"""Rooms for tests, and a hostile member: commits and GroupInfos with chosen deviations, re-signed.

What is forged is built from the product's own parts, so that all but the deviation is right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from nacl.bindings import crypto_scalarmult_base

from client.errors import CommitRefusedError, StrandedError
from client.mls import Group, Identity, Inspected, Staged, found, framing, groupinfo, inspect, join
from client.mls.codec import opaque
from client.mls.epoch import SUITE, Epoch, Outside, Room
from client.mls.framing import Commit, Framed, PathNode
from client.mls.keyschedule import epoch_secrets, external_psk_id, joiner_secret, psk_secret
from client.mls.path import Made, make_path
from client.mls.policy import KIND_COMMIT, KIND_GROUP_INFO, PSK_ID, Binding, tag_of
from client.mls.staging import Plan
from client.mls.suite import draw
from client.mls.tree import LeafNode, Tree

ROOM_ID = bytes(range(16))
PSK = bytes(range(32, 64))
SIZE = 512


def tag(number: int) -> str:
    """The tag of the so-manyth member."""
    return f"0x{0xA000 + number:04x}"


@dataclass
class World:
    """All members of a room in one epoch, by leaf, and the fence that the room is at."""

    groups: dict[int, Group]
    fence: int

    def __getitem__(self, leaf: int) -> Group:
        return self.groups[leaf]

    def offer(self) -> Inspected:
        """A GroupInfo of this epoch, inspected."""
        group = next(iter(self.groups.values()))
        return inspect(group.group_info(self.fence), ROOM_ID, self.fence)

    def joining(self, number: int, identity: Identity | None = None) -> Staged:
        """The staged join of one more member."""
        return join(self.offer(), identity or Identity.generate(), tag(number), PSK)

    def after(self, staged: Staged, fence: int | None = None) -> "World":
        """Everybody after a staged commit; those that it removes are gone."""
        fence = self.fence if fence is None else fence
        after = {staged.group.me.leaf: staged.group}
        others = {member.signature_key for member in staged.group.members}
        others.discard(staged.group.me.signature_key)
        for leaf, group in self.groups.items():
            if group.me.signature_key in others:
                after[leaf] = group.follow(staged.commit, fence).group
        return World(after, fence + 1)

    def assert_one(self) -> None:
        """Check that all are in the same epoch with the same secrets and the same tree."""
        first = next(iter(self.groups.values()))
        for leaf, group in self.groups.items():
            assert group.me.leaf == leaf
            assert state(group) == state(first)
            for node, private in group._epoch.privates.items():
                public = group._tree.nodes[node].encryption_key
                assert public == crypto_scalarmult_base(private)
            on_path = {2 * leaf, *(s.node for s in group._tree.filtered_path(leaf))}
            held = set(group._epoch.privates)
            assert held <= on_path
            assert all(group._tree.nodes[node] is None or node in held for node in on_path)


def state(group: Group) -> tuple[object, ...]:
    """What must be the same for all of an epoch, and unchanged after a refused input."""
    return (
        group.group_id,
        group.epoch,
        group.authenticator,
        group.members,
        group.tree_hash,
        group.confirmed_transcript_hash,
        group.words_context,
    )


def world(members: int, removed: Sequence[int] = ()) -> World:
    """A room of so many members, all in one epoch; then some leaves are removed, in one commit."""
    first = found(Identity.generate(), tag(0), PSK, ROOM_ID)
    room = World({0: first.group}, 1)
    for number in range(1, members):
        room = room.after(room.joining(number))
    if removed:
        room = room.after(room[0].commit(removed, room.fence))
    return room


def refused(room: World, commit: bytes, check: str, *, but: Sequence[int] = ()) -> None:
    """Expect every member (but those who made it) to refuse a commit by the same public check."""
    for leaf, group in room.groups.items():
        if leaf in but:
            continue
        before = state(group)
        with pytest.raises(CommitRefusedError) as caught:
            group.follow(commit, room.fence)
        assert caught.value.check == check, leaf
        assert state(group) == before


def stranded(room: World, commit: bytes, *, but: Sequence[int] = ()) -> StrandedError:
    """Expect every member (but some) to be stranded, all with the same two hashes."""
    hashes = set()
    for leaf, group in room.groups.items():
        if leaf in but:
            continue
        before = state(group)
        with pytest.raises(StrandedError) as caught:
            group.follow(commit, room.fence)
        hashes.add((caught.value.confirmed_transcript_hash, caught.value.tree_hash))
        assert state(group) == before
    assert len(hashes) == 1
    return caught.value


# Plans of commits, before they are spoiled


def member_plan(
    group: Group, fence: int, removes: Sequence[int] = (), proposals: Sequence[bytes] = ()
) -> Plan:
    """The plan of a member's commit; ``proposals`` come after the Removes, whatever they are."""
    epoch = group._epoch
    tree = epoch.tree
    for leaf in removes:
        tree = tree.without(leaf)
    return Plan(
        epoch.outside,
        epoch.me,
        tree,
        epoch.identity.owner(epoch.me, tag_of(epoch.tree.leaf(epoch.me))),
        epoch.identity,
        (*map(framing.encode_remove, removes), *proposals),
        (),
        epoch.secrets.init,
        epoch.room,
        fence,
        epoch.secrets.membership,
    )


def newcomer_plan(
    chosen: Inspected,
    name: str = "0xffff",
    *,
    identity: Identity | None = None,
    psk: bytes = PSK,
    psk_id: bytes = PSK_ID,
    nonce: bytes | None = None,
    removes: Sequence[int] = (),
    alter: Callable[[list[bytes]], list[bytes]] = list,
) -> Plan:
    """The plan of an external commit; ``alter`` changes its proposals [removes..., PSK, init]."""
    identity = identity or Identity.generate()
    tree = chosen.tree
    for leaf in removes:
        tree = tree.without(leaf)
    me = tree.free_leaf()
    kem_output, init = SUITE.export_to(chosen.external_pub)
    encoded = external_psk_id(psk_id, draw(32) if nonce is None else nonce)
    proposals = [*map(framing.encode_remove, removes), framing.encode_psk(encoded)]
    proposals.append(framing.encode_external_init(kem_output))
    return Plan(
        chosen.outside,
        None,
        tree.grown(me),
        identity.owner(me, name),
        identity,
        tuple(alter(proposals)),
        ((encoded, psk),),
        init,
        Room(ROOM_ID, psk),
        chosen.binding.fence,
    )


# From a plan to a commit, with a deviation at any step


def forge(
    plan: Plan,
    *,
    leaf: Callable[[LeafNode], LeafNode] | None = None,
    sign_leaf: bool = True,
    nodes: Callable[[list[PathNode]], list[PathNode]] | None = None,
    reseal: Callable[[list[PathNode], bytes], list[PathNode]] | None = None,
    body: Callable[[bytes, bytes], bytes] | None = None,
    content: Callable[[dict], dict] = dict,
    framed: Callable[[Framed], Framed] = lambda framed: framed,
    confirmation: Callable[[bytes], bytes] = bytes,
    membership: Callable[[bytes], bytes] = bytes,
    kind: int = KIND_COMMIT,
) -> tuple[bytes, Epoch]:
    """Stage a plan, changing what is asked for; all that covers the change is made anew.

    ``leaf`` and ``nodes`` change the path (``reseal`` also gets what its secrets are sealed under),
    ``body`` makes the Commit of encoded proposals and path,
    ``content`` the arguments of `encode_content`, ``framed`` what is signed, the rest the tags.
    """
    context = plan.before.context
    following = replace(context, epoch=context.epoch + 1)
    made = make_path(
        SUITE,
        plan.tree,
        plan.owner,
        context.group_id,
        lambda tree: replace(following, tree_hash=tree.hash()).to_bytes(),
    )
    if reseal is not None:
        sealed_under = replace(following, tree_hash=made.tree.hash()).to_bytes()
        resealed = reseal(list(made.path.nodes), sealed_under)
        made = replace(made, path=replace(made.path, nodes=tuple(resealed)))
    made = _spoiled(made, plan, leaf, sign_leaf, nodes)
    signed = framed(_framed(plan, made, body, content, kind))
    signature = plan.identity.sign("FramedContentTBS", signed.signed(context.to_bytes()))
    signed = replace(signed, signature=signature)
    epoch = _after(plan, made, signed)
    signed = replace(signed, confirmation_tag=confirmation(epoch.outside.confirmation_tag))
    if signed.sender is not None:
        mac = SUITE.mac(plan.membership, signed.tagged(context.to_bytes()))
        signed = replace(signed, membership_tag=membership(mac))
    return framing.encode_public(signed), epoch


def _spoiled(made: Made, plan: Plan, leaf, sign_leaf, nodes) -> Made:
    path, tree = made.path, made.tree
    if leaf is not None:
        changed = leaf(path.leaf)
        if sign_leaf:
            tbs = changed.signed_in(plan.before.context.group_id, plan.owner.leaf)
            changed = replace(changed, signature=plan.identity.sign("LeafNodeTBS", tbs))
        path = replace(path, leaf=changed)
        tree = tree.replaced({2 * plan.owner.leaf: changed})
    if nodes is not None:
        path = replace(path, nodes=tuple(nodes(list(path.nodes))))
    return replace(made, path=path, tree=tree)


def _framed(plan: Plan, made: Made, body, content, kind: int) -> Framed:
    context = plan.before.context
    path = framing.encode_path(made.path.leaf, list(made.path.nodes))
    inside = opaque(b"".join(b"\1" + proposal for proposal in plan.proposals))
    encoded = framing.encode_commit(list(plan.proposals), path)
    assert encoded == inside + b"\1" + path
    if body is not None:
        encoded = body(inside, path)
    fields = content(
        {
            "group_id": context.group_id,
            "epoch": context.epoch,
            "sender": plan.sender,
            "aad": Binding(plan.room.room_id, kind, plan.fence).to_bytes(),
            "kind": framing.CONTENT_COMMIT,
            "body": encoded,
        }
    )
    return Framed(
        framing.WIRE_PUBLIC,
        fields["group_id"],
        fields["epoch"],
        fields["sender"],
        fields["aad"],
        framing.encode_content(**fields),
        b"",
        commit=Commit((), made.path),
    )


def _after(plan: Plan, made: Made, framed: Framed) -> Epoch:
    context = plan.before.next_context(framed, made.tree.hash())
    encoded = context.to_bytes()
    joiner = joiner_secret(SUITE, plan.init, made.commit_secret, encoded)
    secrets = epoch_secrets(SUITE, joiner, psk_secret(SUITE, plan.psks), encoded)
    outside = Outside(context, SUITE.mac(secrets.confirmation, context.confirmed_transcript_hash))
    return Epoch(
        outside, made.tree, plan.owner.leaf, plan.identity, made.privates, secrets, plan.room
    )


# GroupInfos


def forge_group_info(
    group: Group,
    fence: int,
    *,
    tree: Tree | bytes | None = None,
    extensions: Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]] = list,
    context: dict | None = None,
    binding: Binding | None = None,
    signer: int | None = None,
    sign: Callable[[bytes], bytes] = bytes,
) -> bytes:
    """A GroupInfo with deviations, signed by the group's own member."""
    epoch = group._epoch
    encoded = tree if isinstance(tree, bytes) else (tree or epoch.tree).encoded()
    if isinstance(tree, Tree):
        context = {"tree_hash": tree.hash(), **(context or {})}
    binding = binding or Binding(ROOM_ID, KIND_GROUP_INFO, fence)
    made = extensions(
        [
            (groupinfo.EXTENSION_TREE, encoded),
            (groupinfo.EXTENSION_EXTERNAL_PUB, opaque(epoch.secrets.external_key_pair().public)),
            (groupinfo.EXTENSION_BINDING, binding.to_bytes()),
        ]
    )
    signed = groupinfo.encode_group_info(
        replace(epoch.context, **(context or {})),
        made,
        epoch.outside.confirmation_tag,
        epoch.me if signer is None else signer,
    )
    signature = sign(epoch.identity.sign("GroupInfoTBS", signed))
    return groupinfo.frame_group_info(signed, signature)


def resigned(group: Group, tree: Tree, index: int, leaf: LeafNode) -> Tree:
    """Put a changed leaf, signed by the group's own member, into a tree."""
    tbs = leaf.signed_in(group.group_id, index)
    leaf = replace(leaf, signature=group._epoch.identity.sign("LeafNodeTBS", tbs))
    return tree.replaced({2 * index: leaf})
