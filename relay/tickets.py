"""Resume tickets and marks: sealed for the relay itself, opaque to everybody else (PROTOCOL 4.5).

Knows one key and two layouts; what a ticket is worth today is the room's to say. Wall time is an
argument, and stands nowhere else in the relay (R10): it is what a restart does not begin anew.
"""

import base64
import secrets
import struct
from dataclasses import dataclass

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from relay.errors import AuthenticationError
from relay.wire import Life, RoomId, Tag

KEY_BYTES = 32
NONCE_BYTES = 24
# A mark is as new as its room's last commit: one of yesterday is nobody's who was there, and with
# its fence could only do harm.
MARK_LIFETIME_S = 24 * 3600
_LABEL = b"beacon ticket v1"
_TICKET = struct.Struct("!B16s8sHLQ")
_MARK = struct.Struct("!B16s8sQQQ")
_TICKET_KIND, _MARK_KIND = 1, 2


@dataclass(frozen=True, slots=True)
class Ticket:
    """Whose seat it was, in which life, and how often it was resumed."""

    life: Life
    tag: Tag
    generation: int
    issued: int


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a room's log had got."""

    life: Life
    fence: int
    seq: int
    issued: int


class Tickets:
    """The key, and whether it is one that lives longer than this process."""

    __slots__ = ("_key", "is_lasting")

    def __init__(self, key: bytes | None = None) -> None:
        self.is_lasting = key is not None
        self._key = key or secrets.token_bytes(KEY_BYTES)

    def ticket(self, room: RoomId, life: Life, tag: Tag, generation: int, wall: float) -> str:
        """Seal a ticket."""
        return self._seal(_TICKET.pack(_TICKET_KIND, room, life, tag, generation, int(wall)))

    def mark(self, room: RoomId, life: Life, fence: int, seq: int, wall: float) -> str:
        """Seal a mark."""
        return self._seal(_MARK.pack(_MARK_KIND, room, life, fence, seq, int(wall)))

    def open_ticket(self, token: str, room: RoomId) -> Ticket:
        """Open a ticket of this room; raise AuthenticationError, whatever is wrong.

        It has no age: it is worth as much as its seat or, for restoring, as the mark beside it.
        """
        kind, of, life, tag, generation, issued = self._open(token, _TICKET)
        if kind != _TICKET_KIND or of != room:
            raise AuthenticationError
        return Ticket(Life(life), Tag(tag), generation, issued)

    def open_mark(self, token: str, room: RoomId, wall: float) -> Mark:
        """Open a mark of this room; raise AuthenticationError, whatever is wrong."""
        kind, of, life, fence, seq, issued = self._open(token, _MARK)
        # A clock that was set back makes no mark worthless: one of tomorrow is good.
        if kind != _MARK_KIND or of != room or wall - issued >= MARK_LIFETIME_S:
            raise AuthenticationError
        return Mark(Life(life), fence, seq, issued)

    def _seal(self, plain: bytes) -> str:
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(plain, _LABEL, nonce, self._key)
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def _open(self, token: str, layout: struct.Struct) -> tuple[int, bytes, bytes, int, int, int]:
        try:
            data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            plain = crypto_aead_xchacha20poly1305_ietf_decrypt(
                data[NONCE_BYTES:], _LABEL, data[:NONCE_BYTES], self._key
            )
            return layout.unpack(plain)
        except (CryptoError, ValueError, struct.error) as exc:
            raise AuthenticationError from exc
