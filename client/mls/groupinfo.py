"""GroupInfo: the signed description of an epoch (RFC 9420 12.4.3), spelt and read."""

from dataclasses import dataclass, field

from client.errors import FrameError
from client.mls.codec import Reader, opaque, u16, u32
from client.mls.framing import WIRE_GROUP_INFO, open_message
from client.mls.keyschedule import VERSION, GroupContext

EXTENSION_TREE, EXTENSION_EXTERNAL_PUB, EXTENSION_BINDING = 2, 4, 0xF0BE
# The profile has three; a few more are read so that policy can name what is wrong.
MAX_EXTENSIONS = 8


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
    reader = open_message(data, WIRE_GROUP_INFO)
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
