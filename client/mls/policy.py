"""What the profile allows, checked alike by every member from what all can see (R8, R9, R11, R12).

Every check raises CommitRefusedError with its own name. Nothing here needs a secret but the
membership key, which all members of an epoch share, and nothing uses a clock (R10).
"""

import hmac
import re
from dataclasses import dataclass

from client.errors import AuthenticationError, CommitRefusedError, FrameError
from client.mls.codec import opaque, u16
from client.mls.framing import (
    Commit,
    ExternalInit,
    Framed,
    PreSharedKey,
    Remove,
)
from client.mls.groupinfo import (
    EXTENSION_BINDING,
    EXTENSION_EXTERNAL_PUB,
    EXTENSION_TREE,
    GroupInfo,
)
from client.mls.suite import Suite, check_kem_key, check_signature_key
from client.mls.tree import SOURCE_COMMIT, LeafNode, ParentNode, Tree

PSK_ID = b"beacon room psk v1"
PROTOCOL_VERSION = 1
KIND_APPLICATION, KIND_COMMIT, KIND_GROUP_INFO = 1, 2, 3
GROUP_ID_BYTES = 16
NONCE_BYTES = 32
_BASIC = 1
_TAG = re.compile(rb"0x[0-9a-f]{4}")


@dataclass(frozen=True)
class Binding:
    """Where a message belongs (R11): 27 bytes, equal to those of the seal around it."""

    room_id: bytes
    kind: int
    fence: int

    def to_bytes(self) -> bytes:
        """Encode version (2), room id (16), kind (1), fence (8)."""
        version = PROTOCOL_VERSION.to_bytes(2, "big")
        return version + self.room_id + bytes((self.kind,)) + self.fence.to_bytes(8, "big")


def need(condition: bool, check: str) -> None:
    """Refuse when a public check fails."""
    if not condition:
        raise CommitRefusedError(check)


def credential_of(tag: str) -> bytes:
    """Encode the basic credential of a tag."""
    return u16(_BASIC) + opaque(tag.encode("ascii"))


def tag_of(leaf: LeafNode) -> str:
    """Return the tag in a leaf that stood `check_leaf`."""
    return leaf.credential[3:].decode("ascii")


def capabilities_of(suite: Suite) -> bytes:
    """Encode the one set of capabilities that the profile has (R8)."""
    return (
        opaque(u16(1))
        + opaque(u16(suite.id))
        + opaque(u16(EXTENSION_BINDING))
        + opaque(b"")
        + opaque(u16(_BASIC))
    )


def check_leaf(suite: Suite, leaf: LeafNode) -> None:
    """Check a leaf's form byte for byte, and its keys (R7, R8)."""
    need(leaf.source == SOURCE_COMMIT, "leaf source")
    need(leaf.credential[:3] == u16(_BASIC) + b"\x06", "leaf credential")
    need(_TAG.fullmatch(leaf.credential[3:]) is not None, "leaf tag")
    need(leaf.capabilities == capabilities_of(suite), "leaf capabilities")
    need(leaf.extensions == b"", "leaf extensions")
    check_keys([leaf.encryption_key])
    try:
        check_signature_key(leaf.signature_key)
    except FrameError as exc:
        raise CommitRefusedError("signature key") from exc


def check_keys(keys: list[bytes]) -> None:
    """Check HPKE public keys (R7)."""
    try:
        for key in keys:
            check_kem_key(key)
    except FrameError as exc:
        raise CommitRefusedError("encryption key") from exc


def check_signature(suite: Suite, key: bytes, label: str, content: bytes, signature: bytes) -> None:
    """Check a signature that every member can check."""
    try:
        suite.verify(key, label, content, signature)
    except AuthenticationError as exc:
        raise CommitRefusedError("signature") from exc


def check_unique(tree: Tree, leaf_cap: int) -> None:
    """Check that nobody stands in the tree twice, and that it is not too large (R9)."""
    leaves = [leaf for _, leaf in tree.leaves()]
    need(len(leaves) <= leaf_cap, "leaf cap")
    keys = [node.encryption_key for node in tree.nodes if node is not None]
    need(len(set(keys)) == len(keys), "duplicate encryption key")
    need(len({leaf.signature_key for leaf in leaves}) == len(leaves), "duplicate signature key")
    need(len({leaf.credential for leaf in leaves}) == len(leaves), "duplicate tag")


def check_tree(suite: Suite, tree: Tree, group_id: bytes, leaf_cap: int) -> None:
    """Check a whole tree, as a newcomer finds it in a GroupInfo."""
    need(tree.width <= 2 * leaf_cap, "leaf cap")
    check_unique(tree, leaf_cap)
    for node in tree.nodes:
        if isinstance(node, ParentNode):
            need(node.unmerged == (), "unmerged leaves")
            check_keys([node.encryption_key])
    need(tree.has_sound_parents(), "parent hash")
    for index, leaf in tree.leaves():
        check_leaf(suite, leaf)
        signed = leaf.signed_in(group_id, index)
        check_signature(suite, leaf.signature_key, "LeafNodeTBS", signed, leaf.signature)


def check_extensions(info: GroupInfo, binding: Binding) -> tuple[bytes, bytes]:
    """Check that a GroupInfo has the three extensions and where it belongs (R8, R11).

    Return the encoded tree and the external public key.
    """
    kinds = [kind for kind, _ in info.extensions]
    expected = [EXTENSION_TREE, EXTENSION_EXTERNAL_PUB, EXTENSION_BINDING]
    need(kinds == expected, "GroupInfo extensions")
    need(info.context_extensions == b"", "context extensions")
    need(len(info.group_id) == GROUP_ID_BYTES, "group id")
    tree, external_pub, bound = (data for _, data in info.extensions)
    need(hmac.compare_digest(bound, binding.to_bytes()), "binding")
    # RFC 9420 12.4.3.2: the extension holds an HPKEPublicKey, which has a length of its own.
    need(len(external_pub) == 33 and external_pub[0] == 32, "external public key")
    check_keys([external_pub[1:]])
    return tree, external_pub[1:]


@dataclass(frozen=True)
class Allowed:
    """The proposals of a commit that may stand: whom it removes, and what a newcomer brings."""

    removes: tuple[int, ...]
    kem_output: bytes | None = None
    psk_id: bytes | None = None


def check_proposals(framed: Framed, commit: Commit, tree: Tree) -> Allowed:
    """Check which proposals stand in a commit of this sender (R9)."""
    if framed.sender is None:
        return _check_external(commit, tree)
    removes = []
    for proposal in commit.proposals:
        if not isinstance(proposal, Remove):
            raise CommitRefusedError("proposal")
        removes.append(proposal.leaf)
    need(framed.sender not in removes, "removes itself")
    need(len(set(removes)) == len(removes), "removes twice")
    need(all(tree.leaf(leaf) is not None for leaf in removes), "removes nobody")
    return Allowed(tuple(removes))


def _check_external(commit: Commit, tree: Tree) -> Allowed:
    inits = [p for p in commit.proposals if isinstance(p, ExternalInit)]
    psks = [p for p in commit.proposals if isinstance(p, PreSharedKey)]
    removes = [p for p in commit.proposals if isinstance(p, Remove)]
    need(len(inits) + len(psks) + len(removes) == len(commit.proposals), "proposal")
    need(len(inits) == 1, "external init")
    need(len(psks) == 1, "pre-shared key")
    need(psks[0].psk_id == PSK_ID and len(psks[0].nonce) == NONCE_BYTES, "pre-shared key")
    need(len(removes) <= 1, "removes more than its own leaf")
    check_keys([inits[0].kem_output])
    assert commit.path is not None
    for remove in removes:
        old = tree.leaf(remove.leaf)
        need(old is not None, "removes nobody")
        assert old is not None
        own = old.signature_key == commit.path.leaf.signature_key
        need(own, "removes somebody else while joining")
    return Allowed(tuple(r.leaf for r in removes), inits[0].kem_output, psks[0].encoded)
