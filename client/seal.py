"""Sealing: the outer layer that hides MLS from the relay, and the sizes it may see (PROTOCOL 3).

Knows size classes, padding and the associated data; knows nothing of what it seals.
"""

import secrets
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from client.errors import AuthenticationError, UsageError
from client.link import RoomId, SealKey

SUITE = 1
NONCE_BYTES = 12
TAG_BYTES = 16
OVERHEAD = NONCE_BYTES + TAG_BYTES
CLASSES = (256, 512, 1024, 2048, 4096)
BLOCK = 1024
_LENGTH_BYTES = 4
_LABEL = b"beacon seal v1" + SUITE.to_bytes(2, "big")


class Kind(IntEnum):
    """What a sealed message holds; part of the associated data (R19)."""

    APPLICATION = 1
    COMMIT = 2
    GROUP_INFO = 3


def size_class(length: int) -> int:
    """Return the smallest class that holds ``length`` bytes; raise UsageError above 4,096."""
    for size in CLASSES:
        if length <= size:
            return size
    raise UsageError(f"{length} bytes do not fit the largest class")


def seal(key: SealKey, room_id: RoomId, kind: Kind, fence: int, plaintext: bytes) -> bytes:
    """Encrypt one message; return nonce (12), ciphertext and tag (16) (R19).

    An application message comes padded to its class by MLS (R20), UsageError else; commits and
    GroupInfo are padded here.
    """
    if kind is Kind.APPLICATION:
        if len(plaintext) not in CLASSES:
            raise UsageError("an application message is padded to a class before sealing")
        padded = plaintext
    else:
        padded = len(plaintext).to_bytes(_LENGTH_BYTES, "big") + plaintext
        padded += bytes(-len(padded) % BLOCK)
    # Random 96-bit nonces: the key lives as long as the room is used, far below 2^32 messages.
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, padded, _context(room_id, kind, fence))


def unseal(key: SealKey, room_id: RoomId, kind: Kind, fence: int, sealed: bytes) -> bytes:
    """Decrypt what ``seal`` made for the same room, kind and fence; raise AuthenticationError."""
    if not is_sealed_length(kind, len(sealed)):
        raise AuthenticationError
    nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        padded = AESGCM(key).decrypt(nonce, body, _context(room_id, kind, fence))
    except InvalidTag as exc:
        raise AuthenticationError from exc
    return padded if kind is Kind.APPLICATION else _unpad(padded)


def is_sealed_length(kind: Kind, length: int) -> bool:
    """Say whether a sealed message of this kind may be ``length`` bytes long (R20)."""
    inner = length - OVERHEAD
    if kind is Kind.APPLICATION:
        return inner in CLASSES
    return inner > 0 and inner % BLOCK == 0


def _unpad(padded: bytes) -> bytes:
    length = int.from_bytes(padded[:_LENGTH_BYTES], "big")
    end = _LENGTH_BYTES + length
    # One spelling: as little padding as the block allows, and only zeros (R20).
    if not end <= len(padded) < end + BLOCK or any(padded[end:]):
        raise AuthenticationError
    return padded[_LENGTH_BYTES:end]


def _context(room_id: RoomId, kind: Kind, fence: int) -> bytes:
    return _LABEL + room_id + bytes((kind,)) + fence.to_bytes(8, "big")
