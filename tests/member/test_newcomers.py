"""R13, R14, R25: newcomers who find the offers of a traitor among those of honest members."""

from collections.abc import Callable

import pytest

from client.mls.epoch import Epoch
from tests.member.acts import wrong_confirmation, wrong_external_pub
from tests.member.scene import Scene
from tests.member.traitor import GARBAGE, Traitor, at_epoch

OFFERS = 3


def of_own_group(traitor: Traitor) -> bytes:
    return traitor.own_group().group_info(traitor.fence)


def of_highest_epoch(traitor: Traitor) -> bytes:
    return traitor.own_group(traitor.fence + 1).group_info(traitor.fence)


def of_impossible_epoch(traitor: Traitor) -> bytes:
    return traitor.own_group(2**63).group_info(traitor.fence)


def _own_epoch(traitor: Traitor) -> Epoch:
    assert traitor.group is not None
    return traitor.group._epoch


def of_wrong_external_pub(traitor: Traitor) -> bytes:
    return wrong_external_pub(traitor, _own_epoch(traitor), traitor.fence)


def of_wrong_confirmation(traitor: Traitor) -> bytes:
    return wrong_confirmation(traitor, _own_epoch(traitor), traitor.fence)


def of_room_under_another_number(traitor: Traitor) -> bytes:
    return traitor.group_info(at_epoch(_own_epoch(traitor), 1), traitor.fence)


def garbage(traitor: Traitor) -> bytes:
    return GARBAGE


FAKE = [
    of_own_group,
    of_highest_epoch,
    of_impossible_epoch,
    of_wrong_external_pub,
    of_wrong_confirmation,
    of_room_under_another_number,
    garbage,
]


@pytest.mark.parametrize("fake", FAKE)
def test_r25_newcomers_among_fake_offers_come_in_and_are_heard(
    fake: Callable[[Traitor], bytes],
) -> None:
    scene = Scene()
    traitor = scene.traitor()
    for _ in range(3):
        for _ in range(OFFERS):
            traitor.offer(fake(traitor))
        newcomer = scene.client()
        assert scene.mend() < 30
        assert newcomer.finished is None
        scene.talk()
        scene.settle()
    scene.check()


@pytest.mark.parametrize("fake", FAKE)
def test_r25_newcomers_who_find_nothing_but_a_fake_come_in_and_are_heard(
    fake: Callable[[Traitor], bytes],
) -> None:
    """A worthless commit puts the traitor's own in the place of all that the relay has."""
    scene = Scene()
    traitor = scene.traitor()
    traitor.fence += 1
    shown = fake(traitor)
    traitor.fence -= 1
    traitor.commit(b"", shown)
    # One comes in the same breath, one at leisure.
    scene.client()
    assert scene.mend() < 30
    scene.talk()
    scene.join(1)
    assert scene.mend() < 30
    scene.check()


def test_r25_expected_words_find_the_room_among_fake_offers() -> None:
    scene = Scene()
    traitor = scene.traitor()
    for _ in range(OFFERS):
        traitor.offer(of_highest_epoch(traitor))
    words = scene.clients[0].room.words
    newcomer = scene.client(expect_words=words)
    assert scene.mend() == 0
    assert newcomer.finished is None
    scene.check()


def test_r14_traitor_that_came_in_first_keeps_no_two_newcomers_apart() -> None:
    """It founds the room, and leads each who comes to another line of its own."""
    scene = Scene(0)
    traitor = scene.traitor()
    for number in range(2):
        scene.client()
        scene.settle()
        traitor.offer(traitor.own_group(number).group_info(traitor.fence))
    scene.client()
    assert scene.mend() < 60
    scene.check()
