"""The cipher suite, and which keys and signatures it refuses before a library sees them (R7)."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import exceptions
from nacl.bindings import crypto_scalarmult

from client.errors import AuthenticationError, FrameError, StateError
from client.mls import suite as module
from client.mls.suite import (
    L25519,
    P25519,
    check_kem_key,
    check_signature,
    check_signature_key,
    draw,
    expand,
    generate_signature_key,
)
from client.mls.suite import SUITE_1 as SUITE

R7 = json.loads((Path(__file__).parents[2] / "vectors" / "mls-r7.json").read_text())
CONTENT = bytes.fromhex(R7["content"])


def _named(cases):
    return [pytest.param(case, id=f"{n}-{case['why']}") for n, case in enumerate(cases)]


@pytest.mark.parametrize("case", _named(R7["keys"]))
def test_r07_keys(case):
    check = check_kem_key if case["kind"] == "x25519" else check_signature_key
    key = bytes.fromhex(case["hex"])
    if case["accepted"]:
        assert check(key) == key
        return
    with pytest.raises(FrameError):
        check(key)


@pytest.mark.parametrize("case", _named(R7["signatures"]))
def test_r07_signatures(case):
    key, signature = bytes.fromhex(case["key"]), bytes.fromhex(case["signature"])
    if case["accepted"]:
        SUITE.verify(key, R7["label"], CONTENT, signature)
        return
    with pytest.raises(AuthenticationError):
        SUITE.verify(key, R7["label"], CONTENT, signature)


@pytest.mark.parametrize(
    "case", _named([c for c in R7["signatures"] if c["sound"] and not c["accepted"]])
)
def test_r07_our_own_check_refuses_what_a_library_might_take(case):
    """These hold on the curve: only the bytes tell that they must not be used."""

    def check():
        check_signature_key(bytes.fromhex(case["key"]))
        check_signature(bytes.fromhex(case["signature"]))

    with pytest.raises(FrameError):
        check()


def test_r07_the_lists_hold_every_value_that_arithmetic_finds():
    def values(kind):
        return {int.from_bytes(bytes.fromhex(v), "little") for v in R7["small_order"][kind]}

    assert values("x25519") == module._X25519_REFUSED
    assert values("ed25519") == module._ED25519_REFUSED


def test_r07_libsodium_gives_no_secret_for_what_we_refuse():
    for u in module._X25519_REFUSED:
        with pytest.raises(exceptions.RuntimeError):
            crypto_scalarmult(draw(32), u.to_bytes(32, "little"))


@settings(deadline=None)
@given(st.integers(0, 2**256 - 1))
def test_r07_x25519_keys_are_refused_by_value_alone(number):
    key = number.to_bytes(32, "little")
    if number < P25519 and number not in module._X25519_REFUSED:
        assert check_kem_key(key) == key
    else:
        with pytest.raises(FrameError):
            check_kem_key(key)


@settings(deadline=None)
@given(st.integers(0, 2**256 - 1))
def test_r07_s_must_be_below_l(s):
    signature = bytes.fromhex(R7["signatures"][0]["signature"])[:32] + s.to_bytes(32, "little")
    if s < L25519:
        assert check_signature(signature) == signature
    else:
        with pytest.raises(FrameError):
            check_signature(signature)


def test_r07_s_is_refused_from_l_on():
    r = bytes.fromhex(R7["signatures"][0]["signature"])[:32]
    check_signature(r + (L25519 - 1).to_bytes(32, "little"))
    for s in (L25519, L25519 + 1, 2 * L25519, 2**256 - 1):
        with pytest.raises(FrameError):
            check_signature(r + s.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 63, 65])
def test_r07_a_signature_has_64_bytes(length):
    with pytest.raises(FrameError):
        check_signature(b"\2" * length)


def test_fresh_signature_keys_pass_and_differ():
    keys = [generate_signature_key() for _ in range(20)]
    assert len({check_signature_key(key.public) for key in keys}) == 20
    assert keys[0].private.hex() not in repr(keys[0])


def test_signatures_are_those_of_another_library():
    key = generate_signature_key()
    signed = b"\x0fMLS 1.0 a label" + b"\7content"
    theirs = Ed25519PrivateKey.from_private_bytes(key.private[:32]).sign(signed)
    assert SUITE.sign(key.private, "a label", b"content") == theirs
    SUITE.verify(key.public, "a label", b"content", theirs)
    for label, content in (("another", b"content"), ("a label", b"contend")):
        with pytest.raises(AuthenticationError):
            SUITE.verify(key.public, label, content, theirs)


@pytest.mark.parametrize("length", [0, 32, 63, 65])
def test_a_key_of_another_length_signs_nothing(length):
    """PyNaCl does not look: it would sign with whatever lies behind."""
    with pytest.raises(StateError):
        SUITE.sign(bytes(length), "label", b"content")


@settings(deadline=None)
@given(st.binary(max_size=80), st.binary(max_size=80), st.text(max_size=20))
def test_what_is_sealed_to_a_key_is_opened_with_it(plaintext, context, label):
    pair = SUITE.derive_key_pair(b"a seed")
    output, sealed = SUITE.encrypt_with_label(pair.public, label, context, plaintext)
    assert len(output) == SUITE.kem_output_bytes
    assert len(sealed) == len(plaintext) + 16
    opened = SUITE.decrypt_with_label(pair.private, label, context, output, sealed)
    assert opened == plaintext


def test_what_is_sealed_is_opened_nowhere_else():
    pair, other = SUITE.derive_key_pair(b"one"), SUITE.derive_key_pair(b"other")
    output, sealed = SUITE.encrypt_with_label(pair.public, "label", b"context", b"secret")
    right = {
        "private": pair.private,
        "label": "label",
        "context": b"context",
        "output": output,
        "ciphertext": sealed,
    }
    assert SUITE.decrypt_with_label(**right) == b"secret"
    for wrong in (
        {"private": other.private},
        {"label": "lable"},
        {"context": b""},
        {"output": other.public},
        {"output": bytes(32)},
        {"output": output[:31]},
        {"ciphertext": sealed[:-1]},
        {"ciphertext": b""},
        {"ciphertext": sealed[:-1] + bytes((sealed[-1] ^ 1,))},
    ):
        with pytest.raises(AuthenticationError):
            SUITE.decrypt_with_label(**{**right, **wrong})


def test_an_exported_init_secret_is_shared_with_the_keys_owner_only():
    pair, other = SUITE.derive_key_pair(b"one"), SUITE.derive_key_pair(b"other")
    output, init = SUITE.export_to(pair.public)
    assert SUITE.export_from(pair.private, output) == init
    assert SUITE.export_from(other.private, output) != init
    assert SUITE.export_to(pair.public)[0] != output
    with pytest.raises(AuthenticationError):
        SUITE.export_from(pair.private, bytes(32))


def test_labels_are_spelt_as_in_rfc_9420():
    def plain(secret, info, length):
        return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:length]

    secret, label = bytes(range(32)), b"\x0cMLS 1.0 name"
    info = b"\0\x10" + label + b"\7context"
    assert SUITE.expand_with_label(secret, "name", b"context", 16) == plain(secret, info, 16)
    assert SUITE.derive_secret(secret, "name") == plain(secret, b"\0\x20" + label + b"\0", 32)
    info = b"\0\x0c" + label + b"\4\0\0\1\2"
    assert SUITE.derive_tree_secret(secret, "name", 258, 12) == plain(secret, info, 12)
    assert SUITE.reference("name", b"value") == SUITE.hash(b"\4name\5value")
    assert SUITE.extract(b"", b"ikm") == SUITE.mac(bytes(32), b"ikm")
    assert SUITE.extract(b"salt", b"ikm") == SUITE.mac(b"salt", b"ikm")
    assert SUITE.hash(b"abc").hex().startswith("ba7816bf8f01cfea")


def test_expand_is_that_of_rfc_5869():
    # RFC 5869 A.1
    prk = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    okm = expand(prk, bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"), 42)
    assert okm.hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )
    assert expand(prk, b"", 0) == b""


def test_an_aead_key_opens_nothing_that_was_changed():
    key, nonce = bytes(16), bytes(12)
    sealed = SUITE.seal(key, nonce, b"aad", b"plain")
    assert SUITE.open(key, nonce, b"aad", sealed) == b"plain"
    for args in ((key, nonce, b"add", sealed), (key, nonce, b"aad", sealed[:15])):
        with pytest.raises(AuthenticationError):
            SUITE.open(*args)


def test_no_private_key_is_printed():
    pair = SUITE.derive_key_pair(b"one")
    assert repr(pair) == f"KemKeyPair(public={pair.public!r})"
