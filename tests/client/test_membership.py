"""Entering, stranding and duties where they go wrong; the plain ways are in test_room.py."""

import pytest

from client import membership as module
from client import newcomer, wire
from client.duty import REFRESH_GAP_S
from client.effect import Finish, Reconnect, Send
from client.errors import CommitRefusedError, RefusedError
from client.event import Back, Presence
from client.link import Tag
from client.roster import RANK_S
from client.stay import Phase
from client.stray import NEED_S
from tests.model import text
from tests.pair import Client, Stage


def entering(stage: Stage) -> tuple[Client, bytes]:
    """A client whose commit is on its way, and that commit's reference."""
    client = stage.client()
    sent: list[bytes] = []
    receive = stage.relay.receive

    def note(session, data):  # type: ignore[no-untyped-def]
        if isinstance(data, bytes) and data[0] == 2:
            sent.append(data[1:9])
        else:
            receive(session, data)

    stage.relay.receive = note  # type: ignore[method-assign]
    stage.settle()
    stage.relay.receive = receive  # type: ignore[method-assign]
    assert client.room.phase is Phase.ENTERING
    return client, sent[-1]


def refusal(reason: str, reference: bytes, retry_after_ms: int | None = None) -> str:
    return text(
        type="refused",
        reason=reason,
        reference=reference.hex(),
        retry_after_ms=retry_after_ms,
        fence=None,
    )


def test_room_that_filled_up_meanwhile_ends_the_stay() -> None:
    stage = Stage()
    client, reference = entering(stage)
    (effect,) = client.room.received(refusal("full", reference), stage.now)
    assert isinstance(effect, Finish)
    assert isinstance(effect.error, RefusedError)


def test_commit_that_the_relay_cannot_take_makes_us_come_back() -> None:
    stage = Stage()
    client, reference = entering(stage)
    assert client.room.received(refusal("size", reference), stage.now) == [Reconnect()]


@pytest.mark.parametrize(("reason", "wait_ms"), [("pace", 250), ("rate", 700), ("pace", None)])
def test_r22_paced_commit_goes_again_as_it_is(reason: str, wait_ms: int | None) -> None:
    stage = Stage()
    client, reference = entering(stage)
    assert client.room.received(refusal(reason, reference, wait_ms), stage.now) == []
    due = stage.now + (wait_ms or 250) / 1000
    assert client.room.deadline(stage.now) == due
    (effect,) = client.room.tick(due)
    assert isinstance(effect, Send)
    assert isinstance(effect.data, bytes)
    assert effect.data[1:9] == reference


def test_r22_every_try_to_enter_bears_one_reference() -> None:
    stage = Stage()
    client, reference = entering(stage)
    stage.deliver(client, refusal("stale", reference))
    (effect,) = client.room.received(stage.relay.info(), stage.now)
    assert isinstance(effect, Send)
    assert isinstance(effect.data, bytes)
    assert effect.data[1:9] == reference


def test_turn_that_comes_while_a_commit_is_on_its_way_changes_nothing() -> None:
    stage = Stage()
    client, _ = entering(stage)
    assert client.room.received(stage.relay.info(), stage.now) == []


def test_group_without_a_place_is_asked_for_another_way_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    stage.join(1)

    def full(*_: object) -> None:
        raise CommitRefusedError("leaf cap")

    monkeypatch.setattr(newcomer, "stage_join", full)
    (client,) = stage.join(1)
    stage.wait(NEED_S + 0.1)
    assert client.room.phase is Phase.WAITING
    assert client.notices() == ["unusable"]
    stage.wait(10)
    assert isinstance(client.finished, RefusedError)


def test_r13_rejoin_that_cannot_be_made_leaves_us_in_our_own_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    one, two = stage.join(2)
    one.room._membership.stray.strand(None, stage.now)

    def broken(*_: object) -> None:
        raise CommitRefusedError("leaf cap")

    with monkeypatch.context() as patch:
        patch.setattr(module, "stage_join", broken)
        stage.wait(9.9)
        assert one.room.phase is Phase.STRANDED
        stage.wait(0.2)
    assert one.reconnects == 0
    assert one.room.phase is Phase.JOINED
    assert one.room.words == two.room.words


def test_r13_removed_member_without_help_comes_back_as_a_newcomer() -> None:
    stage = Stage()
    one, two = stage.join(2)
    membership = one.room._membership
    membership._is_member = False
    membership.stray.left_behind(None, stage.now)
    two.wants_connection = False
    stage.cut(two)
    stage.relay.infos = []
    stage.wait(10.1)
    assert one.reconnects == 1


def test_r13_rejoins_back_off() -> None:
    stage = Stage()
    one, _ = stage.join(2)
    stray = one.room._membership.stray
    waits = []
    for _ in range(5):
        stray.strand(None, stage.now)
        start = stage.now
        while one.room.phase is Phase.STRANDED:
            stage.wait(0.25)
        waits.append(stage.now - start)
    assert waits == [0.25, 1.0, 2.0, 4.0, 8.0]
    stage.wait(121)
    stray.strand(None, stage.now)
    stage.wait(0.25)
    assert one.room.phase is Phase.JOINED


def test_r25_only_three_offer_and_one_after_another() -> None:
    stage = Stage()
    clients = stage.join(5)
    for client in clients:
        stage.deliver(client, wire.NEED)
    stage.deliver(clients[0], wire.NEED)
    deadlines = [c.room._membership.duties._offer_at for c in clients]
    expected = [stage.now + rank * RANK_S for rank in range(3)]
    assert deadlines == [*expected, None, None]


def test_need_of_another_is_nothing_to_who_is_not_in() -> None:
    stage = Stage()
    client, _ = entering(stage)
    assert client.room.received(wire.NEED, stage.now) == []


def test_seat_that_is_back_under_its_tag_is_told() -> None:
    stage = Stage()
    one, two = stage.join(2)
    tag = two.room.tag
    for kind in ("away", "back"):
        stage.relay.seq += 1
        stage.deliver(one, text(type=kind, seq=stage.relay.seq, tag=tag))
    assert isinstance(one.events[-1], Back)
    assert one.events[-1].previous == one.events[-1].tag == tag
    assert {m.presence for m in one.room.members} == {Presence.PRESENT}


def test_seat_without_a_leaf_is_connecting() -> None:
    stage = Stage()
    (one,) = stage.join(1)
    for kind in ("joined", "away", "left"):
        stage.relay.seq += 1
        stage.deliver(one, text(type=kind, seq=stage.relay.seq, tag="0xabcd"))
        shown = [(m.tag, m.presence) for m in one.room.members[1:]]
        assert shown == ([("0xabcd", Presence.CONNECTING)] if kind == "joined" else [])
    stage.deliver(one, text(type="left", seq=stage.relay.seq, tag="0xabcd"))
    assert one.notices() == ["relay_equivocates"]


def test_r17_refresh_of_another_puts_ours_off() -> None:
    stage = Stage()
    one, two = stage.join(2)
    mine = one.room._membership.duties
    mine._refresh_at = two.room._membership.duties._refresh_at = stage.now + 5
    fence = stage.relay.fence
    stage.now += 5
    stage.perform(two, two.room.tick(stage.now))
    stage.settle()
    assert stage.relay.fence == fence + 1
    assert mine._refresh_at == stage.now + REFRESH_GAP_S


def test_leaver_that_was_told_of_is_not_told_again_and_may_never_have_been() -> None:
    stage = Stage()
    one, two, three = stage.join(3)
    # The relay says nothing of a seat; its leaf is removed all the same, by another member.
    assert three.session is not None
    stage.relay.sessions.remove(three.session)
    stage.clients.remove(three)
    one.room._roster.left("0x1002", stage.now)  # type: ignore[arg-type]
    stage.wait(3)
    assert [type(e).__name__ for e in two.events].count("Left") == 1
    assert [type(e).__name__ for e in one.events].count("Left") == 1


def test_everybody_knows_a_member_by_the_same_two_words() -> None:
    stage = Stage()
    one, two, three = stage.join(3)
    tag = three.room.tag
    assert tag is not None
    assert len(one.room.member_words(tag)) == 2
    assert one.room.member_words(tag) == two.room.member_words(tag) == three.room.member_words(tag)
    assert len({one.room.member_words(member.tag) for member in one.room.members}) == 3
    assert one.room.member_words(Tag("0xzzzz")) == ()
