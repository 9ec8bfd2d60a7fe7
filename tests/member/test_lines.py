"""R12 to R14, R16: a member that strands, removes and divides others again and again.

``share`` is the part of the time in which all honest members stand in one epoch and may talk.
"""

from collections.abc import Callable

import pytest

from client.event import Missing
from tests.member.acts import (
    ACTS,
    NOTHING,
    Act,
    follow,
    remove_all,
    remove_one,
    run_ahead,
    spoil_all,
    spoil_confirmation,
)
from tests.member.scene import Scene
from tests.member.traitor import Traitor

WAR_S = 60.0


def war(act: Act, every: float, honest: int = 3) -> tuple[Scene, float]:
    """Act now and then while everybody talks; return what part of the time they could."""
    scene = Scene(honest)
    traitor = scene.traitor()

    def attack() -> None:
        scene.talk()
        if follow(traitor, [client.room for client in scene.clients]):
            act(traitor)

    return scene, scene.share(WAR_S, attack, every)


@pytest.mark.parametrize("act", ACTS)
def test_r12_r13_r16_once_stranded_or_removed_all_are_back_and_miss_nothing(act: Act) -> None:
    scene = Scene()
    traitor = scene.traitor()
    keys = [client.room._stay.identity.signature_key for client in scene.clients]
    scene.talk()
    scene.settle()
    act(traitor)
    scene.talk()
    scene.settle()
    scene.talk()
    assert scene.mend() < 10
    scene.check()
    assert keys == [client.room._stay.identity.signature_key for client in scene.clients]
    missing = [e for client in scene.clients for e in client.events if isinstance(e, Missing)]
    # Only whoever was outside the tree cannot be told what was said there meanwhile (R32).
    assert bool(missing) == (act in (remove_one, remove_all))


@pytest.mark.parametrize("act", ACTS)
def test_r13_an_act_each_10_s_leaves_most_of_the_time_to_talk(act: Act) -> None:
    """What nobody can enter is void after 5 s (R12): less than half of 10 s, with what is around.

    More often than that cannot be kept out: who may commit may make everybody start again.
    """
    scene, share = war(act, 10.0)
    least = 0.5 if act in (spoil_all, spoil_confirmation) else 0.85
    assert share >= least, f"{share:.0%} of the time"
    assert scene.mend() < 10
    scene.check()


@pytest.mark.parametrize("act", ACTS)
def test_r13_acts_without_pause_leave_a_room_that_is_soon_whole(act: Act) -> None:
    scene, share = war(act, 2.0)
    if act not in (spoil_all, spoil_confirmation):
        assert share >= 0.5, f"{share:.0%} of the time"
    assert scene.mend() < 10
    scene.check()


def test_r13_foreign_frames_alone_move_nobody() -> None:
    scene = Scene()
    traitor = scene.traitor()
    foreign = traitor.own_group()
    epochs = [client.room.group for client in scene.clients]

    def act() -> None:
        traitor.post(NOTHING, group=foreign)
        scene.talk()

    assert scene.share(30, act, 1.0) == 1.0
    assert [client.room.group for client in scene.clients] == epochs
    scene.check()


def lure(traitor: Traitor, epoch: int) -> None:
    """Make everybody look for a better line, and show them one."""
    group = traitor.own_group(epoch)
    traitor.post(NOTHING, group=group)
    traitor.offer(group.group_info(traitor.fence))


def highest(traitor: Traitor) -> int:
    return traitor.fence + 1


def highest_by_far(traitor: Traitor) -> int:
    """One worthless commit raises the fence alone, so that the room's epoch is behind it."""
    traitor.commit(b"")
    while traitor.step():
        pass
    return traitor.fence + 1


@pytest.mark.parametrize("honest", [1, 2, 3])
@pytest.mark.parametrize(("epoch", "every"), [(highest, 1.0), (highest_by_far, 2.0)])
def test_r13_better_lines_offered_again_and_again_do_not_keep_the_room_apart(
    epoch: Callable[[Traitor], int], every: float, honest: int
) -> None:
    scene = Scene(honest)
    traitor = scene.traitor()

    def act() -> None:
        scene.talk()
        lure(traitor, epoch(traitor))

    share = scene.share(WAR_S, act, every)
    assert share > 0.9, f"{share:.0%} of the time"
    assert scene.mend() < 10
    scene.check()


@pytest.mark.parametrize("ahead", [2, 3, 2**40, 2**63])
def test_r13_number_that_no_fence_allows_moves_nobody(ahead: int) -> None:
    scene = Scene()
    traitor = scene.traitor()
    groups = [client.room.group for client in scene.clients]

    def act() -> None:
        lure(traitor, traitor.fence + ahead)

    assert scene.share(20, act) == 1.0
    assert [client.room.group for client in scene.clients] == groups
    newcomer = scene.client()
    assert scene.mend() < 10
    assert newcomer.finished is None
    scene.check()


def test_r16_keys_that_run_ahead_begin_one_epoch_in_10_s_and_nobody_rejoins() -> None:
    scene = Scene()
    traitor = scene.traitor()
    fence, leaves = scene.relay.fence, scene.clients[0].room.group.members  # type: ignore[union-attr]
    assert scene.share(60, lambda: run_ahead(traitor), 1.0) == 1.0
    assert 5 <= scene.relay.fence - fence <= 7
    after = scene.clients[0].room.group.members  # type: ignore[union-attr]
    assert [leaf.signature_key for leaf in leaves] == [leaf.signature_key for leaf in after]
    scene.check()
