"""What is said again: to whom, how often, and in how few frames (R32)."""

from dataclasses import replace

import pytest

from client import content
from client.content import Ask, Nick, Pulse, Repair, Text, Void
from client.errors import AuthenticationError
from client.event import Delivered, Missing, NickChanged
from client.kept import KEEP_S, MAX_REPAIRS
from tests.client.overheard import come_back, cut_off, lose, only, overhear, quiet, tokens
from tests.client.test_talk import say
from tests.pair import Client, Stage

ASK_FIRST = Ask(0, 0, ((0, 1, 1),))


def repairs(said: list[tuple[float, object]]) -> list[Repair]:
    return [one for _, one in said if isinstance(one, Repair)]


def ask(stage: Stage, by: Client, first: int, last: int) -> None:
    say(stage, by, Ask(0, 0, ((0, first, last),)))


def test_r32_what_only_some_may_have_is_sealed_to_the_asker() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, one)
    stage.say(one, "before three came")
    lose(two)
    (three,) = stage.join(1)
    stage.wait(15)
    (repair,) = repairs(said)
    assert repair.leaf == 1
    ((counter, sealed),) = repair.parts
    assert b"before" not in sealed
    assert two.texts == ["before three came"]
    assert three.texts == []
    for client in (one, three):
        group = client.room.group
        assert group is not None
        with pytest.raises(AuthenticationError):
            group.open_repair(one.room._stay.identity.signature_key, counter, sealed)


def test_r32_what_everybody_may_have_goes_to_all_in_one_frame() -> None:
    stage, (one, two, three) = quiet(3)
    said = overhear(stage, one)
    stage.say(one, "a")
    stage.say(one, "b")
    lose(two, three)
    stage.say(one, "c")
    stage.wait(1)
    (repair,) = repairs(said)
    assert repair.leaf is None
    assert [content.parse(data) for _, data in repair.parts] == [
        Text(1, 0, None, "a"),
        Text(2, 0, None, "b"),
    ]
    assert two.texts == three.texts == ["a", "b", "c"]


def test_r32_what_is_older_is_repaired_first() -> None:
    """Two never heard one; what it is sent without asking must come in its order."""
    stage, _ = quiet(2)
    stage.wait(70)
    three, four = stage.join(2)
    lose(three)
    cut_off(stage, three)
    said = overhear(stage, four)
    for text in ("a", "b"):
        stage.say(four, text)
    stage.join(1)
    stage.say(four, "c")
    stage.relay.ring = 0
    come_back(stage, three)
    stage.wait(15)
    assert [repair.leaf is None for repair in repairs(said)] == [False, True]
    assert three.texts == ["a", "b", "c"]
    assert not any(isinstance(e, Missing) for e in three.events)


def test_r32_newcomer_that_asks_gets_nothing_of_what_was_before() -> None:
    stage, (one, _two) = quiet(2)
    stage.say(one, "before")
    (three,) = stage.join(1)
    stage.wait(5)
    said = overhear(stage, one)
    stage.say(one, "after")
    ask(stage, three, 1, 2)
    assert [[counter for counter, _ in repair.parts] for repair in repairs(said)] == [[2]]


def test_r32_post_whose_answer_was_lost_before_somebody_came_is_not_theirs() -> None:
    """Ordered in a gap: its sender sends it again, under keys that the newcomer has."""
    stage, (one, two) = quiet(2)
    reference = stage.say(one, "before three came")
    seq = stage.relay.seq
    lose(one)
    cut_off(stage, one)
    (three,) = stage.join(1)
    stage.relay.ring = 0
    said = overhear(stage, one)
    come_back(stage, one)
    stage.wait(15)
    assert one.settled[reference] == seq
    assert two.texts == ["before three came"]
    ask(stage, three, 1, 1)
    assert repairs(said) == []
    assert three.texts == []
    assert not any(isinstance(e, Missing) for e in three.events)
    delivered = [e for e in one.events if isinstance(e, Delivered) and e.seq == seq]
    assert (delivered[-1].count, delivered[-1].of) == (1, 1)


def test_r32_each_counter_goes_to_each_asker_three_times() -> None:
    stage, (one, two, three) = quiet(3)
    said = overhear(stage, one)
    stage.say(one, "a")
    for _ in range(MAX_REPAIRS + 2):
        ask(stage, two, 1, 1)
    assert len(repairs(said)) == MAX_REPAIRS
    ask(stage, three, 1, 1)
    assert len(repairs(said)) == MAX_REPAIRS + 1


def test_r32_ask_while_the_repair_is_on_its_way_is_answered_by_it() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, one)
    stage.say(one, "a")
    stage.settle()
    receive = stage.relay.receive

    def lost(session: object, data: str | bytes) -> None:
        if session is not one.session:
            receive(session, data)  # type: ignore[arg-type]

    stage.relay.receive = lost  # type: ignore[method-assign]
    ask(stage, two, 1, 1)
    ask(stage, two, 1, 1)
    assert len(repairs(said)) == 1


@pytest.mark.parametrize("row", [(0, 7, 9), (1, 1, 1), (5, 1, 1), (0, 1, 2**53 - 1)])
def test_r32_ask_for_what_there_is_not_is_ignored(row: tuple[int, int, int]) -> None:
    stage, (one, two) = quiet(2)
    stage.say(one, "a")
    said = overhear(stage, one)
    say(stage, two, Ask(0, 0, (row,)))
    assert len(repairs(said)) == (row[2] > 9)
    assert one.notices() == []


def test_r32_many_short_contents_go_in_one_frame_and_long_ones_in_several() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, one)
    for number in range(20):
        stage.say(one, str(number))
        stage.settle()
    ask(stage, two, 1, 20)
    assert [len(repair.parts) for repair in repairs(said)] == [20]
    for _ in range(3):
        stage.say(one, "x" * 500)
        stage.settle()
    ask(stage, two, 17, 23)
    assert [len(repair.parts) for repair in repairs(said)] == [20, 7]
    for _ in range(3):
        stage.say(one, "\U0001f600" * 500)
        stage.settle()
    ask(stage, two, 24, 26)
    assert [len(repair.parts) for repair in repairs(said)][2:] == [1, 1, 1]


@pytest.mark.parametrize("is_sealed", [True, False])
@pytest.mark.parametrize("char", ["\U0001f600", "\x01", '"'])
def test_r32_longest_texts_fit(char: str, is_sealed: bool) -> None:
    stage, (one, two) = quiet(2)
    stage.perform(one, one.room.rename("\U0001f600" * 32, stage.now))
    stage.settle()
    said = overhear(stage, one)
    texts = [char * 500, char * 499]
    for text in texts:
        stage.say(one, text)
    lose(two)
    if is_sealed:
        stage.join(1)
    stage.wait(15)
    assert {repair.leaf for repair in repairs(said)} == {1 if is_sealed else None}
    assert two.texts == texts


def crowded(stage: Stage, one: Client, two: Client, count: int) -> None:
    """One token, and as many repairs asked for as texts wait."""
    for _ in range(count):
        stage.say(one, "\U0001f600" * 500)
        stage.settle()
    tokens(stage, one, 1, rate=1.0)
    ask(stage, two, 1, count)
    for number in range(count):
        stage.say(one, str(number))


def test_r32_while_tokens_are_few_every_second_frame_is_a_text() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, one)
    crowded(stage, one, two, 4)
    del said[:4]
    stage.wait(7.5)
    assert [type(each) for _, each in said] == [Repair, Text] * 4
    assert [at - said[0][0] for at, _ in said] == pytest.approx(list(range(8)))


def test_r32_with_tokens_enough_repairs_need_not_take_turns() -> None:
    stage, (one, two) = quiet(2)
    for _ in range(4):
        stage.say(one, "\U0001f600" * 500)
        stage.settle()
    said = overhear(stage, one)
    tokens(stage, one, 10, rate=0.1)
    ask(stage, two, 1, 4)
    assert [type(each) for _, each in said] == [Repair] * 4


def test_r32_where_no_text_waits_repairs_take_every_token() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, one)
    for _ in range(3):
        stage.say(one, "\U0001f600" * 500)
        stage.settle()
    tokens(stage, one, 1, rate=1.0)
    ask(stage, two, 1, 3)
    stage.wait(2.1)
    assert len(repairs(said)) == 3


def test_r32_repair_that_lost_to_a_commit_goes_again_for_who_is_there_then() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, one)
    stage.say(one, "a")
    lose(two)
    stage.settle()
    receive = stage.relay.receive

    def lost(session: object, data: str | bytes) -> None:
        if session is not one.session:
            receive(session, data)  # type: ignore[arg-type]

    stage.relay.receive = lost  # type: ignore[method-assign]
    ask(stage, two, 1, 1)
    assert [repair.leaf for repair in repairs(said)] == [None]
    stage.client()
    three = stage.clients[2]
    while stage.relay.fence == 2:
        stage.step()
    stage.relay.receive = receive  # type: ignore[method-assign]
    stage.settle()
    assert [repair.leaf for repair in repairs(said)] == [None, 1]
    assert (two.texts, three.texts) == (["a"], [])


@pytest.mark.parametrize("reason", ["stale", "rate"])
def test_r32_repair_that_was_refused_goes_again(reason: str) -> None:
    stage, (one, two) = quiet(2)
    stage.say(one, "a")
    lose(two)
    stage.settle()
    tokens(stage, one, 10, rate=1.0)
    said = overhear(stage, one)
    refused: list[bytes] = []
    receive = stage.relay.receive

    def refuse(session: object, data: str | bytes) -> None:
        if session is one.session and not refused:
            assert isinstance(data, bytes)
            refused.append(data[1:9])
            stage.relay.refuse(session, reason, refused[0])  # type: ignore[arg-type]
        else:
            receive(session, data)  # type: ignore[arg-type]

    stage.relay.receive = refuse  # type: ignore[method-assign]
    start = stage.now
    ask(stage, two, 1, 1)
    stage.wait(1.5)
    assert two.texts == ["a"]
    times = [at - start for at, _ in only(Repair, said)]
    assert times == pytest.approx([0.0, 0.0 if reason == "stale" else 1.0])


def test_r32_what_is_forgotten_before_its_turn_is_not_sent() -> None:
    stage, (one, two) = quiet(2)
    stage.say(one, "a")
    stage.settle()
    stage.wait(KEEP_S - 10)
    said = overhear(stage, one)
    tokens(stage, one, 0, rate=0.05)
    ask(stage, two, 1, 1)
    stage.wait(25)
    assert repairs(said) == []
    assert one.room._talk.upkeep._answers == {}


def test_r32_whoever_left_before_its_turn_gets_no_answer() -> None:
    stage, (one, two, _three) = quiet(3)
    stage.say(one, "a")
    stage.settle()
    said = overhear(stage, one)
    tokens(stage, one, 0, rate=0.1)
    ask(stage, two, 1, 1)
    stage.leave(two)
    stage.wait(15)
    assert repairs(said) == []


def test_r32_answers_end_with_the_connection() -> None:
    stage, (one, two) = quiet(2)
    stage.say(one, "a")
    stage.settle()
    tokens(stage, one, 0, rate=0.1)
    ask(stage, two, 1, 1)
    said = overhear(stage, one)
    stage.cut(one)
    stage.wait(15)
    assert repairs(said) == []


# How a repair is taken in


def test_r32_repair_for_another_is_nothing_to_us() -> None:
    stage, (one, two, three) = quiet(3)
    say(stage, one, Repair(1, 0, 2, ((1, b"x"),)))
    assert two.notices() == []
    assert three.notices() == ["frame_refused"]


def test_r30_repaired_nickname_and_void_count() -> None:
    stage, (one, two) = quiet(2)
    parts = tuple(
        (said.counter, content.serialize(said)) for said in (Nick(1, 0, "Ada"), Void(2, 0))
    )
    say(stage, one, Text(3, 0, "Ada", "c"))
    say(stage, one, Repair(3, 0, None, parts))
    assert [e.nick for e in two.events if isinstance(e, NickChanged)] == ["Ada"]
    assert two.texts == ["c"]


@pytest.mark.parametrize(
    "part",
    [
        (1, b"nothing"),
        (1, content.serialize(Text(2, 0, None, "under another counter"))),
        (1, content.serialize(Pulse(1, 0, None, ()))),
    ],
)
def test_r32_part_that_is_no_content_of_its_counter_is_dropped_and_shown(
    part: tuple[int, bytes],
) -> None:
    stage, (one, two) = quiet(2)
    good = content.serialize(Text(2, 0, None, "b"))
    say(stage, one, Repair(2, 0, None, (part, (2, good))))
    assert two.notices() == ["frame_refused"]
    assert two.texts == []
    say(stage, one, Text(1, 0, None, "a"))
    assert two.texts == ["a", "b"]


def test_r32_sealed_part_that_does_not_open_is_dropped_and_shown() -> None:
    stage, (one, two) = quiet(2)
    group, key = one.room.group, one.room._stay.identity.signature_key
    assert group is not None
    data = content.serialize(Text(1, 0, None, "a"))
    sealed = group.seal_repair(1, key, 1, data)
    repair = Repair(1, 0, 1, ((1, sealed[:-1] + bytes([sealed[-1] ^ 1])),))
    say(stage, one, repair)
    assert (two.notices(), two.texts) == (["frame_refused"], [])
    # Under another counter than it was sealed for it does not open either.
    say(stage, one, replace(repair, counter=2, parts=((2, sealed),)))
    assert (two.notices(), two.texts) == (["frame_refused"] * 2, [])
    say(stage, one, replace(repair, parts=((1, sealed),)))
    assert two.texts == ["a"]


def test_r30_repair_that_contradicts_what_was_said_is_shown_as_equivocation() -> None:
    stage, (one, two) = quiet(2)
    say(stage, one, Text(1, 0, None, "yes"))
    say(stage, one, Repair(1, 0, None, ((1, content.serialize(Text(1, 0, None, "no"))),)))
    assert two.texts == ["yes"]
    assert [type(e).__name__ for e in two.events][-1] == "Equivocation"
