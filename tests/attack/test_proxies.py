"""Limits per source, where there is a proxy in front and where there is none."""

import itertools
from collections.abc import Iterator

import pytest

from tests.attack.attacker import Attacker, crowd
from tests.attack.target import Target, serving

LIMITS = ("--source-connection-rate=0.001", "--source-connection-burst=3", "--source-connections=0")
PROXY, OTHER_PROXY, STRANGER = "127.0.0.50", "127.0.0.51", "127.0.0.60"
_clients = itertools.count(1)
BEHIND = (*LIMITS, "--trusted-proxy=127.0.0.50/31")


@pytest.fixture(scope="module")
def relay() -> Iterator[Target]:
    with serving(*BEHIND, is_warm=False) as relay:
        yield relay


@pytest.fixture
def client() -> str:
    """Return an address that nobody has had."""
    return f"10.0.0.{next(_clients)}"


def ask(relay: Target, source: str, *fields: str) -> int:
    """Ask for the upgrade from an address with these fields; return the answer's status."""
    with Attacker(relay.port, source=source) as peer:
        lines = [
            "GET /v1/connect HTTP/1.1",
            f"Host: {peer.host}",
            *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *fields,
        ]
        peer.try_raw(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        return peer.response()[0]


def statuses(relay: Target, source: str, *headers: str) -> list[int]:
    return [ask(relay, source, header) for header in headers]


def forwarded(*addresses: str) -> Iterator[str]:
    for address in addresses:
        yield f"X-Forwarded-For: {address}"


def test_stranger_cannot_name_its_source() -> None:
    """Without trusted proxies, and from an address that is none, the fields count for nothing."""
    many = [f"X-Forwarded-For: 192.0.2.{n}\r\nForwarded: for=192.0.2.{n}" for n in range(6)]
    with serving(*LIMITS, is_warm=False) as relay:
        assert statuses(relay, STRANGER, *many) == [101] * 3 + [429] * 3
    with serving(*BEHIND, is_warm=False) as relay:
        assert statuses(relay, STRANGER, *many) == [101] * 3 + [429] * 3
        # A victim that the stranger named has what it had.
        assert statuses(relay, PROXY, *forwarded(*["192.0.2.1"] * 3)) == [101] * 3


def test_each_client_of_a_proxy_has_limits_of_its_own(relay: Target, client: str) -> None:
    assert statuses(relay, PROXY, *forwarded(*[client] * 5)) == [101] * 3 + [429] * 2
    assert statuses(relay, PROXY, *forwarded(*["192.0.2.2"] * 3)) == [101] * 3
    assert statuses(relay, OTHER_PROXY, *forwarded(client, "192.0.2.2")) == [429, 429]


@pytest.mark.parametrize(
    "spoofed",
    [
        "{n}, {c}", "192.0.2.{n}, {c}", "{n},,{c}", "unknown, {c}:{n}", "{c}:{n}",
        " , 198.51.100.{n} , {c}", "::ffff:{c}", "[::ffff:{c}]:{n}, 127.0.0.51",
        "192.0.2.{n}, {c}, 127.0.0.51, 127.0.0.50", "aaaaaaaaaaaa{n}, {c}",
        "{c}:{n}, ::ffff:127.0.0.50",
    ],
)  # fmt: skip
def test_only_the_right_end_counts(relay: Target, client: str, spoofed: str) -> None:
    """What stands further left a client can have made up; another spelling is the same source."""
    headers = forwarded(*(spoofed.format(n=n, c=client) for n in range(1, 6)))
    assert statuses(relay, PROXY, *headers) == [101] * 3 + [429] * 2


def test_several_fields_are_one_list(relay: Target, client: str) -> None:
    headers = [f"X-Forwarded-For: 198.51.100.{n}\r\nX-Forwarded-For: {client}" for n in range(1, 6)]
    assert statuses(relay, PROXY, *headers) == [101] * 3 + [429] * 2


def test_what_cannot_be_read_is_the_proxy_itself(relay: Target, client: str) -> None:
    """Nonsense gives nobody a bucket of its own, and takes nothing from who can be read."""
    nonsense = ("unknown", "", "_hidden", "999.1.1.1", "192.0.2", "'; --", "[::g]", "1" * 3000)
    found = statuses(relay, PROXY, *forwarded(*nonsense))
    assert found == [101] * 3 + [429] * 5
    assert ask(relay, PROXY, "X-Forwarded-For: \xff") == 400
    assert ask(relay, PROXY, f"X-Forwarded-For: {client}") == 101


def test_ipv6_clients_are_limited_by_their_network(relay: Target) -> None:
    addresses = [f"2001:db8:0:1::{n:x}" for n in range(1, 6)]
    assert statuses(relay, PROXY, *forwarded(*addresses)) == [101] * 3 + [429] * 2
    assert ask(relay, PROXY, "X-Forwarded-For: [2001:db8:0:2::1]:443") == 101


def test_the_other_field_counts_for_nothing(relay: Target, client: str) -> None:
    """A proxy that sets one of the two passes the other on as it came."""
    many = [f"X-Forwarded-For: {client}\r\nForwarded: for=192.0.2.{n}" for n in range(2, 7)]
    assert statuses(relay, PROXY, *many) == [101] * 3 + [429] * 2
    with serving(*BEHIND, "--proxy-header=forwarded", is_warm=False) as other:
        many = [
            f'Forwarded: for=198.51.100.{n}, for="{client}:{n}"; proto=https\r\n'
            f"X-Forwarded-For: 192.0.2.{n}"
            for n in range(2, 7)
        ]
        assert statuses(other, PROXY, *many) == [101] * 3 + [429] * 2
        quoted = [f'Forwarded: For="[2001:db8::{n}]";by=_x' for n in range(1, 6)]
        assert statuses(other, PROXY, *quoted) == [101] * 3 + [429] * 2


def test_requests_of_a_kept_connection_are_each_their_own_clients(relay: Target) -> None:
    """A proxy keeps its connections and sends everybody's requests over them: ten times as many."""
    with Attacker(relay.port, source=PROXY) as peer:
        found = []
        for number in range(61):
            address = f"192.0.2.{100 + number % 2}"
            head = f"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {address}\r\n\r\n"
            peer.raw(head.encode())
            found.append(peer.response()[0])
        assert found == [200] * 60 + [429]


def test_open_connections_of_one_client_behind_proxies() -> None:
    limits = ("--source-connections=4", "--source-connection-rate=0")
    with serving(*limits, "--trusted-proxy=127.0.0.50/31") as relay:
        peers = [Attacker(relay.port, source=PROXY) for _ in range(4)]
        with crowd(*peers):
            for peer in peers:
                peer.raw(upgrade("192.0.2.1"))
                assert peer.response()[0] == 101
            for proxy in (PROXY, OTHER_PROXY):
                with Attacker(relay.port, source=proxy) as fifth:
                    fifth.raw(upgrade("192.0.2.1"))
                    assert fifth.response()[0] == 429
                with Attacker(relay.port, source=proxy) as other:
                    other.raw(upgrade("192.0.2.2"))
                    assert other.response()[0] == 101


def upgrade(address: str) -> bytes:
    return (
        "GET /v1/connect HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"X-Forwarded-For: {address}\r\n\r\n"
    ).encode()
