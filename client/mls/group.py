"""A group as one member holds it: found, join, commit, follow, encrypt, decrypt (PROTOCOL 8).

A Group of an epoch never becomes another: whatever changes the epoch returns a new one, and a
refused input leaves everything as it was. Only the message ratchets move. Knows no relay, no
seal and no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from client.errors import (
    AuthenticationError,
    CommitRefusedError,
    ForeignError,
    FrameError,
    StateError,
    UsageError,
)
from client.mls import following, framing, policy, private
from client.mls.codec import opaque, u32, u64
from client.mls.epoch import (
    LEAF_CAP,
    SUITE,
    Epoch,
    Identity,
    Member,
    Outside,
    Room,
    members_of,
)
from client.mls.framing import CONTENT_APPLICATION, Framed
from client.mls.inspection import Inspected
from client.mls.keyschedule import GroupContext, external_psk_id, secrets_of
from client.mls.policy import KIND_APPLICATION, PSK_ID, Binding, need
from client.mls.private import Private, SenderData
from client.mls.secrettree import SecretTree
from client.mls.staging import Plan, group_info, stage
from client.mls.suite import KemKeyPair, draw
from client.mls.tree import SOURCE_KEY_PACKAGE, LeafNode, Tree

# Everything of a PrivateMessage but its content, for classes of 256 bytes and more (PROTOCOL 3).
CONTENT_OVERHEAD = 173
# Of that, the content's own length (2) and the signature (2 + 64) are inside of the padding.
_OUTSIDE_PADDING = CONTENT_OVERHEAD - 2 - 66
_REPAIR_LABEL = "beacon repair v1"
_KEM_OUTPUT_BYTES = 32


@dataclass(frozen=True)
class Staged:
    """A commit of ours that nobody has seen yet, and the group as it will be (R15).

    ``commit`` and ``group_info`` are MLSMessages, to be sealed for fence f and f + 1.
    """

    commit: bytes
    group_info: bytes
    group: "Group"


@dataclass(frozen=True)
class Followed:
    """The group after another's commit. A newcomer is both ``committer`` and ``joined``."""

    group: "Group"
    committer: Member
    joined: Member | None
    removed: tuple[Member, ...]


@dataclass(frozen=True)
class Opened:
    """An authenticated application message."""

    member: Member
    generation: int
    content: bytes


def found(
    identity: Identity, tag: str, psk: bytes, room_id: bytes, *, leaf_cap: int = LEAF_CAP
) -> Staged:
    """Begin a group alone, for a room at fence 0 (R9).

    Epoch 0 and the commit that brings the PSK in stay here; what is shown is the empty commit
    after it, so that every epoch that anybody shares depends on the link.
    """
    pair = SUITE.derive_key_pair(draw(SUITE.hash_bytes))
    tree = Tree(SUITE, (_founders_leaf(identity, tag, pair),))
    context = GroupContext(SUITE, draw(policy.GROUP_ID_BYTES), 0, tree.hash(), b"")
    secrets = secrets_of(SUITE, draw(SUITE.hash_bytes))
    outside = Outside(context, SUITE.mac(secrets.confirmation, b""))
    room = Room(room_id, psk, leaf_cap)
    alone = Epoch(outside, tree, 0, identity, {0: pair.private}, secrets, room)
    psk_id = external_psk_id(PSK_ID, draw(policy.NONCE_BYTES))
    plan = replace(
        _member_plan(alone, (), 0),
        proposals=(framing.encode_psk(psk_id),),
        psks=((psk_id, psk),),
    )
    _, bound = stage(plan)
    return Group(bound).commit((), 0)


def _founders_leaf(identity: Identity, tag: str, pair: KemKeyPair) -> LeafNode:
    owner = identity.owner(0, tag)
    leaf = LeafNode(
        pair.public,
        identity.signature_key,
        owner.credential,
        owner.capabilities,
        SOURCE_KEY_PACKAGE,
        u64(0) + u64(2**64 - 1),
        b"",
        b"",
        b"",
    )
    return replace(leaf, signature=identity.sign("LeafNodeTBS", leaf.signed_in(b"", 0)))


def join(chosen: Inspected, identity: Identity, tag: str, psk: bytes) -> Staged:
    """Join by an external commit with the PSK, in the place of our own old leaf if there is one.

    The commit is for the fence that the GroupInfo is bound to. Raises StateError where the tag is
    another member's (R4), CommitRefusedError where the group is full.
    """
    tree, proposals = chosen.tree, []
    for member in chosen.members:
        if member.signature_key == identity.signature_key:
            tree = tree.without(member.leaf)
            proposals.append(framing.encode_remove(member.leaf))
        elif member.tag == tag:
            raise StateError("the tag is in use")
    need(len(tree.leaves()) < chosen.leaf_cap, "leaf cap")
    me = tree.free_leaf()
    kem_output, init = SUITE.export_to(chosen.external_pub)
    psk_id = external_psk_id(PSK_ID, draw(policy.NONCE_BYTES))
    proposals += [framing.encode_psk(psk_id), framing.encode_external_init(kem_output)]
    plan = Plan(
        chosen.outside,
        None,
        tree.grown(me),
        identity.owner(me, tag),
        identity,
        tuple(proposals),
        ((psk_id, psk),),
        init,
        Room(chosen.binding.room_id, psk, chosen.leaf_cap),
        chosen.binding.fence,
    )
    return _staged(plan)


def _member_plan(epoch: Epoch, removes: Sequence[int], fence: int) -> Plan:
    tree = epoch.tree
    for leaf in removes:
        if leaf == epoch.me or tree.leaf(leaf) is None:
            raise UsageError("only another, present leaf can be removed")
        tree = tree.without(leaf)
    own = epoch.tree.leaf(epoch.me)
    assert own is not None
    return Plan(
        epoch.outside,
        epoch.me,
        tree,
        epoch.identity.owner(epoch.me, policy.tag_of(own)),
        epoch.identity,
        tuple(framing.encode_remove(leaf) for leaf in removes),
        (),
        epoch.secrets.init,
        epoch.room,
        fence,
        epoch.secrets.membership,
    )


def _staged(plan: Plan) -> Staged:
    commit, epoch = stage(plan)
    return Staged(commit, group_info(epoch, plan.fence + 1), Group(epoch))


class Group:
    """One epoch of a group, as one member holds it."""

    def __init__(self, epoch: Epoch) -> None:
        self._whole: Epoch | None = epoch
        self._outside = epoch.outside
        self._tree = epoch.tree
        self._me = epoch.me
        self._ratchets = SecretTree(SUITE, epoch.tree.width, epoch.secrets.encryption)

    def __repr__(self) -> str:
        return f"Group(epoch={self.epoch}, leaf={self._me}, leaves={len(self.members)})"

    @property
    def group_id(self) -> bytes:
        """16 bytes, drawn by the founder."""
        return self._outside.context.group_id

    @property
    def epoch(self) -> int:
        """The number of the epoch."""
        return self._outside.context.epoch

    @property
    def tree_hash(self) -> bytes:
        """The hash of the ratchet tree, 32 bytes."""
        return self._outside.context.tree_hash

    @property
    def confirmed_transcript_hash(self) -> bytes:
        """Covers every commit that led here, 32 bytes."""
        return self._outside.context.confirmed_transcript_hash

    @property
    def words_context(self) -> bytes:
        """What the six words of this epoch are made from (PROTOCOL 9.1)."""
        return self._outside.words_context

    @property
    def authenticator(self) -> bytes:
        """The epoch authenticator (RFC 9420 8.7), 32 bytes."""
        return self._epoch.secrets.authenticator

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Everybody, by leaf."""
        return members_of(self._tree)

    @property
    def me(self) -> Member:
        """Our own leaf."""
        return next(member for member in self.members if member.leaf == self._me)

    @property
    def _epoch(self) -> Epoch:
        if self._whole is None:
            raise StateError("this epoch's keys are gone")
        return self._whole

    def export(self, label: str, context: bytes, length: int) -> bytes:
        """MLS-Exporter (RFC 9420 8.5)."""
        return self._epoch.secrets.export(label, context, length)

    def wipe(self) -> None:
        """Drop this epoch's keys (R18); whatever needs them raises StateError from now on."""
        self._whole = None
        self._ratchets.wipe()

    # Commits

    def commit(self, removes: Sequence[int], fence: int) -> Staged:
        """Stage a commit that removes leaves, or only renews our keys; raise UsageError."""
        return _staged(_member_plan(self._epoch, removes, fence))

    def group_info(self, fence: int) -> bytes:
        """Return a signed GroupInfo of this epoch, bound to a fence, as MLSMessage."""
        return group_info(self._epoch, fence)

    def follow(self, commit: bytes, fence: int) -> Followed:
        """Check another's commit and return the group after it; this one stays as it is.

        Raises CommitRefusedError (a public check failed: everybody refuses), StrandedError (only
        we, or we among others, cannot follow; a wrong PSK shows here, in the confirmation tag, and
        strands everybody alike), RemovedError (it removes us).
        """
        epoch = self._epoch
        try:
            framed = framing.read_public_commit(commit)
        except FrameError as exc:
            raise CommitRefusedError("syntax") from exc
        step = following.check(epoch, framed, fence)
        group = Group(following.enter(epoch, framed, step))
        before = {member.leaf: member for member in self.members}
        committer = next(member for member in group.members if member.leaf == step.sender)
        joined = committer if framed.sender is None else None
        return Followed(group, committer, joined, tuple(before[n] for n in step.allowed.removes))

    # Application messages

    def encrypt(self, content: bytes, fence: int, size: int) -> bytes:
        """Encrypt a content as MLSMessage(PrivateMessage) of exactly ``size`` bytes (R20).

        ``size`` is a class of PROTOCOL 3; UsageError if the content does not fit. Every call uses
        up a generation, whatever becomes of the message (R16).
        """
        epoch = self._epoch
        aad = Binding(epoch.room.room_id, KIND_APPLICATION, fence).to_bytes()
        encoded = framing.encode_content(
            self.group_id, self.epoch, self._me, aad, CONTENT_APPLICATION, opaque(content)
        )
        framed = Framed(
            framing.WIRE_PRIVATE, self.group_id, self.epoch, self._me, aad, encoded, b""
        )
        signed = framed.signed(epoch.context.to_bytes())
        signature = epoch.identity.sign("FramedContentTBS", signed)
        plaintext = private.pad(opaque(content) + opaque(signature), _OUTSIDE_PADDING, size)
        ratchet = self._ratchets.ratchet(self._me)
        key, after = ratchet.advanced()
        self._ratchets.commit(self._me, after)
        head = Private(self.group_id, self.epoch, CONTENT_APPLICATION, aad, b"", b"")
        who = SenderData(self._me, ratchet.generation, draw(4))
        return private.seal_private(SUITE, epoch.secrets.sender_data, head, who, key, plaintext)

    def decrypt(self, message: bytes, fence: int, tag: str | None = None) -> Opened:
        """Open and authenticate an application message of another member.

        ``tag`` is whom the relay names as its sender: where the message says otherwise StateError
        is raised (R4), before its generation can make us run after it. Raises FrameError,
        ForeignError (of another group, epoch or line), AuthenticationError (forged, replayed, of
        another place), LimitError (R16). Nothing moves unless the message is genuine.
        """
        epoch = self._epoch
        sealed = private.read_private(message)
        binding = Binding(epoch.room.room_id, KIND_APPLICATION, fence).to_bytes()
        if sealed.authenticated_data != binding:
            raise AuthenticationError
        if (sealed.group_id, sealed.epoch) != (self.group_id, self.epoch):
            raise ForeignError
        if sealed.content_type != CONTENT_APPLICATION:
            raise FrameError("a private message holds application data")
        try:
            who = private.open_sender_data(SUITE, epoch.secrets.sender_data, sealed)
        except AuthenticationError as exc:
            # The same numbers, other secrets: two lines may have counted alike.
            raise ForeignError from exc
        leaf = self._tree.leaf(who.leaf)
        if leaf is None or who.leaf == self._me:
            raise AuthenticationError
        if tag is not None and policy.tag_of(leaf) != tag:
            raise StateError("another member's message")
        key, ratchet = self._ratchets.ratchet(who.leaf).at(who.generation)
        framed = private.open_private(SUITE, sealed, who, key)
        signed = framed.signed(epoch.context.to_bytes())
        SUITE.verify(leaf.signature_key, "FramedContentTBS", signed, framed.signature)
        self._ratchets.commit(who.leaf, ratchet)
        member = Member(who.leaf, policy.tag_of(leaf), leaf.signature_key)
        return Opened(member, who.generation, framed.application)

    # Repair (R32)

    def seal_repair(self, leaf: int, signature_key: bytes, counter: int, content: bytes) -> bytes:
        """Seal a content to one asker's leaf key; return kem output (32) and ciphertext.

        ``signature_key`` and ``counter`` name the message that is repaired. Raises UsageError
        where there is no such leaf.
        """
        asker = self._epoch.tree.leaf(leaf)
        if asker is None:
            raise UsageError("nobody asks from there")
        context = self._repair_context(leaf, signature_key, counter)
        output, ciphertext = SUITE.encrypt_with_label(
            asker.encryption_key, _REPAIR_LABEL, context, content
        )
        return output + ciphertext

    def open_repair(self, signature_key: bytes, counter: int, sealed: bytes) -> bytes:
        """Open a repair that was sealed to us; raise AuthenticationError."""
        return SUITE.decrypt_with_label(
            self._epoch.privates[2 * self._me],
            _REPAIR_LABEL,
            self._repair_context(self._me, signature_key, counter),
            sealed[:_KEM_OUTPUT_BYTES],
            sealed[_KEM_OUTPUT_BYTES:],
        )

    def _repair_context(self, leaf: int, signature_key: bytes, counter: int) -> bytes:
        return self.group_id + u64(self.epoch) + u32(leaf) + signature_key + u64(counter)
