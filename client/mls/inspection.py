"""What a newcomer can check of a GroupInfo before it joins (R8, R11, R25)."""

import hmac
from dataclasses import dataclass, field

from client.errors import CommitRefusedError
from client.mls import policy
from client.mls.epoch import LEAF_CAP, SUITE, Member, Outside, members_of
from client.mls.groupinfo import read_group_info
from client.mls.keyschedule import GroupContext
from client.mls.policy import KIND_GROUP_INFO, Binding, need
from client.mls.tree import Tree, read_tree


@dataclass(frozen=True)
class Inspected:
    """A GroupInfo that stood every check that a newcomer can make."""

    outside: Outside
    signer: Member
    members: tuple[Member, ...]
    external_pub: bytes
    tree: Tree = field(repr=False)
    binding: Binding
    leaf_cap: int

    @property
    def epoch(self) -> int:
        """The epoch that it describes."""
        return self.outside.context.epoch

    @property
    def confirmed_transcript_hash(self) -> bytes:
        """Names, with the tree hash, the line of epochs that it stands in (R12)."""
        return self.outside.context.confirmed_transcript_hash

    @property
    def tree_hash(self) -> bytes:
        """The hash of the ratchet tree."""
        return self.outside.context.tree_hash

    @property
    def words_context(self) -> bytes:
        """What the six words of its epoch are made from (PROTOCOL 9.1)."""
        return self.outside.words_context


def inspect(
    group_info: bytes, room_id: bytes, fence: int, *, leaf_cap: int = LEAF_CAP
) -> Inspected:
    """Check a GroupInfo, bound to this room and fence, and the whole tree in it.

    Raises FrameError (syntax) or CommitRefusedError (a check of PROTOCOL 8).
    """
    info = read_group_info(group_info)
    need(info.suite_id == SUITE.id, "suite")
    # A founder shows epoch 2 at fence 1, and no commit raises the epoch without the fence: nobody
    # can win by making a large number up (R13).
    need(info.epoch <= fence + 1, "epoch")
    binding = Binding(room_id, KIND_GROUP_INFO, fence)
    encoded, external_pub = policy.check_extensions(info, binding)
    tree = read_tree(SUITE, encoded)
    need(hmac.compare_digest(tree.hash(), info.tree_hash), "tree hash")
    policy.check_tree(SUITE, tree, info.group_id, leaf_cap)
    signer = tree.leaf(info.signer)
    if signer is None:
        raise CommitRefusedError("GroupInfo signer")
    policy.check_signature(SUITE, signer.signature_key, "GroupInfoTBS", info.signed, info.signature)
    context = GroupContext(
        SUITE, info.group_id, info.epoch, info.tree_hash, info.confirmed_transcript_hash
    )
    members = members_of(tree)
    return Inspected(
        Outside(context, info.confirmation_tag),
        next(member for member in members if member.leaf == info.signer),
        members,
        external_pub,
        tree,
        binding,
        leaf_cap,
    )
