"""A relay that does not answer, or answers with what is old; what only a sender can know (R34)."""

import pytest

from client.content import Repair, Text, serialize
from client.errors import StateError
from client.event import Missing
from client.outbox import ANSWER_S
from client.stay import MAX_REPLAYS, Phase
from tests.client.overheard import come_back, cut_off, overhear, quiet
from tests.client.test_talk import say
from tests.model import text
from tests.pair import Stage


def test_commit_that_is_never_answered_ends_the_connection() -> None:
    stage, (one, two) = quiet(2)
    receive = stage.relay.receive
    stage.relay.receive = lambda *_: None  # type: ignore[method-assign,misc]
    one.room._membership.duties._heal_at = stage.now
    stage.wait(ANSWER_S - 1)
    assert one.reconnects == 0
    stage.relay.receive = receive  # type: ignore[method-assign]
    stage.wait(2)
    assert one.reconnects == 1
    assert one.notices() == ["relay_silent"]
    stage.wait(5)
    assert one.room.words == two.room.words


def test_old_numbers_and_nothing_else_end_the_connection() -> None:
    stage, (one, _) = quiet(2)
    stage.deliver(one, text(type="away", seq=2**40, tag="0x0bad"))
    for _ in range(MAX_REPLAYS):
        assert one.reconnects == 0
        stage.deliver(one, text(type="away", seq=7, tag="0x0bad"))
    assert one.reconnects == 1
    assert one.room._stay.ticket is None


def test_r04_tag_that_is_taken_on_the_line_to_rejoin_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage, (one, two) = quiet(2)

    def taken(*_: object) -> None:
        raise StateError("the tag is in use")

    with monkeypatch.context() as patch:
        patch.setattr("client.membership.stage_join", taken)
        one.room._membership.stray.strand(None, stage.now)
        stage.wait(0.5)
    assert one.reconnects >= 1
    stage.wait(5)
    assert one.room.tag == "0x1002"
    assert one.room.words == two.room.words


def test_info_that_nobody_waits_for_changes_nothing() -> None:
    stage, (one, _) = quiet(2)
    one.room._stay.phase = Phase.OFFLINE
    stage.relay.fence += 1
    one.room._stay.phase = Phase.JOINED
    stage.deliver(one, stage.relay.info())
    assert one.room.phase is Phase.JOINED
    assert one.notices() == []


def test_r34_what_was_said_before_the_first_that_was_heard_is_sent_again_unasked() -> None:
    stage = Stage()
    one, two = stage.join(2)
    cut_off(stage, two)
    stage.relay.ring = 0
    reference = stage.say(one, "before anything was heard")
    stage.join(1)
    stage.settle()
    come_back(stage, two)
    said = overhear(stage, one)
    stage.wait(8)
    assert two.texts == ["before anything was heard"]
    assert any(isinstance(content, Repair) for _, content in said)
    assert isinstance(one.settled[reference], int)
    assert one.room.outstanding == 0


def test_r34_pulse_that_lacks_what_is_on_its_way_does_not_send_it_twice() -> None:
    stage, (one, two) = quiet(2)
    upkeep = one.room._talk.upkeep
    stage.say(one, "a")
    stage.settle()
    key = two.room._stay.identity.signature_key
    one.room._talk.kept._contents[1].confirmed.clear()
    upkeep.began(key, 2)
    one.room._talk.flush(stage.now)
    upkeep.began(key, 2)
    assert upkeep._answers.get(key, set()) == set()


def test_r33_repair_that_comes_too_late_is_missed_once() -> None:
    stage, (one, two) = quiet(2)
    two.room._talk._ledger.clear()
    say(stage, one, Text(9, 8, None, "nine"))
    assert two.texts == ["nine"]
    parts = tuple((n, serialize(Text(n, 0, None, str(n)))) for n in (3, 4, 5))
    before = len(two.events)
    say(stage, one, Repair(9, 8, None, parts))
    missing = [e.count for e in two.events[before:] if isinstance(e, Missing)]
    assert missing == [3]


def test_r30_newcomer_whom_we_saw_come_counts_from_one() -> None:
    stage, (one, _) = quiet(2)
    stage.wait(60)
    cut_off(stage, one)
    come_back(stage, one)
    newcomer = stage.client()
    stage.settle()
    key = newcomer.room._stay.identity.signature_key
    assert one.room._talk._ledger.received(key, stage.now) == (1, 0)
