"""Forms of the profile, as bytes (R8, R11, PROTOCOL 8.1)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.errors import CommitRefusedError
from client.mls import policy
from client.mls.framing import (
    Commit,
    ExternalInit,
    Framed,
    OtherProposal,
    PreSharedKey,
    Remove,
    UpdatePath,
)
from client.mls.suite import SUITE_1 as SUITE
from client.mls.suite import draw, generate_signature_key
from client.mls.tree import Tree
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


KEY = SUITE.derive_key_pair(b"a key").public
PSK_IN = PreSharedKey(policy.PSK_ID, bytes(32), b"its id")
INIT = ExternalInit(KEY)


def external(*proposals, leaf=LEAF):
    """What a newcomer's commit may do in a tree of four whose first leaf is LEAF."""
    tree = world(4)[0]._tree.replaced({0: LEAF})
    framed = Framed(1, b"", 0, None, b"", b"", b"")
    return policy.check_proposals(framed, Commit(proposals, UpdatePath(leaf, ())), tree)


def test_r09_a_newcomer_brings_the_psk_and_an_init_and_removes_its_own_leaf_at_most():
    assert external(PSK_IN, INIT) == policy.Allowed((), KEY, b"its id")
    assert external(INIT, PSK_IN, Remove(0)) == policy.Allowed((0,), KEY, b"its id")


@pytest.mark.parametrize(
    ("proposals", "check"),
    [
        ((INIT,), "pre-shared key"),
        ((PSK_IN, PSK_IN, INIT), "pre-shared key"),
        ((replace(PSK_IN, psk_id=b"another"), INIT), "pre-shared key"),
        ((replace(PSK_IN, nonce=bytes(31)), INIT), "pre-shared key"),
        ((PSK_IN,), "external init"),
        ((PSK_IN, INIT, INIT), "external init"),
        ((PSK_IN, ExternalInit(bytes(32))), "encryption key"),
        ((PSK_IN, INIT, OtherProposal()), "proposal"),
        ((PSK_IN, INIT, Remove(0), Remove(1)), "removes more than its own leaf"),
        ((PSK_IN, INIT, Remove(4)), "removes nobody"),
        ((PSK_IN, INIT, Remove(1)), "removes somebody else while joining"),
    ],
)
def test_r09_a_newcomer_may_do_nothing_else(proposals, check):
    with pytest.raises(CommitRefusedError) as caught:
        external(*proposals)
    assert caught.value.check == check


@pytest.mark.parametrize(
    ("proposals", "check"),
    [
        ((PSK_IN,), "proposal"),
        ((INIT,), "proposal"),
        ((OtherProposal(),), "proposal"),
        ((Remove(1),), "removes itself"),
        ((Remove(2), Remove(2)), "removes twice"),
        ((Remove(4),), "removes nobody"),
    ],
)
def test_r09_a_member_may_do_nothing_but_remove_others(proposals, check):
    framed = Framed(1, b"", 0, 1, b"", b"", b"")
    with pytest.raises(CommitRefusedError) as caught:
        policy.check_proposals(framed, Commit(proposals, None), world(4)[0]._tree)
    assert caught.value.check == check


def test_r07_keys_and_signatures_are_refused_by_name():
    pair = generate_signature_key()
    signature = SUITE.sign(pair.private, "label", b"content")
    policy.check_signature(SUITE, pair.public, "label", b"content", signature)
    policy.check_keys([KEY, draw(31) + b"\x10"])
    for check, use in (
        ("signature", lambda: policy.check_signature(SUITE, pair.public, "l", b"", signature)),
        ("encryption key", lambda: policy.check_keys([KEY, bytes(32)])),
        ("signature key", lambda: policy.check_leaf(SUITE, replace(LEAF, signature_key=KEY[:31]))),
    ):
        with pytest.raises(CommitRefusedError) as caught:
            use()
        assert caught.value.check == check


def test_r09_a_tree_wider_than_twice_its_cap_is_refused_before_anything_else():
    tree = Tree(SUITE, (LEAF, *[None] * 1023, replace(LEAF, signature=b"")))
    with pytest.raises(CommitRefusedError, match="leaf cap"):
        policy.check_tree(SUITE, tree, bytes(16), 256)
