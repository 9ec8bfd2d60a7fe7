"""What a traitor does to a whole room, again and again: strand, remove, run ahead, lure away."""

from collections.abc import Callable
from dataclasses import replace

from client import mls
from client.content import Pulse
from client.mls import groupinfo
from client.mls.codec import opaque
from client.mls.epoch import Epoch
from client.mls.framing import PathNode
from client.room import Room
from client.stay import Phase
from tests.client.mls.forge import forge
from tests.member.traitor import GARBAGE, Traitor

NOTHING = Pulse(0, 0, None, ())
Act = Callable[[Traitor], None]
Shown = Callable[[Traitor, Epoch, int], bytes]


def nothing_shown(traitor: Traitor, epoch: Epoch, fence: int) -> bytes:
    return GARBAGE


def wrong_external_pub(traitor: Traitor, epoch: Epoch, fence: int) -> bytes:
    """The right epoch, but whoever joins by it makes an epoch that nobody else can enter."""

    def alter(extensions: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        theirs = opaque(bytes(range(1, 33)))
        kind = groupinfo.EXTENSION_EXTERNAL_PUB
        return [(number, theirs if number == kind else data) for number, data in extensions]

    return traitor.group_info(epoch, fence, extensions=alter)


def wrong_confirmation(traitor: Traitor, epoch: Epoch, fence: int) -> bytes:
    """The right epoch, but whoever joins by it goes on with another transcript."""
    outside = replace(epoch.outside, confirmation_tag=bytes(32))
    return traitor.group_info(replace(epoch, outside=outside), fence)


# Each strands or removes others, or makes its keys run ahead


def spoil(traitor: Traitor, steps: slice, *, follows: bool, shows: Shown = nothing_shown) -> None:
    """A commit whose path is garbage for those below some of its steps, lowest first."""

    def reseal(nodes: list[PathNode], context: bytes) -> list[PathNode]:
        spoilt = nodes[steps]
        return [
            replace(node, ciphertexts=tuple((kem, bytes(48)) for kem, _ in node.ciphertexts))
            if node in spoilt
            else node
            for node in nodes
        ]

    commit, epoch = forge(traitor.plan(), reseal=reseal)
    shown = shows(traitor, epoch, traitor.fence + 1)
    traitor.commit(commit, shown, group=mls.Group(epoch) if follows else None)


def spoil_some(traitor: Traitor) -> None:
    spoil(traitor, slice(0, 1), follows=True)


def spoil_most(traitor: Traitor) -> None:
    spoil(traitor, slice(1, None), follows=True)


def spoil_all(traitor: Traitor) -> None:
    spoil(traitor, slice(0, None), follows=False)


def spoil_confirmation(traitor: Traitor) -> None:
    traitor.commit(forge(traitor.plan(), confirmation=lambda tag: bytes(32))[0])


def spoil_some_and_show_wrong_external_pub(traitor: Traitor) -> None:
    spoil(traitor, slice(0, 1), follows=True, shows=wrong_external_pub)


def spoil_some_and_show_wrong_confirmation(traitor: Traitor) -> None:
    spoil(traitor, slice(0, 1), follows=True, shows=wrong_confirmation)


def remove_all(traitor: Traitor) -> None:
    traitor.remove(traitor.others())


def remove_one(traitor: Traitor) -> None:
    traitor.remove(traitor.others()[:1])


def run_ahead(traitor: Traitor) -> None:
    """R16: one small frame under a key that lies further ahead than anybody follows."""
    traitor.skip_generations(70)
    traitor.post(NOTHING)


STRANDING: list[Act] = [
    spoil_some,
    spoil_most,
    spoil_all,
    spoil_confirmation,
    spoil_some_and_show_wrong_external_pub,
    spoil_some_and_show_wrong_confirmation,
]
ACTS: list[Act] = [*STRANDING, remove_all, remove_one, run_ahead]


# Finding the way back among the others, to act again


def follow(traitor: Traitor, rooms: list[Room]) -> bool:
    """Rejoin the others where a commit of theirs left the traitor behind; say if it is with them.

    It asks whoever may be asked: a GroupInfo of any member is there for whoever says `need`.
    """
    standing = [room.group for room in rooms if room.phase is Phase.JOINED and room.group]
    if not standing or traitor.group is None:
        return False
    if traitor.group.authenticator not in [group.authenticator for group in standing]:
        shown = standing[0].group_info(traitor.fence)
        chosen = mls.inspect(shown, traitor.keys.room_id, traitor.fence)
        staged = mls.join(chosen, traitor.identity, traitor.tag, traitor.keys.psk)
        traitor.commit(staged.commit, staged.group_info, staged.group)
        while traitor.step():
            pass
    return True
