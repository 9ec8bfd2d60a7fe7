"""Seats that are given back: what is told and replayed, and rooms restored (R27, R28)."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import room as room_module
from relay import wire
from relay.effect import Effect, Publish, Seat, Send
from relay.errors import Reason
from relay.room import Resumed, Room
from relay.wire import Offer, Reference, Tag
from tests.relay.one_room import (
    COMMIT,
    INFO,
    LIMITS,
    RING,
    SEALED,
    commit,
    info,
    join,
    life,
    mark,
    new_room,
    post,
    references,
    refusal,
    texts,
    ticket,
)

# The life of the process before: its tickets are the ones that restore.
FORMER = life(9)


def resume(
    room: Room, tag: Tag, generation: int = 1, seen: int | None = None, now: float = 0.0
) -> Resumed:
    seen = room.seq if seen is None else seen
    resumed = room.resume(tag, room.life, generation, seen, now)
    assert resumed is not None
    return resumed


def restore(room: Room, tag: int, fence: int, now: float = 0.0) -> Resumed | None:
    return room.restore(Tag(tag), FORMER, 3, fence, now)


def told(resumed: Resumed | None) -> list[Any]:
    """Return what a resumed session reads: dicts, and binary messages as they are."""
    assert resumed is not None
    return [json.loads(m) if wire.is_text(m) else m for m in resumed.told]


def frame(tag: Tag, seq: int, fence: int, *, is_commit: bool = False) -> bytes:
    if is_commit:
        return wire.serialize_frame(wire.COMMIT_KIND, tag, seq, fence, COMMIT)
    return wire.serialize_frame(wire.APPLICATION_KIND, tag, seq, fence, SEALED)


def test_r27_resumed_has_the_next_ticket_and_the_mark_of_now() -> None:
    room = new_room()
    one, two = join(room), join(room)
    room.commit(two, commit(2), 0.0)
    resumed = resume(room, one)
    assert resumed.effects == [], "nobody saw it go"
    assert resumed.told == [
        b'{"type":"resumed","life":"AAAAAAAAAAE","tag":"0x0010","seq":5,"fence":3,"ticket":"%s",'
        b'"limits":{"message_rate_milli":1500,"message_burst":10,"seats":4}}'
        % ticket(one, 2).encode(),
        mark(3, 5),
    ]


def test_r27_what_was_missed_comes_as_it_would_have_come() -> None:
    room = new_room()
    one, two = join(room), join(room)
    seen = room.seq
    posted, committed = next(references), next(references)
    post(room, two)
    post(room, one, reference=posted)
    room.commit(one, commit(2, committed), 0.0)
    room.commit(two, commit(3), 0.0)
    room.lost(one, 5.0)
    resumed = resume(room, one, seen=seen, now=10.0)
    back = {"type": "back", "seq": 10, "tag": "0x0010"}
    assert texts(resumed.effects) == [back]
    assert told(resumed)[2:] == [
        frame(two, 5, 2),
        wire.serialize_ack(posted, 6),
        frame(one, 7, 2, is_commit=True),
        wire.serialize_ack(committed, 7),
        frame(two, 8, 3, is_commit=True),
        {"type": "away", "seq": 9, "tag": "0x0010"},
        back,
    ]
    assert resumed.told[1] == mark(4, 8), "before all that it stands for"
    assert texts(room.expire(65.0)) == [], "it is not away any more"


@pytest.mark.parametrize("seen", [0, 3, 99, 2**53 - 1])
def test_r27_number_that_cannot_have_been_seen_is_a_gap(seen: int) -> None:
    """Before the seat's own join, or never given."""
    room = new_room()
    one, two = join(room), join(room)
    room.lost(one, 0.0)
    gap = {"type": "gap", "seq": 5, "fence": 2, "seats": ["0x0010", "0x0011"], "away": ["0x0010"]}
    assert told(resume(room, two, seen=seen))[2:] == [gap]


def test_r27_ring_that_does_not_reach_back_is_a_gap() -> None:
    room = new_room(ring=replace(RING, frames=3))
    one, two = join(room), join(room)
    for _ in range(4):
        post(room, two)
    assert len(told(resume(room, one, seen=5))) == 5
    assert told(resume(room, one, 1, seen=4))[-1]["type"] == "gap"


def test_r27_ring_that_aged_is_a_gap() -> None:
    room = new_room()
    one, two = join(room), join(room)
    post(room, two, now=30.0)
    seen = room.seq
    post(room, two, now=70.0)
    room.expire(100.0)
    assert [type(m) for m in told(resume(room, one, seen=seen))[2:]] == [bytes]
    assert told(resume(room, one, 1, seen=seen - 1))[-1]["type"] == "gap"


def test_r27_own_post_whose_reference_is_forgotten_is_a_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room_module, "MAX_REFERENCES", 2)
    room = new_room()
    one, two = join(room), join(room)
    for tag in (one, two, two):
        post(room, tag)
    assert told(resume(room, one, seen=4))[-1]["type"] == "gap"
    assert len(told(resume(room, two, seen=4))) == 5


def test_r27_ticket_is_worth_nothing_without_its_seat() -> None:
    room = new_room()
    one, two, three = join(room), join(room), join(room)
    room.leave(two, 0.0)
    room.lost(one, 0.0)
    room.expire(60.0)
    for tag in (one, two, Tag(0x99)):
        assert room.resume(tag, room.life, 1, 0, 60.0) is None
    assert room.resume(three, FORMER, 1, 0, 60.0) is None
    room.leave(three, 60.0)
    assert room.resume(three, room.life, 1, 0, 60.0) is None


def test_r27_generations() -> None:
    room = new_room()
    one = join(room)
    assert told(resume(room, one))[0]["ticket"] == ticket(one, 2)
    assert told(resume(room, one))[0]["ticket"] == ticket(one, 2), "the answer may be lost"
    room.confirm(one)
    assert room.resume(one, room.life, 1, room.seq, 0.0) is None
    assert told(resume(room, one, 2))[0]["ticket"] == ticket(one, 3)


def test_r27_luggage_stays_with_the_seat() -> None:
    room = new_room()
    one = join(room)
    assert room.luggage(one) is None
    room.keep(one, "buckets")
    room.lost(one, 0.0)
    resume(room, one)
    assert room.luggage(one) == "buckets"


def test_r29_join_under_a_known_reference_is_out_of_place() -> None:
    """An ack would make a session joined that has no seat."""
    room = new_room()
    one = join(room)
    reference = next(references)
    post(room, one, reference=reference)
    newcomer, _ = room.enter(0.0)
    assert refusal(room.commit, newcomer, commit(1, reference), 0.0).reason is Reason.STATE
    assert Seat(newcomer) in room.commit(newcomer, commit(1), 0.0)


def test_r28_room_begins_at_the_marks_fence_with_that_seat() -> None:
    room = new_room()
    resumed = restore(room, 0x77, 41)
    assert resumed is not None
    assert texts(resumed.effects) == [{"type": "back", "seq": 1, "tag": "0x0077"}]
    answer, newest, gap = told(resumed)
    assert (answer["type"], answer["seq"], answer["fence"]) == ("resumed", 1, 41)
    assert answer["ticket"] == ticket(Tag(0x77))
    assert newest == json.loads(mark(41, 0))
    assert gap == {"type": "gap", "seq": 1, "fence": 41, "seats": ["0x0077"], "away": []}
    assert not room.is_empty
    assert post(room, Tag(0x77)) == 2


def test_r28_room_without_group_info_is_nobodys_to_found() -> None:
    room = new_room()
    restore(room, 0x77, 41)
    newcomer, effects = room.enter(0.0)
    assert info(effects, newcomer) == wire.serialize_info(41, [])
    error = refusal(room.commit, newcomer, commit(0), 0.0)
    assert (error.reason, error.fence) == (Reason.STALE, 41)
    asked = room.need(newcomer)
    assert asked == [
        Send(newcomer, wire.serialize_info(41, [])),
        Publish(b'{"type":"need"}', newcomer),
    ]
    offer = Offer(next(references), 41, INFO)
    effects = room.offer(Tag(0x77), offer, 0.0)
    assert info(effects, newcomer) == wire.serialize_info(41, [INFO])
    assert Seat(newcomer) in room.commit(newcomer, commit(41), 0.0)


def test_r28_higher_mark_raises_the_fence_and_resets_all_who_are_here() -> None:
    room = new_room()
    seated = join(room)
    room.offer(seated, Offer(next(references), 1, INFO), 0.0)
    holder, _ = room.enter(0.0)
    room.enter(0.0)
    waiting, _ = room.enter(0.0)
    resumed = restore(room, 0x77, 41, now=10.0)
    assert resumed is not None
    reset = b'{"type":"reset","life":"AAAAAAAAAAE","seq":2,"fence":41}'
    everybody = [seated, holder, Tag(0x12), waiting]
    assert resumed.effects == [
        *(Send(tag, reset) for tag in everybody),
        *(Send(tag, wire.serialize_info(41, [])) for tag in everybody[1:3]),
        Publish(b'{"type":"back","seq":3,"tag":"0x0077"}'),
    ]
    assert (room.fence, room.seq) == (41, 3)
    assert room.expire(15.0) != [], "a turn is over"
    assert holder in room._turns, "its time to join counts anew"
    # The same life goes on: what was ordered stays so.
    assert refusal(room.post, seated, next(references), 1, SEALED, 15.0).fence == 41


def test_r28_those_who_did_not_follow_the_raise_get_a_gap() -> None:
    room = new_room()
    one = join(room)
    room.lost(one, 0.0)
    seen = room.seq
    restore(room, 0x77, 41)
    answer = told(resume(room, one, seen=seen))
    assert answer[0]["fence"] == answer[2]["fence"] == 41
    assert answer[2]["type"] == "gap"
    two = resume(room, Tag(0x77), 1, seen=room.seq - 1)
    assert [m["type"] for m in told(two)[2:]] == ["back"], "whoever raised it has missed this alone"


def test_r28_lower_mark_gives_a_seat_and_changes_nothing_else() -> None:
    room = new_room()
    join(room)
    post(room, Tag(0x10))
    resumed = restore(room, 0x77, 1)
    assert resumed is not None
    assert resumed.effects == [Publish(b'{"type":"back","seq":4,"tag":"0x0077"}')]
    answer, newest, gap = told(resumed)
    assert answer["fence"] == gap["fence"] == 1
    assert newest == json.loads(mark(1, 1))
    assert gap["seats"] == ["0x0010", "0x0077"]
    assert info(room.enter(0.0)[1], Tag(0x11)) == wire.serialize_info(1, [INFO])


def test_r28_seats_come_back_one_after_the_other() -> None:
    room = new_room()
    restore(room, 0x77, 40)
    higher = restore(room, 0x66, 41)
    assert higher is not None
    assert texts(higher.effects) == [
        {"type": "reset", "life": "AAAAAAAAAAE", "seq": 1, "fence": 41},
        {"type": "back", "seq": 2, "tag": "0x0066"},
    ]
    lower = restore(room, 0x88, 40)
    assert lower is not None
    assert len(lower.effects) == 1
    assert told(lower)[2]["seats"] == ["0x0066", "0x0077", "0x0088"]


def test_r28_tag_that_is_taken_and_room_that_is_full_restore_nothing() -> None:
    room = new_room()
    seated, (unjoined, _) = join(room), room.enter(0.0)
    for tag in (seated, unjoined):
        assert restore(room, tag, 41) is None
    for number in (0x77, 0x66, 0x55):
        assert restore(room, number, 41) is not None
    assert restore(room, 0x44, 50) is None
    assert room.fence == 41
    room.leave(Tag(0x77), 0.0)
    assert restore(room, 0x77, 41) is None, "no tag is issued twice within a life (R4)"


def test_r28_former_ticket_stays_good_until_the_first_message() -> None:
    room = new_room()
    restore(room, 0x77, 41)
    again = room.resume(Tag(0x77), FORMER, 3, room.seq, 0.0)
    assert told(again)[2]["type"] == "gap", "a number of another life says nothing"
    assert told(again)[0]["ticket"] == ticket(Tag(0x77))
    room.confirm(Tag(0x77))
    assert room.resume(Tag(0x77), FORMER, 3, room.seq, 0.0) is None
    assert resume(room, Tag(0x77)).effects == []


def test_r27_two_hundred_seats_fit_into_every_message() -> None:
    room = new_room(replace(LIMITS, seats=200, commits=replace(LIMITS.commits, per_s=0.0)))
    tags = [join(room) for _ in range(200)]
    for tag in tags[:-1]:
        room.lost(tag, 0.0)
    (gap,) = told(resume(room, tags[-1], seen=0))[2:]
    assert len(gap["seats"]) == 200
    real = "t" * 108
    own = wire.serialize_joined(2**53 - 1, tags[0], tags, tags[:-1], real)
    messages = [own, *resume(room, tags[-1], seen=0).told, wire.serialize_mark(real)]
    assert max(map(len, messages)) <= wire.MAX_TEXT_BYTES


STEPS = st.lists(
    st.tuples(st.sampled_from(["post", "again", "commit", "away", "back"]), st.integers(0, 2)),
    max_size=40,
)


def given_to(tag: Tag, effects: list[Effect]) -> list[bytes]:
    """Return what one seat reads of effects, marks left out."""
    read: list[bytes] = []
    for effect in effects:
        if isinstance(effect, Publish):
            read += effect.own if effect.origin == tag else (effect.message,)
    return [message for message in read if not message.startswith(b'{"type":"mark"')]


@given(STEPS, st.data())
def test_r27_replay_is_what_would_have_come(
    script: list[tuple[str, int]], draw: st.DataObject
) -> None:
    """Any script, with one witness of it all: from any number on, the replay is the rest of it."""
    room = new_room(replace(LIMITS, commits=replace(LIMITS.commits, per_s=0.0)))
    tags = [join(room) for _ in range(3)]
    witness = tags[0]
    live: dict[int, list[bytes]] = {}
    posted: list[tuple[Tag, Reference]] = []
    generations = dict.fromkeys(tags, 1)
    first = room.seq
    for step, who in script:
        tag, effects = tags[who], list[Effect]()
        if step == "post":
            posted.append((tag, next(references)))
        if step in ("post", "again") and posted:
            origin, reference = posted[-1]
            before = room.seq
            seq, found = room.post(origin, reference, room.fence, SEALED, 0.0)
            if found is not None:
                assert seq == before + 1
                effects = [Publish(found, origin, (wire.serialize_ack(reference, seq),))]
        elif step == "commit":
            effects = room.commit(tag, commit(room.fence), 0.0)
        elif step == "away" and who:
            effects = room.lost(tag, 0.0)
        elif step == "back" and who:
            effects = resume(room, tag, generations[tag]).effects
            generations[tag] += 1
        if effects:
            live[room.seq] = given_to(witness, effects)
    seen = draw.draw(st.integers(first, room.seq))
    expected = [message for seq, read in live.items() if seq > seen for message in read]
    assert resume(room, witness, seen=seen).told[2:] == expected
