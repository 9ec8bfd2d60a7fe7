"""R31, R32: a member that asks too much, lies about what others said, and repairs at random."""

from collections import Counter

from client.content import MAX_INT, Ask, Pulse, Repair
from client.event import Missing
from client.kept import MAX_REPAIRS
from client.ledger import MAX_ASKS
from tests.member.scene import Scene
from tests.member.test_secrecy import ask_everything


def test_r32_one_counter_goes_to_one_asker_three_times_however_fast_it_asks() -> None:
    scene = Scene()
    traitor = scene.traitor()
    for client in scene.clients:
        for number in range(3):
            scene.say(client, f"{client.room.tag} {number}")
    scene.wait(3)
    # In one breath: the last is asked before the first answer is ordered.
    for _ in range(20):
        ask_everything(traitor)
    for _ in range(6):
        scene.wait(3)
        ask_everything(traitor)
    scene.wait(3)
    # Nobody else asks. Whose they are does not show: each of three said as much.
    answers = Counter(
        counter for said in traitor.heard if isinstance(said, Repair) for counter, _ in said.parts
    )
    assert set(answers) == {1, 2, 3}
    assert max(answers.values()) <= len(scene.clients) * MAX_REPAIRS
    scene.check()


def test_r31_one_false_rumour_is_asked_for_a_few_times_and_shows_nothing() -> None:
    """What others say to have is worth asking for, but its sender knows better what there is."""
    scene = Scene()
    traitor = scene.traitor()
    scene.talk()
    scene.wait(5)
    traitor.heard.clear()
    traitor.post(Pulse(0, 0, None, tuple((leaf, 1, MAX_INT) for leaf in sorted(traitor.others()))))
    for _ in range(12):
        scene.wait(5)
        scene.talk()
    asks = sum(isinstance(said, Ask) for said in traitor.heard)
    assert asks <= len(scene.clients) * 2 * MAX_ASKS
    scene.check()
    told = [event for client in scene.clients for event in client.events]
    assert not any(isinstance(event, Missing) for event in told)


def test_r31_false_rumours_again_and_again_are_asked_for_no_more_often() -> None:
    scene = Scene()
    traitor = scene.traitor()
    scene.talk()
    scene.wait(5)
    traitor.heard.clear()
    rows = tuple((leaf, 1, MAX_INT) for leaf in sorted(traitor.others()))
    assert scene.share(40, lambda: traitor.post(Pulse(0, 0, None, rows))) == 1.0
    asks = sum(isinstance(said, Ask) for said in traitor.heard)
    assert asks <= len(scene.clients) * 2 * MAX_ASKS
    scene.check()


def test_r32_frame_full_of_malformed_parts_is_shown_once() -> None:
    scene = Scene()
    traitor = scene.traitor()
    victim = scene.clients[0]
    parts = tuple((counter, b"") for counter in range(1, 65))
    traitor.post(Repair(0, 0, traitor.leaf(victim.room.tag), parts))
    scene.settle()
    assert victim.notices().count("frame_refused") == 1
    scene.check()
