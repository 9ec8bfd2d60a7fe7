"""A group as one member holds it: found, join, commit, follow, encrypt, decrypt (PROTOCOL 8).

A Group of an epoch never becomes another: whatever changes the epoch returns a new one, and a
refused input leaves everything as it was. Only the message ratchets move. Knows no relay, no
seal and no clock.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from client.errors import (
    AuthenticationError,
    CommitRefusedError,
    FrameError,
    RemovedError,
    StateError,
    StrandedError,
    UsageError,
)
from client.mls import framing, policy
from client.mls.codec import opaque, u32, u64
from client.mls.framing import Commit, Framed, GroupInfo, Private, SenderData
from client.mls.keyschedule import (
    EpochSecrets,
    GroupContext,
    epoch_secrets,
    external_psk_id,
    joiner_secret,
    psk_secret,
    secrets_of,
)
from client.mls.path import Made, Owner, make_path, open_path
from client.mls.policy import (
    KIND_APPLICATION,
    KIND_COMMIT,
    KIND_GROUP_INFO,
    PSK_ID,
    Allowed,
    Binding,
    need,
)
from client.mls.secrettree import SecretTree
from client.mls.suite import SUITE_1, KemKeyPair, SignatureKeyPair, draw, generate_signature_key
from client.mls.tree import SOURCE_KEY_PACKAGE, LeafNode, Tree, read_tree

LEAF_CAP = 256
# Everything of a PrivateMessage but its content, for classes of 256 bytes and more (PROTOCOL 3).
CONTENT_OVERHEAD = 173
_REPAIR_LABEL = "beacon repair v1"
_SUITE = SUITE_1
_KEM_OUTPUT_BYTES = 32
_SEALED_SECRET_BYTES = 48


@dataclass(frozen=True)
class Identity:
    """One stay's signature key (R5): fresh at the first join, the same at every rejoin."""

    _keys: SignatureKeyPair = field(repr=False)

    @classmethod
    def generate(cls) -> "Identity":
        """Draw a fresh one."""
        return cls(generate_signature_key())

    @property
    def signature_key(self) -> bytes:
        """The public key, 32 bytes."""
        return self._keys.public

    def owner(self, leaf: int, tag: str) -> Owner:
        """Say whose leaf a path renews; for this package."""
        credential = policy.credential_of(tag)
        return Owner(leaf, self._keys, credential, policy.capabilities_of(_SUITE))

    def sign(self, label: str, content: bytes) -> bytes:
        """Sign with a label of MLS; for this package."""
        return _SUITE.sign(self._keys.private, label, content)


@dataclass(frozen=True)
class Member:
    """One leaf: its index, the tag in its credential, and its signature key."""

    leaf: int
    tag: str
    signature_key: bytes


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


@dataclass(frozen=True)
class Inspected:
    """A GroupInfo that stood every check that a newcomer can make."""

    signer: Member
    members: tuple[Member, ...]
    context: GroupContext
    confirmation_tag: bytes
    external_pub: bytes
    tree: Tree = field(repr=False)
    binding: Binding
    leaf_cap: int

    @property
    def epoch(self) -> int:
        """The epoch that it describes."""
        return self.context.epoch

    @property
    def confirmed_transcript_hash(self) -> bytes:
        """Names, with the tree hash, the line of epochs that it stands in (R12)."""
        return self.context.confirmed_transcript_hash

    @property
    def tree_hash(self) -> bytes:
        """The hash of the ratchet tree."""
        return self.context.tree_hash

    @property
    def words_context(self) -> bytes:
        """What the six words of its epoch are made from (PROTOCOL 9.1)."""
        return self.context.to_bytes() + self.confirmation_tag


def inspect(
    group_info: bytes, room_id: bytes, fence: int, *, leaf_cap: int = LEAF_CAP
) -> Inspected:
    """Check a GroupInfo, bound to this room and fence, and the whole tree in it.

    Raises FrameError (syntax) or CommitRefusedError (a check of PROTOCOL 8).
    """
    info = framing.read_group_info(group_info)
    need(info.suite_id == _SUITE.id, "suite")
    binding = Binding(room_id, KIND_GROUP_INFO, fence)
    encoded, external_pub = policy.check_extensions(info, binding)
    tree = read_tree(_SUITE, encoded)
    need(hmac.compare_digest(tree.hash(), info.tree_hash), "tree hash")
    policy.check_tree(_SUITE, tree, info.group_id, leaf_cap)
    signer = tree.leaf(info.signer)
    if signer is None:
        raise CommitRefusedError("GroupInfo signer")
    policy.check_signature(
        _SUITE, signer.signature_key, "GroupInfoTBS", info.signed, info.signature
    )
    context = _context_of(info)
    members = _members_of(tree)
    return Inspected(
        next(m for m in members if m.leaf == info.signer),
        members,
        context,
        info.confirmation_tag,
        external_pub,
        tree,
        binding,
        leaf_cap,
    )


def _context_of(info: GroupInfo) -> GroupContext:
    return GroupContext(
        _SUITE, info.group_id, info.epoch, info.tree_hash, info.confirmed_transcript_hash
    )


def _members_of(tree: Tree) -> tuple[Member, ...]:
    return tuple(
        Member(index, policy.tag_of(leaf), leaf.signature_key) for index, leaf in tree.leaves()
    )


def found(
    identity: Identity, tag: str, psk: bytes, room_id: bytes, *, leaf_cap: int = LEAF_CAP
) -> Staged:
    """Begin a group alone, for a room at fence 0 (R9).

    Epoch 0 and the commit that brings the PSK in stay here; what is shown is the empty commit
    after it, so that every epoch that anybody shares depends on the link.
    """
    pair = _SUITE.derive_key_pair(draw(_SUITE.hash_bytes))
    leaf = _founders_leaf(identity, tag, pair)
    tree = Tree(_SUITE, (leaf,))
    context = GroupContext(_SUITE, draw(policy.GROUP_ID_BYTES), 0, tree.hash(), b"")
    secrets = secrets_of(_SUITE, draw(_SUITE.hash_bytes))
    confirmation_tag = _SUITE.mac(secrets.confirmation, b"")
    group = Group(
        context,
        tree,
        0,
        identity,
        {0: pair.private},
        secrets,
        confirmation_tag,
        room_id,
        psk,
        leaf_cap,
    )
    psk_id = external_psk_id(PSK_ID, draw(policy.NONCE_BYTES))
    bound = group._commit([framing.encode_psk(psk_id)], tree, [(psk_id, psk)], 0).group
    return bound.commit((), 0)


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
    tree, removes = chosen.tree, []
    for member in chosen.members:
        if member.signature_key == identity.signature_key:
            removes.append(member.leaf)
            tree = tree.without(member.leaf)
        elif member.tag == tag:
            raise StateError("the tag is in use")
    me = tree.free_leaf()
    need(len(tree.leaves()) < chosen.leaf_cap, "leaf cap")
    tree = tree.grown(me)
    kem_output, init = _SUITE.export_to(chosen.external_pub)
    psk_id = external_psk_id(PSK_ID, draw(policy.NONCE_BYTES))
    proposals = [framing.encode_remove(leaf) for leaf in removes]
    proposals += [framing.encode_psk(psk_id), framing.encode_external_init(kem_output)]
    outside = _Outside(chosen.context, chosen.confirmation_tag)
    return _stage(
        _Plan(
            outside,
            None,
            tree,
            identity.owner(me, tag),
            identity,
            proposals,
            init,
            [(psk_id, psk)],
            chosen.binding.fence,
            chosen.binding.room_id,
            psk,
            chosen.leaf_cap,
        )
    )


@dataclass(frozen=True)
class _Outside:
    """An epoch as far as a newcomer knows it."""

    context: GroupContext
    confirmation_tag: bytes

    @property
    def interim_transcript_hash(self) -> bytes:
        confirmed = self.context.confirmed_transcript_hash
        return _SUITE.hash(confirmed + opaque(self.confirmation_tag))


@dataclass(frozen=True)
class _Plan:
    """All that a commit is made from; ``tree`` holds the proposals' changes already."""

    before: _Outside
    sender: int | None
    tree: Tree
    owner: Owner = field(repr=False)
    identity: Identity = field(repr=False)
    proposals: list[bytes]
    init: bytes = field(repr=False)
    psks: list[tuple[bytes, bytes]] = field(repr=False)
    fence: int
    room_id: bytes
    psk: bytes = field(repr=False)
    leaf_cap: int
    membership: bytes = field(default=b"", repr=False)


def _stage(plan: _Plan) -> Staged:
    """Make, sign and confirm a commit, and the group and GroupInfo after it."""
    context = plan.before.context
    next_context = replace(context, epoch=context.epoch + 1)
    made = make_path(
        _SUITE,
        plan.tree,
        plan.owner,
        context.group_id,
        lambda tree: replace(next_context, tree_hash=tree.hash()).to_bytes(),
    )
    body = framing.encode_commit(
        plan.proposals, framing.encode_path(made.path.leaf, list(made.path.nodes))
    )
    aad = Binding(plan.room_id, KIND_COMMIT, plan.fence).to_bytes()
    encoded = framing.encode_content(
        context.group_id, context.epoch, plan.sender, aad, framing.CONTENT_COMMIT, body
    )
    framed = Framed(
        framing.WIRE_PUBLIC,
        context.group_id,
        context.epoch,
        plan.sender,
        aad,
        encoded,
        b"",
        commit=Commit((), made.path),
    )
    signature = plan.identity.sign("FramedContentTBS", framed.signed(context.to_bytes()))
    framed = replace(framed, signature=signature)
    group = _group_after(plan, made, framed)
    framed = replace(framed, confirmation_tag=group.confirmation_tag)
    if plan.sender is not None:
        tag = _SUITE.mac(plan.membership, framed.tagged(context.to_bytes()))
        framed = replace(framed, membership_tag=tag)
    return Staged(framing.encode_public(framed), group.group_info(plan.fence + 1), group)


def _group_after(plan: _Plan, made: Made, framed: Framed) -> "Group":
    context = _next_context(plan.before, framed, made.tree.hash())
    encoded = context.to_bytes()
    joiner = joiner_secret(_SUITE, plan.init, made.commit_secret, encoded)
    secrets = epoch_secrets(_SUITE, joiner, psk_secret(_SUITE, plan.psks), encoded)
    confirmation_tag = _SUITE.mac(secrets.confirmation, context.confirmed_transcript_hash)
    return Group(
        context,
        made.tree,
        plan.owner.leaf,
        plan.identity,
        made.privates,
        secrets,
        confirmation_tag,
        plan.room_id,
        plan.psk,
        plan.leaf_cap,
    )


def _next_context(before: _Outside, framed: Framed, tree_hash: bytes) -> GroupContext:
    return replace(
        before.context,
        epoch=before.context.epoch + 1,
        tree_hash=tree_hash,
        confirmed_transcript_hash=_SUITE.hash(before.interim_transcript_hash + framed.confirmed()),
    )


class Group:
    """One epoch of a group, as one member holds it."""

    def __init__(
        self,
        context: GroupContext,
        tree: Tree,
        me: int,
        identity: Identity,
        privates: Mapping[int, bytes],
        secrets: EpochSecrets,
        confirmation_tag: bytes,
        room_id: bytes,
        psk: bytes,
        leaf_cap: int,
    ) -> None:
        self.context = context
        self.confirmation_tag = confirmation_tag
        self._tree = tree
        self._me = me
        self._identity = identity
        self._privates = dict(privates)
        self._secrets: EpochSecrets | None = secrets
        self._ratchets = SecretTree(_SUITE, tree.width, secrets.encryption)
        self._room_id = room_id
        self._psk = psk
        self._leaf_cap = leaf_cap

    def __repr__(self) -> str:
        return f"Group(epoch={self.epoch}, me={self.me}, leaves={len(self.members)})"

    @property
    def group_id(self) -> bytes:
        """16 bytes, drawn by the founder."""
        return self.context.group_id

    @property
    def epoch(self) -> int:
        """The number of the epoch."""
        return self.context.epoch

    @property
    def tree_hash(self) -> bytes:
        """The hash of the ratchet tree, 32 bytes."""
        return self.context.tree_hash

    @property
    def confirmed_transcript_hash(self) -> bytes:
        """Covers every commit that led here, 32 bytes."""
        return self.context.confirmed_transcript_hash

    @property
    def words_context(self) -> bytes:
        """What the six words of this epoch are made from (PROTOCOL 9.1)."""
        return self.context.to_bytes() + self.confirmation_tag

    @property
    def authenticator(self) -> bytes:
        """The epoch authenticator (RFC 9420 8.7), 32 bytes."""
        return self._epoch.authenticator

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Everybody, by leaf."""
        return _members_of(self._tree)

    @property
    def me(self) -> Member:
        """Our own leaf."""
        return next(member for member in self.members if member.leaf == self._me)

    @property
    def _epoch(self) -> EpochSecrets:
        if self._secrets is None:
            raise StateError("this epoch's keys are gone")
        return self._secrets

    @property
    def _before(self) -> _Outside:
        return _Outside(self.context, self.confirmation_tag)

    def export(self, label: str, context: bytes, length: int) -> bytes:
        """MLS-Exporter (RFC 9420 8.5)."""
        return self._epoch.export(label, context, length)

    def wipe(self) -> None:
        """Drop this epoch's keys (R18); whatever needs them raises StateError from now on."""
        self._secrets = None
        self._ratchets.wipe()
        self._privates.clear()

    # Commits

    def commit(self, removes: Sequence[int], fence: int) -> Staged:
        """Stage a commit that removes leaves, or only renews our keys; raise UsageError."""
        tree = self._tree
        for leaf in removes:
            if leaf == self._me or tree.leaf(leaf) is None:
                raise UsageError("only another, present leaf can be removed")
            tree = tree.without(leaf)
        return self._commit([framing.encode_remove(leaf) for leaf in removes], tree, [], fence)

    def _commit(
        self, proposals: list[bytes], tree: Tree, psks: list[tuple[bytes, bytes]], fence: int
    ) -> Staged:
        epoch = self._epoch
        return _stage(
            _Plan(
                self._before,
                self._me,
                tree,
                self._identity.owner(self._me, self.me.tag),
                self._identity,
                proposals,
                epoch.init,
                psks,
                fence,
                self._room_id,
                self._psk,
                self._leaf_cap,
                epoch.membership,
            )
        )

    def group_info(self, fence: int) -> bytes:
        """Return a signed GroupInfo of this epoch, bound to a fence, as MLSMessage."""
        external = self._epoch.external_key_pair().public
        extensions = [
            (framing.EXTENSION_TREE, self._tree.encoded()),
            (framing.EXTENSION_EXTERNAL_PUB, opaque(external)),
            (
                framing.EXTENSION_BINDING,
                Binding(self._room_id, KIND_GROUP_INFO, fence).to_bytes(),
            ),
        ]
        signed = framing.encode_group_info(
            self.context, extensions, self.confirmation_tag, self._me
        )
        return framing.frame_group_info(signed, self._identity.sign("GroupInfoTBS", signed))

    def follow(self, commit: bytes, fence: int) -> Followed:
        """Check another's commit and return the group after it; this one stays as it is.

        Raises CommitRefusedError (a public check failed: everybody refuses), StrandedError (only
        we, or we among others, cannot follow; a wrong PSK shows here, in the confirmation tag, and
        strands everybody alike), RemovedError (it removes us).
        """
        try:
            framed = framing.read_public_commit(commit)
        except FrameError as exc:
            raise CommitRefusedError("syntax") from exc
        step = self._checked(framed, fence)
        if self._me in step.allowed.removes:
            raise RemovedError("our leaf was removed")
        context = _next_context(self._before, framed, step.tree.hash())
        try:
            group = self._entered(framed, step, context)
        except AuthenticationError as exc:
            raise StrandedError(context.confirmed_transcript_hash, context.tree_hash) from exc
        after = {member.leaf: member for member in group.members}
        before = {member.leaf: member for member in self.members}
        committer = after[step.sender]
        joined = committer if framed.sender is None else None
        removed = tuple(before[leaf] for leaf in step.allowed.removes)
        return Followed(group, committer, joined, removed)

    def _checked(self, framed: Framed, fence: int) -> "_Step":
        """Make every public check of a commit, cheapest first."""
        need(framed.group_id == self.group_id, "group id")
        need(framed.epoch == self.epoch, "epoch")
        binding = Binding(self._room_id, KIND_COMMIT, fence).to_bytes()
        need(framed.authenticated_data == binding, "binding")
        commit = framed.commit
        assert commit is not None
        if commit.path is None:
            raise CommitRefusedError("path")
        new_leaf = commit.path.leaf
        if framed.sender is not None:
            self._check_member(framed, new_leaf)
        policy.check_leaf(_SUITE, new_leaf)
        signed = framed.signed(self.context.to_bytes())
        policy.check_signature(
            _SUITE, new_leaf.signature_key, "FramedContentTBS", signed, framed.signature
        )
        allowed = policy.check_proposals(framed, commit, self._tree)
        return self._checked_path(framed, commit, allowed)

    def _check_member(self, framed: Framed, new_leaf: LeafNode) -> None:
        """Check that a member commits as itself: with its key, tag and membership."""
        assert framed.sender is not None
        leaf = self._tree.leaf(framed.sender)
        if leaf is None or framed.sender == self._me:
            raise CommitRefusedError("sender")
        expected = _SUITE.mac(self._epoch.membership, framed.tagged(self.context.to_bytes()))
        need(hmac.compare_digest(expected, framed.membership_tag), "membership tag")
        same = (leaf.signature_key, leaf.credential)
        need((new_leaf.signature_key, new_leaf.credential) == same, "leaf identity")

    def _checked_path(self, framed: Framed, commit: Commit, allowed: Allowed) -> "_Step":
        path = commit.path
        assert path is not None
        tree = self._tree
        for leaf in allowed.removes:
            tree = tree.without(leaf)
        sender = tree.free_leaf() if framed.sender is None else framed.sender
        tree = tree.grown(sender)
        steps = tree.filtered_path(sender)
        need(len(steps) == len(path.nodes), "path length")
        for step, node in zip(steps, path.nodes, strict=True):
            need(len(step.resolution) == len(node.ciphertexts), "number of ciphertexts")
            for output, ciphertext in node.ciphertexts:
                policy.check_keys([output])
                need(len(ciphertext) == _SEALED_SECRET_BYTES, "ciphertext length")
        keys = [node.encryption_key for node in path.nodes]
        policy.check_keys(keys)
        used = {node.encryption_key for node in self._tree.nodes if node is not None}
        fresh = {path.leaf.encryption_key, *keys}
        need(len(fresh) == len(keys) + 1 and not fresh & used, "encryption key reused")
        merged, parent_hash = tree.merged(sender, keys)
        need(hmac.compare_digest(parent_hash, path.leaf.parent_hash), "parent hash")
        merged = merged.replaced({2 * sender: path.leaf})
        policy.check_unique(merged, self._leaf_cap)
        policy.check_signature(
            _SUITE,
            path.leaf.signature_key,
            "LeafNodeTBS",
            path.leaf.signed_in(self.group_id, sender),
            path.leaf.signature,
        )
        return _Step(sender, merged, allowed, tree)

    def _entered(self, framed: Framed, step: "_Step", context: GroupContext) -> "Group":
        """Derive the epoch of a checked commit; raise AuthenticationError if we cannot."""
        assert framed.commit is not None
        assert framed.commit.path is not None
        provisional = replace(
            self.context, epoch=self.epoch + 1, tree_hash=context.tree_hash
        ).to_bytes()
        # Keys of nodes that the commit blanked are of no use, and must not be tried.
        privates = {
            index: private
            for index, private in self._privates.items()
            if index < len(step.before.nodes) and step.before.nodes[index] is not None
        }
        opened = open_path(
            _SUITE,
            step.before.filtered_path(step.sender),
            framed.commit.path,
            self._me,
            privates,
            provisional,
        )
        init, psks = self._epoch.init, []
        if step.allowed.kem_output is not None:
            assert step.allowed.psk_id is not None
            external = self._epoch.external_key_pair()
            init = _SUITE.export_from(external.private, step.allowed.kem_output)
            psks = [(step.allowed.psk_id, self._psk)]
        encoded = context.to_bytes()
        joiner = joiner_secret(_SUITE, init, opened.commit_secret, encoded)
        secrets = epoch_secrets(_SUITE, joiner, psk_secret(_SUITE, psks), encoded)
        expected = _SUITE.mac(secrets.confirmation, context.confirmed_transcript_hash)
        if not hmac.compare_digest(expected, framed.confirmation_tag):
            raise AuthenticationError
        kept = {
            index: private
            for index, private in privates.items()
            if index < len(step.tree.nodes) and step.tree.nodes[index] is step.before.nodes[index]
        }
        return Group(
            context,
            step.tree,
            self._me,
            self._identity,
            {**kept, **opened.privates},
            secrets,
            framed.confirmation_tag,
            self._room_id,
            self._psk,
            self._leaf_cap,
        )

    # Application messages

    def encrypt(self, content: bytes, fence: int, size: int) -> bytes:
        """Encrypt a content as MLSMessage(PrivateMessage) of exactly ``size`` bytes (R20).

        ``size`` is a class of PROTOCOL 3; UsageError if the content does not fit. Every call uses
        up a generation, whatever becomes of the message (R16).
        """
        epoch = self._epoch
        aad = Binding(self._room_id, KIND_APPLICATION, fence).to_bytes()
        head = Private(self.group_id, self.epoch, framing.CONTENT_APPLICATION, aad, b"", b"")
        encoded = framing.encode_content(
            self.group_id, self.epoch, self._me, aad, framing.CONTENT_APPLICATION, opaque(content)
        )
        framed = Framed(
            framing.WIRE_PRIVATE, self.group_id, self.epoch, self._me, aad, encoded, b""
        )
        signed = framed.signed(self.context.to_bytes())
        signature = self._identity.sign("FramedContentTBS", signed)
        plaintext = opaque(content) + opaque(signature)
        padded = framing.pad(plaintext, CONTENT_OVERHEAD - 2 - 66, size)
        ratchet = self._ratchets.ratchet(self._me)
        key, after = ratchet.advanced()
        self._ratchets.commit(self._me, after)
        who = SenderData(self._me, ratchet.generation, draw(4))
        return framing.seal_private(_SUITE, epoch.sender_data, head, who, key, padded)

    def decrypt(self, message: bytes, fence: int, tag: str | None = None) -> Opened:
        """Open and authenticate an application message of another member.

        ``tag`` is whom the relay names as its sender: where the message says otherwise StateError
        is raised (R4), before its generation can make us run after it. Raises FrameError,
        AuthenticationError (forged, replayed, of another place), LimitError (R16). Nothing moves
        unless the message is genuine.
        """
        private = framing.read_private(message)
        binding = Binding(self._room_id, KIND_APPLICATION, fence).to_bytes()
        place = (private.group_id, private.epoch, private.authenticated_data)
        if place != (self.group_id, self.epoch, binding):
            raise AuthenticationError
        if private.content_type != framing.CONTENT_APPLICATION:
            raise FrameError("a private message holds application data")
        who = framing.open_sender_data(_SUITE, self._epoch.sender_data, private)
        leaf = self._tree.leaf(who.leaf)
        if leaf is None or who.leaf == self._me:
            raise AuthenticationError
        if tag is not None and policy.tag_of(leaf) != tag:
            raise StateError("another member's message")
        key, ratchet = self._ratchets.ratchet(who.leaf).at(who.generation)
        framed = framing.open_private(_SUITE, private, who, key)
        signed = framed.signed(self.context.to_bytes())
        _SUITE.verify(leaf.signature_key, "FramedContentTBS", signed, framed.signature)
        self._ratchets.commit(who.leaf, ratchet)
        member = Member(who.leaf, policy.tag_of(leaf), leaf.signature_key)
        return Opened(member, who.generation, framed.application)

    # Repair (R32)

    def seal_repair(self, leaf: int, signature_key: bytes, counter: int, content: bytes) -> bytes:
        """Seal a content to one asker's leaf key; return kem output (32) and ciphertext.

        ``signature_key`` and ``counter`` name the message that is repaired. Raises UsageError
        where there is no such leaf.
        """
        asker = self._tree.leaf(leaf)
        if asker is None:
            raise UsageError("nobody asks from there")
        context = self._repair_context(leaf, signature_key, counter)
        output, ciphertext = _SUITE.encrypt_with_label(
            asker.encryption_key, _REPAIR_LABEL, context, content
        )
        return output + ciphertext

    def open_repair(self, signature_key: bytes, counter: int, sealed: bytes) -> bytes:
        """Open a repair that was sealed to us; raise AuthenticationError."""
        if self._secrets is None:
            raise StateError("this epoch's keys are gone")
        context = self._repair_context(self._me, signature_key, counter)
        return _SUITE.decrypt_with_label(
            self._privates[2 * self._me],
            _REPAIR_LABEL,
            context,
            sealed[:_KEM_OUTPUT_BYTES],
            sealed[_KEM_OUTPUT_BYTES:],
        )

    def _repair_context(self, leaf: int, signature_key: bytes, counter: int) -> bytes:
        return self.group_id + u64(self.epoch) + u32(leaf) + signature_key + u64(counter)


@dataclass(frozen=True)
class _Step:
    """A commit that stood every public check.

    ``before`` holds its removals, ``tree`` the path as well.
    """

    sender: int
    tree: Tree
    allowed: Allowed
    before: Tree
