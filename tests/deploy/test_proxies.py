"""The proxies' configurations as they are shipped: a real proxy, a real relay, real clients."""

import re
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from client import Message, RoomSession, StateChanged, Status, create_link, open_room
from relay.config import RelayConfig
from relay.door import KEEP_ALIVE_S
from tests.attack.attacker import (
    FIN,
    PING,
    PONG,
    Attacker,
    Visitor,
    connect,
    crowd,
    quick_frame,
    trusting,
)
from tests.attack.certificate import write_certificate
from tests.attack.target import serving
from tests.deploy.front import DEAD_PORT, DEPLOY, Front, free_ports, front, missing
from tests.deploy.place import BEHIND, SEATS, STRANGER, Place, ask, peer_of
from tests.relay.raw import PATIENCE_S

TEXT = "plum-otter-canary-text"
# Of one hop alone, or the proxy's own.
HOP = {"connection", "date", "keep-alive", "server", "transfer-encoding", "via"}
PROXYS_OWN = {"strict-transport-security"}
pytestmark = pytest.mark.timeout(120)


async def said(room: RoomSession) -> str:
    async for event in room:
        if isinstance(event, Message):
            return event.text
    raise AssertionError("the room ended")


@pytest.mark.usefixtures("trusted")
async def test_two_people_talk_through_it(place: Place) -> None:
    """One of the two relays is not there: nobody is told."""
    link = create_link(place.front.url)
    async with open_room(link, nick="ada") as one, open_room(link) as two:
        await one.send(TEXT)
        assert await said(two) == TEXT
        await two.send("yes")
        assert await said(one) == "yes"
        assert one.words == two.words


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"), ("GET", "/js/main.js"), ("GET", "/words.txt"), ("GET", "/healthz"),
        ("GET", "/nothing"), ("GET", "/a//b/../c%2fd?e=%00"), ("POST", "/"), ("GET", "/v1/nothing"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packing", ["identity", "gzip"])
def test_page_and_its_headers_come_through(
    place: Place, method: str, target: str, packing: str
) -> None:
    answers = []
    for peer in (peer_of(place.front), Attacker(place.relay.port)):
        with peer:
            head = f"{method} {target} HTTP/1.1\r\nHost: {place.front.host}\r\n"
            length = "Content-Length: 0\r\n" if method == "POST" else ""
            peer.raw(f"{head}{length}Accept-Encoding: {packing}\r\n\r\n".encode())
            status, fields, body = peer.response()
            kept = {name: text for name, text in fields.items() if name not in HOP}
            answers.append((status, kept, body))
    (status, fields, body), (status_direct, fields_direct, body_direct) = answers
    assert (status, body) == (status_direct, body_direct)
    assert fields.keys() - fields_direct.keys() == PROXYS_OWN
    assert fields_direct.items() <= fields.items()
    assert fields["content-security-policy"].startswith("default-src 'none'")


def test_limits_are_each_clients_own(place: Place, client: str) -> None:
    """Beyond its places one client gets none, and everybody else behind the proxy does."""
    peers = [peer_of(place.front, client) for _ in range(SEATS + 2)]
    with crowd(*peers):
        assert [peer.handshake() for peer in peers] == [101] * SEATS + [429] * 2
        with peer_of(place.front, STRANGER) as other:
            assert other.handshake() == 101


def test_origin_and_host_go_through_as_they_are(place: Place, client: str) -> None:
    """The relay compares the two, port included; it was not told its name here."""
    for origin, status in (
        (place.front.url, 101),
        ("https://localhost", 403),
        ("https://evil.example", 403),
        ("null", 403),
        (f"http://127.0.0.1:{place.relay.port}", 403),
    ):
        with peer_of(place.front, client) as peer:
            assert peer.handshake(origin=origin) == status, origin
    # A hello is signed for the Host that the client dialled.
    visitor = Visitor(place.front.port, source=client, tls=True)
    visitor.host = place.front.host
    with visitor.join():
        pass


def test_no_upgrade_but_that_of_a_websocket(place: Place, client: str) -> None:
    for fields in (
        ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        ("Upgrade: websocket", "Connection: Upgrade"),
    ):
        with peer_of(place.front, client) as peer:
            assert ask(peer, *fields, target="/healthz") == 200
    with peer_of(place.front, client) as peer:
        peer.raw(f"GET /v1/connect HTTP/1.1\r\nHost: {peer.host}\r\n\r\n".encode())
        assert peer.response()[0] == 426


def test_plain_http_is_sent_to_https(place: Place) -> None:
    with Attacker(place.front.plain_port) as peer:
        peer.raw(b"GET /words.txt?a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, fields, _ = peer.response()
    assert status == 308
    assert re.fullmatch(r"https://localhost(:\d+)?/words\.txt\?a", fields["location"])


def test_idle_websocket_outlives_all_timeouts_but_its_own(
    place: Place, client: str, tmp_path: Path
) -> None:
    """Every other timeout is cut to a second here; the relay says nothing for 20 s."""
    short = {
        "nginx": {"_timeout 5s": "_timeout 1s", "_timeout 10s": "_timeout 1s",
                  "_timeout 15s": "_timeout 1s", "_timeout 20s": "_timeout 1s"},
        "caddy": {"header 5s": "header 1s", "body 10s": "body 1s", "idle 15s": "idle 1s",
                  "keepalive 10s": "keepalive 1s"},
    }[place.front.name]  # fmt: skip
    relays = (place.relay.port, DEAD_PORT)
    with (
        front(place.front.name, tmp_path, relays, short) as running,
        peer_of(running, client).upgraded() as peer,
    ):
        time.sleep(1.6)
        peer.raw(quick_frame(FIN | PING))
        assert peer.frame()[0] == PONG


def test_silence_between_pings_is_within_what_nginx_bears() -> None:
    found = re.search(r"location /v1/ \{.*?\}", (DEPLOY / "nginx.conf").read_text(), re.DOTALL)
    assert found
    for name in ("proxy_read_timeout", "proxy_send_timeout"):
        minutes = re.search(rf"{name} (\d+)m;", found[0])
        assert minutes
        assert int(minutes[1]) * 60 >= 10 * RelayConfig().dead_after > RelayConfig().ping_interval


def test_kept_connections_are_given_up_before_the_relay_does() -> None:
    for name, pattern in (
        ("nginx.conf", r"keepalive_timeout (\d+)s"),
        ("Caddyfile", r"keepalive (\d+)s"),
    ):
        seconds = re.findall(pattern, (DEPLOY / name).read_text())
        assert min(map(int, seconds)) < KEEP_ALIVE_S


def test_new_certificate_costs_nobody_a_connection(tmp_path: Path) -> None:
    """nginx by a signal; Caddy renews by itself what it got by itself, and has no reload here."""
    if why := missing("nginx"):
        pytest.skip(why)
    with (
        serving(*BEHIND, is_warm=False) as relay,
        front("nginx", tmp_path, (relay.port, DEAD_PORT)) as running,
        peer_of(running).upgraded() as peer,
    ):
        first = shown(running)
        write_certificate(tmp_path)
        running.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + PATIENCE_S
        while shown(running) == first:
            assert time.monotonic() < until
            time.sleep(0.02)
        peer.raw(quick_frame(FIN | PING))
        assert peer.frame()[0] == PONG


def shown(running: Front) -> bytes | None:
    """Return the certificate that a proxy shows."""
    with (
        connect(running.port) as raw,
        trusting().wrap_socket(raw, server_hostname="localhost") as sock,
    ):
        return sock.getpeercert(binary_form=True)


@pytest.mark.usefixtures("trusted")
async def test_proxy_that_is_restarted_costs_nobody_a_seat(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    name, relays, ports = place.front.name, (place.relay.port, DEAD_PORT), free_ports(2)
    first, second = ExitStack(), ExitStack()
    running = first.enter_context(front(name, tmp_path, relays, ports=ports))
    with first, second:
        async with open_room(create_link(running.url)) as one:
            tag = one.tag
            first.close()
            second.enter_context(front(name, tmp_path, relays, ports=ports))
            async for event in one:
                if isinstance(event, StateChanged) and event.state.status is Status.CONNECTED:
                    break
            assert one.tag == tag
            await one.send("still here")
