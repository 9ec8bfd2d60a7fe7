"""What pulses, asks and repairs of ours come to; whole stories are in test_completeness.py."""

import pytest

from client.content import Ask, Pulse, Repair, Text
from client.kept import KEEP_S
from client.ledger import MAX_SENDERS
from client.stay import Phase
from client.upkeep import FLIGHT_S, MAX_ERRANDS, _Asked, _ranges
from tests.client.overheard import cut_off, lose, only, overhear, quiet, tokens
from tests.client.test_talk import say
from tests.pair import Client, Stage


def deaf(stage: Stage, client: Client) -> list[bytes]:
    """Let the relay lose what a client says from now on; return that."""
    lost: list[bytes] = []
    receive = stage.relay.receive

    def hear(session: object, data: str | bytes) -> None:
        if session is client.session:
            assert isinstance(data, bytes)
            lost.append(data)
        else:
            receive(session, data)  # type: ignore[arg-type]

    stage.relay.receive = hear  # type: ignore[method-assign]
    return lost


def test_rows_without_a_hole_are_one_range() -> None:
    assert _ranges([]) == []
    assert _ranges([4]) == [(4, 4)]
    assert _ranges([1, 2, 3, 5, 8, 9]) == [(1, 3), (5, 5), (8, 9)]


def test_answer_to_what_is_not_ours_is_left_to_others() -> None:
    _, (one, _two) = quiet(2)
    upkeep = one.room._talk.upkeep
    assert not upkeep.acknowledged(bytes(8), 0.0)
    assert not upkeep.refused(bytes(8))


def test_r31_pulse_that_nobody_answers_is_sent_again_after_a_while() -> None:
    stage, (one, two) = quiet(2)
    said, start = overhear(stage, two), stage.now
    deaf(stage, two)
    stage.say(one, "a")
    stage.wait(FLIGHT_S + 1)
    assert [at - start for at, _ in said] == [2.0]
    stage.wait(1.1)
    assert [at - start for at, _ in said] == [2.0, 2.0 + FLIGHT_S]
    assert {one for _, one in said} == {Pulse(0, 0, None, ((0, 1, 1),))}


def test_r31_pulse_that_was_refused_goes_again_with_all_it_said() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, two)
    refused = deaf(stage, two)
    stage.say(one, "a")
    stage.wait(2.1)
    del stage.relay.receive
    assert two.session is not None
    stage.relay.refuse(two.session, "stale", refused[0][1:9])
    stage.settle()
    assert [one for _, one in said] == [Pulse(0, 0, None, ((0, 1, 1),))] * 2


def test_r31_probe_that_was_refused_still_asks_for_answers() -> None:
    stage, (one, two) = quiet(2)
    cut_off(stage, two)
    said = overhear(stage, one)
    stage.say(one, "a")
    stage.settle()
    refused = deaf(stage, one)
    stage.wait(5.1)
    del stage.relay.receive
    assert one.session is not None
    stage.relay.refuse(one.session, "stale", refused[0][1:9])
    stage.settle()
    assert [one for _, one in only(Pulse, said)] == [Pulse(1, 0, None, ((0, 1, 1),))] * 2


def test_r31_rate_of_the_relay_is_believed() -> None:
    stage, (one, two) = quiet(2)
    tokens(stage, two, 10, rate=1.0)
    said, start = overhear(stage, two), stage.now
    refused = deaf(stage, two)
    stage.say(one, "a")
    stage.wait(2.1)
    del stage.relay.receive
    assert two.session is not None
    stage.relay.refuse(two.session, "rate", refused[0][1:9])
    stage.wait(10)
    # One second to the next token, and three more to the fourth.
    assert [at - start for at, _ in said] == pytest.approx([2.0, 2.1 + 1.0 + 3.0])


def test_r31_pulse_on_its_way_is_due_again_in_the_next_epoch() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, two)
    deaf(stage, two)
    stage.say(one, "a")
    stage.wait(2.1)
    del stage.relay.receive
    stage.join(1)
    assert [one for _, one in said] == [Pulse(0, 0, None, ((0, 1, 1),))] * 2


def test_r31_pulse_on_its_way_is_due_again_on_the_next_connection() -> None:
    stage, (one, two) = quiet(2)
    said = overhear(stage, two)
    deaf(stage, two)
    stage.say(one, "a")
    stage.wait(2.1)
    del stage.relay.receive
    stage.cut(two)
    stage.settle()
    assert [one for _, one in said] == [Pulse(0, 0, None, ((0, 1, 1),))] * 2


def test_r32_ask_waits_for_a_token_and_is_not_counted_before_it_is_ordered() -> None:
    stage, (one, two) = quiet(2)
    said, start = overhear(stage, two), stage.now
    tokens(stage, two, 0, rate=0.25)
    stage.say(one, "a")
    lose(two)
    stage.say(one, "b")
    stage.wait(2)
    # It is due, and something else is done meanwhile.
    stage.say(one, "c")
    stage.wait(1.9)
    assert said == []
    refused = deaf(stage, two)
    stage.wait(0.2)
    assert [(at - start, one) for at, one in said] == [(4.0, Ask(0, 0, ((0, 1, 1),)))]
    assert two.session is not None
    del stage.relay.receive
    stage.relay.refuse(two.session, "stale", refused[0][1:9])
    stage.wait(0.1)
    (sender,) = two.room._talk._ledger._senders.values()
    assert sender.asks == {}
    stage.wait(4)
    assert two.texts == ["a", "b", "c"]


def test_r32_ask_about_a_sender_that_was_forgotten_meanwhile_counts_nothing() -> None:
    stage, (one, two) = quiet(2)
    held = deaf(stage, two)
    stage.say(one, "a")
    lose(two)
    stage.say(one, "b")
    stage.wait(1)
    assert len(held) == 1
    one.room._talk.kept.clear()
    del stage.relay.receive
    ledger = two.room._talk._ledger
    for number in range(MAX_SENDERS):
        ledger.begin(b"%d" % number, 0)
    assert two.session is not None
    stage.relay.receive(two.session, held[0])
    stage.wait(1)
    assert not ledger.knows(one.room._stay.identity.signature_key)
    assert (two.room.phase, two.reconnects) == (Phase.JOINED, 0)


def test_tags_of_senders_are_bounded_and_those_that_may_be_shown_stay() -> None:
    stage, (one, two) = quiet(2)
    talk, key = two.room._talk, one.room._stay.identity.signature_key
    say(stage, one, Text(2, 0, None, "b"))
    for number in range(MAX_SENDERS):
        talk._tags[b"%d" % number] = talk._tags[key]
    say(stage, one, Text(4, 0, None, "d"))
    assert len(talk._tags) == MAX_SENDERS
    assert key in talk._tags
    assert b"0" not in talk._tags
    stage.wait(11)
    assert two.texts == ["b", "d"]


def test_r32_repair_that_is_answered_after_it_was_forgotten_counts_nothing() -> None:
    stage, (one, two) = quiet(2)
    stage.say(one, "a")
    stage.settle()
    held = deaf(stage, one)
    say(stage, two, Ask(0, 0, ((0, 1, 1),)))
    assert len(held) == 1
    del stage.relay.receive
    one.room._talk.kept.expire(stage.now + KEEP_S)
    assert one.session is not None
    stage.relay.receive(one.session, held[0])
    stage.settle()
    assert one.room._talk.upkeep._errands == {}
    said = overhear(stage, one)
    say(stage, two, Ask(0, 0, ((0, 1, 1),)))
    assert only(Repair, said) == []


def test_errands_that_nobody_answers_are_bounded() -> None:
    stage, (one, two) = quiet(2)
    for number in range(MAX_ERRANDS):
        one.room._talk.upkeep._errands[b"%d" % number] = _Asked(())
    stage.say(one, "a")
    stage.settle()
    say(stage, two, Ask(0, 0, ((0, 1, 1),)))
    assert len(one.room._talk.upkeep._errands) < MAX_ERRANDS
    assert b"0" not in one.room._talk.upkeep._errands
    assert b"1" in one.room._talk.upkeep._errands


def test_deadline_is_none_before_anything_is_due() -> None:
    one = Stage().client()
    assert one.room._talk.upkeep.deadline(0.0) is None
    assert one.room.deadline(0.0) is None


def test_repair_that_waits_for_a_token_wants_to_be_woken_for_it() -> None:
    stage, (one, two) = quiet(2)
    stage.say(one, "a")
    stage.wait(9)
    tokens(stage, one, 0, rate=0.5)
    say(stage, two, Ask(0, 0, ((0, 1, 1),)))
    assert one.room._talk.upkeep.deadline(stage.now) == stage.now + 2.0
