"""RFC 9420 beyond the profile, on the product's parts: what only the official vectors need.

Welcome, all proposals, references, private handshake messages, unmerged leaves. It follows a
group and never speaks; it makes no attempt to be safe against more than the vectors hold.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from client.errors import AuthenticationError, FrameError
from client.mls import private
from client.mls.codec import Reader, opaque, optional, u8, u16, u32, u64
from client.mls.epoch import Outside
from client.mls.framing import Framed, UpdatePath, read_path
from client.mls.groupinfo import GroupInfo, read_bare_group_info
from client.mls.keyschedule import (
    VERSION,
    EpochSecrets,
    GroupContext,
    epoch_secrets,
    joiner_secret,
    psk_secret,
)
from client.mls.path import node_keys, open_path
from client.mls.private import Private, SenderData, guarded, open_sender_data, read_private
from client.mls.secrettree import MessageKey, Ratchet, SecretTree
from client.mls.suite import Suite
from client.mls.tree import (
    SOURCE_COMMIT,
    SOURCE_KEY_PACKAGE,
    LeafNode,
    ParentNode,
    Tree,
    read_leaf,
    read_tree,
)
from client.mls.treemath import direct_path, is_below

WIRE_PUBLIC, WIRE_PRIVATE, WIRE_WELCOME, WIRE_GROUP_INFO, WIRE_KEY_PACKAGE = 1, 2, 3, 4, 5
MEMBER, EXTERNAL, NEW_MEMBER_PROPOSAL, NEW_MEMBER_COMMIT = 1, 2, 3, 4
APPLICATION, PROPOSAL, COMMIT = 1, 2, 3
EXTENSION_TREE, EXTENSION_EXTERNAL_SENDERS = 2, 5


def check(condition: bool, what: str) -> None:
    """Fail a vector; unlike assert it says what of."""
    if not condition:
        raise AssertionError(what)


# Proposals


@dataclass(frozen=True)
class KeyPackage:
    init_key: bytes
    leaf: LeafNode
    signed: bytes
    signature: bytes

    @property
    def encoded(self) -> bytes:
        return self.signed + opaque(self.signature)


@dataclass(frozen=True)
class PskId:
    """``name`` is (id,) for an external PSK, (group id, epoch) for a resumption PSK."""

    name: tuple[Any, ...]
    encoded: bytes


@dataclass(frozen=True)
class Proposal:
    """``kind`` is that of RFC 9420 17.4; ``value`` what it brings."""

    kind: int
    value: Any = None


ADD, UPDATE, REMOVE, PSK, REINIT, EXTERNAL_INIT, CONTEXT_EXTENSIONS = range(1, 8)


def read_key_package(reader: Reader) -> KeyPackage:
    start = reader.at
    check((reader.u16(), reader.u16()) == (VERSION, 1), "version and suite of a key package")
    init_key, leaf = reader.opaque(), read_leaf(reader)
    reader.opaque()
    return KeyPackage(init_key, leaf, reader.since(start), reader.opaque())


def read_psk_id(reader: Reader) -> PskId:
    start = reader.at
    kind = reader.u8()
    if kind == 1:
        name: tuple[Any, ...] = (reader.opaque(),)
    elif kind == 2:
        check(reader.u8() in (1, 2, 3), "usage of a resumption PSK")
        name = (reader.opaque(), reader.u64())
    else:
        raise FrameError("no such PSK")
    reader.opaque()
    return PskId(name, reader.since(start))


def _read_reinit(reader: Reader) -> None:
    reader.opaque(), reader.u16(), reader.u16(), reader.opaque()


_PROPOSALS: dict[int, Callable[[Reader], Any]] = {
    ADD: read_key_package,
    UPDATE: read_leaf,
    REMOVE: Reader.u32,
    PSK: read_psk_id,
    REINIT: _read_reinit,
    EXTERNAL_INIT: Reader.opaque,
    CONTEXT_EXTENSIONS: Reader.opaque,
}


def read_proposal(reader: Reader) -> Proposal:
    kind = reader.u16()
    if kind not in _PROPOSALS:
        raise FrameError("no such proposal")
    return Proposal(kind, _PROPOSALS[kind](reader))


@dataclass(frozen=True)
class Commit:
    """``proposals`` holds a Proposal, or the bytes of a ProposalRef."""

    proposals: tuple[Proposal | bytes, ...]
    path: UpdatePath | None


def read_commit(reader: Reader) -> Commit:
    def entry(inner: Reader) -> Proposal | bytes:
        return read_proposal(inner) if inner.u8() == 1 else inner.opaque()

    return Commit(tuple(reader.vector(entry, limit=9999)), reader.optional(read_path))


# Framing


@dataclass(frozen=True)
class Content:
    """FramedContent of any kind. ``framed`` is the product's, for what is signed and confirmed."""

    framed: Framed
    sender_type: int
    kind: int
    body: Any

    @property
    def sender(self) -> int | None:
        return self.framed.sender

    def reference(self, suite: Suite) -> bytes:
        """ProposalRef (RFC 9420 5.2)."""
        framed = self.framed
        value = u16(framed.wire_format) + framed.encoded + framed.authentication()
        return suite.reference("MLS 1.0 Proposal Reference", value)

    def signed(self, context: bytes) -> bytes:
        """FramedContentTBS: outsiders that propose do not sign the context (6.1)."""
        inside = self.sender_type in (MEMBER, NEW_MEMBER_COMMIT)
        return self.framed.signed(context if inside else b"")


def _read_body(reader: Reader, kind: int) -> Any:
    if kind == APPLICATION:
        return reader.opaque()
    if kind == PROPOSAL:
        return read_proposal(reader)
    if kind == COMMIT:
        return read_commit(reader)
    raise FrameError("no such content")


def _with_auth(
    reader: Reader, wire_format: int, place: tuple[Any, ...], encoded: bytes, kind: int, body: Any
) -> Framed:
    group_id, epoch, sender, aad = place
    signature = reader.opaque()
    tag = reader.opaque() if kind == COMMIT else b""
    return Framed(
        wire_format,
        group_id,
        epoch,
        sender,
        aad,
        encoded,
        signature,
        tag,
        commit=body if kind == COMMIT else None,
    )


def read_content(reader: Reader, wire_format: int) -> Content:
    """Read AuthenticatedContent without its wire format; a membership tag may follow."""
    start = reader.at
    group_id, epoch, sender_type = reader.opaque(), reader.u64(), reader.u8()
    check(sender_type in (1, 2, 3, 4), "sender type")
    sender = reader.u32() if sender_type in (MEMBER, EXTERNAL) else None
    aad, kind = reader.opaque(), reader.u8()
    body = _read_body(reader, kind)
    encoded = reader.since(start)
    framed = _with_auth(reader, wire_format, (group_id, epoch, sender, aad), encoded, kind, body)
    return Content(framed, sender_type, kind, body)


def read_public(reader: Reader) -> Content:
    """Read a PublicMessage."""
    content = read_content(reader, WIRE_PUBLIC)
    if content.sender_type == MEMBER:
        content = replace(content, framed=replace(content.framed, membership_tag=reader.opaque()))
    reader.finish()
    return content


class Keys:
    """Both ratchets of every leaf, without bounds on how far they jump."""

    def __init__(self, suite: Suite, width: int, encryption_secret: bytes) -> None:
        self._suite = suite
        self._tree = SecretTree(suite, width, encryption_secret)
        self._ratchets: dict[tuple[int, str], Ratchet] = {}
        self._kept: dict[tuple[int, str, int], MessageKey] = {}

    def key(self, leaf: int, label: str, generation: int) -> MessageKey:
        """Take one generation's key."""
        if (leaf, label) not in self._ratchets:
            secret = self._tree.leaf_secret(leaf)
            for name in ("handshake", "application"):
                start = self._suite.expand_with_label(secret, name, b"", self._suite.hash_bytes)
                self._ratchets[leaf, name] = Ratchet(self._suite, start)
        while (ratchet := self._ratchets[leaf, label]).generation <= generation:
            key, self._ratchets[leaf, label] = ratchet.advanced()
            self._kept[leaf, label, ratchet.generation] = key
        return self._kept.pop((leaf, label, generation))


def open_private(suite: Suite, message: Private, sender_data_secret: bytes, keys: Keys) -> Content:
    """Open a PrivateMessage of any content."""
    who: SenderData = open_sender_data(suite, sender_data_secret, message)
    kind = message.content_type
    label = "application" if kind == APPLICATION else "handshake"
    key = keys.key(who.leaf, label, who.generation)
    if kind == APPLICATION:
        framed = private.open_private(suite, message, who, key)
        return Content(framed, MEMBER, kind, framed.application)
    aad = message.head() + opaque(message.authenticated_data)
    plain = suite.open(key.key, guarded(key.nonce, who.reuse_guard), aad, message.ciphertext)
    reader = Reader(plain)
    body = _read_body(reader, kind)
    origin = u8(MEMBER) + u32(who.leaf) + opaque(message.authenticated_data) + u8(kind)
    encoded = opaque(message.group_id) + u64(message.epoch) + origin + reader.since(0)
    place = (message.group_id, message.epoch, who.leaf, message.authenticated_data)
    framed = _with_auth(reader, WIRE_PRIVATE, place, encoded, kind, body)
    check(not any(plain[reader.at :]), "padding")
    return Content(framed, MEMBER, kind, body)


# Trees with unmerged leaves


def added(tree: Tree, leaf: LeafNode) -> tuple[Tree, int]:
    """Add (RFC 9420 12.1.1): the leftmost blank leaf, unmerged all the way up."""
    index = tree.free_leaf()
    tree = tree.grown(index)
    changes: dict[int, Any] = {2 * index: leaf}
    for node in direct_path(2 * index, tree.width):
        value = tree.nodes[node]
        if isinstance(value, ParentNode):
            changes[node] = replace(value, unmerged=(*sorted({*value.unmerged, index}),))
    return tree.replaced(changes), index


def updated(tree: Tree, index: int, leaf: LeafNode) -> Tree:
    """Update (12.1.2): another leaf, its path blank."""
    blanked = tree.replaced(dict.fromkeys(direct_path(2 * index, tree.width)))
    return blanked.replaced({2 * index: leaf})


def check_tree(suite: Suite, tree: Tree, group_id: bytes) -> None:
    """Verify a whole tree: leaf signatures and parent hashes."""
    check(tree.has_sound_parents(), "parent hashes")
    for index, leaf in tree.leaves():
        signed = leaf.signed_in(group_id, index)
        suite.verify(leaf.signature_key, "LeafNodeTBS", signed, leaf.signature)
    for node, value in enumerate(tree.nodes):
        if isinstance(value, ParentNode):
            check(list(value.unmerged) == sorted(set(value.unmerged)), "order of unmerged leaves")
            for leaf_index in value.unmerged:
                check(tree.leaf(leaf_index) is not None, "an unmerged leaf that is blank")
                check(is_below(2 * leaf_index, node), "an unmerged leaf of elsewhere")


# Welcome


@dataclass(frozen=True)
class Welcome:
    secrets: tuple[tuple[bytes, bytes, bytes], ...]
    encrypted: bytes


def read_welcome(reader: Reader) -> Welcome:
    check(reader.u16() == 1, "suite of a Welcome")
    secrets = reader.vector(lambda r: (r.opaque(), r.opaque(), r.opaque()), limit=9999)
    return Welcome(tuple(secrets), reader.opaque())


@dataclass(frozen=True)
class Mine:
    """The private parts of a key package."""

    package: KeyPackage
    init: bytes
    encryption: bytes


def open_welcome(
    suite: Suite, welcome: Welcome, mine: Mine, psk_of: Callable[[PskId], bytes]
) -> tuple[bytes, bytes | None, bytes, GroupInfo]:
    """Return joiner secret, path secret, PSK secret and GroupInfo."""
    reference = suite.reference("MLS 1.0 KeyPackage Reference", mine.package.encoded)
    _, output, sealed = next(entry for entry in welcome.secrets if entry[0] == reference)
    reader = Reader(
        suite.decrypt_with_label(mine.init, "Welcome", welcome.encrypted, output, sealed)
    )
    joiner, path_secret = reader.opaque(), reader.optional(Reader.opaque)
    psks = [(psk.encoded, psk_of(psk)) for psk in reader.vector(read_psk_id, limit=99)]
    reader.finish()
    psk = psk_secret(suite, psks)
    secret = suite.derive_secret(suite.extract(joiner, psk), "welcome")
    key = suite.expand_with_label(secret, "key", b"", suite.key_bytes)
    nonce = suite.expand_with_label(secret, "nonce", b"", suite.nonce_bytes)
    reader = Reader(suite.open(key, nonce, b"", welcome.encrypted))
    info = read_bare_group_info(reader)
    reader.finish()
    return joiner, path_secret, psk, info


# A member that follows


@dataclass
class Passive:
    """A group as a member sees it that says nothing."""

    suite: Suite
    outside: Outside
    tree: Tree
    me: int
    privates: Mapping[int, bytes]
    secrets: EpochSecrets
    external_psks: Mapping[bytes, bytes]
    resumption: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    pending: dict[bytes, Content] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = Keys(self.suite, self.tree.width, self.secrets.encryption)
        context = self.outside.context
        self.resumption[context.group_id, context.epoch] = self.secrets.resumption

    def psk(self, psk: PskId) -> bytes:
        return self.external_psks[psk.name[0]] if len(psk.name) == 1 else self.resumption[psk.name]

    def receive(self, message: bytes) -> Content:
        """Open and authenticate any message of this epoch; keep proposals."""
        reader = Reader(message)
        check(reader.u16() == VERSION, "version")
        wire_format = reader.u16()
        if wire_format == WIRE_PRIVATE:
            content = open_private(
                self.suite, read_private(message), self.secrets.sender_data, self.keys
            )
        else:
            check(wire_format == WIRE_PUBLIC, "wire format")
            content = read_public(reader)
        self._authenticate(content)
        if content.kind == PROPOSAL:
            self.pending[content.reference(self.suite)] = content
        return content

    def _authenticate(self, content: Content) -> None:
        context, framed = self.outside.context, content.framed
        check((framed.group_id, framed.epoch) == (context.group_id, context.epoch), "place")
        encoded = context.to_bytes()
        key = self._signature_key(content)
        self.suite.verify(key, "FramedContentTBS", content.signed(encoded), framed.signature)
        if content.sender_type == MEMBER and framed.wire_format == WIRE_PUBLIC:
            expected = self.suite.mac(self.secrets.membership, framed.tagged(encoded))
            check(hmac.compare_digest(expected, framed.membership_tag), "membership tag")

    def _signature_key(self, content: Content) -> bytes:
        if content.sender_type == MEMBER:
            leaf = self.tree.leaf(content.sender)
        elif content.sender_type == EXTERNAL:
            return self._external_senders()[content.sender]
        elif content.sender_type == NEW_MEMBER_COMMIT:
            leaf = content.body.path.leaf
        else:
            leaf = content.body.value.leaf
        check(leaf is not None, "sender")
        return leaf.signature_key

    def _external_senders(self) -> list[bytes]:
        extensions = Reader(opaque(self.outside.context.extensions)).vector(
            lambda r: (r.u16(), r.opaque()), limit=99
        )
        data = dict(extensions)[EXTENSION_EXTERNAL_SENDERS]

        def read(reader: Reader) -> bytes:
            key = reader.opaque()
            reader.u16(), reader.opaque()
            return key

        return Reader(data).vector(read, limit=99)

    def commit(self, message: bytes) -> "Passive":
        """Follow a commit."""
        content = self.receive(message)
        check(content.kind == COMMIT, "a commit")
        proposals = [self._resolve(content, entry) for entry in content.body.proposals]
        return _Step(self, content, proposals).run()

    def _resolve(self, content: Content, entry: Proposal | bytes) -> tuple[int | None, Proposal]:
        if isinstance(entry, bytes):
            return self.pending[entry].sender, self.pending[entry].body
        return content.sender, entry


class _Step:
    def __init__(
        self, group: Passive, content: Content, proposals: list[tuple[int | None, Proposal]]
    ) -> None:
        self.group, self.content, self.proposals = group, content, proposals
        self.suite, self.commit = group.suite, content.body
        self.fresh: list[int] = []

    def of(self, kind: int) -> list[tuple[int | None, Any]]:
        return [(sender, p.value) for sender, p in self.proposals if p.kind == kind]

    def run(self) -> Passive:
        group, framed, suite = self.group, self.content.framed, self.suite
        before = self._before()
        sender = before.free_leaf() if framed.sender is None else framed.sender
        before = before.grown(sender)
        tree = self._merged(before, sender)
        old = group.outside.context
        extensions = next((v for _, v in self.of(CONTEXT_EXTENSIONS)), old.extensions)
        context = replace(group.outside.next_context(framed, tree.hash()), extensions=extensions)
        provisional = replace(
            context, confirmed_transcript_hash=old.confirmed_transcript_hash
        ).to_bytes()
        privates = {
            index: value
            for index, value in group.privates.items()
            if index < len(before.nodes)
            and before.nodes[index] is not None
            and before.nodes[index].encryption_key == group.tree.nodes[index].encryption_key
        }
        commit_secret, opened = bytes(suite.hash_bytes), {}
        if self.commit.path is not None:
            steps = [
                replace(
                    step,
                    resolution=tuple(
                        n for n in step.resolution if n // 2 not in self.fresh or n & 1
                    ),
                )
                for step in before.filtered_path(sender)
            ]
            part = open_path(suite, steps, self.commit.path, group.me, privates, provisional)
            commit_secret, opened = part.commit_secret, part.privates
            privates = {
                i: value for i, value in privates.items() if tree.nodes[i] is before.nodes[i]
            }
        secrets = self._secrets(context, commit_secret)
        expected = suite.mac(secrets.confirmation, context.confirmed_transcript_hash)
        check(hmac.compare_digest(expected, framed.confirmation_tag), "confirmation tag")
        return Passive(
            suite,
            Outside(context, framed.confirmation_tag),
            tree,
            group.me,
            {**privates, **opened},
            secrets,
            group.external_psks,
            group.resumption,
        )

    def _before(self) -> Tree:
        """Apply the proposals in the order of RFC 9420 12.3."""
        tree, suite = self.group.tree, self.suite
        group_id = self.group.outside.context.group_id
        for sender, leaf in self.of(UPDATE):
            assert sender is not None
            signed = leaf.signed_in(group_id, sender)
            suite.verify(leaf.signature_key, "LeafNodeTBS", signed, leaf.signature)
            tree = updated(tree, sender, leaf)
        for _, index in self.of(REMOVE):
            check(tree.leaf(index) is not None, "removes nobody")
            tree = tree.without(index)
        for _, package in self.of(ADD):
            leaf = package.leaf
            check(leaf.source == SOURCE_KEY_PACKAGE, "source of an added leaf")
            suite.verify(leaf.signature_key, "LeafNodeTBS", leaf.unsigned, leaf.signature)
            suite.verify(leaf.signature_key, "KeyPackageTBS", package.signed, package.signature)
            tree, index = added(tree, leaf)
            self.fresh.append(index)
        return tree

    def _merged(self, before: Tree, sender: int) -> Tree:
        path = self.commit.path
        if path is None:
            return before
        check(path.leaf.source == SOURCE_COMMIT, "source of a committed leaf")
        tree, parent_hash = before.merged(sender, [node.encryption_key for node in path.nodes])
        check(parent_hash == path.leaf.parent_hash, "parent hash")
        signed = path.leaf.signed_in(self.group.outside.context.group_id, sender)
        self.suite.verify(path.leaf.signature_key, "LeafNodeTBS", signed, path.leaf.signature)
        return tree.replaced({2 * sender: path.leaf})

    def _secrets(self, context: GroupContext, commit_secret: bytes) -> EpochSecrets:
        group, suite = self.group, self.suite
        init = group.secrets.init
        for _, output in self.of(EXTERNAL_INIT):
            init = suite.export_from(group.secrets.external_key_pair().private, output)
        psks = [(psk.encoded, group.psk(psk)) for _, psk in self.of(PSK)]
        encoded = context.to_bytes()
        joiner = joiner_secret(suite, init, commit_secret, encoded)
        return epoch_secrets(suite, joiner, psk_secret(suite, psks), encoded)


def join_by_welcome(
    suite: Suite,
    welcome: Welcome,
    mine: Mine,
    external_psks: Mapping[bytes, bytes],
    encoded_tree: bytes | None,
) -> Passive:
    """Join a group by a Welcome (RFC 9420 12.4.3.1)."""
    joiner, path_secret, psk, info = open_welcome(
        suite, welcome, mine, lambda p: external_psks[p.name[0]]
    )
    if encoded_tree is None:
        encoded_tree = dict(info.extensions)[EXTENSION_TREE]
    tree = read_tree(suite, encoded_tree)
    check(tree.hash() == info.tree_hash, "tree hash")
    check_tree(suite, tree, info.group_id)
    signer = tree.leaf(info.signer)
    check(signer is not None, "signer")
    suite.verify(signer.signature_key, "GroupInfoTBS", info.signed, info.signature)
    me = next(i for i, leaf in tree.leaves() if leaf.encoded == mine.package.leaf.encoded)
    privates = {2 * me: mine.encryption}
    if path_secret is not None:
        for step in tree.filtered_path(info.signer):
            if is_below(2 * me, step.node):
                pair = node_keys(suite, path_secret)
                check(pair.public == tree.nodes[step.node].encryption_key, "path secret")
                privates[step.node] = pair.private
                path_secret = suite.derive_secret(path_secret, "path")
    context = GroupContext(
        suite,
        info.group_id,
        info.epoch,
        info.tree_hash,
        info.confirmed_transcript_hash,
        info.context_extensions,
    )
    secrets = epoch_secrets(suite, joiner, psk, context.to_bytes())
    expected = suite.mac(secrets.confirmation, info.confirmed_transcript_hash)
    if not hmac.compare_digest(expected, info.confirmation_tag):
        raise AuthenticationError
    outside = Outside(context, info.confirmation_tag)
    return Passive(suite, outside, tree, me, privates, secrets, external_psks)


# A second, plain spelling of everything, to see that bytes come back (messages.json)

Codec = tuple[Callable[[Reader], Any], Callable[[Any], bytes]]

U8: Codec = (Reader.u8, u8)
U16: Codec = (Reader.u16, u16)
U32: Codec = (Reader.u32, u32)
U64: Codec = (Reader.u64, u64)
BYTES: Codec = (Reader.opaque, opaque)


def struct(*fields: Codec) -> Codec:
    return (
        lambda reader: [read(reader) for read, _ in fields],
        lambda values: b"".join(w(v) for (_, w), v in zip(fields, values, strict=True)),
    )


def vector(item: Codec) -> Codec:
    read, write = item
    return (
        lambda reader: reader.vector(read, limit=9999),
        lambda values: opaque(b"".join(map(write, values))),
    )


def maybe(item: Codec) -> Codec:
    read, write = item
    return (
        lambda reader: reader.optional(read),
        lambda value: optional(None if value is None else write(value)),
    )


def select(tag: Codec, cases: Mapping[int, Codec]) -> Codec:
    read_tag, write_tag = tag

    def read(reader: Reader) -> Any:
        kind = read_tag(reader)
        if kind not in cases:
            raise FrameError("no such case")
        return kind, cases[kind][0](reader)

    return read, lambda value: write_tag(value[0]) + cases[value[0]][1](value[1])


def _body_and_tags(cases: Mapping[int, Codec]) -> Codec:
    """Sender, authenticated data, content; then what follows from sender and content."""
    none = struct()
    sender = select(U8, {MEMBER: U32, EXTERNAL: U32, NEW_MEMBER_PROPOSAL: none, 4: none})
    body = select(U8, cases)

    def read(reader: Reader) -> Any:
        who, aad, content, signature = (
            sender[0](reader),
            reader.opaque(),
            body[0](reader),
            reader.opaque(),
        )
        confirmation = reader.opaque() if content[0] == COMMIT else None
        membership = reader.opaque() if who[0] == MEMBER else None
        return who, aad, content, signature, confirmation, membership

    def write(value: Any) -> bytes:
        who, aad, content, *tags = value
        data = sender[1](who) + opaque(aad) + body[1](content)
        return data + b"".join(opaque(tag) for tag in tags if tag is not None)

    return read, write


EXTENSIONS = vector(struct(U16, BYTES))
CREDENTIAL = select(U16, {1: BYTES, 2: vector(BYTES)})
CAPABILITIES = struct(*[vector(U16)] * 5)
LEAF = struct(
    BYTES,
    BYTES,
    CREDENTIAL,
    CAPABILITIES,
    select(U8, {1: struct(U64, U64), 2: struct(), 3: BYTES}),
    EXTENSIONS,
    BYTES,
)
PARENT = struct(BYTES, BYTES, vector(U32))
RATCHET_TREE = vector(maybe(select(U8, {1: LEAF, 2: PARENT})))
KEY_PACKAGE = struct(U16, U16, BYTES, LEAF, EXTENSIONS, BYTES)
PSK_ID = struct(select(U8, {1: BYTES, 2: struct(U8, BYTES, U64)}), BYTES)
REINIT_BODY = struct(BYTES, U16, U16, EXTENSIONS)
PROPOSAL_BODIES: dict[int, Codec] = {
    ADD: KEY_PACKAGE,
    UPDATE: LEAF,
    REMOVE: U32,
    PSK: PSK_ID,
    REINIT: REINIT_BODY,
    EXTERNAL_INIT: BYTES,
    CONTEXT_EXTENSIONS: EXTENSIONS,
}
ANY_PROPOSAL = select(U16, PROPOSAL_BODIES)
PATH = struct(LEAF, vector(struct(BYTES, vector(struct(BYTES, BYTES)))))
ANY_COMMIT = struct(vector(select(U8, {1: ANY_PROPOSAL, 2: BYTES})), maybe(PATH))
GROUP_CONTEXT = struct(U16, U16, BYTES, U64, BYTES, BYTES, EXTENSIONS)
GROUP_INFO = struct(GROUP_CONTEXT, EXTENSIONS, BYTES, U32, BYTES)
GROUP_SECRETS = struct(BYTES, maybe(BYTES), vector(PSK_ID))
WELCOME = struct(U16, vector(struct(BYTES, BYTES, BYTES)), BYTES)
PUBLIC = struct(
    BYTES, U64, _body_and_tags({APPLICATION: BYTES, PROPOSAL: ANY_PROPOSAL, COMMIT: ANY_COMMIT})
)
PRIVATE = struct(BYTES, U64, U8, BYTES, BYTES, BYTES)
MESSAGE = struct(
    U16,
    select(
        U16,
        {
            WIRE_PUBLIC: PUBLIC,
            WIRE_PRIVATE: PRIVATE,
            WIRE_WELCOME: WELCOME,
            WIRE_GROUP_INFO: GROUP_INFO,
            WIRE_KEY_PACKAGE: KEY_PACKAGE,
        },
    ),
)


def spelt(codec: Codec, data: bytes) -> bytes:
    """Read a value to its end and write it again."""
    reader = Reader(data)
    value = codec[0](reader)
    reader.finish()
    return codec[1](value)
