"""Attacks on the relay's own TLS: versions, protocols, handshakes that never end, certificates."""

import random
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509

from tests.attack.attacker import (
    BINARY,
    FIN,
    PING,
    Attacker,
    Visitor,
    connect,
    crowd,
    flood,
    quick_frame,
    trusting,
)
from tests.attack.certificate import write_certificate
from tests.attack.target import OPEN, Target, flooding, serving
from tests.relay.raw import PATIENCE_S, new_link, post_bytes

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
# The beginning of a ClientHello of 512 bytes.
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    certfile, keyfile, _ = write_certificate(tmp_path_factory.mktemp("tls"))
    return (f"--certfile={certfile}", f"--keyfile={keyfile}")


@pytest.fixture(scope="module")
def relay(flags: tuple[str, ...]) -> Iterator[Target]:
    with serving(*OPEN, *flags) as relay:
        yield relay


def is_well(relay: Target) -> bool:
    """Tell whether the relay answers this source."""
    with suppress(OSError), Attacker(relay.port, tls=True) as peer:
        peer.raw(HEALTH)
        return peer.response()[0] == 200
    return False


def shake(relay: Target, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Shake hands in one's own way."""
    sock = connect(relay.port)
    try:
        return context.wrap_socket(sock, server_hostname="localhost")
    except BaseException:
        sock.close()
        raise


def serial(relay: Target) -> int:
    """Return the serial number of the certificate that the relay shows."""
    with shake(relay, trusting()) as sock:
        shown = sock.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_present_versions_are_spoken(relay: Target, version: ssl.TLSVersion) -> None:
    context = trusting("http/1.1")
    context.minimum_version = context.maximum_version = version
    with shake(relay, context) as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"
        assert sock.compression() is None


def test_versions_below_1_2_are_refused(relay: Target) -> None:
    context = trusting()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError) as refused:
        shake(relay, context)
    # The relay has ended it, not the library on this side.
    assert refused.value.reason != "NO_PROTOCOLS_AVAILABLE"


def test_http_2_is_not_spoken_whatever_is_offered(relay: Target) -> None:
    with shake(relay, trusting("h2", "http/1.1")) as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"
    for protocols in (("h2",), ("h2c", "h3", "spdy/3")):
        with shake(relay, trusting(*protocols)) as sock:
            assert sock.selected_alpn_protocol() is None
            sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
            assert sock.recv(100).startswith(b"HTTP/1.1 505 ")


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(
            ssl.TLSVersion.TLSv1_2,
            marks=pytest.mark.xfail(reason="Python cannot switch off the cache of session ids"),
        ),
        ssl.TLSVersion.TLSv1_3,
    ],
)
def test_no_visit_can_be_told_from_another_by_a_session(
    relay: Target, version: ssl.TLSVersion
) -> None:
    context = trusting()
    context.maximum_version = version
    with shake(relay, context) as sock:
        sock.sendall(HEALTH)
        assert sock.recv(9) == b"HTTP/1.1 "
        session = sock.session
        assert session is None or not session.has_ticket
    if session is not None:
        with context.wrap_socket(
            connect(relay.port), server_hostname="localhost", session=session
        ) as sock:
            assert not sock.session_reused


def test_handshakes_that_stall_are_ended_and_give_their_places_back(
    flags: tuple[str, ...],
) -> None:
    """Silent, after a byte, in the middle, byte by byte, and silent once it is done."""
    with serving("--source-connections=20", "--source-connection-rate=0", *flags) as relay:
        stalled = [connect(relay.port) for _ in range(15)]
        for sock, beginning in zip(stalled, 5 * (b"", b"\x16", HALF_HELLO), strict=True):
            sock.sendall(beginning)
        silent = shake(relay, trusting())
        with ThreadPoolExecutor(20) as threads:
            ends = [threads.submit(sock.recv, 1) for sock in (*stalled, silent)]
            dripped_s = threads.submit(drip, relay).result()
            assert {end.result(PATIENCE_S) for end in ends} == {b""}
        assert 4.0 < dripped_s < PATIENCE_S
        for sock in (*stalled, silent):
            sock.close()
        peers = [Attacker(relay.port, tls=True) for _ in range(20)]
        with crowd(*peers):
            assert {peer.handshake() for peer in peers} == {101}


def drip(relay: Target) -> float:
    """Send a ClientHello byte by byte; return how long the relay bore it."""
    began = time.monotonic()
    with connect(relay.port) as sock, suppress(ConnectionError):
        for byte in HALF_HELLO + bytes(500):
            sock.sendall(bytes((byte,)))
            time.sleep(0.1)
    return time.monotonic() - began


def test_broken_handshakes_cost_no_place_and_no_word_in_the_log(flags: tuple[str, ...]) -> None:
    beginnings = {
        "eof": HALF_HELLO,
        "reset": HALF_HELLO,
        "plain": HEALTH,
        "random": random.Random(3).randbytes(300),
        "alert": b"\x15\x03\x03\x00\x02\x02\x28",
    }
    with serving("--source-connections=20", "--source-connection-rate=0", *flags) as relay:
        for how, beginning in beginnings.items():
            for _ in range(40):
                with connect(relay.port) as sock, suppress(ConnectionError):
                    sock.sendall(beginning)
                    if how == "reset":
                        linger = struct.pack("ii", 1, 0)
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    elif how != "eof":
                        while sock.recv(100):
                            pass
        until = time.monotonic() + PATIENCE_S
        while not is_well(relay):
            assert time.monotonic() < until


def test_end_right_behind_a_request_leaves_nothing_in_the_log(relay: Target) -> None:
    for _ in range(20):
        with Attacker(relay.port, tls=True) as peer:
            peer.raw(HEALTH * 3)
            assert isinstance(peer.sock, ssl.SSLSocket)
            # Mostly a response is on its way.
            with suppress(OSError):
                peer.sock.unwrap()
    assert is_well(relay)


def test_flood_of_handshakes(relay: Target) -> None:
    context = trusting()
    with flooding(relay, "TLS handshakes") as cost:
        for _ in range(300):
            shake(relay, context).close()
            cost.sent += 600


def test_flood_of_handshakes_from_one_source_is_cut_before_it_costs(flags: tuple[str, ...]) -> None:
    with serving("--source-connection-burst=10", "--source-connection-rate=0.01", *flags) as relay:
        with flooding(relay, "TLS handshakes beyond the source's rate") as cost:
            outcomes = []
            for _ in range(200):
                try:
                    shake(relay, trusting()).close()
                    outcomes.append(True)
                except OSError:
                    outcomes.append(False)
                cost.sent += 600
        assert outcomes == [True] * 10 + [False] * 190
        with Visitor(relay.port, source="127.0.0.2", tls=True).join():
            pass


def test_floods_within_tls(relay: Target) -> None:
    for row, data in (
        ("TLS: pings in records of their own", quick_frame(FIN | PING)),
        ("TLS: zero-length fragments", quick_frame(BINARY) + quick_frame(0) * 100),
        ("TLS: records of one byte", b"\x82"),
        ("TLS: a header without an end", b"X"),
    ):
        with flooding(relay, row) as cost, Attacker(relay.port, tls=True) as peer:
            peer.handshake()
            cost.sent = flood(peer, data, 3000 * len(data))
            peer.sock.settimeout(PATIENCE_S)
    assert is_well(relay)


def test_renegotiation_is_refused(relay: Target) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl command here: nothing else asks for a renegotiation")
    done = subprocess.run(
        [openssl, "s_client", "-connect", f"127.0.0.1:{relay.port}", "-tls1_2"],
        input=b"R\n",
        capture_output=True,
        timeout=PATIENCE_S,
    )
    assert b"no renegotiation" in done.stderr.lower()


def test_slow_reader_over_tls(flags: tuple[str, ...]) -> None:
    limits = ("--message-rate=0", "--slow-after=1")
    with serving(*OPEN, *limits, *flags) as relay:
        link = new_link()
        loud = Visitor(relay.port, link, tls=True).join()
        slow = Visitor(relay.port, link, tls=True, receive_buffer=4096).join()
        with crowd(loud, slow), flooding(relay, "TLS: a slow reader") as cost:
            until = time.monotonic() + PATIENCE_S
            is_away = False
            while not is_away:
                assert time.monotonic() < until
                loud.raw(quick_frame(FIN | BINARY, post_bytes(2, bytes(28 + 4096))))
                cost.sent += 4141
                is_away = any(b'"away"' in message for message in up_to_ack(loud))


def up_to_ack(visitor: Visitor) -> Iterator[bytes]:
    while (message := visitor.message())[0] != 0x13:
        yield message


def test_new_certificate_by_a_signal(tmp_path: Path) -> None:
    certfile, keyfile, first = write_certificate(tmp_path)
    warning = "WARNING relay the new certificate cannot be used; the old one stays\n"
    with serving(*OPEN, f"--certfile={certfile}", f"--keyfile={keyfile}", logged=warning) as relay:
        assert serial(relay) == first
        with Visitor(relay.port, tls=True).join() as old:
            second = write_certificate(tmp_path)[2]
            relay.process.send_signal(signal.SIGHUP)
            wait_for_serial(relay, second)
            certfile.write_text("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
            relay.process.send_signal(signal.SIGHUP)
            time.sleep(0.3)
            assert serial(relay) == second
            old.send(post_bytes(1))
            while old.message()[0] != 0x13:
                pass


def wait_for_serial(relay: Target, wanted: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while serial(relay) != wanted:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_turned_away_peers_end_too(flags: tuple[str, ...]) -> None:
    with serving("--source-connection-rate=0", "--source-connections=1", *flags) as relay:
        with Attacker(relay.port, tls=True) as one:
            one.handshake()
            for _ in range(200):
                with connect(relay.port) as sock:
                    sock.sendall(HALF_HELLO)
                    with suppress(ConnectionError):
                        assert sock.recv(100) == b""
            one.raw(quick_frame(FIN | PING))
            assert one.json()["type"] == "challenge"
        with Attacker(relay.port, source="127.0.0.3", tls=True) as other:
            assert other.handshake() == 101
