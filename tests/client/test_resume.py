"""Coming back to one's seat, and what was missed meanwhile (PROTOCOL 4.5; R27, R28, R29)."""

import struct

import pytest

from client.effect import Reconnect
from client.event import Away, Back, EpochChanged, Joined, Left, Message
from client.stay import Phase
from tests.model import LIMITS, b64, text
from tests.pair import Client, Stage

OTHER_LIFE = b64(b"\x09" * 8)


def away(stage: Stage, client: Client) -> None:
    """The connection is lost, and no other comes for now."""
    client.wants_connection = False
    stage.cut(client)


def back(stage: Stage, client: Client) -> None:
    client.wants_connection = True
    stage.settle()


def restart(stage: Stage, *, keeps_key: bool) -> None:
    """The relay is killed and started again; nobody is back yet."""
    for client in stage.clients:
        client.wants_connection = False
        if client.session is not None:
            client.session.inbox.clear()
            stage.cut(client)
    stage.relay.sessions.clear()
    stage.relay.restart(keeps_key=keeps_key)


def answered(stage: Stage, client: Client, **changed: object) -> Client:
    """A client that said resume, and the relay's answer, other than it should be."""
    away(stage, client)
    client.session = stage.relay.connect()
    stage.perform(client, client.room.connected(stage.now))
    stage.deliver(client, client.session.inbox.popleft())
    client.session.inbox.clear()
    stay = client.room._stay
    fields = {
        "life": stay.life_b64,
        "tag": client.room.tag,
        "seq": stay.seq,
        "fence": stay.fence,
        "ticket": "next",
        "limits": LIMITS,
    }
    stage.deliver(client, text(type="resumed", **(fields | changed)))
    return client


def test_r27_what_was_missed_comes_in_its_order_once_and_the_tag_stays() -> None:
    stage = Stage()
    one, two, three = stage.join(3)
    tag = two.room.tag
    away(stage, two)
    stage.say(one, "a")
    stage.say(three, "b")
    stage.settle()
    stage.join(1)
    stage.say(one, "c")
    stage.settle()
    back(stage, two)
    assert two.room.tag == tag
    assert two.texts == ["a", "b", "c"]
    assert not any(event.late for event in two.events if isinstance(event, Message))
    assert [type(e) for e in two.events if isinstance(e, Joined)] == [Joined, Joined]
    assert two.room.words == one.room.words
    assert [type(e) for e in one.events if isinstance(e, Away | Back | Left)] == [Away, Back]
    assert (two.entered, two.notices()) == (2, [])


def test_r29_own_posts_come_back_as_their_answers() -> None:
    stage = Stage()
    one, two = stage.join(2)
    references = [stage.say(one, said) for said in ("a", "b")]
    assert one.session is not None
    one.session.inbox.clear()
    stage.cut(one)
    reference = stage.say(one, "c")
    stage.settle()
    assert two.texts == ["a", "b", "c"]
    assert [one.settled[each] for each in (*references, reference)] == sorted(one.settled.values())
    assert one.notices() == []


@pytest.mark.parametrize("arrived", [True, False])
def test_r15_commit_on_its_way_is_merged_or_sent_again(arrived: bool) -> None:
    stage = Stage()
    one, two = stage.join(2)
    epoch = one.room.group.epoch  # type: ignore[union-attr]
    one.room._membership.duties._heal_at = stage.now
    receive = stage.relay.receive
    if not arrived:
        stage.relay.receive = lambda *_: None  # type: ignore[method-assign,misc]
    stage.perform(one, one.room.tick(stage.now))
    stage.relay.receive = receive  # type: ignore[method-assign]
    assert one.session is not None
    one.session.inbox.clear()
    stage.cut(one)
    stage.wait(1)
    assert one.room.group.epoch == epoch + 1  # type: ignore[union-attr]
    assert one.room.words == two.room.words
    assert one.notices() == two.notices() == []


def test_r15_commit_that_lost_meanwhile_is_dropped() -> None:
    stage = Stage()
    one, two = stage.join(2)
    one.room._membership.duties._heal_at = stage.now
    receive, stage.relay.receive = stage.relay.receive, lambda *_: None  # type: ignore[method-assign,misc]
    stage.perform(one, one.room.tick(stage.now))
    stage.relay.receive = receive  # type: ignore[method-assign]
    away(stage, one)
    stage.relay.ring = 0
    two.room._membership.duties._heal_at = stage.now
    stage.wait(0.1)
    back(stage, one)
    stage.wait(5)
    assert one.room.words == two.room.words


def test_gap_without_a_commit_needs_no_rejoin() -> None:
    stage = Stage()
    one, two = stage.join(2)
    stage.relay.ring = 0
    away(stage, two)
    stage.say(one, "unheard")
    stage.settle()
    epochs = len([e for e in two.events if isinstance(e, EpochChanged)])
    back(stage, two)
    stage.wait(5)
    assert two.texts == ["unheard"]
    assert len([e for e in two.events if isinstance(e, EpochChanged)]) == epochs


def test_gap_with_a_commit_leads_to_a_rejoin() -> None:
    stage = Stage()
    one, two = stage.join(2)
    stage.wait(4)
    stage.relay.ring = 0
    away(stage, two)
    stage.join(1)
    stage.say(one, "unheard")
    stage.settle()
    back(stage, two)
    stage.wait(5)
    assert two.texts == ["unheard"]
    assert two.room.words == one.room.words


def test_r28_restart_with_the_same_key_gives_everybody_their_tags() -> None:
    stage = Stage()
    clients = stage.join(3)
    stage.wait(4)
    tags = [client.room.tag for client in clients]
    restart(stage, keeps_key=True)
    stage.say(clients[0], "meanwhile")
    for client in clients:
        back(stage, client)
        stage.wait(0.5)
    stage.wait(5)
    assert [client.room.tag for client in clients] == tags
    assert clients[1].texts == clients[2].texts == ["meanwhile"]
    assert {client.room.fence for client in clients} == {3}
    assert stage.relay.life[0] == 1
    stage.join(1)
    stage.wait(5)
    assert len({client.room.words for client in stage.clients}) == 1


def test_r28_mark_that_comes_later_raises_the_fence_of_who_is_there() -> None:
    stage = Stage()
    one, two = stage.join(2)
    away(stage, two)
    stage.join(1)
    (_, _, three) = stage.clients
    restart(stage, keeps_key=True)
    back(stage, two)
    assert (two.room.phase, two.room.fence) == (Phase.JOINED, 2)
    back(stage, three)
    assert two.room.phase is Phase.STRANDED
    back(stage, one)
    stage.wait(5)
    assert len({client.room.words for client in stage.clients}) == 1
    assert {client.room.fence for client in stage.clients} == {stage.relay.fence}


def test_r32_restart_without_a_key_loses_nothing_and_nobody() -> None:
    stage = Stage()
    one, two, three = stage.join(3)
    stage.wait(4)
    restart(stage, keeps_key=False)
    stage.say(two, "meanwhile")
    back(stage, two)
    stage.wait(3)
    back(stage, one)
    back(stage, three)
    stage.wait(8)
    assert one.texts == three.texts == ["meanwhile"]
    assert not any(isinstance(e, Left) for c in stage.clients for e in c.events)
    returned = [e.previous for e in two.events if isinstance(e, Back)]
    assert returned == ["0x1000", "0x1002"]
    assert two.room.outstanding == 0


def test_r32_who_does_not_come_back_after_a_restart_has_left() -> None:
    stage = Stage()
    one, two = stage.join(2)
    restart(stage, keeps_key=False)
    back(stage, one)
    stage.wait(59)
    assert not any(isinstance(e, Left) for e in one.events)
    stage.wait(2)
    assert [e.tag for e in one.events if isinstance(e, Left)] == [two.room.tag]


def test_ticket_that_is_worth_nothing_is_answered_as_a_hello() -> None:
    stage = Stage()
    one, two = stage.join(2)
    stage.relay.tickets.clear()
    away(stage, two)
    back(stage, two)
    assert two.room.tag == "0x1002"
    assert two.room.words == one.room.words


@pytest.mark.parametrize("name", ["seq", "fence"])
def test_relay_whose_numbers_go_back_is_not_believed(name: str) -> None:
    stage = Stage()
    one, _ = stage.join(2)
    answered(stage, one, **{name: 0})
    assert one.notices() == ["relay_equivocates"]
    assert one.room._stay.ticket is None
    assert one.reconnects == 1


def test_fence_that_goes_back_in_a_new_life_is_not_believed_either() -> None:
    stage = Stage()
    one, _ = stage.join(2)
    answered(stage, one, life=OTHER_LIFE, seq=0, fence=1)
    assert one.notices() == ["relay_equivocates"]


def test_gap_that_ends_elsewhere_ends_the_connection() -> None:
    stage = Stage()
    one, _ = stage.join(2)
    answered(stage, one, life=OTHER_LIFE, seq=3)
    assert one.room.phase is Phase.JOINED
    stage.deliver(one, text(type="gap", seq=4, fence=2, seats=[], away=[]))
    assert one.reconnects == 1


def test_replay_that_leaves_out_a_commit_ends_the_connection() -> None:
    stage = Stage()
    one, _ = stage.join(2)
    answered(stage, one, fence=3)
    assert one.reconnects == 1
    assert one.room._stay.ticket is None


def test_replay_that_does_not_end_is_given_up() -> None:
    stage = Stage()
    one, _ = stage.join(2)
    answered(stage, one, seq=50)
    stage.say(one, "waits")
    assert one.room.deadline(stage.now) is not None
    assert one.room.tick(stage.now + 31) == [Reconnect()]


@pytest.mark.parametrize(
    "message",
    [
        text(type="gap", seq=5, fence=2, seats=[], away=[]),
        text(
            type="resumed",
            life=OTHER_LIFE,
            tag="0x1000",
            seq=1,
            fence=1,
            ticket="t",
            limits=LIMITS,
        ),
    ],
)
def test_answer_to_what_was_not_asked_ends_the_connection(message: str) -> None:
    stage = Stage()
    one, _ = stage.join(2)
    stage.deliver(one, message)
    assert one.reconnects == 1


def test_reset_of_the_same_life_raises_and_never_lowers_the_fence() -> None:
    stage = Stage()
    one, _ = stage.join(2)
    life = one.room.life
    stage.deliver(one, text(type="reset", life=life, seq=5, fence=2))
    assert (one.room.phase, one.notices()) == (Phase.JOINED, [])
    stage.deliver(one, text(type="reset", life=life, seq=5, fence=1))
    assert one.notices() == ["relay_equivocates"]
    stage.deliver(one, text(type="reset", life=life, seq=5, fence=3))
    assert (one.room.phase, one.room.fence) == (Phase.STRANDED, 3)


def test_r28_whole_room_that_cannot_follow_goes_on_in_its_own_epoch() -> None:
    stage = Stage()
    clients = stage.join(3)
    stage.relay.fence, stage.relay.infos = 9, []
    for client in clients:
        stage.deliver(client, text(type="reset", life=client.room.life, seq=9, fence=9))
    assert {client.room.phase for client in clients} == {Phase.STRANDED}
    stage.wait(11)
    assert {client.room.phase for client in clients} == {Phase.JOINED}
    stage.say(clients[0], "still here")
    stage.settle()
    assert clients[1].texts == clients[2].texts == ["still here"]


def test_stale_answer_for_a_fence_that_we_were_not_led_to_ends_the_connection() -> None:
    stage = Stage()
    one, _ = stage.join(2)
    refused = text(type="refused", reason="stale", reference="00" * 8, retry_after_ms=None, fence=7)
    stage.deliver(one, refused)
    assert one.notices() == ["relay_equivocates"]
    assert one.reconnects == 1


def test_frame_for_a_fence_that_we_were_not_led_to_ends_the_connection() -> None:
    stage = Stage()
    one, two = stage.join(2)
    stage.say(two, "later")
    assert one.session is not None
    frame = one.session.inbox.pop()
    assert isinstance(frame, bytes)
    stage.deliver(one, frame[:12] + struct.pack("!Q", 7) + frame[20:])
    assert one.notices() == ["relay_equivocates"]
    assert one.reconnects == 1


def test_connection_that_comes_after_leaving_is_nothing() -> None:
    stage = Stage()
    (one,) = stage.join(1)
    stage.perform(one, one.room.leave(stage.now))
    assert one.room.connected(stage.now) == []
    assert one.room.phase is Phase.CLOSED
