"""Our own commits: made, signed and confirmed, with the epoch and GroupInfo after them (R9, R15).

Knows how a commit is put together; that it is allowed is for those who ask for it.
"""

from dataclasses import dataclass, field, replace

from client.mls import framing
from client.mls.codec import opaque
from client.mls.epoch import SUITE, Epoch, Identity, Outside, Room
from client.mls.framing import Commit, Framed
from client.mls.groupinfo import (
    EXTENSION_BINDING,
    EXTENSION_EXTERNAL_PUB,
    EXTENSION_TREE,
    encode_group_info,
    frame_group_info,
)
from client.mls.keyschedule import epoch_secrets, joiner_secret, psk_secret
from client.mls.path import Made, Owner, make_path
from client.mls.policy import KIND_COMMIT, KIND_GROUP_INFO, Binding
from client.mls.tree import Tree


@dataclass(frozen=True)
class Plan:
    """All that a commit is made from.

    ``tree`` holds the proposals' changes already; ``sender`` is None for a newcomer, who has no
    ``membership`` key either; ``psks`` are pairs of encoded PreSharedKeyID and value.
    """

    before: Outside
    sender: int | None
    tree: Tree = field(repr=False)
    owner: Owner = field(repr=False)
    identity: Identity = field(repr=False)
    proposals: tuple[bytes, ...]
    psks: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    init: bytes = field(repr=False)
    room: Room
    fence: int
    membership: bytes = field(default=b"", repr=False)


def stage(plan: Plan) -> tuple[bytes, Epoch]:
    """Return the commit as MLSMessage(PublicMessage), and the epoch that it begins."""
    context = plan.before.context
    following = replace(context, epoch=context.epoch + 1)
    made = make_path(
        SUITE,
        plan.tree,
        plan.owner,
        context.group_id,
        lambda tree: replace(following, tree_hash=tree.hash()).to_bytes(),
    )
    framed = _framed(plan, made)
    epoch = _epoch_after(plan, made, framed)
    framed = replace(framed, confirmation_tag=epoch.outside.confirmation_tag)
    if plan.sender is not None:
        tag = SUITE.mac(plan.membership, framed.tagged(context.to_bytes()))
        framed = replace(framed, membership_tag=tag)
    return framing.encode_public(framed), epoch


def _framed(plan: Plan, made: Made) -> Framed:
    context = plan.before.context
    path = framing.encode_path(made.path.leaf, list(made.path.nodes))
    aad = Binding(plan.room.room_id, KIND_COMMIT, plan.fence).to_bytes()
    encoded = framing.encode_content(
        context.group_id,
        context.epoch,
        plan.sender,
        aad,
        framing.CONTENT_COMMIT,
        framing.encode_commit(list(plan.proposals), path),
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
    return replace(framed, signature=signature)


def _epoch_after(plan: Plan, made: Made, framed: Framed) -> Epoch:
    context = plan.before.next_context(framed, made.tree.hash())
    encoded = context.to_bytes()
    joiner = joiner_secret(SUITE, plan.init, made.commit_secret, encoded)
    secrets = epoch_secrets(SUITE, joiner, psk_secret(SUITE, plan.psks), encoded)
    tag = SUITE.mac(secrets.confirmation, context.confirmed_transcript_hash)
    return Epoch(
        Outside(context, tag),
        made.tree,
        plan.owner.leaf,
        plan.identity,
        made.privates,
        secrets,
        plan.room,
    )


def group_info(epoch: Epoch, fence: int) -> bytes:
    """Return a signed GroupInfo of an epoch, bound to a fence, as MLSMessage."""
    external = epoch.secrets.external_key_pair().public
    binding = Binding(epoch.room.room_id, KIND_GROUP_INFO, fence)
    extensions = [
        (EXTENSION_TREE, epoch.tree.encoded()),
        (EXTENSION_EXTERNAL_PUB, opaque(external)),
        (EXTENSION_BINDING, binding.to_bytes()),
    ]
    tag = epoch.outside.confirmation_tag
    signed = encode_group_info(epoch.context, extensions, tag, epoch.me)
    return frame_group_info(signed, epoch.identity.sign("GroupInfoTBS", signed))
