"""The order's numbers, and what is left of a stay after it."""

from client import mls
from client.link import FORGOTTEN, Link
from client.stay import Stay

KEYS = Link("http", "127.0.0.1:8000", bytes(range(32))).keys()


def stay() -> Stay:
    return Stay("127.0.0.1:8000", KEYS, mls.Identity.generate(), lambda n: bytes([128] * n))


def test_every_number_is_taken_once_and_jumps_are_shown() -> None:
    one = stay()
    assert [one.number(n) for n in (1, 2, 2, 1, 5, 6)] == [True, True, False, False, True, True]
    codes = [effect.event.code for effect in one.effects]  # type: ignore[union-attr]
    assert codes == ["relay_equivocates", "relay_equivocates", "relay_gap"]


def test_fraction_is_in_range() -> None:
    one = stay()
    assert one.fraction() == 128 / 256 + 128 / 256**2 + 128 / 256**3 + 128 / 256**4
    one.draw = lambda n: b"\xff" * n
    assert one.fraction() < 1


def test_nothing_is_left_after_forgetting() -> None:
    one = stay()
    one.group = mls.found(one.identity, "0x0001", KEYS.psk, KEYS.room_id).group
    one.heard[b"key"] = 1.0
    one.forget()
    assert one.group is None
    assert one.keys == FORGOTTEN
    assert one.identity.signature_key == b""
    assert one.leaves == ()
    assert one.heard == {}
    one.forget()


def test_repr_shows_no_key() -> None:
    one = stay()
    for secret in (KEYS.psk, KEYS.seal, KEYS.access.key, one.identity.signature_key):
        assert repr(secret)[2:-1] not in repr(one)
