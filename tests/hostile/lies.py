"""The lies of a relay, by name: each takes the liar and a client, and says whether it applied.

What a relay without the link can do to what passes through it; nothing here opens a seal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from client.wire import NEED
from tests.hostile import history, upstream
from tests.hostile.message import ACK, ACK_LAYOUT, FRAME, any_tag, head, next_seq, show, text
from tests.hostile.stage import Client

if TYPE_CHECKING:
    from tests.hostile.liar import Liar

Lie = Callable[["Liar", Client], bool]

# One message


def drop(liar: Liar, client: Client) -> bool:
    return head(liar, client) is not None


def vanish(liar: Liar, client: Client) -> bool:
    """Drop a message, and its number with it."""
    data = head(liar, client)
    if data is None:
        return False
    if data[0] in (FRAME, ACK) or b'"seq":' in data:
        liar.shift[client] -= 1
    return True


def duplicate(liar: Liar, client: Client) -> bool:
    data = head(liar, client)
    return data is not None and show(liar, client, data) and show(liar, client, data)


def reorder(liar: Liar, client: Client) -> bool:
    if client.connection is None or len(client.connection.inbox) < 2:
        return False
    client.connection.inbox.rotate(liar.random.choice((-1, 1)))
    return True


def delay(liar: Liar, client: Client) -> bool:
    data = head(liar, client)
    if data is not None:
        liar.delay(client, data, liar.random.choice((0.5, 5.0, 60.0)) * liar.random.random())
    return data is not None


def replay(liar: Liar, client: Client) -> bool:
    if not liar.recorded:
        return False
    return show(liar, client, liar.random.choice(liar.recorded))


def replay_next(liar: Liar, client: Client) -> bool:
    """Play an old frame again under the number that the client waits for."""
    frames = [data for data in liar.recorded if data[0] == FRAME]
    if not frames or client.connection is None:
        return False
    data = liar.random.choice(frames)
    fence = client.room.fence if liar.random.random() < 0.5 else int.from_bytes(data[12:20], "big")
    liar.shift[client] += 1
    numbers = next_seq(client).to_bytes(8, "big") + fence.to_bytes(8, "big")
    return show(liar, client, data[:4] + numbers + data[20:])


def flip(liar: Liar, client: Client) -> bool:
    data = head(liar, client)
    if data is None:
        return False
    changed = bytearray(data)
    changed[liar.random.randrange(len(changed))] ^= 1 << liar.random.randrange(8)
    try:
        bytes(changed).decode()
    except UnicodeDecodeError:
        # Of a WebSocket, text that is not UTF-8 does not come as far as the Room.
        if data[:1] == b"{":
            return False
    return show(liar, client, bytes(changed))


def flip_sealed(liar: Liar, client: Client) -> bool:
    """Change what is sealed, and nothing that would be seen before."""
    data = head(liar, client)
    if data is None or data[0] != FRAME:
        return data is not None and show(liar, client, data)
    at = liar.random.randrange(20, len(data))
    return show(liar, client, data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])


def relabel(liar: Liar, client: Client) -> bool:
    data = head(liar, client)
    if data is None or data[0] != FRAME:
        return data is not None and show(liar, client, data)
    changed = bytearray(data)
    match liar.random.randrange(4):
        case 0:
            changed[2:4] = bytes.fromhex(any_tag(liar)[2:])
        case 1:
            changed[1] ^= 3
        case 2:
            seq = next_seq(client) + liar.random.choice((-5, -1, 1, 5, 2**40))
            changed[4:12] = max(0, seq).to_bytes(8, "big")
        case _:
            fence = client.room.fence + liar.random.choice((-2, -1, 1, 2, 2**40))
            changed[12:20] = max(0, fence).to_bytes(8, "big")
    return show(liar, client, bytes(changed))


# Inventions


def invent(liar: Liar, client: Client) -> bool:
    """Say of a seat what is not so, under the next number, and go on from there."""
    if client.connection is None:
        return False
    kind = liar.random.choice(("joined", "away", "back", "left"))
    seq = next_seq(client)
    if liar.random.random() < 0.8:
        liar.shift[client] += 1
    else:
        seq += liar.random.choice((-3, 3, 2**40))
    return show(liar, client, text(type=kind, seq=max(0, seq), tag=any_tag(liar)))


def odd(liar: Liar, client: Client) -> bool:
    """Messages of the relay out of nothing, with numbers out of nowhere."""
    draw, room = liar.random, client.room
    number = draw.choice((0, 1, room.fence, room.fence + 1, room.fence + 7, 2**53 - 1))
    other = draw.choice((0, next_seq(client), next_seq(client) + 3, 2**53 - 1))
    life = draw.choice((room.life, "AAAAAAAAAAE"))
    limits = {"message_rate_milli": draw.choice((0, 1, 1000)), "message_burst": 10, "seats": 128}
    place = {"life": life, "tag": any_tag(liar), "seq": other, "fence": number}
    refused = {"reference": None, "retry_after_ms": draw.choice((None, 0, 10)), "fence": number}
    seats = sorted({any_tag(liar) for _ in range(3)})
    return show(
        liar,
        client,
        draw.choice(
            [
                NEED.encode(),
                text(type="reset", life=life, seq=other, fence=number),
                text(type="welcome", **place, limits=limits),
                text(type="resumed", **place, ticket="abc", limits=limits),
                text(type="gap", seq=other, fence=number, seats=seats, away=[]),
                text(type="mark", mark="abc"),
                text(type="refused", reason=draw.choice(("rate", "stale", "busy")), **refused),
                text(type="drain", retry_after_ms=draw.choice((0, 5, 5000))),
                text(type="notice", code=draw.choice(("degraded", "hello"))),
                text(type="joined", seq=other, tag=str(room.tag), seats=seats, away=[], ticket="a"),
                text(type="challenge", v=1, nonce="A" * 43),
                text(type="future", x=1),
                ACK_LAYOUT.pack(ACK, draw.randbytes(8), other),
            ]
        ),
    )


def resumption(liar: Liar, client: Client) -> bool:
    """Lie in the answer to a resume: numbers, seats, tickets of others."""
    if client.connection is None:
        return False
    inbox, draw = client.connection.inbox, liar.random
    for at, data in enumerate(inbox):
        if data.startswith((b'{"type":"resumed"', b'{"type":"gap"', b'{"type":"joined"')):
            fields = json.loads(data)
            key = draw.choice([key for key in fields if key not in ("type", "limits", "life")])
            if isinstance(fields[key], int):
                fields[key] = max(0, fields[key] + draw.choice((-3, -1, 1, 3)))
            elif key == "tag":
                fields[key] = any_tag(liar)
            elif key in ("seats", "away"):
                fields[key] = sorted({*fields[key], any_tag(liar)} - {any_tag(liar)})
            elif key == "ticket":
                fields[key] = draw.choice(("abc", client.room._stay.ticket or "abc"))
            inbox[at] = text(**fields)
            return True
    return False


def tags(liar: Liar, client: Client) -> bool:
    """Issue a tag that somebody has."""
    if client.connection is None:
        return False
    inbox = client.connection.inbox
    for at, data in enumerate(inbox):
        if data.startswith(b'{"type":"welcome"'):
            inbox[at] = text(**(json.loads(data) | {"tag": any_tag(liar)}))
            return True
    return False


def close(liar: Liar, client: Client) -> bool:
    """End a connection with a code that lets come back."""
    if client.connection is None:
        return False
    liar.core.drop(client.connection, liar.now)
    client.connection.code = liar.random.choice((1000, 1009, 1012, 4000, 4001, 4010))
    return True


def cut(liar: Liar, client: Client) -> bool:
    liar.cut(client)
    return True


DOWNSTREAM: dict[str, Lie] = {
    f.__name__: f
    for f in (
        drop, vanish, duplicate, reorder, delay, replay, replay_next, flip, flip_sealed, relabel,
        invent, odd, resumption, tags, close, cut,
        history.squat, history.stale_info, history.no_info, history.fence_up,
        history.fence_down, history.staged, history.staged_offer, history.fork,
        history.unite, history.restart, history.rollback, history.withhold,
    )
}  # fmt: skip
UPSTREAM: dict[str, Callable[[Liar, Client, str | bytes], bool]] = {
    f.__name__: f
    for f in (upstream.swallow, upstream.swallow_and_ack, upstream.refuse, upstream.order_twice)
}
LIES = sorted([*DOWNSTREAM, *UPSTREAM])
