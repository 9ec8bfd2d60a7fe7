import pytest

from relay import head as heads
from relay.handshake import shake_hands

HEAD = (
    b"GET /v1/connect HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def test_handshake_of_rfc_6455_section_1_3() -> None:
    response = shake_hands(heads.parse(HEAD))
    assert response is not None
    assert response.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in response


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"Version: 13", b"Version: 8"),
        HEAD.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
        HEAD.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"c2hvcnQ="),
        HEAD.replace(b"Sec-WebSocket-Key", b"X-Key"),
        HEAD.replace(b"Connection: Upgrade\r\n", b""),
        HEAD.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZQ=!"),
        HEAD[:-2] + b"Sec-WebSocket-Version: 13\r\n\r\n",
        HEAD[:-2] + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        HEAD.replace(b"GET", b"POST"),
        HEAD.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
    ],
)
def test_anything_else_is_no_handshake(head: bytes) -> None:
    assert shake_hands(heads.parse(head)) is None


def test_extension_is_never_agreed_on() -> None:
    offered = HEAD[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    response = shake_hands(heads.parse(offered))
    assert response is not None
    assert b"xtensions" not in response
