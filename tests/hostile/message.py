"""What a lying relay does to any message: read its number, move it, spell one of its own."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

from tests.hostile.stage import Client

if TYPE_CHECKING:
    from tests.hostile.liar import Liar

FRAME, INFO, ACK = 0x11, 0x12, 0x13
ACK_LAYOUT = struct.Struct("!B8sQ")


def text(**fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


# Numbers: a relay that renumbers leaves no gap behind its lies


def shifted(data: bytes, by: int) -> bytes:
    """The same message with its sequence number moved."""
    if not by:
        return data
    if data[0] == FRAME:
        seq = max(0, int.from_bytes(data[4:12], "big") + by)
        return data[:4] + seq.to_bytes(8, "big") + data[12:]
    if data[0] == ACK:
        kind, reference, seq = ACK_LAYOUT.unpack(data)
        return ACK_LAYOUT.pack(kind, reference, max(0, seq + by))
    if data[:1] == b"{":
        fields = json.loads(data)
        if isinstance(fields.get("seq"), int):
            fields["seq"] = max(0, fields["seq"] + by)
            return text(**fields)
    return data


def unshifted(data: str | bytes, by: int) -> str | bytes:
    """A client's `resume`, its number as the core counts."""
    if by and isinstance(data, str) and data.startswith('{"type":"resume"'):
        fields = json.loads(data)
        fields["seq"] = max(0, fields["seq"] - by)
        return text(**fields).decode()
    return data


def is_muted(liar: Liar, client: Client, data: bytes) -> bool:
    """Whether this message is kept from this client; its number is closed over."""
    what = liar.muted.get(client)
    if what is None or data[0] != FRAME or bytes.fromhex(what[2:]) != data[2:4]:
        return False
    # A commit that is kept back would only end the connection.
    if data[1] != 1:
        return False
    liar.shift[client] -= 1
    return True


def next_seq(client: Client) -> int:
    return client.room._stay.seq + 1


def show(liar: Liar, client: Client, data: bytes) -> bool:
    if client.connection is None:
        return False
    liar.deliver(client, data)
    return True


def any_tag(liar: Liar) -> str:
    tags = sorted({str(other.room.tag) for other in liar.clients if other.room.tag is not None})
    return liar.random.choice([*tags, "0x0bad"])


def head(liar: Liar, client: Client) -> bytes | None:
    """Take the next message to a client out of its way."""
    if client.connection is None or not client.connection.inbox:
        return None
    data = client.connection.inbox.popleft()
    liar.recorded.append(data)
    return shifted(data, liar.shift[client])
