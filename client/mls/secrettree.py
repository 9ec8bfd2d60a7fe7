"""Keys for application messages: one ratchet per leaf, derived lazily (RFC 9420 9).

Ratchets are values: looking a key up returns the ratchet after it, and only `commit` puts it in
place, once the message has proved genuine. Knows nothing of messages.
"""

from dataclasses import dataclass, field

from client.errors import AuthenticationError, LimitError
from client.mls.suite import Suite
from client.mls.treemath import direct_path, left, right, root

# R16: a peer that jumps further, or leaves more holes, has lost too much to follow: rejoin.
MAX_FORWARD = 64
MAX_SKIPPED = 64


@dataclass(frozen=True)
class MessageKey:
    """One generation's key and nonce; used once."""

    key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)


@dataclass(frozen=True)
class Ratchet:
    """One leaf's chain: the next generation, and keys that were skipped on the way."""

    suite: Suite = field(repr=False)
    secret: bytes = field(repr=False)
    generation: int = 0
    skipped: tuple[tuple[int, MessageKey], ...] = field(default=(), repr=False)

    def advanced(self) -> tuple[MessageKey, "Ratchet"]:
        """Return the key of the next generation and the ratchet behind it."""
        suite, at = self.suite, self.generation
        key = MessageKey(
            suite.derive_tree_secret(self.secret, "key", at, suite.key_bytes),
            suite.derive_tree_secret(self.secret, "nonce", at, suite.nonce_bytes),
        )
        secret = suite.derive_tree_secret(self.secret, "secret", at, suite.hash_bytes)
        return key, Ratchet(suite, secret, at + 1, self.skipped)

    def at(self, generation: int) -> tuple[MessageKey, "Ratchet"]:
        """Return the key of a generation and the ratchet after its use.

        Raises AuthenticationError for one that was used or dropped (a replay), LimitError when it
        lies further ahead than MAX_FORWARD or leaves more than MAX_SKIPPED keys behind.
        """
        if generation < self.generation:
            for index, (number, key) in enumerate(self.skipped):
                if number == generation:
                    rest = self.skipped[:index] + self.skipped[index + 1 :]
                    return key, Ratchet(self.suite, self.secret, self.generation, rest)
            raise AuthenticationError
        ahead = generation - self.generation
        if ahead > MAX_FORWARD or len(self.skipped) + ahead > MAX_SKIPPED:
            raise LimitError("too many generations skipped")
        ratchet, skipped = self, list(self.skipped)
        for _ in range(ahead):
            number = ratchet.generation
            key, ratchet = ratchet.advanced()
            skipped.append((number, key))
        key, ratchet = ratchet.advanced()
        return key, Ratchet(self.suite, ratchet.secret, ratchet.generation, tuple(skipped))


class SecretTree:
    """All ratchets of one epoch. ``application`` only: the profile has no private handshake."""

    def __init__(self, suite: Suite, width: int, encryption_secret: bytes) -> None:
        self._suite = suite
        self._width = width
        self._secrets = {root(width): encryption_secret}
        self._ratchets: dict[int, Ratchet] = {}

    def ratchet(self, leaf: int) -> Ratchet:
        """Return the ratchet of a leaf; its tree secrets are used up on the way down."""
        if leaf not in self._ratchets:
            secret = self.leaf_secret(leaf)
            start = self._suite.expand_with_label(
                secret, "application", b"", self._suite.hash_bytes
            )
            self._ratchets[leaf] = Ratchet(self._suite, start)
        return self._ratchets[leaf]

    def commit(self, leaf: int, ratchet: Ratchet) -> None:
        """Put a leaf's ratchet in place after its use."""
        self._ratchets[leaf] = ratchet

    def leaf_secret(self, leaf: int) -> bytes:
        """Take a leaf's secret out of the tree; it is there once."""
        path = [2 * leaf, *direct_path(2 * leaf, self._width)]
        known = next(i for i, node in enumerate(path) if node in self._secrets)
        for node in reversed(path[1 : known + 1]):
            secret = self._secrets.pop(node)
            for child, side in ((left(node), b"left"), (right(node), b"right")):
                self._secrets[child] = self._suite.expand_with_label(
                    secret, "tree", side, self._suite.hash_bytes
                )
        return self._secrets.pop(2 * leaf)

    def wipe(self) -> None:
        """Drop every secret (R18)."""
        self._secrets.clear()
        self._ratchets.clear()
