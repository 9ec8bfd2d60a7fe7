"""R32: repairs that nobody asked for, requests without end, and who may ask for what."""

import pytest

from client import content
from client.content import MAX_INT, Ask, Pulse, Repair, Text, Void
from client.event import Equivocation, Missing
from client.kept import MAX_REPAIRS
from client.mls import Identity
from tests import model
from tests.member.scene import TALKING_S, Scene
from tests.member.test_secrecy import ask_everything, repaired
from tests.member.traitor import Traitor, head

# The defaults of a relay.
RATE, BURST = 1.0, 10


@pytest.fixture
def _limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Honest clients are told of a real rate; the model lets the traitor say what it likes."""
    monkeypatch.setitem(model.LIMITS, "message_rate_milli", round(RATE * 1000))
    monkeypatch.setitem(model.LIMITS, "message_burst", BURST)


def plain(*counters: int) -> tuple[tuple[int, bytes], ...]:
    return tuple((n, content.serialize(Text(n, 0, None, str(n)))) for n in counters)


def to(traitor: Traitor, leaf: int, *counters: int) -> Repair:
    """A repair of what was never said, sealed to one leaf."""
    group, key = traitor.group, traitor.identity.signature_key
    assert group is not None
    parts = ((n, group.seal_repair(leaf, key, n, data)) for n, data in plain(*counters))
    return Repair(0, 0, leaf, tuple(parts))


# Repairs


def test_r32_repairs_that_nobody_asked_for_show_each_content_once_in_order() -> None:
    scene = Scene()
    traitor = scene.traitor()
    victim = scene.clients[1]
    far = [tuple(range(first, first + 40)) for first in (200, 300, 400)]
    for counters in (*far, (3, 2**50), tuple(range(1, 65)), (1, 2, 3), (64, 65, 66), (MAX_INT,)):
        for leaf in (traitor.leaf(victim.room.tag), None, traitor.me, MAX_INT):
            parts = plain(*counters)
            traitor.post(Repair(0, 0, leaf, parts) if leaf is None else Repair(9, 0, leaf, parts))
        scene.talk()
        scene.settle()
    scene.wait(TALKING_S)
    for client in scene.clients:
        assert scene.shown(client) == [str(n) for n in range(1, 67)]
    assert not scene.told(Missing)
    scene.check()


def test_r32_repair_for_one_leaf_shows_only_there_and_others_do_not_care() -> None:
    scene = Scene()
    traitor = scene.traitor()
    victim, *others = scene.clients
    leaf = traitor.leaf(victim.room.tag)
    traitor.post(to(traitor, leaf, 1, 2))
    # Sealed to one, addressed to another; and to leaves that there are not.
    for false in (traitor.leaf(others[0].room.tag), 77, MAX_INT):
        parts = to(traitor, leaf, 1, 2).parts
        traitor.post(Repair(0, 0, false, parts))
    scene.settle()
    assert scene.shown(victim) == ["1", "2"]
    assert [scene.shown(client) for client in others] == [[], []]
    assert [client.notices() for client in scene.clients] == [[], ["frame_refused"], []]
    # What only one has, the others are told of as soon as it is said to be there.
    traitor.post(Pulse(2, 0, None, ()))
    scene.wait(TALKING_S)
    assert [gap.count for gap in scene.told(Missing)] == [2, 2]
    scene.check()


def test_r32_what_is_no_counted_content_under_its_number_is_no_repair() -> None:
    scene = Scene()
    traitor = scene.traitor()
    false = [
        content.serialize(Text(2, 0, None, "of another number")),
        content.serialize(Pulse(1, 0, None, ())),
        content.serialize(Ask(1, 0, ())),
        content.serialize(Repair(1, 0, None, plain(1))),
        head("text", 1, 1, text="base"),
        head("text", 1, 0, text="x" * 501),
        b"\xff\xff",
        b"",
    ]
    for data in false:
        traitor.post(Repair(0, 0, None, ((1, data),)))
    scene.settle()
    for client in scene.clients:
        assert not scene.shown(client)
        assert client.notices().count("frame_refused") == len(false)
    scene.check()


def test_r32_frame_full_of_what_was_before_our_time_says_so_once() -> None:
    """64 parts fit into one frame; nobody wants 64 lines of it."""
    scene = Scene()
    traitor = scene.traitor()
    far = 2**50
    traitor.post(head("text", far + 1, far, text="shown"))
    for first in (1, 101, 201):
        traitor.post(Repair(far, far, None, plain(*range(first, first + 40))))
    scene.settle()
    for client in scene.clients:
        assert len([event for event in client.events if isinstance(event, Missing)]) <= 3
    scene.check()


def test_r32_repair_that_says_something_else_is_told_and_changes_nothing() -> None:
    scene = Scene()
    traitor = scene.traitor()
    for number in range(1, 101):
        traitor.post(head("text", number, 0, text=f"said {number}"))
    for _ in range(3):
        for first in (1, 61):
            traitor.post(Repair(100, 0, None, plain(*range(first, first + 40))))
    traitor.post(Repair(100, 0, None, ((100, content.serialize(Void(100, 0))),)))
    scene.settle()
    for client in scene.clients:
        assert scene.shown(client) == [f"said {number}" for number in range(1, 101)]
        # Of each that is remembered, once.
        told = [event for event in client.events if isinstance(event, Equivocation)]
        assert len(told) == 44
    scene.check()


# Requests


@pytest.mark.usefixtures("_limited")
def test_r32_requests_without_pause_leave_half_of_the_frames_to_texts() -> None:
    scene = Scene(2)
    askers = [scene.traitor() for _ in range(8)]
    sender, hearer = scene.clients
    behind: list[int] = []

    def act() -> None:
        scene.say(sender, f"text {len(scene.said)}")
        if len(scene.said) % 4 == 0:
            # What was said before somebody came goes to each asker in a frame of its own.
            scene.traitor()
        for one in askers:
            ask_everything(one)
        behind.append(len(scene.said) - len(hearer.texts))

    # 0.4 texts a second: what half of the frames are enough for.
    assert scene.share(30, act, 2.5) == 1.0
    assert max(behind) <= 2, behind
    scene.check()


@pytest.mark.usefixtures("_limited")
def test_r31_rumours_without_pause_leave_half_of_the_frames_to_texts() -> None:
    scene = Scene()
    traitor = scene.traitor()
    sender, hearer = scene.clients[0], scene.clients[1]
    behind: list[int] = []

    def act() -> None:
        for client in scene.clients:
            scene.say(client, f"text {len(scene.said)}")
        rows = tuple((leaf, 1, MAX_INT) for leaf in sorted(traitor.others()))
        traitor.post(Pulse(0, 0, None, rows))
        unseen = {text for text, owner in scene.said.items() if owner is sender}
        behind.append(len(unseen - set(hearer.texts)))

    assert scene.share(60, act, 2.5) == 1.0
    assert max(behind) <= 3, behind
    scene.check()


@pytest.mark.parametrize("first", [1, 3, 2**50, MAX_INT])
def test_r32_false_word_of_where_one_began_brings_what_one_may_have_three_times(first: int) -> None:
    scene = Scene()
    scene.talk()
    scene.wait(2)
    traitor = scene.traitor()
    scene.talk()
    scene.wait(10)
    traitor.heard.clear()
    rows = tuple((leaf, first, first - 1) for leaf in sorted(traitor.others()))
    assert scene.share(40, lambda: traitor.post(Pulse(0, 0, None, rows))) == 1.0
    # What was said before it came, never.
    answers = [n for said in traitor.heard if isinstance(said, Repair) for n, _ in said.parts]
    assert set(answers) <= {2}
    assert len(answers) <= len(scene.clients) * MAX_REPAIRS
    assert not scene.told(Missing)
    scene.check()


def test_r32_forged_leaves_and_counters_bring_nothing() -> None:
    scene = Scene()
    scene.talk()
    scene.wait(2)
    traitor = scene.traitor()
    scene.talk()
    scene.wait(2)
    traitor.heard.clear()
    leaf = traitor.leaf(scene.clients[0].room.tag)
    for holes in (
        tuple((other, 1, MAX_INT) for other in range(60, 188)),
        ((MAX_INT, 1, MAX_INT),),
        ((traitor.me, 1, 64),),
        ((leaf, MAX_INT, MAX_INT),),
        ((leaf, 3, MAX_INT),),
        # Only the first 64 of one hole count; these are before its time.
        ((leaf, 1, 1),),
    ):
        traitor.post(Ask(0, 0, holes))
        scene.wait(3)
    assert not [said for said in traitor.heard if isinstance(said, Repair)]
    assert not [client.notices() for client in scene.clients if client.notices()]
    # What it may have, it gets, whatever stands around it.
    traitor.post(Ask(0, 0, ((leaf, 1, MAX_INT), (MAX_INT, 1, 1))))
    scene.wait(3)
    parts = [said.parts for said in traitor.heard if isinstance(said, Repair)]
    assert [counter for ((counter, _),) in parts] == [2]
    scene.check()


@pytest.mark.parametrize("keeps_key", [True, False])
def test_r32_removed_member_that_comes_in_again_is_not_told_what_was_said_without_it(
    keeps_key: bool,
) -> None:
    scene = Scene()
    traitor, other = scene.traitor(), scene.traitor()
    other.remove([other.leaf(traitor.tag)])
    scene.settle()
    scene.talk()
    scene.wait(1)
    if not keeps_key:
        traitor.identity = Identity.generate()
    # By the way that is open to everybody with the link, under the seat that it still has.
    traitor.info = None
    traitor.send('{"type":"need"}')
    traitor.group = None
    scene.settle()
    assert traitor.group is not None
    for _ in range(3):
        ask_everything(traitor)
        scene.wait(3)
    assert repaired(traitor) == []
    scene.check()


def test_r32_two_seats_of_one_person_each_get_only_what_its_own_key_could_read() -> None:
    scene = Scene()
    first = scene.traitor()
    scene.talk()
    scene.wait(1)
    second = scene.traitor()
    scene.wait(5)
    ask_everything(second)
    # In the name of the other: whose request it is, its signature says.
    leaf = second.leaf(first.tag)
    second.post(Ask(0, 0, ((leaf, 1, 64),)))
    scene.wait(3)
    assert repaired(second) == []
    ask_everything(first)
    scene.wait(3)
    assert len(set(repaired(first))) == 3
    scene.check()
