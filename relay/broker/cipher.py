"""Seals what a node gives to the place where logs are kept: only nodes with the same key open it.

Knows a key for all nodes and, derived from it, one for each start of each. A record is bound to
its room and to its number among all of its node's: it cannot be moved, changed, or brought twice
(who opens it remembers the numbers).
"""

import struct
from collections import OrderedDict

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from relay.broker.operation import NODE_BYTES, Node
from relay.errors import AuthenticationError
from relay.wire import RoomId

KEY_BYTES = 16
ROOM_KEY_BYTES = 16
# Nodes whose keys are kept at hand; deriving one anew takes 20 us.
MAX_NODES = 64
_HEADER = struct.Struct(f"!{NODE_BYTES}sQ")
_NONCE = struct.Struct("!4xQ")


class Cipher:
    """One node's; ``node`` must be fresh for every start, or nonces would come twice."""

    __slots__ = ("_keys", "_number", "_room_key", "_secret", "node")

    def __init__(self, secret: bytes, node: Node) -> None:
        self._secret = secret
        self._room_key = _derive(secret, b"beacon room name v1", 32)
        self._keys: OrderedDict[Node, AESGCM] = OrderedDict()
        self._number = 0
        self.node = node

    def name(self, room: RoomId) -> bytes:
        """Name a room to those who may not know which it is."""
        mac = HKDF(SHA256(), ROOM_KEY_BYTES, self._room_key, b"beacon room name v1")
        return mac.derive(room)

    def source_key(self, period: int) -> bytes:
        """Return what names addresses in a period, to all nodes."""
        return _derive(self._secret, b"beacon source v1" + period.to_bytes(8, "big"), 32)

    def next(self) -> int:
        """Return the number that the next sealed thing must have."""
        self._number += 1
        return self._number

    def seal(self, name: bytes, number: int, plain: bytes) -> bytes:
        """Seal for a room under a number of ``next``, once."""
        sealed = self._key(self.node).encrypt(_NONCE.pack(number), plain, name)
        return _HEADER.pack(self.node, number) + sealed

    def open(self, name: bytes, record: bytes) -> tuple[Node, int, bytes]:
        """Return who sealed this, under which number, and what; raise AuthenticationError."""
        if len(record) < _HEADER.size:
            raise AuthenticationError
        node, number = _HEADER.unpack_from(record)
        try:
            plain = self._key(Node(node)).decrypt(_NONCE.pack(number), record[_HEADER.size :], name)
        except InvalidTag as exc:
            raise AuthenticationError from exc
        return Node(node), number, plain

    def _key(self, node: Node) -> AESGCM:
        key = self._keys.get(node)
        if key is None:
            key = AESGCM(_derive(self._secret, b"beacon record v1" + node, KEY_BYTES))
            self._keys[node] = key
            if len(self._keys) > MAX_NODES:
                self._keys.popitem(last=False)
        return key


def _derive(secret: bytes, info: bytes, size: int) -> bytes:
    return HKDF(SHA256(), size, None, info).derive(secret)
