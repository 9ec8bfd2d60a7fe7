"""Messages: framed content, PublicMessage, PrivateMessage, commits and GroupInfo (RFC 9420 6, 12).

Knows how they are spelt, signed and encrypted; whether they are allowed is policy.py's. Reads what
the profile uses and refuses the rest as FrameError.
"""

from dataclasses import dataclass, field

from client.errors import AuthenticationError, FrameError, UsageError
from client.mls.codec import Reader, opaque, u8, u16, u32, u64
from client.mls.keyschedule import VERSION, GroupContext
from client.mls.secrettree import MessageKey
from client.mls.suite import Suite
from client.mls.tree import LeafNode, read_leaf

WIRE_PUBLIC, WIRE_PRIVATE, WIRE_GROUP_INFO = 1, 2, 4
SENDER_MEMBER, SENDER_NEW_MEMBER = 1, 4
CONTENT_APPLICATION, CONTENT_COMMIT = 1, 3
PROPOSAL_REMOVE, PROPOSAL_PSK, PROPOSAL_EXTERNAL_INIT = 3, 4, 6
EXTENSION_TREE, EXTENSION_EXTERNAL_PUB, EXTENSION_BINDING = 2, 4, 0xF0BE
_BY_VALUE = 1
# Bounds of what a stranger can make us build: a Remove per leaf; a path of 32 levels with one
# ciphertext per leaf; three extensions of GroupInfo.
MAX_PROPOSALS = 2048
MAX_PATH = 32
MAX_CIPHERTEXTS = 2048
MAX_EXTENSIONS = 8


@dataclass(frozen=True)
class Remove:
    leaf: int


@dataclass(frozen=True)
class PreSharedKey:
    """An external PSK; ``encoded`` is the PreSharedKeyID as it travels."""

    psk_id: bytes
    nonce: bytes
    encoded: bytes


@dataclass(frozen=True)
class ExternalInit:
    kem_output: bytes


@dataclass(frozen=True)
class OtherProposal:
    """Any other proposal, or one by reference: refused by policy, wherever it stands."""


Proposal = Remove | PreSharedKey | ExternalInit | OtherProposal


@dataclass(frozen=True)
class PathNode:
    """One step of an UpdatePath: its new key, and the secret sealed to each of a resolution."""

    encryption_key: bytes
    ciphertexts: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class UpdatePath:
    leaf: LeafNode
    nodes: tuple[PathNode, ...]


@dataclass(frozen=True)
class Commit:
    proposals: tuple[Proposal, ...]
    path: UpdatePath | None


@dataclass(frozen=True)
class Framed:
    """FramedContent with its authentication (RFC 9420 6). ``sender`` is None for a new member.

    ``encoded`` is FramedContent as it travels; ``membership_tag`` stands on members' public ones.
    """

    wire_format: int
    group_id: bytes
    epoch: int
    sender: int | None
    authenticated_data: bytes
    encoded: bytes
    signature: bytes
    confirmation_tag: bytes = b""
    membership_tag: bytes = b""
    commit: Commit | None = None
    application: bytes = b""

    def signed(self, context: bytes) -> bytes:
        """Return FramedContentTBS (6.1); members and new members both sign the context."""
        return u16(VERSION) + u16(self.wire_format) + self.encoded + context

    def authentication(self) -> bytes:
        """Return FramedContentAuthData."""
        tag = opaque(self.confirmation_tag) if self.commit is not None else b""
        return opaque(self.signature) + tag

    def tagged(self, context: bytes) -> bytes:
        """Return what the membership tag covers (6.2)."""
        return self.signed(context) + self.authentication()

    def confirmed(self) -> bytes:
        """Return ConfirmedTranscriptHashInput (8.2)."""
        return u16(self.wire_format) + self.encoded + opaque(self.signature)


def encode_content(
    group_id: bytes, epoch: int, sender: int | None, aad: bytes, kind: int, body: bytes
) -> bytes:
    """Encode FramedContent; ``body`` is the content, encoded."""
    origin = u8(SENDER_NEW_MEMBER) if sender is None else u8(SENDER_MEMBER) + u32(sender)
    return opaque(group_id) + u64(epoch) + origin + opaque(aad) + u8(kind) + body


def encode_commit(proposals: list[bytes], path: bytes) -> bytes:
    """Encode a Commit of proposals by value, with its UpdatePath."""
    return opaque(b"".join(u8(_BY_VALUE) + p for p in proposals)) + u8(1) + path


def encode_remove(leaf: int) -> bytes:
    """Encode a Remove proposal."""
    return u16(PROPOSAL_REMOVE) + u32(leaf)


def encode_psk(psk_id: bytes) -> bytes:
    """Encode a PreSharedKey proposal; ``psk_id`` is a PreSharedKeyID, encoded."""
    return u16(PROPOSAL_PSK) + psk_id


def encode_external_init(kem_output: bytes) -> bytes:
    """Encode an ExternalInit proposal."""
    return u16(PROPOSAL_EXTERNAL_INIT) + opaque(kem_output)


def encode_path(leaf: LeafNode, nodes: list[PathNode]) -> bytes:
    """Encode an UpdatePath."""
    out = []
    for node in nodes:
        sealed = b"".join(opaque(output) + opaque(text) for output, text in node.ciphertexts)
        out.append(opaque(node.encryption_key) + opaque(sealed))
    return leaf.encoded + opaque(b"".join(out))


def encode_public(framed: Framed) -> bytes:
    """Encode MLSMessage(PublicMessage)."""
    data = u16(VERSION) + u16(WIRE_PUBLIC) + framed.encoded + framed.authentication()
    return data if framed.sender is None else data + opaque(framed.membership_tag)


def read_public_commit(data: bytes) -> Framed:
    """Read MLSMessage(PublicMessage) that holds a commit; raise FrameError."""
    reader = _open_message(data, WIRE_PUBLIC)
    start = reader.at
    group_id, epoch, kind = reader.opaque(), reader.u64(), reader.u8()
    if kind not in (SENDER_MEMBER, SENDER_NEW_MEMBER):
        raise FrameError("no such sender")
    sender = reader.u32() if kind == SENDER_MEMBER else None
    aad = reader.opaque()
    if reader.u8() != CONTENT_COMMIT:
        raise FrameError("a public message holds a commit")
    commit = read_commit(reader)
    encoded = reader.since(start)
    signature, confirmation_tag = reader.opaque(), reader.opaque()
    membership_tag = reader.opaque() if sender is not None else b""
    reader.finish()
    return Framed(
        WIRE_PUBLIC,
        group_id,
        epoch,
        sender,
        aad,
        encoded,
        signature,
        confirmation_tag,
        membership_tag,
        commit,
    )


def _open_message(data: bytes, wire_format: int) -> Reader:
    reader = Reader(data)
    if reader.u16() != VERSION or reader.u16() != wire_format:
        raise FrameError("another kind of message")
    return reader


def read_commit(reader: Reader) -> Commit:
    """Read a Commit."""
    proposals = reader.vector(_read_proposal_or_reference, limit=MAX_PROPOSALS)
    return Commit(tuple(proposals), reader.optional(read_path))


def _read_proposal_or_reference(reader: Reader) -> Proposal:
    form = reader.u8()
    if form == _BY_VALUE:
        return read_proposal(reader)
    if form == 2:
        reader.opaque()
        return OtherProposal()
    raise FrameError("neither a proposal nor a reference")


def read_proposal(reader: Reader) -> Proposal:
    """Read a proposal of the profile; raise FrameError for any other."""
    kind = reader.u16()
    if kind == PROPOSAL_REMOVE:
        return Remove(reader.u32())
    if kind == PROPOSAL_EXTERNAL_INIT:
        return ExternalInit(reader.opaque())
    if kind == PROPOSAL_PSK:
        start = reader.at
        if reader.u8() != 1:
            raise FrameError("a PSK that is not external")
        psk_id, nonce = reader.opaque(), reader.opaque()
        return PreSharedKey(psk_id, nonce, reader.since(start))
    raise FrameError("a proposal outside of the profile")


def read_path(reader: Reader) -> UpdatePath:
    """Read an UpdatePath."""
    return UpdatePath(read_leaf(reader), tuple(reader.vector(_read_path_node, limit=MAX_PATH)))


def _read_path_node(reader: Reader) -> PathNode:
    key = reader.opaque()
    sealed = reader.vector(lambda r: (r.opaque(), r.opaque()), limit=MAX_CIPHERTEXTS)
    return PathNode(key, tuple(sealed))


# Private messages


@dataclass(frozen=True)
class Private:
    """PrivateMessage as it travels (6.3); nothing of it is authenticated yet."""

    group_id: bytes
    epoch: int
    content_type: int
    authenticated_data: bytes
    sender_data: bytes
    ciphertext: bytes

    def head(self) -> bytes:
        """Return SenderDataAAD."""
        return opaque(self.group_id) + u64(self.epoch) + u8(self.content_type)


@dataclass(frozen=True)
class SenderData:
    leaf: int
    generation: int
    reuse_guard: bytes = field(repr=False)


def read_private(data: bytes) -> Private:
    """Read MLSMessage(PrivateMessage); raise FrameError."""
    reader = _open_message(data, WIRE_PRIVATE)
    message = Private(
        reader.opaque(),
        reader.u64(),
        reader.u8(),
        reader.opaque(),
        reader.opaque(),
        reader.opaque(),
    )
    reader.finish()
    return message


def encode_private(message: Private) -> bytes:
    """Encode MLSMessage(PrivateMessage)."""
    data = u16(VERSION) + u16(WIRE_PRIVATE) + message.head()
    data += opaque(message.authenticated_data) + opaque(message.sender_data)
    return data + opaque(message.ciphertext)


def guarded(nonce: bytes, reuse_guard: bytes) -> bytes:
    """Return the nonce with the reuse guard in its first four bytes (6.3.1)."""
    head = bytes(a ^ b for a, b in zip(nonce[:4], reuse_guard, strict=True))
    return head + nonce[4:]


def sender_data_key(suite: Suite, secret: bytes, ciphertext: bytes) -> MessageKey:
    """Derive the key of the sender data from a sample of the ciphertext (6.3.2)."""
    sample = ciphertext[: suite.hash_bytes]
    return MessageKey(
        suite.expand_with_label(secret, "key", sample, suite.key_bytes),
        suite.expand_with_label(secret, "nonce", sample, suite.nonce_bytes),
    )


def open_sender_data(suite: Suite, secret: bytes, message: Private) -> SenderData:
    """Decrypt who sent a PrivateMessage, and under which generation; raise AuthenticationError."""
    key = sender_data_key(suite, secret, message.ciphertext)
    plain = suite.open(key.key, key.nonce, message.head(), message.sender_data)
    if len(plain) != 12:
        raise AuthenticationError
    return SenderData(
        int.from_bytes(plain[:4], "big"), int.from_bytes(plain[4:8], "big"), plain[8:]
    )


def seal_private(
    suite: Suite,
    secret: bytes,
    head: Private,
    who: SenderData,
    key: MessageKey,
    plaintext: bytes,
) -> bytes:
    """Encrypt one PrivateMessage; ``head`` is it without sender data and ciphertext."""
    aad = head.head() + opaque(head.authenticated_data)
    ciphertext = suite.seal(key.key, guarded(key.nonce, who.reuse_guard), aad, plaintext)
    outer = sender_data_key(suite, secret, ciphertext)
    plain = u32(who.leaf) + u32(who.generation) + who.reuse_guard
    sender_data = suite.seal(outer.key, outer.nonce, head.head(), plain)
    return encode_private(
        Private(
            head.group_id,
            head.epoch,
            head.content_type,
            head.authenticated_data,
            sender_data,
            ciphertext,
        )
    )


def open_private(suite: Suite, message: Private, who: SenderData, key: MessageKey) -> Framed:
    """Decrypt an application message; its signature is still to be verified.

    Raises AuthenticationError; FrameError for padding that is not zero or a wrong content.
    """
    aad = message.head() + opaque(message.authenticated_data)
    nonce = guarded(key.nonce, who.reuse_guard)
    plain = suite.open(key.key, nonce, aad, message.ciphertext)
    reader = Reader(plain)
    application, signature = reader.opaque(), reader.opaque()
    if any(plain[reader.at :]):
        raise FrameError("padding that is not zero")
    encoded = encode_content(
        message.group_id,
        message.epoch,
        who.leaf,
        message.authenticated_data,
        CONTENT_APPLICATION,
        opaque(application),
    )
    return Framed(
        WIRE_PRIVATE,
        message.group_id,
        message.epoch,
        who.leaf,
        message.authenticated_data,
        encoded,
        signature,
        application=application,
    )


def pad(plaintext: bytes, overhead: int, size: int) -> bytes:
    """Pad with zeros so that plaintext and ``overhead`` are ``size``; raise UsageError."""
    missing = size - overhead - len(plaintext)
    if missing < 0:
        raise UsageError("the content does not fit this size")
    return plaintext + bytes(missing)


# GroupInfo


@dataclass(frozen=True)
class GroupInfo:
    """A GroupInfo as it travels (12.4.3); ``signed`` is what its signature covers."""

    suite_id: int
    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_transcript_hash: bytes
    context_extensions: bytes
    extensions: tuple[tuple[int, bytes], ...]
    confirmation_tag: bytes
    signer: int
    signed: bytes = field(repr=False)
    signature: bytes


def encode_group_info(
    context: GroupContext, extensions: list[tuple[int, bytes]], tag: bytes, signer: int
) -> bytes:
    """Return GroupInfoTBS."""
    inner = b"".join(u16(kind) + opaque(data) for kind, data in extensions)
    return context.to_bytes() + opaque(inner) + opaque(tag) + u32(signer)


def frame_group_info(signed: bytes, signature: bytes) -> bytes:
    """Encode MLSMessage(GroupInfo)."""
    return u16(VERSION) + u16(WIRE_GROUP_INFO) + signed + opaque(signature)


def read_group_info(data: bytes) -> GroupInfo:
    """Read MLSMessage(GroupInfo); raise FrameError."""
    reader = _open_message(data, WIRE_GROUP_INFO)
    info = read_bare_group_info(reader)
    reader.finish()
    return info


def read_bare_group_info(reader: Reader) -> GroupInfo:
    """Read a GroupInfo without the MLSMessage around it."""
    start = reader.at
    if reader.u16() != VERSION:
        raise FrameError("another version")
    suite_id, group_id, epoch = reader.u16(), reader.opaque(), reader.u64()
    tree_hash, transcript, context_extensions = reader.opaque(), reader.opaque(), reader.opaque()
    extensions = reader.vector(lambda r: (r.u16(), r.opaque()), limit=MAX_EXTENSIONS)
    tag, signer = reader.opaque(), reader.u32()
    signed = reader.since(start)
    return GroupInfo(
        suite_id,
        group_id,
        epoch,
        tree_hash,
        transcript,
        context_extensions,
        tuple(extensions),
        tag,
        signer,
        signed,
        reader.opaque(),
    )
