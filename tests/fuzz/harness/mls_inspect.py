"""Any GroupInfo, signed by a member at that -> FrameError, CommitRefusedError, or one to join by.

What passes is what the bytes say, and whoever joins by it makes a commit that its members read.
"""

import contextlib
from dataclasses import replace

from client.errors import AuthenticationError, CommitRefusedError, FrameError, StateError
from client.mls import groupinfo, inspection, join
from client.mls.codec import opaque, u16, u32, u64
from client.mls.epoch import SUITE
from client.mls.framing import read_public_commit
from client.mls.groupinfo import EXTENSION_TREE, GroupInfo
from client.mls.tree import LeafNode, Tree, read_tree
from tests.client.mls.forge import PSK
from tests.fuzz.scene import FENCE, ROOM_ID, Draw, drawing, scene
from tests.fuzz.script import Script

SIGN, HASH, LEAVES, JOIN = 1, 2, 4, 8


def run(data: bytes) -> None:
    script = Script(data)
    form = script.byte()
    given = script.rest()
    with contextlib.suppress(FrameError):
        given = _mended(given, form)
    try:
        found = inspection.inspect(given, ROOM_ID, FENCE)
    except (FrameError, CommitRefusedError):
        return
    info = groupinfo.read_group_info(given)
    assert (EXTENSION_TREE, found.tree.encoded()) == info.extensions[0], "another tree"
    assert found.tree_hash == info.tree_hash == found.tree.hash()
    assert found.epoch == info.epoch <= FENCE + 1
    assert found.signer.leaf == info.signer
    assert len(found.words_context) > 64
    assert len({member.signature_key for member in found.members}) == len(found.members)
    if form & JOIN:
        _join(found)


def _mended(data: bytes, form: int) -> bytes:
    """Make anew what a member who forges can: signatures and hashes."""
    info = groupinfo.read_group_info(data)
    tree = None
    extensions = []
    for kind, inner in info.extensions:
        if kind == EXTENSION_TREE and form & (HASH | LEAVES):
            tree = read_tree(SUITE, inner)
            if form & LEAVES:
                tree = _signed(tree, info.group_id)
            extensions.append((kind, tree.encoded()))
        else:
            extensions.append((kind, inner))
    if tree is not None and form & HASH:
        info = replace(info, tree_hash=tree.hash())
    signed = _signed_part(replace(info, extensions=tuple(extensions)))
    signature = info.signature
    signer = None if tree is None else tree.leaf(info.signer)
    if signer is not None and form & SIGN:
        signature = scene().sign(signer.signature_key, "GroupInfoTBS", signed, signature)
    return groupinfo.frame_group_info(signed, signature)


def _signed(tree: Tree, group_id: bytes) -> Tree:
    nodes = tuple(
        scene().signed_leaf(node, group_id, index // 2) if isinstance(node, LeafNode) else node
        for index, node in enumerate(tree.nodes)
    )
    return Tree(SUITE, nodes)


def _signed_part(info: GroupInfo) -> bytes:
    extensions = b"".join(u16(kind) + opaque(inner) for kind, inner in info.extensions)
    return (
        u16(1)
        + u16(info.suite_id)
        + opaque(info.group_id)
        + u64(info.epoch)
        + opaque(info.tree_hash)
        + opaque(info.confirmed_transcript_hash)
        + opaque(info.context_extensions)
        + opaque(extensions)
        + opaque(info.confirmation_tag)
        + u32(info.signer)
    )


def _join(found: inspection.Inspected) -> None:
    with drawing(Draw(b"join")):
        try:
            staged = join(found, scene().newcomer, "0xbeef", PSK)
        except (AuthenticationError, CommitRefusedError, StateError):
            return
    read_public_commit(staged.commit)
    assert staged.group.epoch == found.epoch + 1
    assert "0xbeef" in [member.tag for member in staged.group.members]
