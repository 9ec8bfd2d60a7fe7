"""The proof that a client knows the link (PROTOCOL 4.1, R2, R7).

Knows one signature and what it must cover; keeps nothing, and never says what was wrong.
"""

import hashlib
import hmac
from collections.abc import Iterable

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from relay.errors import AuthenticationError
from relay.wire import Hello

_HELLO_LABEL = b"beacon hello v1"
_ROOM_LABEL = b"beacon room id v1"
ROOM_ID_BYTES = 16

# RFC 8032 section 5.1: the field, the order of the base point.
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_SIGN = 1 << 255
# The y coordinates of the eight points whose order divides the cofactor. Implementations differ
# on them (R7), and a signature under one proves nothing.
_SMALL_ORDER_Y = frozenset(
    (
        0,
        1,
        _P - 1,
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            "little",
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
            "little",
        ),
    )
)


def verify(hello: Hello, hosts: Iterable[str], nonce: bytes) -> None:
    """Check that ``hello`` was made with the link, for one of ``hosts`` and for this ``nonce``.

    Raises AuthenticationError, whatever is wrong.
    """
    room = hashlib.sha256(_ROOM_LABEL + hello.access).digest()[:ROOM_ID_BYTES]
    sound = (
        hmac.compare_digest(room, hello.room)
        and _is_sound_point(hello.access)
        and _is_sound_point(hello.signature[:32])
        and int.from_bytes(hello.signature[32:], "little") < _L
    )
    if not sound or not any(_is_signed(hello, host, nonce) for host in hosts):
        raise AuthenticationError


def _is_sound_point(encoded: bytes) -> bool:
    y = int.from_bytes(encoded, "little") & ~_SIGN
    return y < _P and y not in _SMALL_ORDER_Y


def _is_signed(hello: Hello, host: str, nonce: bytes) -> bool:
    text = _HELLO_LABEL + host.encode() + hello.room + nonce
    try:
        crypto_sign_open(hello.signature + text, hello.access)
    except BadSignatureError:
        return False
    return True
