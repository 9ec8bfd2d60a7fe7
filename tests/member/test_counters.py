"""R30: a member that counts as it likes harms its own messages and nobody else's."""

import pytest

from client import wire
from client.content import MAX_INT, Pulse
from client.event import Equivocation, Message, Missing
from client.ledger import MAX_SENDERS
from client.link import Tag
from tests.member.scene import TALKING_S, Scene
from tests.member.traitor import Traitor, head

FAR = 2**50
Said = tuple[str, int, int]


def texts(*places: tuple[int, int]) -> list[Said]:
    return [("text", counter, base) for counter, base in places]


COUNTED: dict[str, list[Said]] = {
    "far ahead": texts((FAR, 0), (FAR + 1, 0)),
    "far ahead and back": texts((1, 0), (FAR, 0), (2, 0), (3, 0)),
    "to the end": texts((MAX_INT, 0), (MAX_INT, MAX_INT - 1), (1, 0)),
    "base far ahead": texts((FAR, FAR - 1), (1, 0), (FAR + 1, FAR)),
    "base above what was": texts((1, 0), (9, 8), (3, 2), (10, 0)),
    "backwards": texts(*((counter, 0) for counter in range(100, 0, -1))),
    "every second": texts(*((counter, 0) for counter in range(2, 300, 2))),
    "ever further": texts(*((2**power, 0) for power in range(53))),
    "again and again": texts(*[(1, 0)] * 5, *[(2, 1)] * 5),
    "void first": [("void", 1, 0), ("text", 1, 0), ("text", 2, 0)],
    "void after": [("text", 1, 0), ("void", 1, 0), ("void", FAR, 0), ("text", 2, 0)],
    "unknown between": [("text", 1, 0), ("dance", 2, 0), ("dance", FAR, 0), ("text", 3, 0)],
}


def say(traitor: Traitor, kind: str, counter: int, base: int, text: str | None = None) -> None:
    fields = {"text": text or str(counter)} if kind == "text" else {}
    traitor.post(head(kind, counter, base, **fields))


@pytest.mark.parametrize("said", COUNTED.values(), ids=COUNTED.keys())
def test_r30_false_counters_show_each_content_once_in_order_and_alike(said: list[Said]) -> None:
    scene = Scene()
    traitor = scene.traitor()
    for number, content in enumerate(said):
        say(traitor, *content)
        if number % 20 == 0:
            scene.talk()
            scene.settle()
    assert scene.is_whole()
    scene.wait(TALKING_S)
    shown = [scene.shown(client) for client in scene.clients]
    assert shown[0] == shown[1] == shown[2]
    counters = [int(text) for text in shown[0]]
    assert counters == sorted(set(counters))
    assert set(shown[0]) <= {str(counter) for kind, counter, _ in said if kind == "text"}
    # However far: one line for each hole, and none contradicts itself.
    for client in scene.clients:
        gaps = [event for event in client.events if isinstance(event, Missing)]
        assert len(gaps) <= len(said)
        assert all(1 <= gap.count <= MAX_INT and gap.sender == traitor.tag for gap in gaps)
    assert not scene.told(Equivocation)
    scene.check()


@pytest.mark.parametrize("base", [1, 2, MAX_INT])
def test_r30_base_that_is_not_below_the_counter_is_refused(base: int) -> None:
    scene = Scene()
    traitor = scene.traitor()
    say(traitor, "text", 1, base)
    say(traitor, "text", 1, 0, "genuine")
    scene.settle()
    for client in scene.clients:
        assert client.notices().count("frame_refused") == 1
        assert scene.shown(client) == ["genuine"]
    scene.check()


def test_r30_two_texts_under_one_counter_are_told_once_and_the_first_stays() -> None:
    scene = Scene()
    traitor = scene.traitor()
    for text in ("first", "second", "third", "first", "second"):
        say(traitor, "text", 1, 0, text)
    scene.settle()
    for client in scene.clients:
        assert scene.shown(client) == ["first"]
    told = scene.told(Equivocation)
    assert [event.sender for event in told] == [traitor.tag] * 3
    scene.check()


def test_r30_newcomer_follows_honest_members_whatever_base_a_traitor_claims() -> None:
    scene = Scene()
    traitor = scene.traitor()
    scene.talk()
    traitor.post(Pulse(FAR, FAR, None, ()))
    scene.join(1)
    for counter, base in ((FAR + 3, FAR + 2), (1, 0), (FAR + 4, FAR)):
        say(traitor, "text", counter, base)
        scene.talk()
    traitor.post(Pulse(0, 0, None, ()))
    scene.wait(TALKING_S)
    assert not [gap for gap in scene.told(Missing) if gap.sender != traitor.tag]
    scene.check()


def test_r11_frame_sent_again_at_the_same_and_at_other_fences_shows_nothing() -> None:
    scene = Scene()
    traitor = scene.traitor()
    assert traitor.group is not None
    message = traitor.group.encrypt(head("text", 1, 0, text="once"), traitor.fence, 256)

    def again() -> None:
        traitor.post_sealed(message)
        scene.settle()

    again()
    again()
    # The same epoch at another fence, then another epoch.
    traitor.commit(b"")
    scene.settle()
    again()
    traitor.remove(())
    scene.settle()
    again()
    for client in scene.clients:
        assert scene.shown(client) == ["once"]
        assert client.notices().count("frame_refused") == 3
        assert "divided" not in client.notices()
    scene.check()


def test_r4_honest_frame_sent_again_from_another_seat_shows_nothing_and_spends_no_key() -> None:
    scene = Scene()
    traitor = scene.traitor()
    for _ in range(3):
        scene.talk()
        scene.settle()
        for data in scene.relay.log[-3:]:
            frame = wire.parse_binary(data)
            assert isinstance(frame, wire.Frame)
            traitor.post_sealed(traitor.unseal(frame))
        scene.settle()
    assert not any(scene.shown(client) for client in scene.clients)
    scene.check()


def test_r30_silent_member_speaks_after_as_many_strangers_as_are_remembered() -> None:
    """Members that come, speak and go push out of the ledger whoever was silent meanwhile."""
    scene = Scene()
    traitor = scene.traitor()
    for client in scene.clients:
        talk = client.room._talk
        for number in range(MAX_SENDERS):
            stranger = number.to_bytes(32, "big")
            talk._ledger.begin(stranger, 0)
            talk._tags[stranger] = Tag("0xeeee")
    say(traitor, "text", 1, 0)
    scene.settle()
    assert scene.shown(scene.clients[0]) == ["1"]
    heard = [event for event in scene.clients[0].events if isinstance(event, Message)]
    assert heard[-1].sender == traitor.tag
