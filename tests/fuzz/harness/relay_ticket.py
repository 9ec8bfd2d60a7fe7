"""Any token -> a ticket or mark, or AuthenticationError; what opens is what was sealed, as it was.

The token comes as text from outside, or sealed with the right key around any bytes at all.
"""

import base64
import struct
from functools import partial

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt
from nacl.exceptions import CryptoError

from relay.errors import AuthenticationError
from relay.tickets import Tickets
from relay.wire import RoomId
from tests.fuzz.script import Script

KEY = bytes(range(32))
ROOM = RoomId(bytes(range(16)))
WALL = 1_700_000_000.0
DAY_S = 24 * 3600
TICKET, MARK = struct.Struct("!B16s8sHLQ"), struct.Struct("!B16s8sQQQ")


def run(data: bytes) -> None:
    script = Script(data)
    form = script.byte() % 4
    plain = script.rest()
    if form == 0:
        # Some seeds are genuine: only whoever has the key makes a token that opens.
        token = plain.decode("latin-1")
        plain = _known(token)
    elif form == 1:
        plain = TICKET.pack(1, ROOM, *_fields(plain, TICKET))
        token = Tickets(KEY)._seal(plain)
    elif form == 2:
        plain = MARK.pack(2, ROOM, *_fields(plain, MARK))
        token = Tickets(KEY)._seal(plain)
    else:
        token = Tickets(KEY)._seal(plain)
    tickets = Tickets(KEY)
    try:
        ticket = tickets.open_ticket(token, ROOM)
    except AuthenticationError:
        assert form != 1, "our own ticket"
    else:
        again = TICKET.pack(1, ROOM, ticket.life, ticket.tag, ticket.generation, ticket.issued)
        assert again == plain, "not what was sealed"
    try:
        mark = tickets.open_mark(token, ROOM, WALL)
    except AuthenticationError:
        assert form != 2 or int.from_bytes(plain[-8:], "big") <= WALL - DAY_S, "our own mark"
    else:
        assert MARK.pack(2, ROOM, mark.life, mark.fence, mark.seq, mark.issued) == plain
        assert mark.issued > WALL - DAY_S, "a mark of yesterday"
    for other in (Tickets(bytes(32)), Tickets(KEY)):
        _refuses(other, token, RoomId(bytes(16)))
    _refuses(Tickets(bytes(32)), token, ROOM)


def _known(token: str) -> bytes:
    """Return what is in a token, nothing if it is none."""
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return crypto_aead_xchacha20poly1305_ietf_decrypt(
            data[24:], b"beacon ticket v1", data[:24], KEY
        )
    except (CryptoError, ValueError):
        return b""


def _fields(data: bytes, layout: struct.Struct) -> tuple[object, ...]:
    size = layout.size - 17
    return layout.unpack(bytes(17) + data[:size].ljust(size, b"\0"))[2:]


def _refuses(tickets: Tickets, token: str, room: RoomId) -> None:
    for open_ in (tickets.open_ticket, partial(tickets.open_mark, wall=WALL)):
        try:
            open_(token, room)
        except AuthenticationError:
            continue
        raise AssertionError("opened with another key, or for another room")
