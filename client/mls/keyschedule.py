"""From one epoch's secrets to the next (RFC 9420 8): a value of secrets per epoch.

Knows derivations; nothing of trees or messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from client.mls.codec import opaque, u8, u16, u64
from client.mls.suite import KemKeyPair, Suite

VERSION = 1
_PSK_EXTERNAL = 1


@dataclass(frozen=True)
class GroupContext:
    """What every key of an epoch is bound to (RFC 9420 8.1)."""

    suite: Suite
    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_transcript_hash: bytes
    extensions: bytes = b""

    def to_bytes(self) -> bytes:
        """Encode it; ``extensions`` is the inside of their vector."""
        return (
            u16(VERSION)
            + u16(self.suite.id)
            + opaque(self.group_id)
            + u64(self.epoch)
            + opaque(self.tree_hash)
            + opaque(self.confirmed_transcript_hash)
            + opaque(self.extensions)
        )


@dataclass(frozen=True)
class EpochSecrets:
    """The secrets of one epoch (RFC 9420 8, table 4), but for those that are used up at once."""

    suite: Suite = field(repr=False)
    sender_data: bytes = field(repr=False)
    encryption: bytes = field(repr=False)
    exporter: bytes = field(repr=False)
    external: bytes = field(repr=False)
    confirmation: bytes = field(repr=False)
    membership: bytes = field(repr=False)
    resumption: bytes = field(repr=False)
    authenticator: bytes = field(repr=False)
    init: bytes = field(repr=False)

    def external_key_pair(self) -> KemKeyPair:
        """The key pair to which newcomers seal their init secret (8.3)."""
        return self.suite.derive_key_pair(self.external)

    def export(self, label: str, context: bytes, length: int) -> bytes:
        """MLS-Exporter (8.5)."""
        secret = self.suite.derive_secret(self.exporter, label)
        return self.suite.expand_with_label(secret, "exported", self.suite.hash(context), length)


def psk_secret(suite: Suite, psks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Combine PSKs given as (encoded PreSharedKeyID, value) (RFC 9420 8.4)."""
    secret = bytes(suite.hash_bytes)
    for index, (psk_id, value) in enumerate(psks):
        extracted = suite.extract(bytes(suite.hash_bytes), value)
        label = psk_id + u16(index) + u16(len(psks))
        derived = suite.expand_with_label(extracted, "derived psk", label, suite.hash_bytes)
        secret = suite.extract(derived, secret)
    return secret


def external_psk_id(psk_id: bytes, nonce: bytes) -> bytes:
    """Encode a PreSharedKeyID of an external PSK."""
    return u8(_PSK_EXTERNAL) + opaque(psk_id) + opaque(nonce)


def joiner_secret(suite: Suite, init: bytes, commit_secret: bytes, context: bytes) -> bytes:
    """Return the joiner secret of the epoch whose GroupContext is given, encoded."""
    extracted = suite.extract(init, commit_secret)
    return suite.expand_with_label(extracted, "joiner", context, suite.hash_bytes)


def epoch_secrets(suite: Suite, joiner: bytes, psk: bytes, context: bytes) -> EpochSecrets:
    """Derive an epoch from its joiner and PSK secrets."""
    member = suite.extract(joiner, psk)
    return secrets_of(suite, suite.expand_with_label(member, "epoch", context, suite.hash_bytes))


def secrets_of(suite: Suite, epoch: bytes) -> EpochSecrets:
    """Derive everything from an epoch secret."""

    def derive(label: str) -> bytes:
        return suite.derive_secret(epoch, label)

    return EpochSecrets(
        suite,
        sender_data=derive("sender data"),
        encryption=derive("encryption"),
        exporter=derive("exporter"),
        external=derive("external"),
        confirmation=derive("confirm"),
        membership=derive("membership"),
        resumption=derive("resumption"),
        authenticator=derive("authentication"),
        init=derive("init"),
    )
