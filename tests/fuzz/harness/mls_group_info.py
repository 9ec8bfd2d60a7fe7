"""Any bytes -> an MLSMessage(GroupInfo) or FrameError; encode(read(x)) == x, from its parts too."""

from client.errors import FrameError
from client.mls import groupinfo
from client.mls.codec import opaque, u16, u32, u64


def run(data: bytes) -> None:
    try:
        info = groupinfo.read_group_info(data)
    except FrameError:
        return
    assert groupinfo.frame_group_info(info.signed, info.signature) == data, "another spelling"
    assert len(info.extensions) <= groupinfo.MAX_EXTENSIONS
    context = u16(1) + u16(info.suite_id) + opaque(info.group_id) + u64(info.epoch)
    context += opaque(info.tree_hash) + opaque(info.confirmed_transcript_hash)
    context += opaque(info.context_extensions)
    extensions = b"".join(u16(kind) + opaque(inner) for kind, inner in info.extensions)
    signed = context + opaque(extensions) + opaque(info.confirmation_tag) + u32(info.signer)
    assert signed == info.signed, "a part that says something else"
