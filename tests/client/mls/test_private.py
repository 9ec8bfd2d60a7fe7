"""PrivateMessage: spelling, padding, sender data (RFC 9420 6.3, R20)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.errors import AuthenticationError, FrameError, UsageError
from client.mls import private
from client.mls.codec import opaque, u16
from client.mls.private import Private, SenderData
from client.mls.secrettree import MessageKey
from client.mls.suite import SUITE_1 as SUITE

SECRET, KEY = bytes(range(32)), MessageKey(bytes(16), bytes(range(12)))
HEAD = Private(b"group", 7, 1, b"aad", b"", b"")
WHO = SenderData(3, 9, b"\1\2\3\4")
PLAIN = opaque(b"hello") + opaque(b"signature") + bytes(20)


def sealed(plain=PLAIN, head=HEAD, who=WHO):
    return private.seal_private(SUITE, SECRET, head, who, KEY, plain)


def opened(data, who=WHO):
    return private.open_private(SUITE, private.read_private(data), who, KEY)


def test_a_message_comes_back_with_its_sender():
    message = private.read_private(sealed())
    assert private.open_sender_data(SUITE, SECRET, message) == WHO
    framed = opened(sealed())
    assert (framed.application, framed.signature) == (b"hello", b"signature")
    assert (framed.group_id, framed.epoch, framed.sender) == (b"group", 7, 3)
    assert framed.encoded == b"\5group" + bytes(7) + b"\7\1\0\0\0\3\3aad\1\5hello"


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_of_one_spelling_or_refused(data):
    for spelling in (data, b"\0\1\0\2" + data, sealed()[: len(data)] + data):
        try:
            message = private.read_private(spelling)
        except FrameError:
            continue
        assert private.encode_private(message) == spelling


@pytest.mark.parametrize("data", [b"", sealed() + b"x", sealed()[:-1], u16(1) + sealed()[2:-9]])
def test_what_is_no_private_message_is_refused(data):
    with pytest.raises(FrameError):
        private.read_private(data)


def test_no_byte_of_a_message_can_be_changed():
    data = sealed()
    for at in range(4, len(data)):
        spoiled = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
        try:
            message = private.read_private(spoiled)
            who = private.open_sender_data(SUITE, SECRET, message)
        except (AuthenticationError, FrameError):
            continue
        assert who == WHO
        with pytest.raises(AuthenticationError):
            opened(spoiled, who)


@pytest.mark.parametrize("length", [0, 11, 13])
def test_sender_data_has_twelve_bytes(length):
    ciphertext = bytes(40)
    key = private.sender_data_key(SUITE, SECRET, ciphertext)
    data = SUITE.seal(key.key, key.nonce, HEAD.head(), bytes(length))
    with pytest.raises(AuthenticationError):
        private.open_sender_data(SUITE, SECRET, Private(b"group", 7, 1, b"", data, ciphertext))


@pytest.mark.parametrize("at", [0, 10, 19])
def test_r20_padding_that_is_not_zero_is_refused(at):
    plain = PLAIN[: len(PLAIN) - 20 + at] + b"\1" + PLAIN[len(PLAIN) - 20 + at + 1 :]
    with pytest.raises(FrameError):
        opened(sealed(plain))


def test_a_plaintext_cut_short_is_refused():
    for plain in (b"", b"\5hell", opaque(b"hello"), opaque(b"hello") + b"\5x"):
        with pytest.raises(FrameError):
            opened(sealed(plain))


def test_the_reuse_guard_changes_the_nonces_first_four_bytes():
    assert private.guarded(bytes(range(12)), b"\xff" * 4) == b"\xff\xfe\xfd\xfc" + bytes(
        range(4, 12)
    )
    with pytest.raises(AuthenticationError):
        opened(sealed(), SenderData(3, 9, bytes(4)))


def test_padding_fills_up_and_never_cuts():
    assert private.pad(b"abc", 5, 10) == b"abc\0\0"
    assert private.pad(b"abc", 7, 10) == b"abc"
    with pytest.raises(UsageError):
        private.pad(b"abc", 8, 10)
