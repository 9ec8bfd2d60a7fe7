"""R32: what was said while somebody's key was not in the tree is never sent to its owner."""

import contextlib

import pytest

from client import content
from client.content import Ask, Repair
from client.errors import ClientError
from client.mls import Identity
from tests.member.acts import spoil_some
from tests.member.scene import Scene
from tests.member.traitor import Traitor


def repaired(traitor: Traitor) -> list[str]:
    """The texts that repairs brought to a traitor, whomever they are of."""
    assert traitor.group is not None
    texts = []
    for said in [said for said in traitor.heard if isinstance(said, Repair)]:
        for counter, part in said.parts:
            for key in (member.signature_key for member in traitor.group.members):
                with contextlib.suppress(ClientError):
                    sealed = said.leaf is not None
                    plain = traitor.group.open_repair(key, counter, part) if sealed else part
                    texts.append(content.parse(plain).text)  # type: ignore[union-attr]
    return texts


def ask_everything(traitor: Traitor) -> None:
    traitor.post(Ask(0, 0, tuple((leaf, 1, 64) for leaf in sorted(traitor.others()))))


def test_r32_newcomer_is_not_told_what_was_said_before_whatever_it_asks() -> None:
    scene = Scene()
    scene.talk()
    scene.wait(1)
    traitor = scene.traitor()
    for _ in range(5):
        ask_everything(traitor)
        traitor.post(Ask(0, 0, tuple((leaf, 1, 2**53 - 1) for leaf in range(128))))
        scene.wait(2)
    assert repaired(traitor) == []
    scene.check()


def test_r32_second_stay_under_another_key_is_not_told_what_the_first_could_read() -> None:
    scene = Scene()
    first = scene.traitor()
    scene.talk()
    scene.wait(1)
    first.leave()
    scene.settle()
    second = scene.traitor(identity=Identity.generate())
    ask_everything(second)
    scene.wait(3)
    assert repaired(second) == []
    scene.check()


def test_r32_who_left_and_came_back_is_not_told_what_was_said_between() -> None:
    scene = Scene()
    traitor = scene.traitor()
    traitor.leave()
    scene.wait(5)
    scene.talk()
    scene.wait(1)
    again = scene.traitor(identity=traitor.identity)
    ask_everything(again)
    scene.wait(3)
    assert repaired(again) == []
    scene.check()


def test_r32_who_left_while_others_were_stranded_is_not_told_what_was_said_between() -> None:
    """Who rejoins expects back whoever is missing; that makes nobody a reader."""
    scene = Scene()
    traitor = scene.traitor()
    for _ in range(5):
        scene.mend()
        spoil_some(traitor)
        scene.settle()
    # The tree loses the traitor's leaf while one is still on its way back.
    traitor.leave()
    scene.wait(2.5)
    scene.mend()
    scene.talk()
    scene.wait(1)
    again = scene.traitor(identity=traitor.identity)
    ask_everything(again)
    scene.wait(3)
    assert repaired(again) == []


@pytest.mark.parametrize("later", [False, True])
def test_r34_first_words_of_a_newcomer_reach_who_was_stranded_when_it_came(later: bool) -> None:
    """What it says later waits for them."""
    scene = Scene()
    traitor = scene.traitor()
    slow = scene.clients.pop(2)
    spoil_some(traitor)
    newcomer = scene.join(1)[0]
    scene.say(newcomer, "first words")
    scene.settle()
    scene.clients.append(slow)
    scene.mend()
    if later:
        scene.say(newcomer, "more words")
    scene.wait(10)
    assert "stranded" in slow.notices()
    assert slow.texts == (["first words", "more words"] if later else ["first words"])
    scene.check()
