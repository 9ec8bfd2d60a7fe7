"""The ratchet tree: nodes, resolutions, tree and parent hashes (RFC 9420 4, 7).

A Tree is a value: whatever changes it returns another that shares what did not change. Knows
public keys only, and no rule of the profile beyond the shape of its nodes.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

from client.errors import FrameError
from client.mls.codec import Reader, opaque, optional, u8, u32
from client.mls.suite import Suite
from client.mls.treemath import direct_path, is_below, left, level, right, root, sibling

SOURCE_KEY_PACKAGE, SOURCE_UPDATE, SOURCE_COMMIT = 1, 2, 3
# Twice the largest number of leaves that an operator can configure (PROTOCOL 10), as nodes.
MAX_NODES = 4 * 1024
_LEAF, _PARENT = 1, 2


@dataclass(frozen=True)
class LeafNode:
    """One member's leaf. ``credential`` and ``capabilities`` are kept as they were encoded."""

    encryption_key: bytes
    signature_key: bytes
    credential: bytes
    capabilities: bytes
    source: int
    lifetime: bytes
    parent_hash: bytes
    extensions: bytes
    signature: bytes

    @cached_property
    def unsigned(self) -> bytes:
        """What the signature covers, but for the place in the group."""
        data = opaque(self.encryption_key) + opaque(self.signature_key)
        data += self.credential + self.capabilities + u8(self.source)
        if self.source == SOURCE_KEY_PACKAGE:
            data += self.lifetime
        elif self.source == SOURCE_COMMIT:
            data += opaque(self.parent_hash)
        return data + opaque(self.extensions)

    @cached_property
    def encoded(self) -> bytes:
        """The LeafNode as it travels."""
        return self.unsigned + opaque(self.signature)

    def signed_in(self, group_id: bytes, leaf: int) -> bytes:
        """Return LeafNodeTBS (RFC 9420 7.2)."""
        if self.source == SOURCE_KEY_PACKAGE:
            return self.unsigned
        return self.unsigned + opaque(group_id) + u32(leaf)


@dataclass(frozen=True)
class ParentNode:
    """An inner node."""

    encryption_key: bytes
    parent_hash: bytes
    unmerged: tuple[int, ...] = ()

    @cached_property
    def encoded(self) -> bytes:
        """The ParentNode as it travels."""
        unmerged = b"".join(map(u32, self.unmerged))
        return opaque(self.encryption_key) + opaque(self.parent_hash) + opaque(unmerged)


Node = LeafNode | ParentNode


def read_leaf(reader: Reader) -> LeafNode:
    """Read a LeafNode of any source."""
    encryption_key, signature_key = reader.opaque(), reader.opaque()
    start = reader.at
    reader.u16()
    reader.opaque()
    credential = reader.since(start)
    start = reader.at
    for _ in range(5):
        reader.opaque()
    capabilities = reader.since(start)
    source = reader.u8()
    if source not in (SOURCE_KEY_PACKAGE, SOURCE_UPDATE, SOURCE_COMMIT):
        raise FrameError("no such leaf source")
    lifetime = reader.take(16) if source == SOURCE_KEY_PACKAGE else b""
    parent_hash = reader.opaque() if source == SOURCE_COMMIT else b""
    extensions, signature = reader.opaque(), reader.opaque()
    return LeafNode(
        encryption_key,
        signature_key,
        credential,
        capabilities,
        source,
        lifetime,
        parent_hash,
        extensions,
        signature,
    )


def _read_parent(reader: Reader) -> ParentNode:
    encryption_key, parent_hash, packed = reader.opaque(), reader.opaque(), reader.opaque()
    if len(packed) % 4:
        raise FrameError("unmerged leaves cut short")
    unmerged = tuple(int.from_bytes(packed[at : at + 4], "big") for at in range(0, len(packed), 4))
    return ParentNode(encryption_key, parent_hash, unmerged)


def _read_node(reader: Reader) -> Node:
    kind = reader.u8()
    if kind == _LEAF:
        return read_leaf(reader)
    if kind == _PARENT:
        return _read_parent(reader)
    raise FrameError("no such node type")


def read_tree(suite: Suite, data: bytes) -> "Tree":
    """Read the ratchet_tree extension's content; raise FrameError."""
    reader = Reader(data)
    nodes = reader.vector(lambda r: r.optional(_read_node), limit=MAX_NODES)
    reader.finish()
    if not nodes or nodes[-1] is None:
        raise FrameError("a tree does not end with a blank")
    for index, node in enumerate(nodes):
        if node is not None and isinstance(node, ParentNode) != bool(index & 1):
            raise FrameError("a node in a place of the other kind")
    width = 1
    while 2 * width - 1 < len(nodes):
        width *= 2
    return Tree(suite, (*nodes, *([None] * (2 * width - 1 - len(nodes)))))


@dataclass(frozen=True)
class Tree:
    """``nodes`` as in the array representation, always of a full tree.

    ``_hashes`` keeps tree hashes of subtrees that did not change.
    """

    suite: Suite
    nodes: tuple[Node | None, ...]
    _hashes: dict[int, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def width(self) -> int:
        """The number of leaf places, blank ones included."""
        return (len(self.nodes) + 1) // 2

    def leaf(self, index: int) -> LeafNode | None:
        """Return the leaf in place ``index``; None where there is none."""
        node = self.nodes[2 * index] if 0 <= index < self.width else None
        assert not isinstance(node, ParentNode)
        return node

    def leaves(self) -> list[tuple[int, LeafNode]]:
        """Return every leaf that is not blank with its index."""
        return [(i // 2, n) for i, n in enumerate(self.nodes) if isinstance(n, LeafNode)]

    def encoded(self) -> bytes:
        """Return the content of the ratchet_tree extension."""
        last = max(i for i, node in enumerate(self.nodes) if node is not None)
        out = []
        for node in self.nodes[: last + 1]:
            kind = b"" if node is None else u8(_LEAF if isinstance(node, LeafNode) else _PARENT)
            out.append(optional(None if node is None else kind + node.encoded))
        return opaque(b"".join(out))

    def replaced(self, changes: dict[int, Node | None]) -> "Tree":
        """Return a tree of the same width with other nodes in some places."""
        nodes = list(self.nodes)
        dirty = set(changes)
        for index, node in changes.items():
            nodes[index] = node
            dirty.update(direct_path(index, self.width))
        hashes = {i: h for i, h in self._hashes.items() if i not in dirty}
        return Tree(self.suite, tuple(nodes), hashes)

    def free_leaf(self) -> int:
        """Return the leftmost blank leaf's index; the width, where the tree must grow."""
        for index in range(0, len(self.nodes), 2):
            if self.nodes[index] is None:
                return index // 2
        return self.width

    def grown(self, leaf: int) -> "Tree":
        """Return a tree wide enough for leaf ``leaf``."""
        if leaf < self.width:
            return self
        nodes = (*self.nodes, *([None] * (len(self.nodes) + 1)))
        return Tree(self.suite, nodes, dict(self._hashes)).grown(leaf)

    def without(self, leaf: int) -> "Tree":
        """Return the tree after a Remove: leaf and direct path blank, right half cut if empty."""
        path = direct_path(2 * leaf, self.width)
        tree = self.replaced(dict.fromkeys([2 * leaf, *path]))
        while tree.width > 1 and not any(tree.nodes[tree.width :]):
            half = tree.nodes[: tree.width - 1]
            kept = {i: h for i, h in tree._hashes.items() if i < len(half)}
            tree = Tree(tree.suite, half, kept)
        return tree

    def resolution(self, node: int) -> list[int]:
        """Return the nodes whose keys together reach everybody below ``node`` (4.1.1)."""
        value = self.nodes[node]
        if isinstance(value, ParentNode):
            return [node, *(2 * leaf for leaf in value.unmerged)]
        if value is not None:
            return [node]
        if level(node) == 0:
            return []
        return self.resolution(left(node)) + self.resolution(right(node))

    def filtered_path(self, leaf: int) -> list["PathStep"]:
        """Return the direct path of a leaf without steps whose other side is empty (4.1.2)."""
        steps = []
        below = 2 * leaf
        for node in direct_path(2 * leaf, self.width):
            copath = sibling(below)
            resolution = self.resolution(copath)
            if resolution:
                steps.append(PathStep(node, copath, tuple(resolution)))
            below = node
        return steps

    def hash(self) -> bytes:
        """Return the tree hash (7.8)."""
        return self.subtree_hash(root(self.width))

    def subtree_hash(self, node: int, blank: frozenset[int] = frozenset()) -> bytes:
        """Return a subtree's hash, as if the leaves ``blank`` had never been added (7.9)."""
        if not blank and (known := self._hashes.get(node)) is not None:
            return known
        value = self.nodes[node]
        if level(node) == 0:
            leaf = None if value is None or node // 2 in blank else value.encoded
            data = u8(_LEAF) + u32(node // 2) + optional(leaf)
        else:
            if isinstance(value, ParentNode) and blank & set(value.unmerged):
                unmerged = tuple(u for u in value.unmerged if u not in blank)
                value = replace(value, unmerged=unmerged)
            data = u8(_PARENT) + optional(None if value is None else value.encoded)
            for child in (left(node), right(node)):
                below = frozenset(u for u in blank if is_below(2 * u, child))
                data += opaque(self.subtree_hash(child, below))
        digest = self.suite.hash(data)
        if not blank:
            self._hashes[node] = digest
        return digest

    def parent_hash(self, node: int, copath: int, blank: frozenset[int] = frozenset()) -> bytes:
        """Return the hash that a child of ``node`` carries, ``copath`` being the other (7.9)."""
        value = self.nodes[node]
        assert isinstance(value, ParentNode)
        data = opaque(value.encryption_key) + opaque(value.parent_hash)
        return self.suite.hash(data + opaque(self.subtree_hash(copath, blank)))

    def merged(self, leaf: int, keys: list[bytes]) -> tuple["Tree", bytes]:
        """Set the keys of an UpdatePath along the filtered path of ``leaf``, the rest blank.

        Return the tree and the parent hash that the leaf must carry.
        """
        steps = self.filtered_path(leaf)
        changes: dict[int, Node | None] = dict.fromkeys(direct_path(2 * leaf, self.width))
        parent_hash = b""
        # From the root down; the copath's hashes are those of this tree, for no change is in them.
        for step, key in reversed(list(zip(steps, keys, strict=True))):
            node = changes[step.node] = ParentNode(key, parent_hash)
            data = opaque(node.encryption_key) + opaque(node.parent_hash)
            parent_hash = self.suite.hash(data + opaque(self.subtree_hash(step.copath)))
        return self.replaced(changes), parent_hash

    def has_sound_parents(self) -> bool:
        """Say whether every parent node is bound to a descendant by parent hash (7.9.2)."""
        return all(
            self._is_bound(index, node)
            for index, node in enumerate(self.nodes)
            if isinstance(node, ParentNode)
        )

    def _is_bound(self, index: int, node: ParentNode) -> bool:
        for child, other in ((left(index), right(index)), (right(index), left(index))):
            mine = {2 * u for u in node.unmerged if is_below(2 * u, child)}
            below = [n for n in self.resolution(child) if n not in mine]
            if len(below) != 1:
                continue
            blank = frozenset(u for u in node.unmerged if is_below(2 * u, other))
            holder = self.nodes[below[0]]
            assert holder is not None
            if holder.parent_hash == self.parent_hash(index, other, blank):
                return True
        return False


@dataclass(frozen=True)
class PathStep:
    """A node of a filtered direct path, its copath child, and whom its secret is sealed to."""

    node: int
    copath: int
    resolution: tuple[int, ...]
