"""Any bytes -> a LeafNode or FrameError, encode(read(x)) == x; policy judges any leaf at all.

`check_leaf` raises CommitRefusedError or nothing, and then every part is the profile's own.
"""

from client.errors import CommitRefusedError, FrameError
from client.mls import policy, tree
from client.mls.codec import Reader
from client.mls.epoch import SUITE


def run(data: bytes) -> None:
    reader = Reader(data)
    try:
        leaf = tree.read_leaf(reader)
    except FrameError:
        return
    assert leaf.encoded == data[: reader.at], "another spelling"
    try:
        policy.check_leaf(SUITE, leaf)
    except CommitRefusedError:
        return
    tag = policy.tag_of(leaf)
    assert policy.credential_of(tag) == leaf.credential
    assert policy.capabilities_of(SUITE) == leaf.capabilities
    assert len(leaf.encryption_key) == len(leaf.signature_key) == 32
    assert leaf.signed_in(bytes(16), 1) != leaf.signed_in(bytes(16), 2), "a leaf of no place"
