"""The contract of relay.broker, second part: seats that are given back (R27, R28)."""

from dataclasses import replace

from relay.errors import CloseCode, Reason
from relay.tickets import Ticket
from relay.wire import Life, Offer, Tag
from tests.relay.broker.contract import (
    INFO,
    LIMITS,
    ROOM,
    FakePort,
    Guest,
    Node,
    Start,
    enter,
    join,
    new_reference,
    numbers,
    reason,
)

FORMER = Life(b"former!!")


def resume(
    old: Guest, ticket: Ticket | None = None, now: float = 0.0, fence: int | None = None
) -> Guest | None:
    """Show a ticket, if not another that of ``old``, on a new connection."""
    port = FakePort()
    shown = ticket or old.opened()
    place = old.node.broker.resume(old.room, shown, fence, old.seen, port, now)
    return None if place is None else Guest(old.node, port, place, old.room)


def resumed(old: Guest, ticket: Ticket | None = None, now: float = 0.0) -> Guest:
    guest = resume(old, ticket, now)
    assert guest is not None
    return guest


def restored(node: Node, tag: int, fence: int) -> Guest | None:
    """Show a ticket of a process that is gone, with a mark of that fence."""
    port = FakePort()
    ticket = Ticket(FORMER, Tag(tag), 3, 0)
    place = node.broker.resume(ROOM, ticket, fence, 9, port, 0.0)
    return None if place is None else Guest(node, port, place)


def test_r28_mark_comes_right_before_the_frame_of_each_commit(broker: Start) -> None:
    node = broker(LIMITS)
    one, two = join(node), enter(node)
    two.read()
    two.commit(1)
    for guest, kinds in ((one, ["mark", "frame", "joined"]), (two, ["mark", "frame", "ack"])):
        read = guest.read_all()
        assert [m["type"] if isinstance(m, dict) else m[0] for m in read][:3] == kinds
        mark = node.tickets.open_mark(read[0]["mark"], ROOM, 0.0)
        assert (mark.fence, mark.seq) == (2, 3)


def test_r27_resume_gives_the_seat_and_what_was_missed(broker: Start) -> None:
    node = broker(LIMITS)
    one, two = join(node), join(node)
    one.read()
    one.place.lost(0.0)
    two.post(2)
    two.commit(2)
    again = resumed(one)
    assert [m["type"] for m in two.read() if isinstance(m, dict)] == ["away", "back"]
    answer, *rest = again.read()
    assert (answer["type"], answer["seq"], answer["fence"]) == ("resumed", 8, 3)
    assert numbers(rest) == [5, 6, 7, 8]
    assert again.opened() == replace(one.opened(), generation=2)
    again.post(3)
    two.post(3)
    assert numbers(again.read()) == [9, 10], "and what is new follows"
    assert numbers(two.read()) == [9, 10]


def test_r27_own_messages_come_as_their_answers(broker: Start) -> None:
    node = broker(LIMITS)
    one = join(node)
    one.read()
    one.post(1)
    one.commit(1)
    one.place.lost(0.0)
    _, *rest = resumed(one).read()
    assert rest[:3] == [("ack", 3), ("frame", 2, 4, 1), ("ack", 4)]
    assert numbers(rest) == [3, 4, 4, 5, 6]


def test_r27_resumed_session_is_told_before_it_hears_what_is_published(broker: Start) -> None:
    node = broker(LIMITS)
    one, two = join(node), join(node)
    one.read()
    two.post(2)
    again = resumed(one)
    two.post(2)
    again.place.send(b'{"type":"notice","code":"x"}')
    resumed_, mark, *rest = again.read_all()
    assert (resumed_["type"], mark["type"]) == ("resumed", "mark")
    assert numbers(rest) == [5, 6]
    assert rest[-1]["type"] == "notice"


def test_r27_older_connection_is_superseded(broker: Start) -> None:
    node = broker(LIMITS)
    one, two = join(node), join(node)
    one.read()
    two.post(2)
    again = resumed(one)
    assert one.port.ended is CloseCode.SUPERSEDED
    assert numbers(one.read()) == [5], "what was published before"
    two.post(2)
    assert one.read() == []
    assert [type(m) for m in two.read()] == [tuple, tuple], "nobody was away"
    for end in (one.place.lost, one.place.leave):
        end(0.0)
    again.post(2)
    assert numbers(two.read()) == [7], "the old place is gone"
    again.place.lost(0.0)
    assert [m["type"] for m in two.read()] == ["away"]
    assert again.port.ended is None


def test_r27_generations(broker: Start) -> None:
    node = broker(LIMITS)
    one = join(node)
    first = one.opened()
    two = resumed(one)
    three = resumed(one)
    assert two.port.ended is CloseCode.SUPERSEDED
    three.read()
    assert three.opened().generation == 2, "the answer may have been lost"
    three.place.confirm(0.0)
    assert resume(three, first) is None
    assert three.port.ended is None
    four = resumed(three)
    four.read()
    assert four.opened().generation == 3


def test_r27_ticket_is_worth_nothing_after_bye_and_after_a_minute(broker: Start) -> None:
    node = broker(LIMITS)
    one, two, three = join(node), join(node), join(node)
    two.place.leave(0.0)
    three.place.lost(0.0)
    node.broker.expire(61.0)
    assert resume(two) is None
    assert resume(three) is None
    one.place.leave(61.0)
    assert node.rooms() == 0
    assert resume(one) is None
    assert node.rooms() == 0


def test_r27_away_counts_anew_from_each_loss(broker: Start) -> None:
    node = broker(LIMITS)
    one, two = join(node), join(node)
    one.read()
    one.place.lost(0.0)
    again = resumed(one, now=50.0)
    again.read()
    again.place.lost(55.0)
    two.read()
    node.broker.expire(100.0)
    assert two.read() == []
    resumed(again, now=110.0)
    node.broker.expire(300.0)
    assert [m["type"] for m in two.read()] == ["back"]


def test_r27_gap_where_the_ring_does_not_reach_back(broker: Start) -> None:
    node = broker(LIMITS)
    one, two = join(node), join(node)
    one.read()
    two.post(2, now=0.0)
    node.broker.expire(70.0)
    answer, gap = resumed(one, now=70.0).read()
    assert (answer["seq"], answer["fence"]) == (gap["seq"], gap["fence"]) == (5, 2)
    assert len(gap["seats"]) == 2
    assert gap["away"] == []


class Bag:
    def pack(self, now: float) -> tuple[float, ...]:
        return (1.0, 2.0, 3.0, 4.0)


def test_r27_luggage_goes_from_session_to_session(broker: Start) -> None:
    node = broker(LIMITS)
    one = join(node)
    assert one.place.luggage is None
    one.place.keep(Bag())
    one.read()
    one.place.lost(0.0)
    bag = resumed(one).place.luggage
    assert bag == [1.0, 2.0, 3.0, 4.0] if isinstance(bag, list) else isinstance(bag, Bag)


def test_r28_restored_room_has_its_fence_and_no_group_info(broker: Start) -> None:
    node = broker(LIMITS)
    one = restored(node, 0x77, 41)
    assert one is not None
    answer, mark, gap = one.read_all()
    assert (answer["tag"], answer["seq"], answer["fence"]) == ("0x0077", 1, 41)
    assert node.tickets.open_mark(mark["mark"], ROOM, 0.0).fence == 41
    assert (gap["seq"], gap["fence"], gap["seats"]) == (1, 41, ["0x0077"])
    newcomer = enter(node)
    welcome, info = newcomer.read()
    assert info == ("info", 41, 0)
    assert reason(lambda: newcomer.commit(0)) is Reason.STALE
    newcomer.place.need(0.0)
    assert one.read() == [{"type": "need"}]
    one.place.offer(Offer(new_reference(), 41, INFO), 0.0)
    newcomer.commit(41)
    assert newcomer.read()[-1]["seats"] == sorted(["0x0077", welcome["tag"]])
    assert one.place.fence == 42


def test_r28_higher_fence_resets_those_who_are_here(broker: Start) -> None:
    node = broker(LIMITS)
    one, waiting = join(node), enter(node)
    lost = join(node)
    lost.read()
    lost.place.lost(0.0)
    life = waiting.read()[0]["life"]
    one.read()
    two = restored(node, 0x77, 41)
    assert two is not None
    reset = {"type": "reset", "life": life, "seq": 5, "fence": 41}
    assert one.read() == [reset, {"type": "back", "seq": 6, "tag": "0x0077"}]
    assert waiting.read() == [reset, ("info", 41, 0)]
    assert resumed(lost).read()[1]["type"] == "gap"
    assert reason(lambda: one.post(2)) is Reason.STALE
    assert one.post(41) == 8


def test_r28_tag_that_is_taken_is_not_restored(broker: Start) -> None:
    node = broker(LIMITS)
    one = join(node)
    one.read()
    assert restored(node, one.opened().tag, 41) is None
    assert one.read() == []
    assert one.place.fence == 1
    assert one.port.ended is None


def test_r28_former_ticket_is_good_until_the_first_message(broker: Start) -> None:
    node = broker(LIMITS)
    one, two = restored(node, 0x77, 41), restored(node, 0x77, 41)
    assert one is not None
    assert two is not None
    assert one.port.ended is CloseCode.SUPERSEDED
    assert [m["type"] for m in two.read()] == ["resumed", "gap"]
    two.place.confirm(0.0)
    assert restored(node, 0x77, 41) is None
    assert two.port.ended is None


def test_r28_ticket_of_this_life_restores_nothing(broker: Start) -> None:
    node = broker(LIMITS)
    one, two = join(node), join(node)
    one.read()
    one.place.leave(0.0)
    assert resume(one, fence=99) is None
    assert two.place.fence == 2
