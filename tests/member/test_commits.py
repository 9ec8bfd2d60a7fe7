"""R12: commits of a member that are worth nothing are refused by everybody alike, and cost nothing.

The traitor has the link, a seat and the keys of the epoch; the relay orders whatever it sends.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from client import mls
from client.mls import framing
from client.mls.policy import PSK_ID
from client.stay import Phase
from tests.client.mls.forge import forge
from tests.member.scene import Scene
from tests.member.traitor import Traitor


def other_group(traitor: Traitor) -> bytes:
    return traitor.own_group().commit((), traitor.fence).commit


def external(traitor: Traitor, **options: object) -> bytes:
    return forge(traitor.newcomer_plan(traitor.inspected(), **options))[0]


def without_psk(traitor: Traitor) -> bytes:
    return external(traitor, alter=lambda proposals: proposals[-1:])


def removing_another(traitor: Traitor) -> bytes:
    return external(traitor, removes=traitor.others()[:1])


def with_key_of(traitor: Traitor) -> bytes:
    """A newcomer with the traitor's own signature key, and no Remove of its old leaf."""
    return external(traitor, identity=traitor.identity)


def with_tag_of_another(traitor: Traitor) -> bytes:
    assert traitor.group is not None
    tag = traitor.group.members[0].tag
    return forge(traitor.newcomer_plan(traitor.inspected(), tag))[0]


def with_anothers_hpke_key(traitor: Traitor) -> bytes:
    assert traitor.group is not None
    key = traitor.group._tree.leaf(traitor.others()[0]).encryption_key
    return forge(traitor.plan(), leaf=lambda leaf: replace(leaf, encryption_key=key))[0]


def with_wrong_signature(traitor: Traitor) -> bytes:
    commit = bytearray(forge(traitor.plan())[0])
    commit[-120] ^= 1
    return bytes(commit)


def with_wrong_binding(traitor: Traitor) -> bytes:
    return forge(replace(traitor.plan(), fence=traitor.fence + 1))[0]


def without_path(traitor: Traitor) -> bytes:
    return forge(traitor.plan(), body=lambda inside, path: inside + b"\0")[0]


def of_next_epoch(traitor: Traitor) -> bytes:
    return forge(traitor.plan(), content=lambda fields: {**fields, "epoch": fields["epoch"] + 1})[0]


def in_anothers_name(traitor: Traitor) -> bytes:
    plan = replace(traitor.plan(), sender=traitor.others()[0])
    return forge(plan)[0]


def removing_itself(traitor: Traitor) -> bytes:
    return forge(traitor.plan(), body=_and_removes(traitor.me))[0]


def removing_twice(traitor: Traitor) -> bytes:
    twice = [framing.encode_remove(traitor.others()[0])] * 2
    return forge(traitor.plan(), body=lambda inside, path: framing.encode_commit(twice, path))[0]


def removing_nobody(traitor: Traitor) -> bytes:
    return forge(traitor.plan(), body=_and_removes(2**31))[0]


def _and_removes(leaf: int) -> Callable[[bytes, bytes], bytes]:
    def body(inside: bytes, path: bytes) -> bytes:
        return framing.encode_commit([framing.encode_remove(leaf)], path)

    return body


WORTHLESS: list[Callable[[Traitor], bytes]] = [
    lambda traitor: bytes(range(256)) * 4,
    lambda traitor: b"",
    lambda traitor: b"\0\1\0\1" + b"\xff" * 3000,
    other_group,
    without_psk,
    removing_another,
    with_key_of,
    with_tag_of_another,
    with_anothers_hpke_key,
    with_wrong_signature,
    with_wrong_binding,
    without_path,
    of_next_epoch,
    in_anothers_name,
    removing_itself,
    removing_twice,
    removing_nobody,
]


@pytest.mark.parametrize("make", WORTHLESS)
def test_r12_worthless_commit_is_refused_alike_and_newcomers_still_come(
    make: Callable[[Traitor], bytes],
) -> None:
    scene = Scene()
    traitor = scene.traitor()
    epoch, fence = scene.clients[0].room.group.epoch, scene.relay.fence  # type: ignore[union-attr]
    traitor.commit(make(traitor))
    scene.settle()
    assert scene.relay.fence == fence + 1
    for client in scene.clients:
        assert client.room.fence == fence + 1
        assert client.room.phase is Phase.JOINED
        assert client.room.group is not None
        assert client.room.group.epoch == epoch
        assert "commit_refused" in client.notices()
    # At once, before anybody offers: the relay has nothing to show but what came with the commit.
    scene.client()
    assert scene.mend() < 10
    scene.check()


def test_r12_many_worthless_commits_in_a_row_keep_nobody_from_talking() -> None:
    scene = Scene()
    traitor = scene.traitor()
    makes = iter(WORTHLESS * 3)
    said = iter(range(1000))

    def act() -> None:
        traitor.commit(next(makes)(traitor))
        for client in scene.clients:
            scene.say(client, f"{next(said)} while it goes on")

    share = scene.share(60, act)
    assert share > 0.9, share
    scene.check()


def test_r12_external_commit_with_a_wrong_psk_strands_nobody_for_long() -> None:
    scene = Scene()
    traitor = scene.traitor()
    for client in scene.clients:
        scene.say(client, f"before {client.room.tag}")
    traitor.commit(external(traitor, psk=bytes(32)))
    for client in scene.clients:
        scene.say(client, f"on its way {client.room.tag}")
    scene.settle()
    assert {client.room.phase for client in scene.clients} == {Phase.STRANDED}
    assert scene.mend() < 6
    scene.check()


@pytest.mark.parametrize("psk_id", [b"beacon room psk v2", PSK_ID + b" "])
def test_r9_external_commit_with_another_psk_id_is_refused(psk_id: bytes) -> None:
    scene = Scene()
    traitor = scene.traitor()
    traitor.commit(external(traitor, psk_id=psk_id))
    scene.settle()
    assert {client.room.phase for client in scene.clients} == {Phase.JOINED}
    scene.check()


def test_r25_valid_commit_with_a_worthless_group_info_keeps_no_newcomer_out() -> None:
    scene = Scene()
    traitor = scene.traitor()
    for _ in range(3):
        assert traitor.group is not None
        staged = traitor.group.commit((), traitor.fence)
        traitor.commit(staged.commit, group=staged.group)
        scene.join(1)
        assert scene.mend() < 6
    scene.check()


def test_r4_tag_of_a_removed_member_taken_by_the_traitor_only_costs_time() -> None:
    scene = Scene()
    traitor = scene.traitor()
    victim = scene.clients[1]
    traitor.remove([traitor.leaf(victim.room.tag)])
    traitor.tag = victim.room.tag or traitor.tag
    traitor.identity = mls.Identity.generate()
    inspected = None
    # In one breath: nobody has seen the Remove yet.
    while scene.relay.sessions and traitor.step():
        pass
    inspected = traitor.inspected()
    staged = mls.join(inspected, traitor.identity, traitor.tag, traitor.keys.psk)
    traitor.commit(staged.commit, staged.group_info, staged.group)
    scene.settle()
    assert victim.room.phase is not Phase.JOINED
    scene.check()
