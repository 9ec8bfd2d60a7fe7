"""The ratchet tree: reading, changing, resolutions, tree and parent hashes (RFC 9420 4, 7)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.errors import FrameError
from client.mls.codec import Reader, opaque, optional, u8, u32
from client.mls.suite import SUITE_1 as SUITE
from client.mls.tree import (
    MAX_NODES,
    SOURCE_COMMIT,
    SOURCE_KEY_PACKAGE,
    SOURCE_UPDATE,
    LeafNode,
    ParentNode,
    Tree,
    read_leaf,
    read_tree,
)
from client.mls.treemath import direct_path, is_below, sibling
from tests.client.mls import rfc
from tests.client.mls.forge import world

CREDENTIAL = b"\0\1\6" + b"0xabcd"


def leaf(number, source=SOURCE_KEY_PACKAGE, **change):
    fields = {
        "encryption_key": b"e%d" % number,
        "signature_key": b"s%d" % number,
        "credential": CREDENTIAL,
        "capabilities": bytes(5),
        "source": source,
        "lifetime": bytes(16) if source == SOURCE_KEY_PACKAGE else b"",
        "parent_hash": b"",
        "extensions": b"",
        "signature": b"sig",
    }
    return LeafNode(**{**fields, **change})


def tree_of(present, width):
    """A tree with blank parents and leaves in the places given."""
    nodes = [None] * (2 * width - 1)
    for number in present:
        nodes[2 * number] = leaf(number)
    return Tree(SUITE, tuple(nodes))


def scripts():
    """Scripts of (committer's rank, whether it removes, whose rank) over a few leaves."""
    return st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.integers(0, 7)), max_size=12)


def play(script, begin=5):
    """Run a script on public keys alone: joins, removals and renewed paths; yield every tree."""
    tree, count = Tree(SUITE, (leaf(0),)), 1

    def renewed(tree, index):
        nonlocal count
        steps = tree.filtered_path(index)
        keys = [b"k%d.%d" % (count, n) for n in range(len(steps))]
        count += 1
        merged, parent_hash = tree.merged(index, keys)
        fresh = leaf(count + 1000, SOURCE_COMMIT, parent_hash=parent_hash)
        return merged.replaced({2 * index: fresh})

    for who, removes, whom in [(0, False, 8)] * begin + list(script):
        present = [index for index, _ in tree.leaves()]
        if whom == 8 or (not removes and whom > who):
            index = tree.free_leaf()
            tree = renewed(tree.grown(index), index)
        else:
            committer, gone = present[who % len(present)], present[whom % len(present)]
            if removes and committer != gone:
                tree = tree.without(gone)
            tree = renewed(tree, committer)
        yield tree


# Reading


@pytest.mark.parametrize("source", [SOURCE_KEY_PACKAGE, SOURCE_UPDATE, SOURCE_COMMIT])
def test_a_leaf_of_every_source_comes_back(source):
    hash_ = b"above" if source == SOURCE_COMMIT else b""
    value = leaf(1, source, parent_hash=hash_)
    assert read_leaf(Reader(value.encoded)) == value


@pytest.mark.parametrize("source", [0, 4, 255])
def test_a_leaf_of_no_source_is_refused(source):
    data = leaf(1, SOURCE_UPDATE).encoded
    at = data.index(CREDENTIAL) + len(CREDENTIAL) + 5
    assert data[at] == SOURCE_UPDATE
    with pytest.raises(FrameError):
        read_leaf(Reader(data[:at] + bytes((source,)) + data[at + 1 :]))


def test_a_key_packages_leaf_is_signed_for_no_group():
    assert leaf(1).signed_in(b"group", 3) == leaf(1).unsigned
    value = leaf(1, SOURCE_COMMIT)
    assert value.signed_in(b"group", 3) == value.unsigned + b"\5group" + u32(3)


def encoded_tree(*nodes):
    return opaque(b"".join(optional(node) for node in nodes))


LEAF, PARENT = u8(1) + leaf(0).encoded, u8(2) + ParentNode(b"k", b"").encoded


@pytest.mark.parametrize(
    "data",
    [
        encoded_tree(),
        encoded_tree(None),
        encoded_tree(LEAF, None),
        encoded_tree(LEAF, None, None),
        encoded_tree(PARENT),
        encoded_tree(LEAF, LEAF),
        encoded_tree(LEAF, PARENT, PARENT),
        encoded_tree(b"\3" + LEAF[1:]),
        encoded_tree(b"\0" + LEAF[1:]),
        encoded_tree(LEAF) + b"x",
        encoded_tree(LEAF, u8(2) + opaque(b"k") + opaque(b"") + opaque(b"abc")),
        opaque(b"\2" + LEAF),
    ],
)
def test_what_is_no_tree_is_refused(data):
    with pytest.raises(FrameError):
        read_tree(SUITE, data)


def test_a_tree_is_filled_up_to_a_full_one():
    tree = read_tree(SUITE, encoded_tree(LEAF, None, LEAF, PARENT, LEAF))
    assert (tree.width, len(tree.nodes), tree.nodes[5:]) == (4, 7, (None, None))
    assert tree.encoded() == encoded_tree(LEAF, None, LEAF, PARENT, LEAF)


def test_a_tree_of_more_nodes_than_a_room_can_have_is_refused_at_once():
    assert read_tree(SUITE, encoded_tree(*[None] * (MAX_NODES - 2), LEAF)).width == MAX_NODES // 2
    with pytest.raises(FrameError):
        read_tree(SUITE, encoded_tree(*[None] * MAX_NODES, LEAF))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_tree_of_one_spelling_or_refused(data):
    for spelling in (data, opaque(data), encoded_tree(LEAF, u8(2) + data, LEAF)):
        try:
            tree = read_tree(SUITE, spelling)
        except FrameError:
            continue
        assert tree.encoded() == spelling


# Changing


@settings(deadline=None)
@given(scripts())
def test_every_tree_of_a_script_comes_back_and_is_sound(script):
    for tree in play(script):
        again = read_tree(SUITE, tree.encoded())
        assert again == tree
        assert again.hash() == tree.hash()  # one with, one without hashes kept from before
        assert tree.has_sound_parents()
        assert tree.width == 1 or any(tree.leaf(n) for n in range(tree.width // 2, tree.width))


@settings(deadline=None)
@given(scripts(), st.data())
def test_any_changed_parent_is_unsound(script, data):
    *_, tree = play(script)
    parents = [n for n, node in enumerate(tree.nodes) if isinstance(node, ParentNode)]
    if not parents:
        return
    at = data.draw(st.sampled_from(parents))
    for change in ({"encryption_key": b"x"}, {"parent_hash": b"x"}):
        assert not tree.replaced({at: replace(tree.nodes[at], **change)}).has_sound_parents()


def test_a_tree_of_blank_parents_is_sound_and_one_without_a_binding_child_is_not():
    tree = tree_of({0, 1}, 2)
    assert tree.has_sound_parents()
    assert not tree.replaced({1: ParentNode(b"k", b"")}).has_sound_parents()
    four = tree_of({0, 1, 2, 3}, 4).replaced({3: ParentNode(b"k", b"")})
    assert not four.has_sound_parents()  # on neither side is there one node that could hold it


def test_the_leftmost_blank_leaf_is_free():
    assert tree_of({0, 1, 3}, 4).free_leaf() == 2
    assert tree_of({0, 1}, 2).free_leaf() == 2


@pytest.mark.parametrize(("leaf_index", "width"), [(0, 1), (1, 2), (2, 4), (4, 8), (9, 16)])
def test_a_tree_grows_by_doubling(leaf_index, width):
    tree = Tree(SUITE, (leaf(0),)).grown(leaf_index)
    assert tree.width == width
    assert tree.leaf(0) == leaf(0)


def test_removing_blanks_the_path_and_cuts_empty_halves():
    nodes = [leaf(i // 2) if i % 2 == 0 else ParentNode(b"k%d" % i, b"") for i in range(15)]
    tree = Tree(SUITE, tuple(nodes))
    one = tree.without(1)
    assert [i for i, node in enumerate(one.nodes) if node is None] == [1, 2, 3, 7]
    assert one.width == 8
    assert tree.without(4).without(5).without(6).without(7).width == 4
    last = tree
    for index in range(7, 0, -1):
        last = last.without(index)
    assert last.nodes == (leaf(0),)


def test_a_leaf_beyond_the_tree_is_none():
    tree = tree_of({0, 1}, 2)
    assert tree.leaf(-1) is tree.leaf(2) is tree.leaf(2**32 - 1) is None
    assert tree.leaf(1) == leaf(1)


@settings(deadline=None)
@given(scripts())
def test_a_resolution_reaches_everybody_below_once(script):
    for tree in play(script):
        for node in range(len(tree.nodes)):
            reached = [
                index
                for index, _ in tree.leaves()
                for found in tree.resolution(node)
                if is_below(2 * index, found)
            ]
            below = [index for index, _ in tree.leaves() if is_below(2 * index, node)]
            assert reached == below


def test_a_resolution_holds_unmerged_leaves():
    tree, index = rfc.added(
        tree_of({0, 1}, 2).grown(2).replaced({3: ParentNode(b"k", b"")}), leaf(2)
    )
    assert index == 2
    assert tree.resolution(3) == [3, 4]


@settings(deadline=None)
@given(scripts())
def test_a_filtered_path_leaves_out_steps_with_nobody_on_the_other_side(script):
    for tree in play(script):
        for index, _ in tree.leaves():
            steps = {step.node: step for step in tree.filtered_path(index)}
            below = 2 * index
            for node in direct_path(2 * index, tree.width):
                other = sibling(below)
                below = node
                if not tree.resolution(other):
                    assert node not in steps
                    continue
                assert steps[node].copath == other
                assert steps[node].resolution == tuple(tree.resolution(other))


def test_unmerged_leaves_count_as_never_added_in_parent_hashes():
    """RFC 9420 7.9.2: Adds must not break the hashes of those who committed before."""
    room = world(4)
    tree = room[0]._tree
    for number in range(4, 9):
        tree, index = rfc.added(tree, leaf(number))
        assert index == number
        assert tree.has_sound_parents()
    assert read_tree(SUITE, tree.encoded()) == tree
    unmerged = {u for n in tree.nodes if isinstance(n, ParentNode) for u in n.unmerged}
    assert unmerged == set()  # a tree of four was full: new leaves stand in its other half
    holed = world(4, removed=(1, 2))[0]._tree
    for number in (1, 2):
        holed, index = rfc.added(holed, leaf(number))
        assert index == number
        assert holed.has_sound_parents()
    assert {u for n in holed.nodes if isinstance(n, ParentNode) for u in n.unmerged} == {1, 2}


def test_an_inner_nodes_unmerged_leaf_counts_as_never_added_too():
    room = world(8)
    for committer, removes in ((0, (5,)), (6, ()), (0, ())):
        room = room.after(room[committer].commit(removes, room.fence))
    tree, index = rfc.added(room[0]._tree, leaf(5))
    assert index == 5
    assert [n for n, v in enumerate(tree.nodes) if isinstance(v, ParentNode) and v.unmerged] == [
        7,
        11,
    ]
    assert tree.has_sound_parents()
    for spoiled in (7, 11):
        changed = replace(tree.nodes[spoiled], unmerged=())
        assert not tree.replaced({spoiled: changed}).has_sound_parents()


def test_the_tree_hash_covers_every_node():
    room = world(5)
    tree = room[0]._tree
    hashes = {tree.hash()}
    for index, node in enumerate(tree.nodes):
        if node is not None:
            hashes.add(tree.replaced({index: None}).hash())
            hashes.add(tree.replaced({index: replace(node, encryption_key=b"x")}).hash())
    assert len(hashes) == 1 + 2 * sum(node is not None for node in tree.nodes)
    assert tree.grown(8).hash() not in hashes
