"""The opening of a WebSocket on a request head that was vetted (RFC 6455 section 4.2).

Knows four fields; no extension and no subprotocol is ever agreed on.
"""

import base64
import binascii
import hashlib

from relay.head import Head

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES = 16
_RESPONSE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\n\r\n"
)


def shake_hands(head: Head) -> bytes | None:
    """Return the response that opens a WebSocket, or None if the head is not one for it."""
    keys = [value for name, value in head.fields if name == b"sec-websocket-key"]
    versions = [value for name, value in head.fields if name == b"sec-websocket-version"]
    if head.method != b"GET" or not head.wants_websocket or versions != [b"13"] or len(keys) != 1:
        return None
    try:
        if len(base64.b64decode(keys[0], validate=True)) != _KEY_BYTES:
            return None
    except binascii.Error:
        return None
    digest = hashlib.sha1(keys[0] + _GUID, usedforsecurity=False).digest()
    return _RESPONSE % base64.b64encode(digest)
