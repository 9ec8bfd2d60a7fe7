"""Whole rooms in which something gets lost (R31, R34); holes are in test_holes.py."""

from itertools import pairwise

import pytest

from client.content import Pulse, Repair, Text, Void
from client.errors import RefusedError
from client.event import Message, Missing
from client.ledger import HOLD_S
from client.pulse import ANSWERING, HEARTBEAT_S, PROBE_S, RECEIPT_S
from client.upkeep import ASK_DELAY_S, PULSE_TOKENS
from tests.client.overheard import (
    cut_off,
    lose,
    only,
    overhear,
    quiet,
    receipts,
    tokens,
)


def test_r31_receipt_comes_after_two_seconds_for_all_that_came() -> None:
    stage, (one, two) = quiet(2)
    said, start = overhear(stage, two), stage.now
    first = stage.say(one, "a")
    stage.wait(1)
    last = stage.say(one, "b")
    stage.wait(0.9)
    assert said == []
    stage.wait(0.2)
    assert said == [(start + RECEIPT_S, Pulse(0, 0, None, ((0, 1, 2),)))]
    assert receipts(one, first) == receipts(one, last) == [(1, 1)]
    assert one.room.outstanding == 0


def test_r31_pulse_tells_counter_base_nickname_and_only_what_changed() -> None:
    stage, (one, two, three) = quiet(3)
    stage.perform(two, two.room.rename("Bob", stage.now))
    stage.say(one, "a")
    stage.wait(3)
    said = overhear(stage, two)
    stage.say(three, "b")
    stage.wait(3)
    assert [one for _, one in said] == [Pulse(1, 0, "Bob", ((2, 1, 1),))]


def test_r31_whoever_says_nothing_is_heard_all_the_same() -> None:
    stage, clients = quiet(2)
    said = [overhear(stage, client) for client in clients]
    low, high = HEARTBEAT_S
    stage.wait(low - 10)
    assert said == [[], []]
    stage.wait(high - low + 10)
    assert [len(each) for each in said] == [1, 1]
    stage.wait(high)
    for each in said:
        assert {one for _, one in each} == {Pulse(0, 0, None, ())}
        times = [at for at, _ in each]
        assert all(low <= b - a <= high for a, b in pairwise(times))
    assert stage.clients[0].room.members[1].silent is False


def test_r31_pulse_waits_while_fewer_than_four_tokens_are_left() -> None:
    stage, (one, two) = quiet(2)
    said, start = overhear(stage, two), stage.now
    tokens(stage, two, 0, rate=0.5)
    stage.say(one, "a")
    stage.wait(PULSE_TOKENS / 0.5 - 0.1)
    assert said == []
    stage.wait(0.2)
    assert [at - start for at, _ in said] == [pytest.approx(PULSE_TOKENS / 0.5)]
    tokens(stage, two, 1, rate=0.5)
    stage.say(two, "a text needs but one")
    assert isinstance(said[-1][1], Text)


def test_r31_unconfirmed_text_is_probed_once_with_the_own_leaf() -> None:
    stage, (one, two) = quiet(2)
    cut_off(stage, two)
    said, start = overhear(stage, one), stage.now
    stage.say(one, "a")
    stage.wait(30)
    assert [one for _, one in said] == [Text(1, 0, None, "a"), Pulse(1, 0, None, ((0, 1, 1),))]
    assert said[1][0] == start + PROBE_S


def test_r31_crowd_is_not_asked_to_answer() -> None:
    stage, clients = quiet(ANSWERING + 1)
    cut_off(stage, clients[-1])
    said = overhear(stage, clients[0])
    stage.say(clients[0], "a")
    stage.wait(PROBE_S + 0.1)
    pulses = [one for _, one in only(Pulse, said)]
    assert pulses == [Pulse(1, 0, None, ())]


def test_r31_receipt_that_was_lost_is_given_again_when_asked_for() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, two)
    reference = stage.say(one, "a")
    stage.settle()
    (deadline,) = [two.room._talk.upkeep.clock._due]
    assert deadline is not None
    stage.now = deadline
    stage.perform(two, two.room.tick(stage.now))
    lose(one)
    stage.wait(PROBE_S - RECEIPT_S - 0.1)
    assert receipts(one, reference) == []
    stage.wait(0.2 + RECEIPT_S)
    assert receipts(one, reference) == [(1, 1)]
    assert [one for _, one in said] == [Pulse(0, 0, None, ((0, 1, 1),))] * 2
    assert said[1][0] - said[0][0] == PROBE_S


def test_r31_what_comes_while_a_pulse_is_on_its_way_is_confirmed_by_the_next() -> None:
    stage, (one, two) = quiet(2)
    stage.say(one, "a")
    held: list[tuple[object, str | bytes]] = []
    receive = stage.relay.receive

    def hold(session: object, data: str | bytes) -> None:
        if session is two.session:
            held.append((session, data))
        else:
            receive(session, data)  # type: ignore[arg-type]

    stage.relay.receive = hold  # type: ignore[method-assign]
    stage.wait(RECEIPT_S)
    assert len(held) == 1
    reference = stage.say(one, "b")
    # One at a time: what is due meanwhile waits for the first one's answer.
    stage.wait(RECEIPT_S + 0.1)
    stage.say(one, "c")
    stage.settle()
    assert len(held) == 1
    stage.relay.receive = receive  # type: ignore[method-assign]
    for session, data in held:
        receive(session, data)  # type: ignore[arg-type]
    stage.wait(0.1)
    assert receipts(one, reference) == [(1, 1)]


def test_r31_whoever_leaves_unconfirmed_is_not_waited_for() -> None:
    stage, (one, two, three) = quiet(3)
    cut_off(stage, three)
    reference = stage.say(one, "a")
    stage.wait(3)
    assert receipts(one, reference) == [(1, 2)]
    assert one.room.outstanding == 1
    assert three.room.tag is not None
    stage.relay.expire(three.room.tag)
    stage.wait(10)
    assert receipts(one, reference) == [(1, 2), (1, 1)]
    assert one.room.outstanding == 0
    # Whoever had it and leaves has had it.
    stage.leave(two)
    stage.wait(10)
    assert receipts(one, reference)[-1] == (1, 1)


def test_r31_text_for_nobody_is_outstanding_for_nobody() -> None:
    stage, (one,) = quiet(1)
    said = overhear(stage, one)
    reference = stage.say(one, "a")
    stage.wait(20)
    assert (receipts(one, reference), one.room.outstanding) == ([], 0)
    assert only(Pulse, said) == []


def test_r34_last_text_that_got_lost_is_found_by_its_senders_pulse() -> None:
    stage, (one, two) = quiet(2)
    reference = stage.say(one, "a")
    lose(two)
    stage.wait(PROBE_S - 0.1)
    assert two.texts == []
    stage.wait(0.2 + ASK_DELAY_S)
    assert two.texts == ["a"]
    assert [e.late for e in two.events if isinstance(e, Message)] == [True]
    stage.wait(RECEIPT_S)
    assert receipts(one, reference) == [(1, 1)]


def test_r34_last_text_that_got_lost_is_found_by_anothers_rumour() -> None:
    stage, (one, two, _three) = quiet(3)
    stage.say(one, "a")
    lose(two)
    stage.wait(RECEIPT_S - 0.1)
    assert two.texts == []
    stage.wait(0.2 + ASK_DELAY_S)
    assert two.texts == ["a"]


@pytest.mark.parametrize("has_said", [True, False])
def test_r31_whoever_goes_says_last_what_was_not_said(has_said: bool) -> None:
    stage, (one, two) = quiet(2)
    reference = stage.say(one, "a")
    stage.settle()
    if has_said:
        stage.say(two, "b")
        stage.settle()
    said = overhear(stage, two)
    sent: list[str | bytes] = []
    receive = stage.relay.receive
    stage.relay.receive = lambda s, data: (sent.append(data), receive(s, data))[1]  # type: ignore[method-assign]
    stage.leave(two)
    assert [one for _, one in said] == [Pulse(int(has_said), 0, None, ((0, 1, 1),))]
    assert [type(data) for data in sent] == [bytes, str]
    assert sent[1] == '{"type":"bye"}'
    stage.settle()
    assert receipts(one, reference) == [(1, 1)]


def test_r34_last_words_that_got_lost_are_missed_because_of_the_last_pulse() -> None:
    stage, (one, two) = quiet(2)
    stage.say(one, "a")
    lose(two)
    stage.step()
    stage.leave(one)
    stage.wait(HOLD_S + 0.1)
    assert [e.count for e in two.events if isinstance(e, Missing)] == [1]


def test_r31_whoever_has_said_it_all_goes_without_another_word() -> None:
    stage, (one, two) = quiet(2)
    stage.say(one, "a")
    stage.wait(3)
    said = overhear(stage, two)
    stage.leave(two)
    assert said == []


@pytest.mark.parametrize("seed", range(6))
def test_r34_whatever_is_lost_reaches_everybody_once_in_order(seed: int) -> None:
    stage, clients = quiet(4)
    every = 3 + seed
    expected: dict[int, list[str]] = {n: [] for n in range(4)}
    for number in range(24):
        by = number % 4
        expected[by].append(str(number))
        stage.say(clients[by], str(number))
        if number % every == 0:
            lose(clients[(by + 1 + seed % 3) % 4])
        stage.wait(0.3)
    stage.wait(30)
    for n, client in enumerate(clients):
        for by in expected:
            own = [text for text in client.texts if int(text) % 4 == by]
            assert own == (expected[by] if by != n else [])
        assert client.room.outstanding == 0
        assert not any(isinstance(e, Missing) for e in client.events)


def test_r31_repair_is_confirmed_as_what_came_live_is() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, one)
    stage.say(one, "a")
    lose(two)
    reference = stage.say(one, "b")
    stage.wait(ASK_DELAY_S + RECEIPT_S + 0.1)
    assert len(only(Repair, said)) == 1
    assert two.texts == ["a", "b"]
    assert receipts(one, reference)[-1] == (1, 1)


def test_r34_relay_that_does_not_answer_is_left() -> None:
    stage, (one, two) = quiet(2)
    receive, stage.relay.receive = stage.relay.receive, lambda *_: None  # type: ignore[method-assign,misc]
    reference = stage.say(one, "a")
    start = stage.now
    while one.reconnects == 0 and stage.now < start + 60:
        stage.wait(0.5)
    assert one.notices()[-1] == "relay_silent"
    stage.relay.receive = receive  # type: ignore[method-assign]
    stage.cut(one)
    stage.wait(15)
    assert isinstance(one.settled[reference], int)
    assert two.texts == ["a"]


def test_r30_void_that_the_relay_does_not_take_is_dropped() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, one)
    receive = stage.relay.receive

    def refuse(session: object, data: str | bytes) -> None:
        assert session is one.session
        assert isinstance(data, bytes)
        stage.relay.refuse(one.session, "size", data[1:9])

    stage.relay.receive = refuse  # type: ignore[assignment]
    reference = stage.say(one, "a")
    stage.settle()
    stage.relay.receive = receive  # type: ignore[method-assign]
    assert [type(each) for _, each in said] == [Text, Void]
    assert isinstance(one.settled[reference], RefusedError)
    assert (len(one.room._talk.outbox), one.room.outstanding) == (0, 0)
    assert two.texts == []


def test_r31_whoever_left_is_not_waited_for_again_in_the_next_epoch() -> None:
    stage, (one, _two, three) = quiet(3)
    cut_off(stage, three)
    stage.say(one, "a")
    stage.wait(3)
    assert three.room.tag is not None
    stage.relay.expire(three.room.tag)
    stage.settle()
    stage.join(1)
    # Its leaf is there still.
    assert len(one.room._stay.leaves) == 4
    assert one.room.outstanding == 0
