"""What is said, where it goes wrong; the plain ways are in test_room.py."""

from dataclasses import replace

import pytest

from client import content, seal
from client.content import Content, Nick, Other, Text, Void
from client.event import Equivocation, Message, Missing, NickChanged
from client.mls import CONTENT_OVERHEAD
from client.seal import Kind
from tests.model import text
from tests.pair import LINK, Client, Stage

KEYS = LINK.keys()


def say_raw(stage: Stage, by: Client, data: bytes) -> None:
    """Let a member say anything at all, sealed and signed as it must be."""
    group, fence = by.room.group, stage.relay.fence
    assert group is not None
    assert by.session is not None
    size = seal.size_class(len(data) + CONTENT_OVERHEAD)
    message = group.encrypt(data, fence, size)
    sealed = seal.seal(KEYS.seal, KEYS.room_id, Kind.APPLICATION, fence, message)
    reference = stage.draw(8)
    stage.relay.receive(by.session, b"\x01" + reference + fence.to_bytes(8, "big") + sealed)
    stage.settle()


def say(stage: Stage, by: Client, said: Content) -> None:
    say_raw(stage, by, content.serialize(said))


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.join(2)
    return stage


def test_r30_same_counter_with_another_text_is_shown_as_equivocation(stage: Stage) -> None:
    one, two = stage.clients
    say(stage, one, Text(1, 0, None, "yes"))
    say(stage, one, Text(1, 0, None, "no"))
    assert two.texts == ["yes"]
    told = [e for e in two.events if isinstance(e, Equivocation)]
    assert [(e.sender, e.seq) for e in told] == [(one.room.tag, stage.relay.seq)]


def test_r30_duplicate_is_dropped_without_a_word(stage: Stage) -> None:
    one, two = stage.clients
    say(stage, one, Text(1, 0, None, "yes"))
    say(stage, one, Text(1, 0, None, "yes"))
    assert (two.texts, two.notices()) == (["yes"], [])


def test_void_and_unknown_types_count_and_show_nothing(stage: Stage) -> None:
    one, two = stage.clients
    say(stage, one, Void(1, 0))
    head = b'{"type":"of_tomorrow","counter":2,"base":0,"more":[1]}'
    say_raw(stage, one, len(head).to_bytes(2, "big") + head + b"raw")
    say(stage, one, Text(3, 0, None, "next"))
    assert two.texts == ["next"]
    assert not any(isinstance(e, Missing) for e in two.events)


def test_content_that_is_none_is_dropped_and_shown(stage: Stage) -> None:
    one, two = stage.clients
    say_raw(stage, one, b"\x00\x02{}")
    assert two.notices() == ["frame_refused"]


def test_r33_hole_holds_back_and_is_named_after_ten_seconds(stage: Stage) -> None:
    one, two = stage.clients
    say(stage, one, Text(1, 0, None, "1"))
    say(stage, one, Text(4, 0, None, "4"))
    assert two.texts == ["1"]
    stage.wait(9.9)
    assert two.texts == ["1"]
    stage.wait(0.2)
    shown = [e for e in two.events if isinstance(e, Missing | Message)]
    assert [getattr(e, "count", None) or getattr(e, "text", None) for e in shown] == ["1", 2, "4"]


def test_r33_late_message_fills_the_hole(stage: Stage) -> None:
    one, two = stage.clients
    say(stage, one, Text(2, 0, None, "2"))
    say(stage, one, Text(1, 0, None, "1"))
    assert two.texts == ["1", "2"]
    stage.wait(30)
    assert not any(isinstance(e, Missing) for e in two.events)


def test_nickname_in_a_message_is_told_once_before_it(stage: Stage) -> None:
    one, two = stage.clients
    say(stage, one, Text(1, 0, "Ada", "a"))
    say(stage, one, Text(2, 0, "Ada", "b"))
    say(stage, one, Nick(3, 0, "Eve"))
    shown = [e for e in two.events if isinstance(e, NickChanged | Message)]
    assert [e.nick for e in shown] == ["Ada", "Ada", "Ada", "Eve"]
    assert [type(e) for e in shown] == [NickChanged, Message, Message, NickChanged]


def test_digest_names_what_is_said_and_not_the_base() -> None:
    said = Text(3, 1, "Ada", "a")
    assert content.digest(said) == content.digest(replace(said, base=2))
    others = [replace(said, text="b"), replace(said, nick=None), Nick(3, 1, "Ada")]
    assert len({content.digest(one) for one in [said, *others]}) == 4
    assert content.digest(Void(3, 1)) == content.digest(Other(3, 1)) == b""


def test_answer_about_what_is_not_known_changes_nothing(stage: Stage) -> None:
    one, _ = stage.clients
    for reason in ("stale", "rate", "size", "state"):
        refused = text(
            type="refused", reason=reason, reference="00" * 8, retry_after_ms=None, fence=None
        )
        assert one.room.received(refused, stage.now) == []


def test_unknown_refusal_without_a_reference_changes_nothing(stage: Stage) -> None:
    one, _ = stage.clients
    refused = text(type="refused", reason="rate", reference=None, retry_after_ms=None, fence=None)
    assert one.room.received(refused, stage.now) == []


def test_nickname_taken_before_entry_is_told_on_entry() -> None:
    stage = Stage()
    (one,) = stage.join(1)
    two = stage.client()
    stage.perform(two, two.room.rename("Bob", stage.now))
    stage.wait(3)
    assert [e.nick for e in one.events if isinstance(e, NickChanged)] == ["Bob"]


def test_r31_crowded_room_is_not_told_every_nickname_again() -> None:
    stage = Stage()
    stage.join(17)
    stage.wait(4)
    posts = len(stage.relay.references)
    stage.join(1)
    stage.wait(4)
    # The newcomer greets, and the lowest leaf tells it that somebody is there.
    assert len(stage.relay.references) == posts + 2
