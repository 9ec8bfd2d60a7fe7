"""Others' commits: every public check first, then what only we can open (R12).

Knows what must hold and in which order it is checked; changes nothing, returns what would be.
"""

import hmac
from dataclasses import dataclass, replace

from client.errors import AuthenticationError, CommitRefusedError, RemovedError, StrandedError
from client.mls import policy
from client.mls.epoch import SUITE, Epoch, Outside
from client.mls.framing import Framed, UpdatePath
from client.mls.keyschedule import GroupContext, epoch_secrets, joiner_secret, psk_secret
from client.mls.path import open_path
from client.mls.policy import KIND_COMMIT, Allowed, Binding, need
from client.mls.tree import LeafNode, Tree

_SEALED_SECRET_BYTES = 48


@dataclass(frozen=True)
class Step:
    """A commit that stood every public check.

    ``before`` holds its removals, ``tree`` its path as well.
    """

    sender: int
    allowed: Allowed
    before: Tree
    tree: Tree


def enter(epoch: Epoch, framed: Framed, step: Step) -> Epoch:
    """Return the epoch after a checked commit; raise RemovedError or StrandedError."""
    if epoch.me in step.allowed.removes:
        raise RemovedError("our leaf was removed")
    context = epoch.outside.next_context(framed, step.tree.hash())
    try:
        return _entered(epoch, framed, step, context)
    except AuthenticationError as exc:
        raise StrandedError(
            context.confirmed_transcript_hash, context.tree_hash, framed.confirmation_tag
        ) from exc


def check(epoch: Epoch, framed: Framed, fence: int) -> Step:
    """Make every public check of a commit, cheapest first; raise CommitRefusedError."""
    need(framed.group_id == epoch.context.group_id, "group id")
    need(framed.epoch == epoch.context.epoch, "epoch")
    binding = Binding(epoch.room.room_id, KIND_COMMIT, fence).to_bytes()
    need(framed.authenticated_data == binding, "binding")
    commit = framed.commit
    assert commit is not None
    if commit.path is None:
        raise CommitRefusedError("path")
    new_leaf = commit.path.leaf
    if framed.sender is not None:
        _check_member(epoch, framed, new_leaf)
    policy.check_leaf(SUITE, new_leaf)
    signed = framed.signed(epoch.context.to_bytes())
    policy.check_signature(
        SUITE, new_leaf.signature_key, "FramedContentTBS", signed, framed.signature
    )
    allowed = policy.check_proposals(framed, commit, epoch.tree)
    return _check_path(epoch, framed, commit.path, allowed)


def _check_member(epoch: Epoch, framed: Framed, new_leaf: LeafNode) -> None:
    """Check that a member commits as itself: with its key, tag and membership.

    Others follow a commit of ours that we no longer have: it strands us, it is not refused.
    """
    assert framed.sender is not None
    leaf = epoch.tree.leaf(framed.sender)
    if leaf is None:
        raise CommitRefusedError("sender")
    expected = SUITE.mac(epoch.secrets.membership, framed.tagged(epoch.context.to_bytes()))
    need(hmac.compare_digest(expected, framed.membership_tag), "membership tag")
    same = (leaf.signature_key, leaf.credential)
    need((new_leaf.signature_key, new_leaf.credential) == same, "leaf identity")


def _check_path(epoch: Epoch, framed: Framed, path: UpdatePath, allowed: Allowed) -> Step:
    tree = epoch.tree
    for leaf in allowed.removes:
        tree = tree.without(leaf)
    sender = tree.free_leaf() if framed.sender is None else framed.sender
    tree = tree.grown(sender)
    _check_nodes(tree, sender, path)
    keys = [node.encryption_key for node in path.nodes]
    used = {node.encryption_key for node in epoch.tree.nodes if node is not None}
    fresh = {path.leaf.encryption_key, *keys}
    need(len(fresh) == len(keys) + 1 and not fresh & used, "encryption key reused")
    merged, parent_hash = tree.merged(sender, keys)
    need(hmac.compare_digest(parent_hash, path.leaf.parent_hash), "parent hash")
    merged = merged.replaced({2 * sender: path.leaf})
    policy.check_unique(merged, epoch.room.leaf_cap)
    policy.check_signature(
        SUITE,
        path.leaf.signature_key,
        "LeafNodeTBS",
        path.leaf.signed_in(epoch.context.group_id, sender),
        path.leaf.signature,
    )
    return Step(sender, allowed, tree, merged)


def _check_nodes(tree: Tree, sender: int, path: UpdatePath) -> None:
    """Check the shape of a path, and every key and kem output in it, also those not for us."""
    steps = tree.filtered_path(sender)
    need(len(steps) == len(path.nodes), "path length")
    for step, node in zip(steps, path.nodes, strict=True):
        need(len(step.resolution) == len(node.ciphertexts), "number of ciphertexts")
        policy.check_keys([node.encryption_key])
        for output, ciphertext in node.ciphertexts:
            policy.check_keys([output])
            need(len(ciphertext) == _SEALED_SECRET_BYTES, "ciphertext length")


def _entered(epoch: Epoch, framed: Framed, step: Step, context: GroupContext) -> Epoch:
    """Derive the epoch of a checked commit; raise AuthenticationError if we cannot."""
    assert framed.commit is not None
    assert framed.commit.path is not None
    provisional = replace(epoch.context, epoch=epoch.context.epoch + 1, tree_hash=context.tree_hash)
    # Keys of nodes that the commit blanked are of no use, and must not be tried.
    privates = {
        index: private
        for index, private in epoch.privates.items()
        if index < len(step.before.nodes) and step.before.nodes[index] is not None
    }
    steps = step.before.filtered_path(step.sender)
    opened = open_path(SUITE, steps, framed.commit.path, epoch.me, privates, provisional.to_bytes())
    init: bytes = epoch.secrets.init
    psks: list[tuple[bytes, bytes]] = []
    if step.allowed.kem_output is not None:
        assert step.allowed.psk_id is not None
        external = epoch.secrets.external_key_pair()
        init = SUITE.export_from(external.private, step.allowed.kem_output)
        psks = [(step.allowed.psk_id, epoch.room.psk)]
    encoded = context.to_bytes()
    joiner = joiner_secret(SUITE, init, opened.commit_secret, encoded)
    secrets = epoch_secrets(SUITE, joiner, psk_secret(SUITE, psks), encoded)
    expected = SUITE.mac(secrets.confirmation, context.confirmed_transcript_hash)
    if not hmac.compare_digest(expected, framed.confirmation_tag):
        raise AuthenticationError
    # A node that the path replaced has another key now, ours only if we opened it.
    kept = {
        index: private
        for index, private in privates.items()
        if step.tree.nodes[index] is step.before.nodes[index]
    }
    return Epoch(
        Outside(context, framed.confirmation_tag),
        step.tree,
        epoch.me,
        epoch.identity,
        {**kept, **opened.privates},
        secrets,
        epoch.room,
    )
