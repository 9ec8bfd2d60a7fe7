"""Whole conversations: Rooms on a model relay that behaves, and one that does not."""

import struct

import pytest

from client import mls, seal, wire
from client.effect import Reconnect, Send
from client.errors import (
    HeldError,
    LimitError,
    RefusedError,
    StateError,
    UsageError,
    VerificationError,
)
from client.event import (
    Away,
    Back,
    EpochChanged,
    Joined,
    Left,
    Message,
    Missing,
    NickChanged,
    Presence,
)
from client.mls import framing, path
from client.room import Room
from client.seal import Kind
from client.stay import Phase
from tests.model import text
from tests.pair import LINK, Client, Stage

KEYS = LINK.keys()


def agreed(clients: list[Client]) -> bool:
    """Whether all stand in one epoch and show the same words."""
    groups = [client.room.group for client in clients]
    assert all(group is not None for group in groups)
    return len({g.authenticator for g in groups if g}) == 1 == len({c.room.words for c in clients})


def drain(client: Client) -> list[str | bytes]:
    """Take what the relay has for one client, so that a test may hand it over itself."""
    assert client.session is not None
    taken = list(client.session.inbox)
    client.session.inbox.clear()
    return taken


def test_first_one_founds_and_others_join() -> None:
    stage = Stage()
    one, two, three = stage.join(3)
    assert (one.room.first, two.room.first) == (True, False)
    assert agreed([one, two, three])
    assert [m.tag for m in one.room.members] == ["0x1000", "0x1001", "0x1002"]
    assert [m.me for m in two.room.members] == [False, True, False]
    assert [e.tag for e in one.events if isinstance(e, Joined)] == ["0x1001", "0x1002"]
    assert not any(isinstance(e, Joined) for e in three.events)


def test_messages_arrive_once_in_one_order_and_not_at_their_sender() -> None:
    stage = Stage()
    one, two, three = stage.join(3)
    sent = [stage.say(one, "a"), stage.say(two, "b"), stage.say(one, "c")]
    stage.settle()
    assert three.texts == ["a", "b", "c"]
    assert two.texts == ["a", "c"]
    assert one.texts == ["b"]
    orders = [e.seq for e in three.events if isinstance(e, Message)]
    assert orders == [one.settled[sent[0]], two.settled[sent[1]], one.settled[sent[2]]]


def test_nickname_travels_sealed_and_is_told_to_newcomers() -> None:
    stage = Stage()
    (one,) = stage.join(1)
    stage.perform(one, one.room.rename("Ada", stage.now))
    stage.settle()
    (two,) = stage.join(1)
    stage.wait(5)
    assert [e.nick for e in two.events if isinstance(e, NickChanged)] == ["Ada"]
    assert [m.nick for m in two.room.members] == ["Ada", None]
    assert [m.heard for m in two.room.members] == [True, True]
    assert [m.nick for m in one.room.members] == ["Ada", None]
    assert [m.heard for m in one.room.members] == [True, True]
    assert not any(b"Ada" in frame for frame in stage.relay.log)
    with pytest.raises(UsageError):
        one.room.rename("a\nb", stage.now)


def test_r24_what_cannot_be_sent_is_refused_before_anything_happens() -> None:
    stage = Stage()
    (one,) = stage.join(1)
    for bad in ("x" * 501, "\ud800"):
        with pytest.raises(UsageError):
            one.room.say(bad, stage.now)
    assert stage.relay.seq == 2


def test_r22_message_that_loses_to_a_commit_goes_again_by_itself() -> None:
    stage = Stage()
    one, _two = stage.join(2)
    stage.client()
    # The newcomer's commit wins while the message is on its way.
    while stage.relay.fence == 2:
        stage.step()
    reference = stage.say(one, "late")
    stage.settle()
    assert isinstance(one.settled[reference], int)
    assert [c.texts for c in stage.clients] == [[], ["late"], ["late"]]


def test_r22_tries_end_after_eight() -> None:
    stage = Stage()
    one, _two = stage.join(2)
    reference = stage.say(one, "never")
    for _ in range(20):
        stage.relay.fence += 1
        drain(one)
        refused = text(
            type="refused",
            reason="stale",
            reference=reference.hex(),
            retry_after_ms=None,
            fence=one.room.fence,
        )
        one.room._talk.outbox.fence_moved()
        stage.deliver(one, refused)
        if reference in one.settled:
            break
    assert isinstance(one.settled[reference], LimitError)


def test_r24_strict_message_is_held_when_somebody_came() -> None:
    stage = Stage()
    one, two = stage.join(2)
    stage.cut(two)
    stage.cut(one)
    one.wants_connection = False
    strict, loose = stage.say(one, "strict", strict=True), stage.say(one, "loose")
    three = stage.join(1)[0]
    stage.wait(4)
    one.wants_connection = True
    stage.settle()
    assert isinstance(one.settled[strict], HeldError)
    assert isinstance(one.settled[loose], int)
    assert three.texts == ["loose"]


def test_r24_strict_message_goes_while_nobody_new_came() -> None:
    stage = Stage()
    one, two = stage.join(2)
    stage.cut(one)
    reference = stage.say(one, "same people", strict=True)
    stage.wait(30)
    assert isinstance(one.settled[reference], int)
    assert two.texts == ["same people"]


def test_r05_reconnection_keeps_the_key_and_replaces_the_leaf() -> None:
    stage = Stage()
    one, two = stage.join(2)
    before = [m.signature_key for m in two.room.group.members]  # type: ignore[union-attr]
    stage.relay.tickets.clear()
    stage.cut(one)
    stage.settle()
    assert sorted(m.signature_key for m in two.room.group.members) == sorted(before)  # type: ignore[union-attr]
    assert [type(e) for e in two.events[-3:]] == [Away, Back, EpochChanged]
    back = two.events[-2]
    assert isinstance(back, Back)
    assert (back.previous, back.tag) == ("0x1000", "0x1002")
    assert agreed([one, two])
    stage.wait(120)
    assert len(two.room.members) == 2


def test_r29_message_whose_ack_was_lost_is_not_said_twice() -> None:
    stage = Stage()
    one, two = stage.join(2)
    reference = stage.say(one, "once")
    # Ordered, but the connection breaks before the ack is read.
    drain(one)
    stage.cut(one)
    stage.wait(1)
    assert one.settled[reference] == 5
    assert two.texts == ["once"]


def test_r30_resent_in_a_new_life_it_is_still_known() -> None:
    stage = Stage()
    one, two = stage.join(2)
    reference = stage.say(one, "once")
    drain(one)
    stage.cut(one)
    stage.relay.references.clear()
    stage.wait(1)
    assert reference in one.settled
    assert two.texts == ["once"]
    assert two.notices() == []


def test_r06_leaf_of_who_left_is_removed_soon_and_by_the_lowest() -> None:
    stage = Stage()
    one, two, three = stage.join(3)
    commits = stage.relay.fence
    stage.leave(three)
    stage.settle()
    assert [type(e) for e in one.events[-1:]] == [Left]
    assert len(one.room.members) == 3
    stage.wait(3)
    assert len(one.room.members) == 2
    assert stage.relay.fence == commits + 1
    assert agreed([one, two])
    assert [type(e) for e in two.events].count(Left) == 1


def test_r06_next_one_removes_where_the_lowest_does_not() -> None:
    stage = Stage()
    one, two, three = stage.join(3)
    stage.leave(three)
    stage.settle()
    one.wants_connection = False
    assert one.session is not None
    one.session.inbox.clear()
    stage.clients.remove(one)
    stage.wait(3)
    assert len(two.room.members) == 2


def test_r06_leaf_without_a_seat_is_due_after_a_minute() -> None:
    stage = Stage()
    _one, two = stage.join(2)
    # A relay that restarted knows nothing of the second seat.
    assert two.session is not None
    stage.relay.sessions.remove(two.session)
    stage.clients.remove(two)
    (three,) = stage.join(1)
    assert {m.presence for m in three.room.members} == {Presence.PRESENT, Presence.GONE}
    stage.wait(59)
    assert len(three.room.members) == 3
    stage.wait(3)
    assert len(three.room.members) == 2


def test_removed_member_that_is_still_here_comes_back() -> None:
    stage = Stage()
    one, two, three = stage.join(3)
    group = one.room.group
    assert group is not None
    hostile_commit(stage, one, group.commit([1], stage.relay.fence))
    stage.settle()
    assert "removed" in two.notices()
    stage.wait(5)
    assert agreed([two, three])
    assert len(two.room.members) == 3


def hostile_commit(stage: Stage, by: Client, staged: mls.Staged, *, own: bool = True) -> None:
    """Let a member commit what its own Room would not; ``own``: it believes in it itself."""
    fence = stage.relay.fence
    commit = seal.seal(KEYS.seal, KEYS.room_id, Kind.COMMIT, fence, staged.commit)
    info = seal.seal(KEYS.seal, KEYS.room_id, Kind.GROUP_INFO, fence + 1, staged.group_info)
    assert by.session is not None
    stage.relay.receive(by.session, wire.serialize_commit(bytes(8), fence, commit, info))
    if own:
        stage.clients.remove(by)


def test_r12_refused_commit_costs_one_fence_and_nothing_else() -> None:
    stage = Stage()
    one, two = stage.join(2)
    epoch = one.room.group.epoch  # type: ignore[union-attr]
    fence = stage.relay.fence
    assert two.session is not None
    sealed = seal.seal(KEYS.seal, KEYS.room_id, Kind.COMMIT, fence, b"garbage")
    info = seal.seal(KEYS.seal, KEYS.room_id, Kind.GROUP_INFO, fence + 1, b"garbage")
    stage.relay.receive(two.session, wire.serialize_commit(bytes(8), fence, sealed, info))
    stage.settle()
    assert one.notices() == ["commit_refused"]
    assert one.room.fence == fence + 1
    assert one.room.group.epoch == epoch  # type: ignore[union-attr]
    stage.say(one, "we go on")
    stage.settle()
    assert two.texts == ["we go on"]
    # Members offer a GroupInfo in the place of the worthless one, so that newcomers get in.
    stage.wait(1)
    (three,) = stage.join(1)
    assert agreed([one, two, three])


def test_r25_newcomer_asks_and_is_helped() -> None:
    stage = Stage()
    one, two = stage.join(2)
    stage.relay.infos = [bytes(1052)]
    (three,) = stage.join(1)
    stage.wait(1)
    assert agreed([one, two, three])
    assert "unusable" in three.notices()


def test_r25_newcomer_without_help_says_so_and_overwrites_nothing() -> None:
    stage = Stage()
    (one,) = stage.join(1)
    stage.clients.remove(one)
    stage.relay.infos = [bytes(1052)]
    (two,) = stage.join(1)
    stage.wait(11)
    assert isinstance(two.finished, RefusedError)
    assert two.finished.reason == "unusable"
    assert stage.relay.fence == 1


def test_r12_spoiled_path_strands_and_the_stranded_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A member spoils one ciphertext: who needs it rejoins that very epoch, the others follow."""
    stage = Stage()
    one, two, three, four = stage.join(4)
    group = four.room.group
    assert group is not None
    honest = path._seal

    def spoil(suite, tree, step, context, secret):  # type: ignore[no-untyped-def]
        sealed = honest(suite, tree, step, context, secret)
        if 0 in step.resolution or 1 in step.resolution:
            return tuple((output, bytes(48)) for output, _ in sealed)
        return sealed

    with monkeypatch.context() as patch:
        patch.setattr(path, "_seal", spoil)
        staged = group.commit([], stage.relay.fence)
    hostile_commit(stage, four, staged)
    stage.settle()
    assert "stranded" in one.notices()
    assert "stranded" in two.notices()
    assert "stranded" not in three.notices()
    stage.wait(10)
    assert agreed([one, two, three])
    stage.say(one, "together")
    stage.settle()
    assert (two.texts, three.texts) == (["together"], ["together"])


def test_r12_stranded_member_takes_no_other_line() -> None:
    stage = Stage()
    one, two = stage.join(2)
    other = Stage(seed=b"other")
    other.join(2)
    strand(stage, one)
    assert one.room.phase is Phase.STRANDED
    reference = stage.say(one, "not while stranded")
    drain(one)
    stage.clients.remove(two)
    stage.relay.infos = []
    # A GroupInfo of some other group of the same link and fence: valid, but not that line.
    group = other.clients[0].room.group
    assert group is not None
    info = group.group_info(one.room.fence)
    sealed = seal.seal(KEYS.seal, KEYS.room_id, Kind.GROUP_INFO, one.room.fence, info)
    message = struct.pack("!BQBL", 0x12, one.room.fence, 1, len(sealed)) + sealed
    stage.deliver(one, message)
    assert one.room.phase is Phase.STRANDED
    assert reference not in one.settled
    # Nothing of its line comes: after five seconds the commit is void for it.
    before = one.room.group
    stage.wait(4.9)
    assert one.room.phase is Phase.STRANDED
    stage.wait(1)
    assert one.room.phase is Phase.JOINED
    assert one.room.group is not before


def strand(stage: Stage, client: Client) -> None:
    """A commit of somebody else whose confirmation tag is wrong for everybody."""
    other = next(c for c in stage.clients if c is not client)
    group = other.room.group
    assert group is not None
    staged = group.commit([], stage.relay.fence)
    tag = framing.read_public_commit(staged.commit).confirmation_tag
    spoiled = staged.commit.replace(tag, bytes(32))
    framed = framing.read_public_commit(spoiled)
    epoch = group._epoch
    tag = epoch.secrets.suite.mac(epoch.secrets.membership, framed.tagged(epoch.context.to_bytes()))
    hostile_commit(
        stage,
        other,
        mls.Staged(spoiled[: -len(tag)] + tag, staged.group_info, staged.group),
        own=False,
    )
    stage.settle()


def test_r13_member_that_missed_commits_rejoins_through_need() -> None:
    stage = Stage()
    one, two = stage.join(2)
    stage.join(1)
    stage.relay.fence += 1
    group = two.room.group
    assert group is not None
    info = group.group_info(stage.relay.fence)
    sealed = seal.seal(KEYS.seal, KEYS.room_id, Kind.GROUP_INFO, stage.relay.fence, info)
    stage.relay.infos = [sealed]
    (four,) = stage.join(1)
    # All who were there saw a fence jump: they rejoin at the newest line.
    stage.wait(30)
    assert agreed(stage.clients)
    assert len(one.room.members) == 4
    assert four.room.phase is Phase.JOINED


def test_r16_sender_that_ran_too_far_strands_nobody_and_is_heard_again() -> None:
    stage = Stage()
    one, two = stage.join(2)
    stage.wait(4)
    group = two.room.group
    assert group is not None
    for _ in range(70):
        group.encrypt(b"", stage.relay.fence, 256)
    stage.say(two, "far ahead")
    stage.settle()
    assert one.notices() == ["frame_refused"]
    fence = stage.relay.fence
    stage.wait(20)
    assert one.texts == ["far ahead"]
    assert stage.relay.fence == fence + 1
    assert agreed([one, two])


def test_r17_leaf_keys_are_renewed_in_time_and_not_all_at_once() -> None:
    stage = Stage()
    one, two = stage.join(2)
    fence = stage.relay.fence
    stage.wait(10 * 60)
    assert stage.relay.fence == fence
    stage.wait(20 * 60)
    assert fence + 2 <= stage.relay.fence <= fence + 5
    assert agreed([one, two])


def test_expected_words_are_checked_before_anything_is_sent() -> None:
    stage = Stage()
    (one,) = stage.join(1)
    words = one.room.words
    wrong = stage.client(expect_words=("able",) * 6)
    stage.settle()
    assert isinstance(wrong.finished, VerificationError)
    assert stage.relay.fence == 1
    right = stage.client(expect_words=words)
    stage.settle()
    assert right.entered == 1
    alone = Stage().client(expect_words=words)
    lonely = Stage()
    lonely.clients.append(alone)
    lonely.settle()
    assert isinstance(alone.finished, VerificationError)


# A relay that does not behave


@pytest.fixture
def pair() -> tuple[Stage, Client, Client]:
    stage = Stage()
    one, two = stage.join(2)
    return stage, one, two


def frame_for(stage: Stage, sender: Client, receiver: Client, said: str) -> bytes:
    """One honest frame, taken out of the relay's hands."""
    stage.say(sender, said)
    (frame,) = drain(receiver)
    assert isinstance(frame, bytes)
    return frame


def test_flipped_bits_anywhere_are_dropped_and_shown(pair: tuple[Stage, Client, Client]) -> None:
    stage, one, two = pair
    frame = frame_for(stage, one, two, "genuine")
    seq = stage.relay.seq
    for at in range(20, len(frame), 7):
        forged = bytearray(frame)
        forged[at] ^= 1
        forged[4:12] = struct.pack("!Q", seq)
        stage.deliver(two, bytes(forged))
        seq += 1
    assert two.texts == []
    assert set(two.notices()) == {"frame_refused"}


def test_replay_reorder_and_gap_are_shown_and_never_heard_twice(
    pair: tuple[Stage, Client, Client],
) -> None:
    stage, one, two = pair
    first, second = (frame_for(stage, one, two, said) for said in ("1", "2"))
    stage.deliver(two, second)
    assert two.texts == []
    stage.deliver(two, first)
    assert two.notices() == ["relay_gap", "relay_equivocates"]
    stage.deliver(two, second)
    assert two.notices()[2:] == ["relay_equivocates"]
    again = bytearray(second)
    again[4:12] = struct.pack("!Q", stage.relay.seq + 1)
    stage.deliver(two, bytes(again))
    assert two.notices()[3:] == ["frame_refused"]
    stage.wait(11)
    # What the relay left out, its sender has sent again.
    assert two.texts == ["1", "2"]
    assert [e.late for e in two.events if isinstance(e, Message)] == [True, True]


def test_r04_relabelled_tag_is_dropped_and_shown(pair: tuple[Stage, Client, Client]) -> None:
    stage, one, two = pair
    frame = bytearray(frame_for(stage, one, two, "mine"))
    frame[2:4] = bytes.fromhex("1001")
    stage.deliver(two, bytes(frame))
    assert two.texts == []
    assert two.notices() == ["relay_mislabels"]


def test_relabelled_kind_and_fence_are_dropped(pair: tuple[Stage, Client, Client]) -> None:
    stage, one, two = pair
    frame = frame_for(stage, one, two, "mine")
    for fence in (0, 1, 3, 2**40):
        forged = frame[:12] + struct.pack("!Q", fence) + frame[20:]
        stage.deliver(two, forged)
        stage.relay.seq += 1
        frame = frame[:4] + struct.pack("!Q", stage.relay.seq) + frame[12:]
    assert two.texts == []
    assert set(two.notices()) == {"relay_equivocates"}


def test_r15_second_commit_for_a_fence_is_shown_not_followed(
    pair: tuple[Stage, Client, Client],
) -> None:
    stage, _one, two = pair
    epoch = two.room.group.epoch  # type: ignore[union-attr]
    old = next(frame for frame in stage.relay.log if frame[1] == 2)
    stage.relay.seq += 1
    stage.deliver(two, old[:4] + struct.pack("!Q", stage.relay.seq) + old[12:])
    assert two.notices() == ["relay_equivocates"]
    assert two.room.group.epoch == epoch  # type: ignore[union-attr]


def test_message_of_a_relay_that_breaks_the_protocol_ends_the_connection_only(
    pair: tuple[Stage, Client, Client],
) -> None:
    stage, _one, two = pair
    for bad in ("{}", "nonsense", b"", b"\x11", b"\x77abc", text(type="welcome")):
        assert any(isinstance(e, Reconnect) for e in two.room.received(bad, stage.now))
    for misplaced in (
        text(type="challenge", v=1, nonce="A" * 43),
        text(type="joined", seq=9, tag="0x1001", seats=[], away=[]),
    ):
        two.room.received(misplaced, stage.now)
    assert two.room.phase is Phase.JOINED
    assert two.room.group is not None


def test_relay_cannot_seat_us_without_our_own_commit() -> None:
    stage = Stage()
    client = stage.client()
    for _ in range(3):
        stage.step()
    assert client.room.phase is Phase.ENTERING
    drain(client)
    forged = text(type="joined", seq=2, tag="0x1000", seats=["0x1000"], away=[])
    effects = client.room.received(forged, stage.now)
    assert [type(effect) for effect in effects] == [Reconnect]
    assert client.entered == 0


def test_silent_relay_is_given_up() -> None:
    stage = Stage()
    client = stage.client()
    client.session = stage.relay.connect()
    drain(client)
    stage.perform(client, client.room.connected(stage.now))
    deadline = client.room.deadline(stage.now)
    assert deadline is not None
    effects = client.room.tick(deadline)
    assert [type(effect) for effect in effects] == [Reconnect]


def test_whoever_has_left_wants_to_be_woken_no_more() -> None:
    stage = Stage()
    client = stage.client()
    client.session = stage.relay.connect()
    drain(client)
    stage.perform(client, client.room.connected(stage.now))
    deadline = client.room.deadline(stage.now)
    assert deadline is not None
    client.room.leave(stage.now)
    assert client.room.deadline(stage.now) is None
    assert client.room.tick(deadline) == []


@pytest.mark.parametrize("reason", ["full", "proof", "version"])
def test_final_refusals_end_the_stay(reason: str) -> None:
    stage = Stage()
    client = stage.client()
    stage.step()
    refused = text(type="refused", reason=reason, reference=None, retry_after_ms=None, fence=None)
    stage.deliver(client, refused)
    assert isinstance(client.finished, RefusedError)
    assert client.finished.reason == reason
    assert client.room.phase is Phase.CLOSED
    assert client.room.received(refused, stage.now) == []


def test_busy_relay_is_tried_again_after_its_time() -> None:
    stage = Stage()
    client = stage.client()
    stage.step()
    refused = text(type="refused", reason="busy", reference=None, retry_after_ms=1500, fence=None)
    assert client.room.received(refused, stage.now) == [Reconnect(1.5)]


def test_drain_reset_and_notices_are_told(pair: tuple[Stage, Client, Client]) -> None:
    stage, one, two = pair
    assert Reconnect(2.0) in one.room.received(text(type="drain", retry_after_ms=2000), stage.now)
    reset = text(type="reset", life="AAAAAAAAAAE", seq=0, fence=0)
    assert Reconnect(0.0) in two.room.received(reset, stage.now)
    for code, told in (("degraded", "degraded"), ("hello", "relay_notice")):
        stage.deliver(two, text(type="notice", code=code))
        assert two.notices()[-1] == told
    stage.deliver(two, text(type="of_tomorrow", a=1))
    assert two.room.phase is Phase.JOINED


def test_r26_unjoined_ones_are_told_of_a_new_life() -> None:
    stage = Stage()
    client = stage.client()
    for _ in range(2):
        stage.step()
    assert client.room.phase is Phase.WAITING
    drain(client)
    stage.deliver(client, text(type="reset", life="AAAAAAAAAAE", seq=0, fence=0))
    assert client.room.life == "AAAAAAAAAAE"
    stage.deliver(client, stage.relay.info())
    assert client.room.phase is Phase.ENTERING


def test_r04_tag_in_use_asks_for_another_by_coming_back() -> None:
    stage = Stage()
    stage.join(1)
    client = stage.client()
    client.session = stage.relay.connect()
    client.session.tag = "0x1000"
    stage.perform(client, client.room.connected(stage.now))
    stage.settle()
    assert client.reconnects == 1
    assert client.room.tag == "0x1002"
    assert agreed(stage.clients)


def test_leaving_says_goodbye_and_forgets_every_key() -> None:
    stage = Stage()
    one, _two = stage.join(2)
    group = one.room.group
    assert group is not None
    assert Send(wire.BYE) in one.room.leave(stage.now)
    with pytest.raises(StateError):
        group.encrypt(b"", 2, 256)
    assert one.room.leave(stage.now) == []


def test_reprs_hold_no_secret() -> None:
    room = Room(LINK, lambda n: bytes(n))
    shown = repr(vars(room)["_stay"]) + repr(LINK)
    for secret in (KEYS.psk, KEYS.seal, LINK.secret):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


def test_relays_limits_pace_the_sender(pair: tuple[Stage, Client, Client]) -> None:
    stage, one, two = pair
    budget = one.room._talk.outbox.budget
    budget.rate, budget.burst, budget.tokens, budget.at = 1.0, 3, 3.0, stage.now
    for number in range(6):
        stage.say(one, str(number))
    stage.settle()
    assert two.texts == ["0", "1", "2"]
    stage.wait(3.1)
    assert two.texts == ["0", "1", "2", "3", "4", "5"]


def test_refused_rate_waits_and_keeps_the_order(pair: tuple[Stage, Client, Client]) -> None:
    stage, one, two = pair
    assert one.session is not None
    receive, stage.relay.receive = stage.relay.receive, lambda *_: None  # type: ignore[method-assign]
    reference = stage.say(one, "first")
    stage.relay.receive = receive  # type: ignore[method-assign]
    refused = text(
        type="refused", reason="rate", reference=reference.hex(), retry_after_ms=2000, fence=None
    )
    stage.deliver(one, refused)
    stage.say(one, "second")
    stage.settle()
    assert two.texts == []
    stage.wait(2.1)
    assert two.texts == ["first", "second"]


def test_post_that_the_relay_will_never_take_fails_and_leaves_no_hole(
    pair: tuple[Stage, Client, Client],
) -> None:
    stage, one, two = pair
    receive, stage.relay.receive = stage.relay.receive, lambda *_: None  # type: ignore[method-assign]
    reference = stage.say(one, "refused")
    stage.relay.receive = receive  # type: ignore[method-assign]
    stage.deliver(
        one,
        text(
            type="refused",
            reason="size",
            reference=reference.hex(),
            retry_after_ms=None,
            fence=None,
        ),
    )
    assert isinstance(one.settled[reference], RefusedError)
    stage.say(one, "next")
    stage.settle()
    assert two.texts == ["next"]
    assert not any(isinstance(e, Missing) for e in two.events)


def test_before_entry_there_are_no_words_and_no_members() -> None:
    room = Room(LINK, lambda n: bytes(n))
    assert (room.words, room.members, room.tag, room.group) == ((), (), None, None)
    assert room.received("early", 0.0) == []


def test_words_are_made_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    (one,) = stage.join(1)
    words = one.room.words
    monkeypatch.setattr("client.room.verification_words", None)
    assert one.room.words is words


def test_commit_of_others_before_our_own_ends_the_connection() -> None:
    stage = Stage()
    stage.join(2)
    client = stage.client()
    while client.room.phase is not Phase.ENTERING:
        stage.step()
    drain(client)
    assert client.room.received(stage.relay.log[0], stage.now) == [Reconnect()]


def test_replayed_commits_and_events_are_shown_once_more_and_nothing_else(
    pair: tuple[Stage, Client, Client],
) -> None:
    stage, one, two = pair
    epoch = one.room.group.epoch  # type: ignore[union-attr]
    commit = next(frame for frame in reversed(stage.relay.log) if frame[1] == 2)
    stage.deliver(one, commit)
    stage.deliver(one, text(type="joined", seq=1, tag="0x1001"))
    assert one.notices() == ["relay_equivocates"] * 2
    assert one.room.group.epoch == epoch  # type: ignore[union-attr]
    assert len(two.room.members) == 2


def test_while_stranded_messages_are_counted_and_not_read(
    pair: tuple[Stage, Client, Client],
) -> None:
    stage, one, two = pair
    stage.say(one, "first")
    stage.settle()
    two.room._membership.stray.strand(None, stage.now)
    stage.say(one, "unread for now")
    (frame,) = drain(two)
    stage.deliver(two, frame)
    assert two.texts == ["first"]
    stage.wait(15)
    assert agreed([one, two])
    stage.say(one, "read")
    stage.settle()
    assert two.texts == ["first", "unread for now", "read"]


def test_turn_is_given_up_when_the_seat_does_not_come() -> None:
    stage = Stage()
    client = stage.client()
    while client.room.phase is not Phase.ENTERING:
        stage.step()
    drain(client)
    effects = client.room.tick(stage.now + 21)
    assert effects == [Reconnect()]


def test_r30_first_message_of_somebody_we_saw_come_is_asked_for_too(
    pair: tuple[Stage, Client, Client],
) -> None:
    stage, one, two = pair
    frame_for(stage, two, one, "lost")
    stage.relay.seq += 1
    second = frame_for(stage, two, one, "second")
    one.room.received(second, stage.now)
    stage.wait(11)
    assert one.texts == ["lost", "second"]


def test_back_from_stranding_by_a_commit_that_was_skipped(
    pair: tuple[Stage, Client, Client],
) -> None:
    stage, one, two = pair
    frame = frame_for(stage, two, one, "at the old fence")
    late = frame[:12] + struct.pack("!Q", 1) + frame[20:]
    stage.deliver(one, late)
    assert one.notices() == ["relay_equivocates"]


def test_frames_before_their_time_end_the_connection() -> None:
    stage = Stage()
    client = stage.client()
    client.session = stage.relay.connect()
    client.room.connected(stage.now)
    for early in (stage.relay.info(), struct.pack("!B8sQ", 0x13, bytes(8), 1)):
        assert client.room.received(early, stage.now) == [Reconnect()]


def test_connection_that_ends_after_leaving_changes_nothing() -> None:
    stage = Stage()
    (one,) = stage.join(1)
    stage.perform(one, one.room.leave(stage.now))
    assert one.room.lost(stage.now) == []
    assert one.room.phase is Phase.CLOSED
