"""One epoch as one member holds it: a value of public state and keys (RFC 9420 8).

Knows what an epoch consists of and how its transcript goes on; no rule of who may change it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from client.mls.codec import opaque
from client.mls.framing import Framed
from client.mls.keyschedule import EpochSecrets, GroupContext
from client.mls.path import Owner
from client.mls.policy import capabilities_of, credential_of, tag_of
from client.mls.suite import SUITE_1, SignatureKeyPair, generate_signature_key
from client.mls.tree import Tree

SUITE = SUITE_1
LEAF_CAP = 256


@dataclass(frozen=True)
class Identity:
    """One stay's signature key (R5): fresh at the first join, the same at every rejoin."""

    _keys: SignatureKeyPair = field(repr=False)

    @classmethod
    def generate(cls) -> "Identity":
        """Draw a fresh one."""
        return cls(generate_signature_key())

    @classmethod
    def forgotten(cls) -> "Identity":
        """Return what stands in the place of one that was wiped (R18): it can sign nothing."""
        return cls(SignatureKeyPair(b"", b""))

    @property
    def signature_key(self) -> bytes:
        """The public key, 32 bytes."""
        return self._keys.public

    def owner(self, leaf: int, tag: str) -> Owner:
        """Say whose leaf a path renews; for this package."""
        return Owner(leaf, self._keys, credential_of(tag), capabilities_of(SUITE))

    def sign(self, label: str, content: bytes) -> bytes:
        """Sign with a label of MLS; for this package."""
        return SUITE.sign(self._keys.private, label, content)


@dataclass(frozen=True)
class Member:
    """One leaf: its index, the tag in its credential, and its signature key."""

    leaf: int
    tag: str
    signature_key: bytes


def members_of(tree: Tree) -> tuple[Member, ...]:
    """Return everybody in a tree that stood every check, by leaf."""
    return tuple(Member(i, tag_of(leaf), leaf.signature_key) for i, leaf in tree.leaves())


@dataclass(frozen=True)
class Outside:
    """An epoch as far as a newcomer knows it."""

    context: GroupContext
    confirmation_tag: bytes

    @property
    def words_context(self) -> bytes:
        """What the six words of the epoch are made from (PROTOCOL 9.1)."""
        return self.context.to_bytes() + self.confirmation_tag

    def next_context(self, framed: Framed, tree_hash: bytes) -> GroupContext:
        """Return the GroupContext after a commit; needs no secret (R12)."""
        confirmed = self.context.confirmed_transcript_hash
        interim = SUITE.hash(confirmed + opaque(self.confirmation_tag))
        return replace(
            self.context,
            epoch=self.context.epoch + 1,
            tree_hash=tree_hash,
            confirmed_transcript_hash=SUITE.hash(interim + framed.confirmed()),
        )


@dataclass(frozen=True)
class Room:
    """What binds a group to its room: the id, the PSK from the link, the cap on leaves."""

    room_id: bytes
    psk: bytes = field(repr=False)
    leaf_cap: int = LEAF_CAP


@dataclass(frozen=True)
class Epoch:
    """All that a member knows of an epoch, but for the message ratchets.

    ``privates`` holds the HPKE private keys of the nodes on the member's own path.
    """

    outside: Outside
    tree: Tree = field(repr=False)
    me: int
    identity: Identity = field(repr=False)
    privates: Mapping[int, bytes] = field(repr=False)
    secrets: EpochSecrets = field(repr=False)
    room: Room = field(repr=False)

    @property
    def context(self) -> GroupContext:
        """The epoch's GroupContext."""
        return self.outside.context
