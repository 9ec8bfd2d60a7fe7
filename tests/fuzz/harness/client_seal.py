"""Any sealed bytes -> the payload or AuthenticationError; padding has one spelling.

The bytes come as they are, or sealed with the right key around any padding at all.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from client import seal
from client.errors import AuthenticationError
from client.link import RoomId, SealKey
from client.seal import Kind
from tests.fuzz.script import Script

KEY = SealKey(bytes(range(32, 64)))
ROOM = RoomId(bytes(range(16)))
NONCE = bytes(12)


def run(data: bytes) -> None:
    script = Script(data)
    kind = Kind(1 + script.byte() % 3)
    form = script.byte() % 3
    fence = script.number(8)
    plain = script.rest()
    if form == 0:
        # Some seeds are genuine: only whoever has the key makes a box that opens.
        _open(kind, fence, plain, _known(kind, fence, plain))
        return
    if form == 1 and kind is not Kind.APPLICATION:
        # As the sender pads, so that what follows the length is reached at all.
        plain += bytes(-len(plain) % 1024)
    elif form == 1:
        plain = plain[:4096].ljust(next(n for n in seal.CLASSES if n >= len(plain[:4096])), b"\0")
    _open(kind, fence, NONCE + AESGCM(KEY).encrypt(NONCE, plain, _aad(kind, fence)), plain)


def _aad(kind: Kind, fence: int) -> bytes:
    return b"beacon seal v1\x00\x01" + ROOM + bytes((kind,)) + fence.to_bytes(8, "big")


def _known(kind: Kind, fence: int, sealed: bytes) -> bytes | None:
    """Return what is in a box, None if it is no box."""
    try:
        return AESGCM(KEY).decrypt(sealed[:12].ljust(12), sealed[12:], _aad(kind, fence))
    except InvalidTag:
        return None


def _open(kind: Kind, fence: int, sealed: bytes, plain: bytes | None) -> None:
    try:
        opened = seal.unseal(KEY, ROOM, kind, fence, sealed)
    except AuthenticationError:
        assert kind is not Kind.APPLICATION or plain is None or len(plain) not in seal.CLASSES
        return
    assert plain is not None, "a forgery"
    if kind is Kind.APPLICATION:
        assert opened == plain
        return
    padded = len(opened).to_bytes(4, "big") + opened
    assert padded + bytes(-len(padded) % 1024) == plain, "another spelling of the padding"
    for other in Kind:
        if other is not kind:
            _refuses(other, fence, sealed)
    _refuses(kind, fence ^ 1, sealed)


def _refuses(kind: Kind, fence: int, sealed: bytes) -> None:
    try:
        seal.unseal(KEY, ROOM, kind, fence, sealed)
    except AuthenticationError:
        return
    raise AssertionError("opened as something else")
