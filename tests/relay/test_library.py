import pytest

from relay.library import Uncommon, shake_hands
from tests.relay.raw import client_frame

HEAD = (
    b"GET /v1/connect HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def test_handshake_of_rfc_6455_section_1_3() -> None:
    response = shake_hands(HEAD)
    assert response is not None
    assert response.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in response


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"Version: 13", b"Version: 8"),
        HEAD.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
        HEAD.replace(b"Sec-WebSocket-Key", b"X-Key"),
        HEAD.replace(b"Connection: Upgrade\r\n", b""),
        HEAD[:-2],
        b"?\r\n\r\n",
    ],
)
def test_anything_else_is_no_handshake(head: bytes) -> None:
    assert shake_hands(head) is None


def test_extension_is_never_agreed_on() -> None:
    offered = HEAD[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    response = shake_hands(offered)
    assert response is not None
    assert b"xtensions" not in response


def test_fragments_become_one_message() -> None:
    uncommon = Uncommon()
    first = uncommon.take(client_frame(1, b"a", fin=False), 100)
    assert (first.answer, first.message, first.is_over) == (b"", None, False)
    ping = uncommon.take(client_frame(9, b"p"), 100)
    assert (ping.answer, ping.message) == (b"\x8a\x01p", None)
    last = uncommon.take(client_frame(0, b"b"), 100)
    assert (last.message, last.is_text) == (b"ab", True)
    uncommon.take(client_frame(2, b"a", fin=False), 100)
    assert uncommon.take(client_frame(0), 100).is_text is False


def test_close_is_answered_and_ends() -> None:
    taken = Uncommon().take(client_frame(8, b"\x03\xe8"), 100)
    assert (taken.answer, taken.is_over) == (b"\x88\x02\x03\xe8", True)
