"""Tickets and marks: what was sealed is what is opened, and nothing else is (R27, R28)."""

import base64
import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt

from relay.errors import AuthenticationError
from relay.tickets import KEY_BYTES, MARK_LIFETIME_S, Mark, Ticket, Tickets
from relay.wire import Life, RoomId, Tag

KEY = bytes(range(32))
ROOM, OTHER = RoomId(b"r" * 16), RoomId(b"o" * 16)
LIFE = Life(b"l" * 8)
WALL = 1_700_000_000.75
TICKETS = Tickets(KEY)
TICKET = TICKETS.ticket(ROOM, LIFE, Tag(0x3F8A), 7, WALL)
MARK = TICKETS.mark(ROOM, LIFE, 41, 99, WALL)


def opened(token: str, room: RoomId = ROOM, wall: float = WALL) -> list[Ticket | Mark]:
    """Return what a token is as a ticket, and what as a mark."""
    found: list[Ticket | Mark] = []
    with contextlib.suppress(AuthenticationError):
        found.append(TICKETS.open_ticket(token, room))
    with contextlib.suppress(AuthenticationError):
        found.append(TICKETS.open_mark(token, room, wall))
    return found


def test_r27_ticket_says_whose_seat_it_was() -> None:
    assert opened(TICKET) == [Ticket(LIFE, Tag(0x3F8A), 7, 1_700_000_000)]


def test_r28_mark_says_how_far_the_log_had_got() -> None:
    assert opened(MARK) == [Mark(LIFE, 41, 99, 1_700_000_000)]


def test_tokens_are_laid_out_as_the_protocol_says() -> None:
    nonce = bytes(24)
    ticket = struct.pack("!B16s8sHLQ", 1, ROOM, LIFE, 0x3F8A, 7, 1_700_000_000)
    mark = struct.pack("!B16s8sQQQ", 2, ROOM, LIFE, 41, 99, 1_700_000_000)
    for plain, token, expected in ((ticket, TICKET, opened(TICKET)), (mark, MARK, opened(MARK))):
        sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(plain, b"beacon ticket v1", nonce, KEY)
        own = base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()
        assert len(own) == len(token)
        assert opened(own) == expected


def test_no_two_tokens_are_alike() -> None:
    assert len({TICKETS.ticket(ROOM, LIFE, Tag(1), 1, WALL)[:32] for _ in range(100)}) == 100


def test_r28_mark_lives_for_a_day_and_a_ticket_as_long_as_its_mark() -> None:
    day = 1_700_000_000 + MARK_LIFETIME_S
    assert len(opened(MARK, wall=day - 0.1)) == 1
    assert opened(MARK, wall=day) == []
    assert len(opened(TICKET, wall=day + MARK_LIFETIME_S)) == 1
    assert len(opened(MARK, wall=0.0)) == 1, "a clock that was set back"


def test_of_another_room_it_is_worth_nothing() -> None:
    assert opened(TICKET, OTHER) == opened(MARK, OTHER) == []


def test_of_another_key_it_is_worth_nothing() -> None:
    for tickets in (Tickets(bytes(KEY_BYTES)), Tickets(), Tickets()):
        with pytest.raises(AuthenticationError):
            tickets.open_ticket(TICKET, ROOM)
        with pytest.raises(AuthenticationError):
            tickets.open_mark(MARK, ROOM, WALL)


def test_r28_only_a_key_that_was_given_outlives_the_process() -> None:
    own = Tickets()
    assert not own.is_lasting
    assert own.open_ticket(own.ticket(ROOM, LIFE, Tag(1), 1, WALL), ROOM).tag == 1
    assert TICKETS.is_lasting


def test_one_kind_is_not_taken_for_the_other() -> None:
    """By its first byte, though the lengths would do today."""
    ticket = struct.pack("!B16s8sHLQ", 2, ROOM, LIFE, 1, 1, 1)
    mark = struct.pack("!B16s8sQQQ", 1, ROOM, LIFE, 1, 1, 1)
    for plain in (ticket, mark, b"", bytes(200)):
        assert opened(TICKETS._seal(plain), wall=1.0) == []


@pytest.mark.parametrize("token", ["A", "é", "AA", "A" * 32, "A" * 256, "\x00", "=", "A B"])
def test_anything_else_is_worth_nothing(token: str) -> None:
    assert opened(token) == []


def test_no_error_says_what_was_wrong() -> None:
    for token in (MARK, "x", Tickets().ticket(ROOM, LIFE, Tag(1), 1, WALL)):
        with pytest.raises(AuthenticationError) as caught:
            TICKETS.open_ticket(token, ROOM)
        assert str(caught.value) == ""


@given(st.sampled_from([TICKET, MARK]), st.data())
def test_no_bit_may_be_changed(token: str, draw: st.DataObject) -> None:
    data = bytearray(base64.urlsafe_b64decode(token + "=="))
    at = draw.draw(st.integers(0, len(data) - 1))
    data[at] ^= 1 << draw.draw(st.integers(0, 7))
    cut = draw.draw(st.integers(0, len(data)))
    for changed in (data, data[:cut]):
        assert opened(base64.urlsafe_b64encode(bytes(changed)).rstrip(b"=").decode()) == []


@given(st.text(max_size=300))
def test_any_text_is_a_token_or_one_error(token: str) -> None:
    assert opened(token) == []


def test_no_key_and_no_token_shows() -> None:
    assert KEY.hex() not in repr(TICKETS)
    assert repr(TICKETS).startswith("<relay.tickets.Tickets object")
