"""Lies about what clients send, by name (see lies)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.message import ACK, ACK_LAYOUT, next_seq, shifted, text
from tests.hostile.stage import Client

if TYPE_CHECKING:
    from tests.hostile.liar import Liar

# What clients send


def swallow(liar: Liar, client: Client, data: str | bytes) -> bool:
    return True


def swallow_and_ack(liar: Liar, client: Client, data: str | bytes) -> bool:
    """Take a post for ordered, and show it to nobody."""
    if isinstance(data, str) or data[0] != 1 or client.connection is None:
        return False
    liar.shift[client] += 1
    client.connection.inbox.append(
        shifted(ACK_LAYOUT.pack(ACK, data[1:9], next_seq(client)), -liar.shift[client])
    )
    return True


def refuse(liar: Liar, client: Client, data: str | bytes) -> bool:
    """Refuse what was fine; now and then take it all the same."""
    if isinstance(data, str) or client.connection is None:
        return False
    draw = liar.random
    if draw.random() < 0.3:
        client.connection.core.receive(client.connection, data, liar.now)
    client.connection.inbox.append(
        text(
            type="refused",
            reason=draw.choice(("rate", "pace", "stale", "stale", "state", "malformed", "size")),
            reference=data[1:9].hex(),
            retry_after_ms=draw.choice((None, 10, 3000)),
            fence=draw.choice((None, client.room.fence, client.room.fence + 1, 0)),
        )
    )
    return True


def order_twice(liar: Liar, client: Client, data: str | bytes) -> bool:
    """Order one post twice, the second time under another reference."""
    if isinstance(data, str) or data[0] != 1 or client.connection is None:
        return False
    for reference in (data[1:9], liar.random.randbytes(8)):
        message = data[:1] + reference + data[9:]
        client.connection.core.receive(client.connection, message, liar.now)
    return True
