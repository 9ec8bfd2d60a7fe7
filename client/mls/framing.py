"""Framed content, PublicMessage and commits (RFC 9420 6, 12): bytes to values and back.

Knows how they are spelt and what is signed; whether they are allowed is policy.py's. Reads what
the profile uses and refuses the rest as FrameError.
"""

from dataclasses import dataclass

from client.errors import FrameError
from client.mls.codec import Reader, opaque, u8, u16, u32, u64
from client.mls.keyschedule import VERSION
from client.mls.tree import LeafNode, read_leaf

WIRE_PUBLIC, WIRE_PRIVATE, WIRE_GROUP_INFO = 1, 2, 4
SENDER_MEMBER, SENDER_NEW_MEMBER = 1, 4
CONTENT_APPLICATION, CONTENT_COMMIT = 1, 3
PROPOSAL_REMOVE, PROPOSAL_PSK, PROPOSAL_EXTERNAL_INIT = 3, 4, 6
_BY_VALUE = 1
# Bounds of what a stranger can make us build: a Remove per leaf; a path of 32 levels with one
# ciphertext per leaf.
MAX_PROPOSALS = 2048
MAX_PATH = 32
MAX_CIPHERTEXTS = 2048


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
    reader = open_message(data, WIRE_PUBLIC)
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


def open_message(data: bytes, wire_format: int) -> Reader:
    """Begin to read an MLSMessage of one wire format."""
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
