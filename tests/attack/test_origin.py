"""Pages of other hosts (CSWSH): they do not get to the socket."""

import base64
from collections.abc import Iterator

import pytest

from tests.attack.attacker import Attacker
from tests.attack.target import OPEN, Target, serving

FRIEND = "https://friend.example"


@pytest.fixture(scope="module")
def relay() -> Iterator[Target]:
    with serving(*OPEN, "--allow-origin", FRIEND) as relay:
        yield relay


@pytest.fixture(scope="module")
def named() -> Iterator[Target]:
    with serving(*OPEN, "--server-name", "chat.example", is_warm=False) as relay:
        yield relay


def status(relay: Target, host: str, *origins: str) -> int:
    """Ask for the upgrade with these Origin fields; return the answer's status."""
    key = base64.b64encode(bytes(16)).decode()
    fields = "".join(f"Origin: {origin}\r\n" for origin in origins)
    with Attacker(relay.port) as peer:
        peer.raw(
            f"GET /v1/connect HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{fields}\r\n".encode()
        )
        return peer.response()[0]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example", "http://evil.example:80", "null", "", "file://", "https://",
        "chat.example", "//chat.example", "https:chat.example", "https://chat.example.evil.example",
        "https://evil-chat.example", "https://sub.chat.example", "https://chat.example@evil.example",
        "https://evil.example#chat.example", "https://evil.example/chat.example",
        "https://chat.example:444", "http://chat.example:443", "https://chat.example:80",
        "https://chat.example.", "https://chat.example/", "https://chat.example https://evil.example",
        "ws://chat.example", "wss://chat.example", "ftp://chat.example", "moz-extension://abc",
        "https://friend.example.evil.example", "http://friend.example", "https://friend.example:444",
    ],
)  # fmt: skip
def test_cswsh_foreign_origin(relay: Target, origin: str) -> None:
    assert status(relay, "chat.example", origin) == 403


@pytest.mark.parametrize(
    "origin",
    [
        "https://chat.example", "http://chat.example", "https://chat.example:443",
        "http://chat.example:80", "HTTPS://CHAT.EXAMPLE", FRIEND,
    ],
)  # fmt: skip
def test_own_and_allowed_origins(relay: Target, origin: str) -> None:
    assert status(relay, "chat.example", origin) == 101


def test_origin_may_be_absent_but_not_doubled(relay: Target) -> None:
    assert status(relay, "chat.example") == 101
    assert status(relay, "chat.example", FRIEND, FRIEND) == 400
    assert status(relay, "chat.example", "https://evil.example", FRIEND) == 400


def test_own_origin_is_the_host_that_was_asked_port_included(relay: Target) -> None:
    assert status(relay, "chat.example:8443", "https://chat.example:8443") == 101
    assert status(relay, "chat.example:8443", "https://chat.example") == 403
    assert status(relay, "[::1]:8000", "http://[::1]:8000") == 101


def test_page_whose_name_was_led_here_is_foreign_to_a_named_relay(named: Target) -> None:
    """DNS rebinding: the page's host and that of its requests agree, and are not the relay's."""
    assert status(named, "chat.example", "https://chat.example") == 101
    assert status(named, "127.0.0.1:8000", "https://chat.example") == 101
    assert status(named, "evil.example", "http://evil.example") == 403
