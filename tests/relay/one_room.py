"""A room and what tests of it need: its limits, its random values, ways to fill it."""

import itertools
import json
from typing import Any

import pytest

from relay import wire
from relay.effect import Effect, Publish, Send
from relay.errors import RefusedError
from relay.limits import Rate
from relay.ring import RingLimits, Rings
from relay.room import Draw, Room, RoomLimits
from relay.turn import TurnLimits
from relay.wire import Commit, Life, Reference, RoomId, Tag

ROOM = RoomId(b"\xaa" * 2)
SEALED = bytes(28 + 256)
COMMIT, INFO = b"c" * (28 + 1024), b"i" * (28 + 1024)
LIMITS = RoomLimits(
    seats=4,
    away_s=60.0,
    turns=TurnLimits(unjoined=4, turn_s=3.0, join_s=15.0),
    commits=Rate(4.0, 32),
    message_rate=Rate(1.5, 10),
)
RING = RingLimits(frames=100, bytes=10**6, age_s=60.0, total_bytes=10**7)
references = (Reference(n.to_bytes(8, "big")) for n in itertools.count(1))


def new_room(
    limits: RoomLimits = LIMITS, tags: Any = None, ring: RingLimits = RING, first_life: int = 1
) -> Room:
    drawn = tags or itertools.count(0x10)
    lives = itertools.count(first_life)
    draw = Draw(
        life=lambda: Life(next(lives).to_bytes(8, "big")),
        tag=lambda: Tag(next(drawn)),
        # What is sealed, in the clear: the room must not look into it either way.
        ticket=lambda room, life, tag, g: f"{room.hex()}-{life.hex()}-{tag}-{g}",
        mark=lambda room, life, fence, seq: f"{room.hex()}-{life.hex()}-{fence}-{seq}",
    )
    return Room(ROOM, limits, Rings(ring), draw)


def commit(fence: int, reference: Reference | None = None) -> Commit:
    return Commit(reference or next(references), fence, COMMIT, INFO)


def join(room: Room, now: float = 0.0) -> Tag:
    tag, _ = room.enter(now)
    room.commit(tag, commit(room.fence), now)
    return tag


def post(room: Room, tag: Tag, now: float = 0.0, reference: Reference | None = None) -> int:
    return room.post(tag, reference or next(references), room.fence, SEALED, now)[0]


def refusal(call: Any, *arguments: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        call(*arguments)
    return caught.value


def texts(effects: list[Effect]) -> list[dict[str, Any]]:
    messages = [effect.message for effect in effects if isinstance(effect, Send | Publish)]
    return [json.loads(message) for message in messages if wire.is_text(message)]


def info(effects: list[Effect], tag: Tag) -> bytes | None:
    """Return the info that these effects send to ``tag``."""
    for effect in effects:
        if isinstance(effect, Send) and effect.tag == tag and effect.message[0] == wire.INFO:
            return effect.message
    return None


def life(number: int) -> Life:
    return Life(number.to_bytes(8, "big"))


def ticket(tag: Tag, generation: int = 1, life_number: int = 1) -> str:
    return f"aaaa-{life(life_number).hex()}-{tag}-{generation}"


def mark(fence: int, seq: int, life_number: int = 1) -> bytes:
    return wire.serialize_mark(f"aaaa-{life(life_number).hex()}-{fence}-{seq}")
