"""Message keys under reorder, loss and replay, and their bounds (RFC 9420 9, R16, R18)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.errors import AuthenticationError, LimitError
from client.mls.secrettree import MAX_FORWARD, MAX_SKIPPED, Ratchet, SecretTree
from client.mls.suite import SUITE_1 as SUITE

SECRET = bytes(range(32))


def chain(length):
    """The first keys of a chain, in order."""
    ratchet, keys = Ratchet(SUITE, SECRET), []
    for _ in range(length):
        key, ratchet = ratchet.advanced()
        keys.append(key)
    return keys


KEYS = chain(200)


def test_every_generation_has_its_own_key():
    assert len({key.key for key in KEYS}) == len({key.nonce for key in KEYS}) == len(KEYS)


@settings(deadline=None)
@given(st.permutations(range(MAX_SKIPPED)))
def test_keys_come_in_any_order_and_once(order):
    ratchet = Ratchet(SUITE, SECRET)
    for generation in order:
        key, ratchet = ratchet.at(generation)
        assert key == KEYS[generation]
        with pytest.raises(AuthenticationError):
            ratchet.at(generation)
    assert ratchet.skipped == ()


@settings(deadline=None)
@given(st.lists(st.integers(0, 150), max_size=60))
def test_r16_any_script_of_generations_stays_within_bounds(script):
    ratchet, used = Ratchet(SUITE, SECRET), set()
    for generation in script:
        try:
            key, after = ratchet.at(generation)
        except AuthenticationError:
            assert generation in used
            continue
        except LimitError:
            ahead = generation - ratchet.generation
            assert ahead > MAX_FORWARD or len(ratchet.skipped) + ahead > MAX_SKIPPED
            continue
        assert key == KEYS[generation]
        assert generation not in used
        assert len(after.skipped) <= MAX_SKIPPED
        assert after.generation - ratchet.generation <= MAX_FORWARD + 1
        used.add(generation)
        ratchet = after


def test_r16_a_jump_of_64_is_followed_and_of_65_is_not():
    ratchet = Ratchet(SUITE, SECRET)
    key, after = ratchet.at(MAX_FORWARD)
    assert key == KEYS[64]
    assert len(after.skipped) == 64
    with pytest.raises(LimitError) as caught:
        ratchet.at(MAX_FORWARD + 1)
    assert caught.value.retry_after_s is None


def test_r16_at_most_64_keys_are_kept_for_late_messages():
    _, ratchet = Ratchet(SUITE, SECRET).at(40)
    with pytest.raises(LimitError):
        ratchet.at(41 + 25)
    _, full = ratchet.at(41 + 24)
    assert len(full.skipped) == 64
    _, full = full.at(66)  # the next in turn leaves none behind
    with pytest.raises(LimitError):
        full.at(68)
    key, room = full.at(3)
    assert key == KEYS[3]
    assert room.at(68)[0] == KEYS[68]


def test_looking_a_key_up_moves_nothing():
    tree = SecretTree(SUITE, 2, SECRET)
    key, after = tree.ratchet(1).at(5)
    assert tree.ratchet(1).generation == 0
    assert tree.ratchet(1).at(5)[0] == key
    tree.commit(1, after)
    with pytest.raises(AuthenticationError):
        tree.ratchet(1).at(5)


@pytest.mark.parametrize("width", [1, 2, 8, 16])
def test_the_order_of_first_use_changes_no_leafs_chain(width):
    forth, back = SecretTree(SUITE, width, SECRET), SecretTree(SUITE, width, SECRET)
    one = {leaf: forth.ratchet(leaf).secret for leaf in range(width)}
    other = {leaf: back.ratchet(leaf).secret for leaf in reversed(range(width))}
    assert one == other
    assert len(set(one.values())) == width


def test_a_leafs_secret_leaves_the_tree_with_all_above_it():
    tree = SecretTree(SUITE, 4, SECRET)
    taken = tree.leaf_secret(2)
    assert set(tree._secrets) == {1, 6}
    assert taken not in tree._secrets.values()
    assert SECRET not in tree._secrets.values()


def test_r18_a_wiped_tree_holds_no_secret():
    tree = SecretTree(SUITE, 4, SECRET)
    tree.ratchet(0)
    tree.wipe()
    assert not tree._secrets
    assert not tree._ratchets
    with pytest.raises(StopIteration):
        tree.ratchet(0)


def test_no_secret_is_printed():
    key, ratchet = Ratchet(SUITE, SECRET).at(3)
    assert repr(key) == "MessageKey()"
    assert repr(ratchet) == "Ratchet(generation=4)"
