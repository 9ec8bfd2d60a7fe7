"""What somebody without the link learns of rooms, and proofs that prove nothing."""

import hashlib
import statistics
import time
from collections.abc import Iterator

import pytest
from nacl.signing import SigningKey

from tests.attack import figures
from tests.attack.attacker import Attacker, Visitor
from tests.attack.target import OPEN, Target, serving
from tests.relay.raw import Link, b64url, from_b64url, hello_text, new_link

# The order of the group of Ed25519.
L = 2**252 + 27742317777372353535851937790883648493
SMALL = [
    bytes(32),
    b"\x01" + bytes(31),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
]
TIMED = 60


@pytest.fixture(scope="module")
def relay() -> Iterator[Target]:
    with serving(*OPEN) as relay:
        yield relay


def answer(relay: Target, room: bytes, access: bytes, signature: bytes) -> tuple[bytes, float]:
    """Say hello; return the refusal, which is the end, and how long it took."""
    with Attacker(relay.port).upgraded() as peer:
        began = time.perf_counter()
        peer.text(hello_text(room, access, signature))
        message = peer.message()
        taken = time.perf_counter() - began
        assert peer.close_code() == 4502
        return message, taken


def test_guess_room_id(relay: Target) -> None:
    """A room that is there and one that is not are answered in the same bytes, in the same time."""
    with Visitor(relay.port).join() as member:
        known, unknown, own = member.link, new_link(), new_link()
        texts: set[bytes] = set()
        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(TIMED):
            for link in (known, unknown):
                text, taken = answer(relay, link.room, link.access, bytes(63) + b"\x01")
                texts.add(text)
                times[link is known].append(taken)
        for room in (known.room, unknown.room):
            texts.add(answer(relay, room, own.access, own.sign(member.host, bytes(32)))[0])
        assert len(texts) == 1
        apart = abs(statistics.median(times[True]) - statistics.median(times[False]))
        figures.note("a room that is there, and one that is not", f"{apart * 1e3:.3f} ms apart")
        assert apart < 0.01


def test_rooms_have_no_addresses(relay: Target) -> None:
    with Visitor(relay.port).join() as member, Attacker(relay.port) as peer:
        found = set()
        for link in (member.link, new_link()):
            for name in (b64url(link.room), link.room.hex(), f"v1/rooms/{b64url(link.room)}"):
                peer.raw(f"GET /{name} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                status, _, body = peer.response()
                found.add((status, body))
        assert len(found) == 1
        assert found.pop()[0] == 404


def forgeries(link: Link, host: str, nonce: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield room, access key and signature of hellos that prove nothing."""
    room, access, good = link.room, link.access, link.sign(host, nonce)
    scalar = int.from_bytes(good[32:], "little")
    yield room, access, bytes(64)
    yield room, access, good[:32] + (scalar + L).to_bytes(32, "little")
    yield room, access, good[:63] + bytes((good[63] ^ 0x80,))
    yield room, access, link.sign(host, bytes(32))
    yield room, access, link.sign("evil.example", nonce)
    yield room, access, link.sign(host + ".", nonce)
    yield room, access, link.sign("", nonce)
    yield room, access, link.key.sign(nonce).signature
    other = Link(SigningKey.generate())
    yield room, access, other.sign(host, nonce)
    yield (
        room,
        other.access,
        other.key.sign(b"beacon hello v1" + host.encode() + room + nonce).signature,
    )
    yield bytes(16), access, good
    for point in SMALL:
        yield room_of(point), point, point + bytes(32)
        yield room, point, point + bytes(32)
        yield room, access, point + bytes(32)


def room_of(access: bytes) -> bytes:
    """Return the room of an access key that has no seed."""
    return hashlib.sha256(b"beacon room id v1" + access).digest()[:16]


def test_forged_proofs_are_refused_alike(relay: Target) -> None:
    link = new_link()
    count = len(list(forgeries(link, "h", bytes(32))))
    told = set()
    for number in range(count):
        with Visitor(relay.port, link) as peer:
            forged = list(forgeries(link, peer.host, peer.open()))[number]
            peer.text(hello_text(*forged))
            told.add((peer.message(), peer.close_code()))
    assert len(told) == 1
    assert told.pop()[1] == 4502


def test_proof_replay_across_connections_and_hosts(relay: Target) -> None:
    link = new_link()
    with Visitor(relay.port, link) as first:
        recorded = hello_text(link.room, link.access, link.sign(first.host, first.open()))
        first.text(recorded)
        assert first.json()["type"] == "welcome"
        first.text(recorded)
        while (message := first.message())[:1] != b"{":
            pass
        assert b'"state"' in message
    for host in (None, "other.example"):
        with Attacker(relay.port) as second:
            second.handshake(host=host)
            second.json()
            second.text(recorded)
            assert second.json()["reason"] == "proof"


def test_proof_passed_on_by_another_host_to_a_named_relay() -> None:
    """A relay that people were led to cannot use their hello here, whatever Host it sends."""
    with serving(*OPEN, "--server-name=chat.example", is_warm=False) as relay:
        link = new_link()
        for header in ("evil.example", "chat.example"):
            with Visitor(relay.port, link) as peer:
                assert peer.handshake(host=header) == 101
                nonce = from_b64url(peer.json()["nonce"])
                peer.text(hello_text(link.room, link.access, link.sign("evil.example", nonce)))
                assert peer.json()["reason"] == "proof"


def test_nonces_are_never_the_same(relay: Target) -> None:
    nonces = set()
    for _ in range(200):
        with Visitor(relay.port) as peer:
            nonces.add(peer.open())
    assert len(nonces) == 200
