"""Any bytes -> a ratchet tree or FrameError, encode(read(x)) == x; then it is refused, or sound.

Whatever tree was read can be hashed and judged: CommitRefusedError, or every check passes. What
passes can be changed as commits change it, and stays a full tree.
"""

from client.errors import CommitRefusedError, FrameError
from client.mls import policy, tree
from client.mls.epoch import SUITE
from tests.fuzz.scene import GROUP_ID

LEAF_CAP = 16


def run(data: bytes) -> None:
    try:
        read = tree.read_tree(SUITE, data)
    except FrameError:
        return
    assert read.encoded() == data, "another spelling"
    assert read.width & (read.width - 1) == 0
    assert len(read.nodes) == 2 * read.width - 1 < 2 * tree.MAX_NODES
    assert read.hash() == tree.Tree(SUITE, read.nodes).hash()
    try:
        policy.check_tree(SUITE, read, GROUP_ID, LEAF_CAP)
    except CommitRefusedError:
        return
    _change(read)


def _change(sound: tree.Tree) -> None:
    leaves = sound.leaves()
    assert len(leaves) <= LEAF_CAP
    before = sound.encoded()
    free = sound.free_leaf()
    grown = sound.grown(free)
    assert grown.leaf(free) is None
    steps = grown.filtered_path(free)
    assert all(step.resolution for step in steps)
    merged, parent_hash = grown.merged(free, [bytes(32)] * len(steps))
    assert merged.hash() == tree.Tree(SUITE, merged.nodes).hash(), "hashes that are not anew"
    assert len(parent_hash) == (32 if steps else 0)
    for index, _ in leaves:
        without = sound.without(index)
        assert without.leaf(index) is None
        if len(leaves) > 1:
            assert tree.read_tree(SUITE, without.encoded()).hash() == without.hash()
    assert sound.encoded() == before, "a tree is a value"
