import hashlib

import pytest
from nacl.bindings import crypto_sign
from nacl.signing import SigningKey

from relay import proof
from relay.errors import AuthenticationError
from relay.wire import Hello, RoomId
from tests.relay.raw import Link, new_link

NONCE = bytes(range(32))
HOST = "relay.example:8000"
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493


def hello(link: Link, host: str = HOST, nonce: bytes = NONCE) -> Hello:
    return Hello(RoomId(link.room), link.access, link.sign(host, nonce))


def refused(candidate: Hello, *hosts: str, nonce: bytes = NONCE) -> bool:
    try:
        proof.verify(candidate, hosts or (HOST,), nonce)
    except AuthenticationError:
        return True
    return False


def test_r02_right_proof_passes_for_any_of_the_hosts() -> None:
    good = hello(new_link())
    assert not refused(good)
    assert not refused(good, "other.example", HOST)


def test_r02_proof_is_bound_to_host_nonce_room_and_key() -> None:
    link, other = new_link(), new_link()
    good = hello(link)
    assert refused(good, "other.example")
    assert refused(good, nonce=bytes(32))
    assert refused(Hello(RoomId(other.room), good.access, good.signature))
    assert refused(Hello(good.room, other.access, good.signature))
    assert refused(Hello(RoomId(other.room), other.access, good.signature))
    assert refused(Hello(good.room, good.access, bytes(64)))


def of_key(access: bytes, signature: bytes) -> Hello:
    room = hashlib.sha256(b"beacon room id v1" + access).digest()[:16]
    return Hello(RoomId(room), access, signature)


@pytest.fixture
def gullible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the library accept whatever it is shown: the byte checks alone must refuse."""
    monkeypatch.setattr(proof, "crypto_sign_open", lambda *_: b"")


def encode(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


def small_order_y() -> list[int]:
    """Compute the y of the points of order 1, 2, 4 and 8 from the curve's equation."""
    d = -121665 * pow(121666, -1, P) % P

    def roots(square: int) -> list[int]:
        root = pow(square, (P + 3) // 8, P)
        if root * root % P != square % P:
            root = root * pow(2, (P - 1) // 4, P) % P
        return [root, P - root] if root * root % P == square % P else []

    # A point whose double has y = 0 has d y^4 + 2 y^2 - 1 = 0.
    found = [0, 1, P - 1]
    for root in roots(1 + d):
        found += roots((root - 1) * pow(d, -1, P) % P)
    return found


@pytest.mark.usefixtures("gullible")
def test_r07_small_order_keys_and_points_are_refused() -> None:
    ys = small_order_y()
    assert len(ys) == 5
    good = hello(new_link())
    for y in ys:
        for sign in (0, 1):
            point = encode(y, sign)
            # With A and R of small order, S = 0 satisfies many a verifier for any text.
            assert refused(of_key(point, point + bytes(32)))
            assert refused(Hello(good.room, good.access, point + good.signature[32:]))


@pytest.mark.usefixtures("gullible")
@pytest.mark.parametrize("y", [P, P + 1, 2**255 - 1])
def test_r07_encodings_beyond_the_field_are_refused(y: int) -> None:
    good = hello(new_link())
    for sign in (0, 1):
        assert refused(of_key(encode(y, sign), good.signature))
        assert refused(Hello(good.room, good.access, encode(y, sign) + good.signature[32:]))


@pytest.mark.usefixtures("gullible")
def test_r07_s_must_be_below_the_order() -> None:
    good = hello(new_link())
    s = int.from_bytes(good.signature[32:], "little") + L
    assert refused(Hello(good.room, good.access, good.signature[:32] + s.to_bytes(32, "little")))


@pytest.mark.usefixtures("gullible")
def test_gullible_library_is_what_the_tests_above_stand_on() -> None:
    good = hello(new_link())
    assert not refused(Hello(good.room, good.access, bytes((2,)) * 32 + bytes(32)))


def test_r01_r02_known_answer() -> None:
    """The same seed gives the same room and signature as any other implementation must."""
    link = Link(SigningKey(bytes(range(32))))
    text = b"beacon hello v1" + HOST.encode() + link.room + NONCE
    signature = crypto_sign(text, bytes(range(32)) + link.access)[:64]
    assert hello(link).signature == signature
    assert link.room.hex() == hashlib.sha256(b"beacon room id v1" + link.access).hexdigest()[:32]
    assert not refused(of_key(link.access, signature))
