"""A room that was put down and taken up again goes on as if it had not been."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay import room as room_module
from relay import snapshot
from relay.errors import RefusedError
from relay.limits import Rate
from relay.ring import RingLimits, Rings
from relay.room import Draw, Resumed, Room
from relay.turn import TurnLimits
from relay.wire import Commit, Life, Offer, Reference, Tag
from tests.relay.one_room import COMMIT, INFO, LIMITS, ROOM, SEALED

SMALL = replace(
    LIMITS, seats=3, turns=TurnLimits(unjoined=4, turn_s=3.0, join_s=15.0), commits=Rate(1.0, 3)
)
RING = RingLimits(frames=12, bytes=4000, age_s=30.0, total_bytes=10**6)
KINDS = [
    "enter", "enter", "join", "join", "commit", "commit", "post", "post", "offer", "need", "lost",
    "leave", "resume", "resume", "confirm", "keep", "inform", "expire", "relieve", "restore",
]  # fmt: skip
STEP = st.tuples(
    st.sampled_from(KINDS),
    st.integers(0, 5),
    st.sampled_from([0, 0, 0, 0, 1, 2]),
    st.sampled_from([0.0, 0.0, 0.01, 0.5, 1.5, 4.0, 16.0, 31.0, 61.0]),
)
STEPS = st.lists(STEP, min_size=8, max_size=40)


class Driver:
    """A room, and steps that pick who acts by number: the same on every room that is the same."""

    def __init__(self, steps: int = 0, drawn: int = 0) -> None:
        self.steps = steps
        self.drawn = drawn
        self.now = 0.0
        self.rings = Rings(RING)
        self.room = Room(ROOM, SMALL, self.rings, self.draw)

    @property
    def draw(self) -> Draw:
        return Draw(
            life=lambda: Life(self.next().to_bytes(8, "big")),
            tag=lambda: Tag(self.next() % 7),
            ticket=lambda room, life, tag, g: f"{life.hex()}-{tag}-{g}",
            mark=lambda room, life, fence, seq: f"{life.hex()}-{fence}-{seq}",
        )

    def next(self) -> int:
        self.drawn += 1
        return self.drawn

    def copied(self, state: Any) -> "Driver":
        other = Driver(self.steps)
        other.drawn, other.now = self.drawn, self.now
        draws = self.drawn
        other.room = snapshot.load(state, ROOM, SMALL, other.rings, other.draw)
        other.drawn = draws
        return other

    def step(self, kind: str, who: int, other: int, seconds: float) -> Any:
        """Do one thing; return what follows, and what is due then."""
        self.steps += 1
        self.now += seconds
        try:
            did = self.do(kind, who, other)
        except RefusedError as refusal:
            did = refusal.reason, refusal.fence, refusal.retry_after_s, refusal.close_code
        if isinstance(did, Resumed):
            did = did.effects, did.told
        room = self.room
        return did, room.deadline(), room.due(), room.is_empty, room.seq, room.fence, room.life

    def do(self, kind: str, who: int, other: int) -> Any:
        room, now = self.room, self.now
        seats, turns = room._seats.tags, room._turns.tags
        present = [tag for tag in seats if tag not in room._seats.away]
        reference = Reference((self.steps - 3 * other).to_bytes(8, "big", signed=True))
        commit = Commit(reference, room.fence - (other == 2), COMMIT, INFO)
        match kind:
            case "enter":
                return room.enter(now)
            case "expire":
                return room.expire(now)
            case "relieve":
                return room.relieve()
            case "restore":
                return room.restore(Tag(who + 20), Life(b"former!!"), 1 + other, 2 * who, now)
            case "join" | "inform" if turns:
                tag = turns[who % len(turns)]
                return room.inform(tag) if kind == "inform" else room.commit(tag, commit, now)
            case "leave" | "lost" | "need" if turns or present:
                whoever = [*present, *turns]
                tag = whoever[who % len(whoever)]
                if kind == "need":
                    return room.need(tag)
                return (room.leave if kind == "leave" else room.lost)(tag, now)
            case "resume" if seats:
                tag = seats[who % len(seats)]
                held = room._seats._held[tag]
                life, generation = held.life, max(1, held.generation - other)
                return room.resume(tag, life, generation, max(0, room.seq - who), now)
            case "commit" if present:
                return room.commit(present[who % len(present)], commit, now)
            case "post" if present:
                tag = present[who % len(present)]
                return room.post(tag, reference, room.fence - (other == 2), SEALED, now)
            case "offer" if present:
                offer = Offer(reference, room.fence - (other == 2), INFO)
                return room.offer(present[who % len(present)], offer, now)
            case "confirm" if present:
                return room.confirm(present[who % len(present)])
            case "keep" if present:
                return room.keep(present[who % len(present)], [1.5] * other)
        return None


def packed(room: Room) -> bytes:
    return bytes(msgpack.packb(snapshot.dump(room)))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(STEPS, STEPS)
def test_loaded_room_does_as_the_one_that_was_dumped(before: list[Any], after: list[Any]) -> None:
    one = Driver()
    for step in before:
        one.step(*step)
    other = one.copied(msgpack.unpackb(packed(one.room)))
    assert packed(other.room) == packed(one.room)
    assert other.rings.total == one.rings.total == one.room._ring.size
    for step in after:
        assert other.step(*step) == one.step(*step)
        assert packed(other.room) == packed(one.room)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(STEPS)
def test_snapshot_says_all_there_is(steps: list[Any]) -> None:
    driver = Driver()
    for step in steps:
        driver.step(*step)
    for thing in reachable(driver.room):
        assert not hasattr(thing, "__dict__"), "what has no slots would be lost"
        assert type(thing) in snapshot._STATE


def reachable(thing: Any) -> Iterator[Any]:
    """Yield everything that a room is made of, but for plain values, by its slots alone."""
    if isinstance(thing, dict):
        for pair in thing.items():
            yield from reachable(pair)
    elif type(thing) in snapshot._KINDS:
        for item in thing:
            yield from reachable(item)
    elif not isinstance(thing, snapshot._PLAIN):
        yield thing
        for slot in set(type(thing).__slots__) - snapshot._STATE[type(thing)]:
            yield from reachable(getattr(thing, slot))


def test_every_slot_is_in_the_snapshot_or_left_out_by_name() -> None:
    for kind, left_out in snapshot._STATE.items():
        slots: set[str] = set(kind.__slots__)  # type: ignore[attr-defined]
        assert left_out <= slots
        assert set(snapshot._SLOTS[kind]) == slots - left_out


def test_room_brings_its_own_limits_and_ring() -> None:
    driver = Driver()
    driver.step("enter", 0, 0, 0.0)
    driver.step("join", 0, 0, 0.0)
    larger, rings = replace(SMALL, seats=9, away_s=7.0), Rings(replace(RING, age_s=5.0))
    room = snapshot.load(snapshot.dump(driver.room), ROOM, larger, rings, driver.draw)
    (tag,) = room._seats.tags
    room.lost(tag, 1.0)
    assert (room.due(), room.deadline()) == (8.0, 5.0)
    assert rings.total > 0
    room.close()
    assert (rings.total, len(rings._by_use)) == (0, 0)


def test_what_a_snapshot_does_not_know_is_not_passed_over() -> None:
    driver = Driver()
    driver.room._group_info = bytearray(b"not plain")  # type: ignore[assignment]
    with pytest.raises(KeyError):
        snapshot.dump(driver.room)


def test_references_and_stale_ones_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "MAX_REFERENCES", 2)
    driver = Driver()
    for kind in ("enter", "join", "post", "post"):
        driver.step(kind, 0, 0, 0.0)
    room = driver.copied(snapshot.dump(driver.room)).room
    (tag,) = room._seats.tags
    assert list(room._references) == list(driver.room._references)
    assert room.post(tag, Reference((3).to_bytes(8, "big")), 1, SEALED, 0.0)[0] == 3
    assert room.post(tag, Reference((2).to_bytes(8, "big")), 1, SEALED, 0.0)[0] == 5
