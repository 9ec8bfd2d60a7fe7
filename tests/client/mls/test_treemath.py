"""Tree arithmetic against a tree that is drawn node by node (RFC 9420 4, appendix C)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.mls import treemath


def drawn(leaves, first=0):
    """Return (root, {node: (left, right)}) of a full tree over so many leaves."""
    if leaves == 1:
        return first, {}
    half = leaves // 2
    left_root, left = drawn(half, first)
    right_root, right = drawn(half, first + leaves)
    root = first + leaves - 1
    return root, {**left, **right, root: (left_root, right_root)}


@pytest.mark.parametrize("leaves", [1, 2, 4, 8, 16, 32, 64])
def test_every_node_stands_where_a_drawn_tree_has_it(leaves):
    root, children = drawn(leaves)
    assert treemath.root(leaves) == root
    for node, (left, right) in children.items():
        assert (treemath.left(node), treemath.right(node)) == (left, right)
        assert treemath.parent(left) == treemath.parent(right) == node
        assert treemath.sibling(left) == right
        assert treemath.sibling(right) == left
        assert treemath.level(node) == treemath.level(left) + 1
    for leaf in range(leaves):
        assert treemath.level(2 * leaf) == 0


@settings(deadline=None)
@given(st.integers(0, 10), st.data())
def test_a_direct_path_leads_to_the_root(exponent, data):
    leaves = 1 << exponent
    node = data.draw(st.integers(0, 2 * leaves - 2))
    path = treemath.direct_path(node, leaves)
    assert len(path) == exponent - treemath.level(node)
    assert [node, *path][-1] == treemath.root(leaves)
    below = node
    for above in path:
        assert below in (treemath.left(above), treemath.right(above))
        below = above


@settings(deadline=None)
@given(st.integers(0, 254), st.integers(0, 254))
def test_below_means_the_same_node_or_on_its_way_up(node, ancestor):
    expected = ancestor in (node, *treemath.direct_path(node, 128))
    assert treemath.is_below(node, ancestor) == expected
