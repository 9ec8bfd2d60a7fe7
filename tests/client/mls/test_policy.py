"""Forms of the profile, as bytes (R8, R11, PROTOCOL 8.1)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.errors import CommitRefusedError
from client.mls import policy
from client.mls.framing import Commit, Framed, Remove
from client.mls.suite import SUITE_1 as SUITE
from tests.client.mls.forge import world

LEAF = world(1)[0]._tree.leaf(0)


def test_r11_a_binding_has_27_bytes():
    binding = policy.Binding(bytes(range(16)), policy.KIND_COMMIT, 0x0102030405060708)
    assert binding.to_bytes() == b"\0\1" + bytes(range(16)) + b"\2" + bytes(range(1, 9))
    assert len(binding.to_bytes()) == 27


def test_r08_a_leaf_is_fixed_byte_for_byte():
    assert LEAF.credential == b"\0\1\x060xa000"
    assert LEAF.capabilities == b"\2\0\1\2\0\1\2\xf0\xbe\0\2\0\1"
    assert (LEAF.source, LEAF.lifetime, LEAF.extensions) == (3, b"", b"")
    policy.check_leaf(SUITE, LEAF)
    assert policy.tag_of(LEAF) == "0xa000"


@settings(deadline=None)
@given(st.binary(max_size=12))
def test_r08_a_tag_is_four_lower_case_hex_digits(name):
    credential = b"\0\1" + bytes((len(name),)) + name
    leaf = replace(LEAF, credential=credential)
    good = len(name) == 6 and name[:2] == b"0x" and all(c in b"0123456789abcdef" for c in name[2:])
    if good:
        policy.check_leaf(SUITE, leaf)
        return
    with pytest.raises(CommitRefusedError, match=r"leaf (credential|tag)$"):
        policy.check_leaf(SUITE, leaf)


@settings(deadline=None)
@given(st.integers(0, 0xFFFF))
def test_every_tag_has_one_credential(number):
    name = f"0x{number:04x}"
    leaf = replace(LEAF, credential=policy.credential_of(name))
    policy.check_leaf(SUITE, leaf)
    assert policy.tag_of(leaf) == name


def test_a_failed_check_says_which():
    policy.need(True, "of no matter")
    with pytest.raises(CommitRefusedError) as caught:
        policy.need(False, "the check")
    assert (caught.value.check, str(caught.value)) == ("the check", "commit refused: the check")


def test_r09_a_members_removals_are_told_in_their_order():
    tree = world(4)[0]._tree
    framed = Framed(1, b"", 0, 1, b"", b"", b"")
    allowed = policy.check_proposals(framed, Commit((Remove(3), Remove(0)), None), tree)
    assert allowed == policy.Allowed((3, 0))
    assert policy.check_proposals(framed, Commit((), None), tree) == policy.Allowed(())
