"""UpdatePaths: make one, and open one's own part of another's (RFC 9420 7.4 to 7.6, 12.4.1).

Knows path secrets and who can open them; which paths are allowed is checked before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from client.errors import AuthenticationError
from client.mls.framing import PathNode, UpdatePath
from client.mls.suite import KemKeyPair, SignatureKeyPair, Suite, draw
from client.mls.tree import SOURCE_COMMIT, LeafNode, PathStep, Tree
from client.mls.treemath import is_below

_LABEL = "UpdatePathNode"


@dataclass(frozen=True)
class Made:
    """Our own UpdatePath: what travels, the tree with it, and what only we know."""

    path: UpdatePath
    tree: Tree
    privates: Mapping[int, bytes] = field(repr=False)
    commit_secret: bytes = field(repr=False)


@dataclass(frozen=True)
class Opened:
    """What another's UpdatePath gave us: the keys on the shared part of our paths."""

    privates: Mapping[int, bytes] = field(repr=False)
    commit_secret: bytes = field(repr=False)


@dataclass(frozen=True)
class Owner:
    """Whose leaf a path renews."""

    leaf: int
    keys: SignatureKeyPair
    credential: bytes
    capabilities: bytes


def node_keys(suite: Suite, path_secret: bytes) -> KemKeyPair:
    """Return the key pair of the node that a path secret belongs to."""
    return suite.derive_key_pair(suite.derive_secret(path_secret, "node"))


def make_path(
    suite: Suite, tree: Tree, owner: Owner, group_id: bytes, context_of: Callable[[Tree], bytes]
) -> Made:
    """Renew a leaf and its path in ``tree``, which holds the proposals' changes already.

    ``context_of`` gives the encoded provisional GroupContext for the tree with the path in it.
    """
    secret = draw(suite.hash_bytes)
    own = node_keys(suite, secret)
    privates = {2 * owner.leaf: own.private}
    secrets, keys = [], []
    steps = tree.filtered_path(owner.leaf)
    for step in steps:
        secret = suite.derive_secret(secret, "path")
        pair = node_keys(suite, secret)
        secrets.append(secret)
        keys.append(pair.public)
        privates[step.node] = pair.private
    merged, parent_hash = tree.merged(owner.leaf, keys)
    leaf = _signed_leaf(suite, owner, own.public, parent_hash, group_id)
    merged = merged.replaced({2 * owner.leaf: leaf})
    context = context_of(merged)
    nodes = [
        PathNode(key, _seal(suite, tree, step, context, path_secret))
        for step, key, path_secret in zip(steps, keys, secrets, strict=True)
    ]
    # The commit secret follows the last path secret even where the root stays blank (12.4.1).
    commit_secret = suite.derive_secret(secret, "path")
    return Made(UpdatePath(leaf, tuple(nodes)), merged, privates, commit_secret)


def _signed_leaf(
    suite: Suite, owner: Owner, key: bytes, parent_hash: bytes, group_id: bytes
) -> LeafNode:
    def build(signature: bytes) -> LeafNode:
        return LeafNode(
            key,
            owner.keys.public,
            owner.credential,
            owner.capabilities,
            SOURCE_COMMIT,
            b"",
            parent_hash,
            b"",
            signature,
        )

    signed = build(b"").signed_in(group_id, owner.leaf)
    return build(suite.sign(owner.keys.private, "LeafNodeTBS", signed))


def _seal(
    suite: Suite, tree: Tree, step: PathStep, context: bytes, secret: bytes
) -> tuple[tuple[bytes, bytes], ...]:
    sealed = []
    for index in step.resolution:
        node = tree.nodes[index]
        assert node is not None
        sealed.append(suite.encrypt_with_label(node.encryption_key, _LABEL, context, secret))
    return tuple(sealed)


def open_path(
    suite: Suite,
    steps: list[PathStep],
    path: UpdatePath,
    me: int,
    privates: Mapping[int, bytes],
    context: bytes,
) -> Opened:
    """Open our ciphertext in another's path and derive the rest; raise AuthenticationError.

    ``steps`` is the sender's filtered path before the path was merged, as long as ``path.nodes``.
    """
    found: dict[int, bytes] = {}
    secret: bytes | None = None
    for step, node in zip(steps, path.nodes, strict=True):
        if secret is not None:
            secret = suite.derive_secret(secret, "path")
        elif is_below(2 * me, step.node):
            secret = _open(suite, step, node, privates, context)
        if secret is not None:
            pair = node_keys(suite, secret)
            if pair.public != node.encryption_key:
                raise AuthenticationError
            found[step.node] = pair.private
    if secret is None:
        raise AuthenticationError
    return Opened(found, suite.derive_secret(secret, "path"))


def _open(
    suite: Suite, step: PathStep, node: PathNode, privates: Mapping[int, bytes], context: bytes
) -> bytes:
    for index, (output, ciphertext) in zip(step.resolution, node.ciphertexts, strict=True):
        if index in privates:
            private = privates[index]
            return suite.decrypt_with_label(private, _LABEL, context, output, ciphertext)
    raise AuthenticationError
