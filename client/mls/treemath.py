"""Arithmetic of the complete binary tree in an array (RFC 9420 appendix C); leaf i is node 2i.

Knows indices only. Trees are full: a width is always a power of two of leaves.
"""


def level(node: int) -> int:
    """Return how far a node is above the leaves."""
    return (node ^ (node + 1)).bit_length() - 1


def left(node: int) -> int:
    """Return the left child of a parent node."""
    return node ^ (1 << (level(node) - 1))


def right(node: int) -> int:
    """Return the right child of a parent node."""
    return node ^ (3 << (level(node) - 1))


def root(leaves: int) -> int:
    """Return the root of a tree of so many leaves, a power of two."""
    return leaves - 1


def parent(node: int) -> int:
    """Return the parent of a node that is not the root."""
    height = level(node)
    return (node | 1 << height) & ~(1 << (height + 1))


def sibling(node: int) -> int:
    """Return the other child of the parent."""
    above = parent(node)
    return right(above) if node < above else left(above)


def direct_path(node: int, leaves: int) -> list[int]:
    """Return the ancestors of a node, nearest first, the root last."""
    path = []
    while node != root(leaves):
        node = parent(node)
        path.append(node)
    return path


def is_below(node: int, ancestor: int) -> bool:
    """Say whether ``node`` is ``ancestor`` or below it."""
    reach = (1 << level(ancestor)) - 1
    return ancestor - reach <= node <= ancestor + reach
