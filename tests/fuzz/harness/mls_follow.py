"""Any commit, signed by a member at that -> all refuse it alike, or none does (R12); nothing moves.

A member that does not refuse follows, is stranded with the same hashes, or learns that it is out.
"""

import contextlib
from dataclasses import dataclass, replace

from client.errors import CommitRefusedError, FrameError, RemovedError, StrandedError
from client.mls import Group, framing
from client.mls.codec import opaque, u8
from client.mls.epoch import SUITE
from client.mls.framing import Commit, Framed, OtherProposal, UpdatePath
from client.mls.policy import KIND_COMMIT, Binding
from client.mls.tree import Tree
from tests.fuzz.scene import FENCE, ROOM_ID, scene
from tests.fuzz.script import Script
from tests.fuzz.spelling import spell_proposal

PLACE, LEAF, SIGN, TAG = 1, 2, 4, 8


@dataclass(frozen=True)
class Outcome:
    """What a commit does to one member."""

    refused: str | None = None
    is_out: bool = False
    hashes: tuple[bytes, bytes] | None = None


def run(data: bytes) -> None:
    script = Script(data)
    form = script.byte()
    given = script.rest()
    with contextlib.suppress(FrameError):
        given = _mended(given, form)
    # Member 0 made it, if a member did; the others judge it.
    outcomes = [_follow(scene().member(leaf), given) for leaf in (1, 3)]
    refusals = {outcome.refused for outcome in outcomes}
    assert len(refusals) == 1, "one refuses what another does not"
    hashes = {outcome.hashes for outcome in outcomes} - {None}
    assert len(hashes) <= 1, "two lines from one commit"


def _follow(member: Group, commit: bytes) -> Outcome:
    epoch, privates = member._epoch, dict(member._epoch.privates)
    tree = member._tree.encoded()
    outcome = _outcome(member, commit)
    assert member._epoch is epoch, "an epoch that another one took the place of"
    assert epoch.privates == privates
    assert member._tree.encoded() == tree
    return outcome


def _outcome(member: Group, commit: bytes) -> Outcome:
    try:
        followed = member.follow(commit, FENCE)
    except CommitRefusedError as error:
        return Outcome(refused=error.check)
    except RemovedError:
        return Outcome(is_out=True)
    except StrandedError as error:
        return Outcome(hashes=(error.confirmed_transcript_hash, error.tree_hash))
    group = followed.group
    assert group.epoch == member.epoch + 1
    assert followed.committer in group.members
    assert all(removed not in group.members for removed in followed.removed)
    assert group.me.signature_key == member.me.signature_key
    assert group._tree.hash() == Tree(SUITE, group._tree.nodes).hash() == group.tree_hash
    return Outcome(hashes=(group.confirmed_transcript_hash, group.tree_hash))


def _mended(data: bytes, form: int) -> bytes:
    """Make anew what a member who forges can: where it belongs, parent hash, signatures, tags."""
    framed = framing.read_public_commit(data)
    commit, epoch = framed.commit, scene().groups[0]._epoch
    if commit is None or any(isinstance(one, OtherProposal) for one in commit.proposals):
        return data
    group_id, number, aad = framed.group_id, framed.epoch, framed.authenticated_data
    if form & PLACE:
        group_id, number = epoch.context.group_id, epoch.context.epoch
        aad = Binding(ROOM_ID, KIND_COMMIT, FENCE).to_bytes()
    if form & LEAF and commit.path is not None:
        commit = replace(commit, path=_bound(commit.path, commit, framed.sender))
    encoded = framing.encode_content(group_id, number, framed.sender, aad, 3, _spell(commit))
    framed = replace(
        framed,
        group_id=group_id,
        epoch=number,
        authenticated_data=aad,
        encoded=encoded,
        commit=commit,
    )
    return framing.encode_public(_signed(framed, form))


def _signed(framed: Framed, form: int) -> Framed:
    context = scene().groups[0]._epoch.context.to_bytes()
    commit = framed.commit
    if form & SIGN and commit is not None and commit.path is not None:
        key = commit.path.leaf.signature_key
        signed = framed.signed(context)
        signature = scene().sign(key, "FramedContentTBS", signed, framed.signature)
        framed = replace(framed, signature=signature)
    if form & TAG and framed.sender is not None:
        key = scene().groups[0]._epoch.secrets.membership
        framed = replace(framed, membership_tag=SUITE.mac(key, framed.tagged(context)))
    return framed


def _bound(path: UpdatePath, commit: Commit, sender: int | None) -> UpdatePath:
    """Give a path's leaf the parent hash and the signature that it needs, where there is one."""
    epoch = scene().groups[0]._epoch
    tree = epoch.tree
    for proposal in commit.proposals:
        leaf = getattr(proposal, "leaf", None)
        if leaf is not None and tree.leaf(leaf) is not None and len(tree.leaves()) > 1:
            tree = tree.without(leaf)
    index = tree.free_leaf() if sender is None else sender
    if index >= 2 * epoch.tree.width:
        return path
    tree = tree.grown(index)
    keys = [node.encryption_key for node in path.nodes]
    leaf_node = path.leaf
    if len(tree.filtered_path(index)) == len(keys):
        leaf_node = replace(leaf_node, parent_hash=tree.merged(index, keys)[1])
    signed = scene().signed_leaf(leaf_node, epoch.context.group_id, index)
    return UpdatePath(signed, path.nodes)


def _spell(commit: Commit) -> bytes:
    proposals = [spell_proposal(proposal) for proposal in commit.proposals]
    if commit.path is None:
        return opaque(b"".join(u8(1) + proposal for proposal in proposals)) + b"\0"
    return framing.encode_commit(
        proposals, framing.encode_path(commit.path.leaf, list(commit.path.nodes))
    )
