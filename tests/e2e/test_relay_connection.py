"""The real relay on loopback, with raw sockets: connections, messages and their ends."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from relay.serve import DRAIN_S
from tests.relay.process import ROOT, Relay, running, start_relay
from tests.relay.raw import (
    COMMIT_SEALED,
    PATIENCE_S,
    Member,
    Peer,
    client_frame,
    commit_bytes,
    hello_text,
    new_link,
    new_reference,
    offer_bytes,
    post_bytes,
)


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    with running(
        "--source-connection-rate", "0", "--source-message-rate", "0", "--allow-origin",
        "https://friend.example",
    ) as relay:  # fmt: skip
        yield relay


def test_handshake_challenge_hello_welcome_info(relay: Relay) -> None:
    with Member(relay.port, new_link()) as member:
        welcome = member.hello()
        assert list(welcome) == ["type", "life", "tag", "seq", "fence", "limits"]
        assert welcome["limits"] == {"message_rate_milli": 1000, "message_burst": 10, "seats": 128}
        assert member.info() == (0, [])


def test_no_extension_and_no_subprotocol_is_agreed_on(relay: Relay) -> None:
    with Peer(relay.port) as peer:
        peer.raw(
            f"GET /v1/connect HTTP/1.1\r\nHost: {peer.host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate; x=1\r\n\r\n".encode()
        )
        status, fields, _ = peer.response()
        assert status == 101
        assert not {name for name in fields if name.startswith("sec-websocket")} - {
            "sec-websocket-accept"
        }
        assert "server" not in fields
        peer.raw(b"\xc1" + client_frame(1, b"{}")[1:])
        assert peer.close_code() == 1002


def test_r02_wrong_proof_and_replayed_hello(relay: Relay) -> None:
    link, other = new_link(), new_link()
    with Member(relay.port, link) as member:
        nonce = member.open()
        recorded = hello_text(link.room, link.access, link.sign(member.host, nonce))
        member.text(recorded)
        assert member.json()["type"] == "welcome"
    wrong = [
        recorded,
        hello_text(link.room, link.access, bytes(64)),
        hello_text(other.room, link.access, bytes(64)),
    ]
    answers = set()
    for hello in wrong:
        with Member(relay.port, link) as member:
            member.open()
            member.text(hello)
            answers.add(member.message())
            assert member.close_code() == 4502
    assert len(answers) == 1, "every failure is answered alike"


def test_r02_signature_for_another_host_is_refused(relay: Relay) -> None:
    link = new_link()
    with Member(relay.port, link) as member:
        nonce = member.open()
        signature = link.sign("evil.example", nonce)
        member.text(hello_text(link.room, link.access, signature))
        assert member.json()["reason"] == "proof"


def test_two_sessions_post_and_see_each_other(relay: Relay) -> None:
    link = new_link()
    with Member(relay.port, link).join() as one, Member(relay.port, link).join() as two:
        assert one.message()[:2] == b"\x11\x02"
        assert one.json()["tag"] == two.tag
        reference = new_reference()
        one.send(post_bytes(2, b"x" * 284, reference))
        assert one.message() == struct.pack("!B8sQ", 0x13, reference, 5)
        tag = bytes.fromhex(one.tag[2:])
        assert two.message() == struct.pack("!BB2sQQ", 0x11, 1, tag, 5, 2) + b"x" * 284
        two.text(b'{"type":"need"}')
        assert two.info() == (2, [bytes(COMMIT_SEALED)])
        assert one.message() == b'{"type":"need"}'
        one.send(offer_bytes(2, b"o" * COMMIT_SEALED))
        assert one.message()[0] == 0x13
        assert two.info() == (2, [bytes(COMMIT_SEALED), b"o" * COMMIT_SEALED])
        two.text(b'{"type":"bye"}')
        assert two.close_code() == 1000
        assert one.json() == {"type": "left", "seq": 6, "tag": two.tag}


def test_race_of_newcomers_ends_with_all_of_them_in(relay: Relay) -> None:
    link = new_link()
    members = [Member(relay.port, link) for _ in range(8)]
    for member in members:
        member.hello()
    for member in members:
        member.join_from_here()
    assert len({member.tag for member in members}) == 8
    for member in members:
        member.sock.close()


def test_refusals_say_why(relay: Relay) -> None:
    link = new_link()
    with Member(relay.port, link).join() as member:
        reference = new_reference()
        for data, reason in (
            (post_bytes(0, reference=reference), "stale"),
            (post_bytes(1, bytes(300), reference), "size"),
            (commit_bytes(1, bytes(28 + 1000), reference=reference), "size"),
        ):
            member.send(data)
            refused = member.json()
            assert (refused["reason"], refused["reference"]) == (reason, reference.hex())
        member.text(b'{"type":"hello"}')
        assert member.json()["reason"] == "malformed"
        member.text(b"[" * 4000)
        assert member.json()["reason"] == "malformed"
        member.text(b'{"a":"' + b"a" * 65_536 + b'"}')
        assert member.json()["reason"] == "malformed"
        for _ in range(10):
            member.send(post_bytes(1))
            assert member.message()[0] == 0x13
        member.send(post_bytes(1))
        refused = member.json()
        assert refused["reason"] == "rate"
        assert 0 < refused["retry_after_ms"] <= 1000


def test_thirty_refusals_in_a_row_close(relay: Relay) -> None:
    with Member(relay.port, new_link()).join() as member:
        for _ in range(30):
            member.text(b"?")
        for _ in range(30):
            assert member.json()["reason"] == "malformed"
        assert member.close_code() == 4500


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client_frame(1, b"\xff\xfe"), 1007),
        (client_frame(3), 1002),
        (client_frame(2, b"x", masked=False), 1002),
        (client_frame(9, bytes(126)), 1002),
        (client_frame(9, fin=False), 1002),
        (client_frame(8, b"\x03"), 1002),
        (client_frame(8, (999).to_bytes(2, "big")), 1002),
        (client_frame(0, b"x"), 1002),
        (b"\x82\xff" + struct.pack("!Q", 1 << 40), 1009),
        (client_frame(2, bytes(4097)), 1009),
        (client_frame(9) * 40, 1008),
        (client_frame(1, fin=False) + client_frame(0, fin=False) * 1000, 1008),
        (os.urandom(64) + b"\xff" * 64, None),
    ],
)
def test_garbage_frames_close_with_a_code_and_then_the_connection(
    relay: Relay, data: bytes, code: int | None
) -> None:
    with Peer(relay.port) as peer:
        assert peer.handshake() == 101
        peer.try_raw(data)
        found = peer.close_code()
        assert found in ((code,) if code else (1002, 1007, 1008, 1009))
        peer.wait_eof()


def test_message_up_to_the_limit_is_read_and_beyond_it_is_not(relay: Relay) -> None:
    with Member(relay.port, new_link()) as member:
        member.hello()
        member.info()
        big = commit_bytes(0, bytes(28 + 1024), bytes(28 + 1024 * 126))
        member.send(big)
        assert member.message()[0] == 0x11
        assert member.message()[0] == 0x13
        member.json()
        member.try_raw(client_frame(2, bytes(131_072 + 22)))
        assert member.close_code() == 1009


def test_origin(relay: Relay) -> None:
    for origin, status in (
        (None, 101),
        (f"http://127.0.0.1:{relay.port}", 101),
        (f"https://127.0.0.1:{relay.port}", 101),
        ("https://friend.example", 101),
        ("https://evil.example", 403),
        ("http://127.0.0.1", 403),
        ("null", 403),
    ):
        with Peer(relay.port) as peer:
            assert peer.handshake(origin=origin) == status, origin


def test_page_health_and_the_way_to_the_socket(relay: Relay) -> None:
    with Peer(relay.port) as peer:
        for target, status in (("/healthz", 200), ("/", 200), ("/nothing", 404)):
            peer.raw(f"GET {target} HTTP/1.1\r\nHost: {peer.host}\r\n\r\n".encode())
            found, fields, _ = peer.response()
            assert found == status
            assert "server" not in fields
            assert fields["content-security-policy"].startswith("default-src 'none'")
            assert fields["referrer-policy"] == "no-referrer"
        assert peer.handshake() == 101, "a proxy may upgrade a connection that it kept"
        assert peer.json()["type"] == "challenge"
    with Peer(relay.port) as peer:
        peer.raw(b"GET /v1/connect HTTP/1.1\r\nHost: a\r\n\r\n")
        status, fields, _ = peer.response()
        assert (status, fields["upgrade"]) == (426, "websocket")


GOOD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 400 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 40_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n", 413),
        (b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 405),
    ],
)
@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_every_request_of_a_connection_is_vetted(
    relay: Relay, request_: bytes, status: int, earlier: int
) -> None:
    with Peer(relay.port) as peer:
        peer.try_raw(GOOD * earlier + request_)
        for _ in range(earlier):
            assert peer.response()[0] == 200
        assert peer.response()[0] == status


def test_h2c_upgrade_is_not_taken(relay: Relay) -> None:
    with Peer(relay.port) as peer:
        for _ in range(2):
            peer.raw(
                b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
            )
            assert peer.response()[0] == 200


def test_limits_of_a_source() -> None:
    with running(
        "--source-connection-rate", "1", "--source-connection-burst", "4", "--source-connections",
        "3",
    ) as relay:  # fmt: skip
        peers = [Peer(relay.port) for _ in range(3)]
        assert [peer.handshake() for peer in peers] == [101, 101, 101]
        with Peer(relay.port) as peer:
            status, fields, _ = peer.response()
            assert (status, fields["retry-after"]) == (429, "5")
        for peer in peers:
            peer.sock.close()


def test_page_of_many_files_fits_into_the_limits_of_a_source_and_a_flood_does_not() -> None:
    with running("--source-connection-rate", "0.001", "--source-connection-burst", "30") as relay:
        for _ in range(3):
            for _ in range(6):
                with Peer(relay.port) as peer:
                    peer.raw(GOOD * 15)
                    assert [peer.response()[0] for _ in range(15)] == [200] * 15
        with Peer(relay.port) as peer:
            peer.raw(GOOD * 50)
            statuses = [peer.response()[0] for _ in range(50)]
            assert statuses.index(429) == 49
            peer.wait_eof()


def test_cap_of_connections() -> None:
    with running("--max-connections", "2", "--source-connection-rate", "0") as relay:
        peers = [Peer(relay.port) for _ in range(2)]
        assert [peer.handshake() for peer in peers] == [101, 101]
        with Peer(relay.port) as peer:
            status, fields, _ = peer.response()
            assert (status, fields["retry-after"]) == (503, "5")
        peers[0].sock.close()
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with Peer(relay.port) as peer:
                if peer.handshake() == 101:
                    break
        else:
            pytest.fail("the place of one who left was not given away")
        peers[1].sock.close()


def test_silence_is_closed() -> None:
    with running("--hello-timeout", "0.5", "--join-timeout", "0.5") as relay:
        with Peer(relay.port) as peer:
            peer.handshake()
            assert peer.close_code() == 4000
        with Member(relay.port, new_link()) as member:
            member.hello()
            assert member.close_code() == 4001


def test_lost_connection_is_away_and_then_left() -> None:
    with running("--away-for", "0.5") as relay:
        link = new_link()
        one, two = Member(relay.port, link).join(), Member(relay.port, link).join()
        two.sock.close()
        assert one.until("away")["tag"] == two.tag
        assert one.until("left")["tag"] == two.tag
        one.sock.close()


def test_peer_that_answers_no_ping_is_dropped() -> None:
    with running("--ping-interval", "0.3", "--dead-after", "1") as relay:
        link = new_link()
        one, two = Member(relay.port, link).join(), Member(relay.port, link).join()
        assert one.until("away")["tag"] == two.tag
        assert one.pings
        one.sock.close()


def test_slow_reader_is_cut_and_costs_nobody_a_frame() -> None:
    flags = ("--message-rate", "0", "--source-message-rate", "0", "--slow-after", "1")
    with running(*flags) as relay:
        link = new_link()
        one, two = Member(relay.port, link).join(), Member(relay.port, link).join()
        slow = Member(relay.port, link, receive_buffer=4096).join()
        sealed = bytes(28 + 4096)
        sent = 0
        one.fence = two.fence = 3
        while True:
            one.send(post_bytes(3, sealed))
            sent += 1
            if any(message[:1] == b"{" and b"away" in message for message in seen(one, 0x13)):
                break
        got = 0
        while got < sent:
            message = two.message()
            got += message[:2] == b"\x11\x01"
        assert sent * len(sealed) > 262_144
        with pytest.raises((ConnectionError, AssertionError)):
            drain(slow)
        for member in (one, two, slow):
            member.sock.close()


def seen(member: Member, kind: int) -> Iterator[bytes]:
    """Yield messages up to the first of ``kind``, it included."""
    while True:
        message = member.message()
        yield message
        if message[0] == kind:
            return


def drain(member: Member) -> None:
    while member.sock.recv(1 << 16):
        pass
    raise AssertionError("the connection ended")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drain_tells_everybody_and_ends(number: int) -> None:
    relay = start_relay()
    link = new_link()
    one, two = Member(relay.port, link).join(), Member(relay.port, link).join()
    stuck = Peer(relay.port, receive_buffer=4096)
    stuck.handshake()
    waiting = Peer(relay.port)
    began = time.monotonic()
    relay.process.send_signal(number)
    waits = [member.until("drain")["retry_after_ms"] for member in (one, two)]
    assert all(wait > 0 for wait in waits)
    assert one.close_code() == two.close_code() == 1012
    code, out, err = relay.stop()
    assert (code, out, err) == (0, "", "")
    # Two peers never answer: what is promised is the constant, what is timed only that it counts.
    assert DRAIN_S < 5.0
    assert time.monotonic() - began < 10 * DRAIN_S
    for peer in (one, two, stuck, waiting):
        peer.sock.close()


def test_no_identifier_reaches_the_log() -> None:
    with running() as relay:
        link = new_link()
        with Member(relay.port, link).join() as member, Peer(relay.port) as peer:
            peer.try_raw(b"GET /secret-path HTTP/9.9\r\n\r\n")
            member.try_raw(os.urandom(200))
            member.close_code()


def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Run the command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "relay", *arguments],
        cwd=ROOT,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return done.returncode, done.stdout, done.stderr


def test_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, err = run("serve", "--port", str(port))
    assert (code, out) == (1, "")
    assert err == f"beacon-relay: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("serve", "--port", "x"), {}),
        (("serve", "--prot", "1"), {}),
        (("serve",), {"RELAY_PROT": "1"}),
        (("serve",), {"RELAY_PORT": "-1"}),
        (("serve", "--config", "/nonexistent"), {}),
        (("serve", "--ticket-key-file", "/nonexistent"), {}),
        (("serve", "--port", "0", "--ticket-key-file", "/dev/null"), {}),
        (("serve", "--restore-for", "-1"), {}),
        (("serve", "--max-connections", "9999999"), {}),
    ],
)
def test_nonsense_is_one_line_and_exit_2(arguments: tuple[str, ...], env: dict[str, str]) -> None:
    code, out, err = run(*arguments, env=env)
    assert (code, out) == (2, "")
    assert err.startswith("beacon-relay: ")
    assert err.count("\n") == 1


def test_usage() -> None:
    assert run("--help")[0] == 0
    assert run("serve", "--help")[0] == 0
    assert run()[0] == run("dance")[0] == 2


def test_messages_of_the_relay_have_one_spelling(relay: Relay) -> None:
    with Member(relay.port, new_link()) as member:
        member.open()
        member.text(b"?")
        message = member.message()
        assert json.dumps(json.loads(message), separators=(",", ":")).encode() == message


def test_r02_named_relay_takes_no_hello_that_another_host_passes_on() -> None:
    link = new_link()
    with running("--server-name", "chat.example") as relay:
        with Member(relay.port, link) as member:
            # Signed for the host that the peer names, which is not ours.
            member.text(hello_text(link.room, link.access, link.sign(member.host, member.open())))
            assert member.json()["reason"] == "proof"
        with Member(relay.port, link) as member:
            signature = link.sign("chat.example", member.open())
            member.text(hello_text(link.room, link.access, signature))
            assert member.json()["type"] == "welcome"
