"""A group that is the same in every run: its members, their keys, and what a forger can sign anew.

Built from the product's own parts, with drawn bytes that only look random.
"""

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace

from client import seal
from client.mls import Group, Identity, Inspected, group, inspect, join, path, suite
from client.mls.epoch import SUITE
from client.mls.suite import SignatureKeyPair
from client.mls.tree import LeafNode
from tests.client.mls import forge

FENCE = 5
ROOM_ID = forge.ROOM_ID
# The leaves of the group; 2 was removed, so that there are blanks.
LEAVES = (0, 1, 3)
_DRAWERS = (suite, path, group)


class Draw:
    """Bytes that look random, the same in every run; can be copied."""

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self.drawn = 0

    def __call__(self, length: int) -> bytes:
        self.drawn += 1
        return hashlib.shake_256(self.seed + self.drawn.to_bytes(8, "big")).digest(length)


@contextlib.contextmanager
def drawing(draw: Callable[[int], bytes]) -> Iterator[None]:
    """Let the client draw its randomness here."""
    kept = [module.draw for module in _DRAWERS]
    try:
        for module in _DRAWERS:
            module.draw = draw
        seal.secrets = SimpleNamespace(token_bytes=draw)  # type: ignore[assignment]
        yield
    finally:
        for module, former in zip(_DRAWERS, kept, strict=True):
            module.draw = former
        seal.secrets = _SECRETS


_SECRETS = seal.secrets


@dataclass(frozen=True)
class Scene:
    """One epoch of the group, what newcomers get of it, and every key that signs in it."""

    groups: dict[int, Group]
    newcomer: Identity
    keys: dict[bytes, SignatureKeyPair]

    def member(self, leaf: int) -> Group:
        """Return a fresh copy of a member: its ratchets are where the epoch began."""
        return Group(self.groups[leaf]._epoch)

    def inspected(self) -> Inspected:
        """What a newcomer sees."""
        return inspect(self.groups[0].group_info(FENCE), ROOM_ID, FENCE)

    def sign(self, key: bytes, label: str, content: bytes, signature: bytes) -> bytes:
        """Sign with a key of the scene; whatever was there, if it is none."""
        pair = self.keys.get(key)
        return signature if pair is None else SUITE.sign(pair.private, label, content)

    def signed_leaf(self, leaf: LeafNode, group_id: bytes, index: int) -> LeafNode:
        """Sign a leaf anew."""
        signed = replace(leaf).signed_in(group_id, index)
        signature = self.sign(leaf.signature_key, "LeafNodeTBS", signed, leaf.signature)
        return replace(leaf, signature=signature)


@functools.cache
def scene() -> Scene:
    """Build it, once in a process."""
    with drawing(Draw(b"scene")):
        newcomer = Identity.generate()
        room = forge.world(4, removed=(2,))
    assert room.fence == FENCE
    assert tuple(sorted(room.groups)) == LEAVES
    identities = [newcomer, *(member._epoch.identity for member in room.groups.values())]
    keys = {identity.signature_key: identity._keys for identity in identities}
    return Scene(room.groups, newcomer, keys)


def seeds() -> dict[str, bytes]:
    """Return what really passes in the scene's epoch, by what it is."""
    stage = scene()
    with drawing(Draw(b"seeds")):
        zero = stage.member(0)
        found = {
            "group_info": zero.group_info(FENCE),
            "empty": zero.commit((), FENCE).commit,
            "remove": zero.commit((3,), FENCE).commit,
            "join": join(stage.inspected(), stage.newcomer, "0xbeef", forge.PSK).commit,
            "rejoin": join(
                stage.inspected(), stage.groups[3]._epoch.identity, "0xa003", forge.PSK
            ).commit,
            "message": zero.encrypt(b"content", FENCE, 512),
        }
    return found


GROUP_ID = scene().groups[0].group_id
