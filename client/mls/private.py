"""PrivateMessage: application data under a ratchet's key (RFC 9420 6.3).

Knows how it is spelt, padded and encrypted; which key it gets is its caller's.
"""

from dataclasses import dataclass, field

from client.errors import AuthenticationError, FrameError, UsageError
from client.mls.codec import Reader, opaque, u8, u16, u32, u64
from client.mls.framing import (
    CONTENT_APPLICATION,
    WIRE_PRIVATE,
    Framed,
    encode_content,
    open_message,
)
from client.mls.keyschedule import VERSION
from client.mls.secrettree import MessageKey
from client.mls.suite import Suite


@dataclass(frozen=True)
class Private:
    """PrivateMessage as it travels (6.3); nothing of it is authenticated yet."""

    group_id: bytes
    epoch: int
    content_type: int
    authenticated_data: bytes
    sender_data: bytes
    ciphertext: bytes

    def head(self) -> bytes:
        """Return SenderDataAAD."""
        return opaque(self.group_id) + u64(self.epoch) + u8(self.content_type)


@dataclass(frozen=True)
class SenderData:
    leaf: int
    generation: int
    reuse_guard: bytes = field(repr=False)


def read_private(data: bytes) -> Private:
    """Read MLSMessage(PrivateMessage); raise FrameError."""
    reader = open_message(data, WIRE_PRIVATE)
    message = Private(
        reader.opaque(),
        reader.u64(),
        reader.u8(),
        reader.opaque(),
        reader.opaque(),
        reader.opaque(),
    )
    reader.finish()
    return message


def encode_private(message: Private) -> bytes:
    """Encode MLSMessage(PrivateMessage)."""
    data = u16(VERSION) + u16(WIRE_PRIVATE) + message.head()
    data += opaque(message.authenticated_data) + opaque(message.sender_data)
    return data + opaque(message.ciphertext)


def guarded(nonce: bytes, reuse_guard: bytes) -> bytes:
    """Return the nonce with the reuse guard in its first four bytes (6.3.1)."""
    head = bytes(a ^ b for a, b in zip(nonce[:4], reuse_guard, strict=True))
    return head + nonce[4:]


def sender_data_key(suite: Suite, secret: bytes, ciphertext: bytes) -> MessageKey:
    """Derive the key of the sender data from a sample of the ciphertext (6.3.2)."""
    sample = ciphertext[: suite.hash_bytes]
    return MessageKey(
        suite.expand_with_label(secret, "key", sample, suite.key_bytes),
        suite.expand_with_label(secret, "nonce", sample, suite.nonce_bytes),
    )


def open_sender_data(suite: Suite, secret: bytes, message: Private) -> SenderData:
    """Decrypt who sent a PrivateMessage, and under which generation; raise AuthenticationError."""
    key = sender_data_key(suite, secret, message.ciphertext)
    plain = suite.open(key.key, key.nonce, message.head(), message.sender_data)
    if len(plain) != 12:
        raise AuthenticationError
    return SenderData(
        int.from_bytes(plain[:4], "big"), int.from_bytes(plain[4:8], "big"), plain[8:]
    )


def seal_private(
    suite: Suite,
    secret: bytes,
    head: Private,
    who: SenderData,
    key: MessageKey,
    plaintext: bytes,
) -> bytes:
    """Encrypt one PrivateMessage; ``head`` is it without sender data and ciphertext."""
    aad = head.head() + opaque(head.authenticated_data)
    ciphertext = suite.seal(key.key, guarded(key.nonce, who.reuse_guard), aad, plaintext)
    outer = sender_data_key(suite, secret, ciphertext)
    plain = u32(who.leaf) + u32(who.generation) + who.reuse_guard
    sender_data = suite.seal(outer.key, outer.nonce, head.head(), plain)
    return encode_private(
        Private(
            head.group_id,
            head.epoch,
            head.content_type,
            head.authenticated_data,
            sender_data,
            ciphertext,
        )
    )


def open_private(suite: Suite, message: Private, who: SenderData, key: MessageKey) -> Framed:
    """Decrypt an application message; its signature is still to be verified.

    Raises AuthenticationError; FrameError for padding that is not zero or a wrong content.
    """
    aad = message.head() + opaque(message.authenticated_data)
    nonce = guarded(key.nonce, who.reuse_guard)
    plain = suite.open(key.key, nonce, aad, message.ciphertext)
    reader = Reader(plain)
    application, signature = reader.opaque(), reader.opaque()
    if any(plain[reader.at :]):
        raise FrameError("padding that is not zero")
    encoded = encode_content(
        message.group_id,
        message.epoch,
        who.leaf,
        message.authenticated_data,
        CONTENT_APPLICATION,
        opaque(application),
    )
    return Framed(
        WIRE_PRIVATE,
        message.group_id,
        message.epoch,
        who.leaf,
        message.authenticated_data,
        encoded,
        signature,
        application=application,
    )


def pad(plaintext: bytes, overhead: int, size: int) -> bytes:
    """Pad with zeros so that plaintext and ``overhead`` are ``size``; raise UsageError."""
    missing = size - overhead - len(plaintext)
    if missing < 0:
        raise UsageError("the content does not fit this size")
    return plaintext + bytes(missing)
