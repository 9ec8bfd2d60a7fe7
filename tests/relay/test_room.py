import itertools
import json

import pytest

from relay import room as room_module
from relay import wire
from relay.effect import Close, Publish, Seat, Send
from relay.errors import CloseCode, Reason
from relay.wire import Offer, Tag
from tests.relay.one_room import (
    COMMIT,
    INFO,
    SEALED,
    commit,
    info,
    join,
    mark,
    new_room,
    post,
    references,
    refusal,
    texts,
    ticket,
)


def test_newcomer_of_an_empty_room_is_welcome_and_founds() -> None:
    room = new_room()
    tag, effects = room.enter(0.0)
    assert effects == [
        Send(
            tag,
            b'{"type":"welcome","life":"AAAAAAAAAAE","tag":"0x0010","seq":0,"fence":0,"limits":'
            b'{"message_rate_milli":1500,"message_burst":10,"seats":4}}',
        ),
        Send(tag, wire.serialize_info(0, [])),
    ]
    message = commit(0)
    frame = wire.serialize_frame(2, tag, 1, 0, COMMIT)
    own = b'{"type":"joined","seq":2,"tag":"0x0010","seats":["0x0010"],"away":[],"ticket":"%s"}'
    assert room.commit(tag, message, 0.0) == [
        Seat(tag),
        Publish(mark(1, 1)),
        Publish(frame, tag, (frame, wire.serialize_ack(message.reference, 1))),
        Publish(b'{"type":"joined","seq":2,"tag":"0x0010"}', tag, (own % ticket(tag).encode(),)),
    ]
    assert (room.seq, room.fence) == (2, 1)


def test_next_newcomer_gets_what_there_is_to_join_by() -> None:
    room = new_room()
    first = join(room)
    tag, effects = room.enter(0.0)
    assert info(effects, tag) == wire.serialize_info(1, [INFO])
    effects = room.commit(tag, commit(1), 0.0)
    assert isinstance(effects[3], Publish)
    assert json.loads(effects[3].own[0])["seats"] == [f"0x{t:04x}" for t in (first, tag)]


def test_r03_two_have_the_turn_and_the_next_gets_it_from_who_joined() -> None:
    room = new_room()
    one, two, three = (room.enter(0.0) for _ in range(3))
    assert info(two[1], two[0]) is not None
    assert info(three[1], three[0]) is None
    assert refusal(room.commit, three[0], commit(0), 0.0).reason is Reason.STATE
    effects = room.commit(one[0], commit(0), 0.0)
    assert info(effects, three[0]) == wire.serialize_info(1, [INFO])


def test_r03_lost_race_is_stale_and_informed_once() -> None:
    room = new_room()
    one, two = room.enter(0.0)[0], room.enter(0.0)[0]
    room.commit(one, commit(0), 0.0)
    error = refusal(room.commit, two, commit(0), 0.0)
    assert (error.reason, error.fence) == (Reason.STALE, 1)
    assert info(room.inform(two), two) == wire.serialize_info(1, [INFO])
    assert room.inform(two) == []
    assert Seat(two) in room.commit(two, commit(1), 0.0)


def test_commit_of_one_whose_turn_has_passed_still_counts() -> None:
    room = new_room()
    one = room.enter(0.0)[0]
    for _ in range(3):
        room.enter(0.0)
    assert info(room.expire(3.0), Tag(0x12)) is not None
    assert Seat(one) in room.commit(one, commit(0), 3.0)


def test_r03_sixty_four_may_wait_and_all_seats_may_be_taken() -> None:
    room = new_room()
    for _ in range(4):
        room.enter(0.0)
    error = refusal(room.enter, 0.0)
    assert (error.reason, error.close_code, error.retry_after_s) == (Reason.BUSY, 4010, 3.0)
    full = new_room()
    late = [full.enter(0.0)[0], *(join(full) for _ in range(3))]
    late.append(full.enter(0.0)[0])
    full.commit(late[-1], commit(3), 0.0)
    error = refusal(full.commit, late[0], commit(4), 0.0)
    assert (error.reason, error.close_code) == (Reason.FULL, CloseCode.FULL)
    error = refusal(full.enter, 0.0)
    assert (error.reason, error.close_code) == (Reason.FULL, CloseCode.FULL)


def test_r04_tag_is_not_issued_twice_and_a_life_can_run_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room_module, "TAGS", 4)
    room = new_room(tags=itertools.repeat(2))
    stays = join(room)
    gone = room.enter(0.0)[0]
    room.leave(gone, 0.0)
    other = room.enter(0.0)[0]
    assert [stays, gone, other] == [2, 3, 0]
    room.leave(other, 0.0)
    room.leave(room.enter(0.0)[0], 0.0)
    assert refusal(room.enter, 0.0).reason is Reason.FULL


def test_post_is_numbered_and_framed() -> None:
    room = new_room()
    tag = join(room)
    assert room.post(tag, next(references), 1, SEALED, 0.0) == (
        3,
        wire.serialize_frame(1, tag, 3, 1, SEALED),
    )


def test_r22_post_and_offer_at_another_fence_are_stale_with_the_fence() -> None:
    room = new_room()
    tag = join(room)
    for fence in (0, 2):
        error = refusal(room.post, tag, next(references), fence, SEALED, 0.0)
        assert (error.reason, error.fence) == (Reason.STALE, 1)
        error = refusal(room.offer, tag, Offer(next(references), fence, INFO), 0.0)
        assert (error.reason, error.fence) == (Reason.STALE, 1)
    assert room.seq == 2


def test_r29_reference_is_ordered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    room = new_room()
    tag = join(room)
    one, two = next(references), next(references)
    assert post(room, tag, reference=one) == 3
    post(room, tag)
    assert room.post(tag, one, 99, SEALED, 0.0) == (3, None)
    room.commit(tag, commit(1, two), 0.0)
    seq = room.seq
    assert room.commit(tag, commit(1, two), 0.0) == [Send(tag, wire.serialize_ack(two, 5))]
    assert (room.seq, room.fence) == (seq, 2)


def test_r29_references_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "MAX_REFERENCES", 3)
    room = new_room()
    tag = join(room)
    kept = [next(references) for _ in range(4)]
    for reference in kept:
        post(room, tag, reference=reference)
    seq = room.seq
    assert post(room, tag, reference=kept[1]) == 4
    assert post(room, tag, reference=kept[0]) == seq + 1


def test_r22_pace_of_the_room() -> None:
    room = new_room()
    tag = join(room)
    for fence in range(1, 32):
        room.commit(tag, commit(fence), 0.0)
    error = refusal(room.commit, tag, commit(32), 0.0)
    assert (error.reason, error.retry_after_s) == (Reason.PACE, 0.25)
    room.commit(tag, commit(32), 0.25)


def test_r22_stale_post_reserves_and_is_ordered() -> None:
    room = new_room()
    one, two = join(room), join(room)
    reference = next(references)
    for _ in range(2):
        refusal(room.post, one, reference, 1, SEALED, 0.0)
    assert refusal(room.commit, two, commit(2), 0.0).reason is Reason.PACE
    post(room, one, reference=reference)
    room.commit(two, commit(2), 0.0)


def test_r25_offers_are_kept_listed_and_dropped() -> None:
    room = new_room()
    tags = [join(room) for _ in range(3)]
    newcomer, _ = room.enter(0.0)
    asked = Publish(b'{"type":"need"}', newcomer)
    held = wire.serialize_info(3, [INFO])
    assert room.need(newcomer) == [Send(newcomer, held), asked]
    assert room.need(tags[2])[0] == Send(tags[2], held)
    offer = Offer(next(references), 3, b"o" * 1052)
    effects = room.offer(tags[0], offer, 0.0)
    expected = wire.serialize_info(3, [INFO, offer.group_info])
    assert effects == [
        Send(tags[0], wire.serialize_ack(offer.reference, room.seq)),
        Send(tags[2], expected),
        Send(newcomer, expected),
    ]
    assert len(room.offer(tags[0], offer, 0.0)) == 1, "everybody has been told"
    other = room.enter(0.0)[1]
    assert other[-1] == Send(Tag(0x14), expected), "one seat, one offer"
    room.commit(newcomer, commit(3), 0.0)
    assert room.inform(Tag(0x14)) == [Send(Tag(0x14), wire.serialize_info(4, [INFO]))]


def test_r25_need_before_its_turn_shows_nothing_yet() -> None:
    room = new_room()
    join(room)
    waiting = [room.enter(0.0)[0] for _ in range(3)][-1]
    assert room.need(waiting) == [Publish(b'{"type":"need"}', waiting)]


def test_r25_three_offers_of_different_seats() -> None:
    room = new_room()
    tags = [join(room) for _ in range(4)]
    for n, tag in enumerate(tags):
        room.offer(tag, Offer(next(references), 4, bytes((n,)) * 1052), 0.0)
    room.leave(tags[3], 0.0)
    tag, effects = room.enter(0.0)
    entries = [INFO, *(bytes((n,)) * 1052 for n in (1, 2, 3))]
    assert info(effects, tag) == wire.serialize_info(4, entries)


def test_lost_seat_is_away_and_then_left() -> None:
    room = new_room()
    one, two = join(room), join(room)
    room.need(one)
    assert texts(room.lost(one, 10.0)) == [{"type": "away", "seq": 5, "tag": "0x0010"}]
    assert room.lost(one, 11.0) == []
    assert room.expire(69.9) == []
    tag, _ = room.enter(69.9)
    effects = room.commit(tag, commit(2), 69.9)
    told = [effect.own for effect in effects if isinstance(effect, Publish)][2][0]
    assert json.loads(told)["away"] == ["0x0010"]
    assert texts(room.expire(70.0)) == [{"type": "left", "seq": 8, "tag": "0x0010"}]
    assert texts(room.leave(two, 70.0)) == [{"type": "left", "seq": 9, "tag": "0x0011"}]
    assert room.leave(two, 70.0) == []
    assert room.lost(two, 70.0) == []


def test_away_seat_counts_as_taken() -> None:
    room = new_room()
    tags = [join(room) for _ in range(4)]
    room.lost(tags[0], 0.0)
    assert refusal(room.enter, 0.0).reason is Reason.FULL
    room.expire(60.0)
    room.enter(60.0)


def test_unjoined_session_leaves_no_trace() -> None:
    room = new_room()
    tag, _ = room.enter(0.0)
    assert room.lost(tag, 0.0) == []
    assert room.is_empty


def test_r03_late_joiner_is_closed_and_the_next_gets_its_turn() -> None:
    room = new_room()
    tags = [room.enter(0.0)[0] for _ in range(2)]
    room.need(tags[0])
    assert room.deadline() == 15.0
    assert room.expire(14.9) == []
    assert room.expire(15.0) == [Close(tag, CloseCode.NOT_JOINED) for tag in tags]
    assert room.is_empty


def test_r26_last_seat_gone_begins_a_new_life_for_those_who_wait() -> None:
    room = new_room()
    seat = join(room)
    room.offer(seat, Offer(next(references), 1, INFO), 0.0)
    holder, waiting = [room.enter(0.0)[0] for _ in range(3)][1:]
    effects = room.leave(seat, 0.0)
    reset = b'{"type":"reset","life":"AAAAAAAAAAI","seq":0,"fence":0}'
    assert [e.message for e in effects if isinstance(e, Send)][:3] == [reset] * 3
    assert info(effects, holder) == wire.serialize_info(0, [])
    assert info(effects, waiting) is None
    assert (room.seq, room.fence) == (0, 0)
    assert Seat(holder) in room.commit(holder, commit(0), 0.0)


def test_last_seat_gone_with_nobody_waiting_is_the_end() -> None:
    room = new_room()
    room.leave(join(room), 0.0)
    assert room.is_empty


def test_room_wakes_for_turns_frames_and_away_seats() -> None:
    room = new_room()
    assert room.deadline() is None
    tag = join(room)
    assert room.deadline() == 60.0, "the age of the first frame"
    room.lost(tag, 5.0)
    room.expire(60.0)
    assert room.deadline() == 65.0
    room.close()


def test_r25_group_infos_that_were_given_up_are_offered_again() -> None:
    room = new_room()
    one, two = join(room), join(room)
    room.offer(one, Offer(next(references), room.fence, INFO), 0.0)
    room.relieve()
    late, _ = room.enter(0.0)
    asked = room.need(late)
    assert asked[0] == Send(late, wire.serialize_info(room.fence, []))
    assert Publish(wire.serialize_need(), late) in asked
    offered = room.offer(two, Offer(next(references), room.fence, INFO), 0.0)
    assert offered[-1] == Send(late, wire.serialize_info(room.fence, [INFO]))
