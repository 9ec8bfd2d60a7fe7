"""Our MLS in one room with members of ts-mls, an implementation that shares no code with ours.

ts-mls runs as `tsmls/peer.mjs`, in the profile of PROTOCOL 8. After every step all members must
have the same view of the epoch: keys, tree and exporter. The product runs unchanged; where ts-mls
1.6.4 departs from RFC 9420 (12.4.1 and 12.4.3.2) its side is put right, in `tsmls/`.
"""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from client.errors import (
    AuthenticationError,
    CommitRefusedError,
    RemovedError,
    StrandedError,
)
from client.mls import Group, Identity, Staged, found, inspect, join

HERE = Path(__file__).parent / "tsmls"
INSTALLED = Path(__file__).parents[3] / "node_modules" / "ts-mls" / "package.json"

# Spelt out, so that the product's own constants are compared as well (PROTOCOL 3, 8.1).
ROOM_ID = bytes(range(16))
PSK = bytes(range(100, 132))
PSK_ID = b"beacon room psk v1"
APPLICATION, COMMIT, GROUP_INFO = 1, 2, 3
SIZE = 512
# What stands around content, signature and padding: MLSMessage (4), group id (17), epoch (8),
# content type (1), authenticated data (28), sender data (29), length (2), tag (16).
AROUND = 105


def binding(kind: int, fence: int) -> bytes:
    return b"\0\1" + ROOM_ID + bytes([kind]) + fence.to_bytes(8, "big")


class PeerRefusedError(Exception):
    """ts-mls refused an input."""


class Peer:
    """The process that holds all members of ts-mls."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", "--import", "./rfc.mjs", "peer.mjs"],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, op: str, who: str, **given: object) -> object:
        given = {k: v.hex() if isinstance(v, bytes) else v for k, v in given.items()}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"op": op, "who": who, **given}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "refused" in answer:
            raise PeerRefusedError(answer["refused"])
        return answer["ok"]

    def bytes(self, op: str, who: str, **given: object) -> bytes:
        answer = self.ask(op, who, **given)
        assert isinstance(answer, str)
        return bytes.fromhex(answer)

    def fields(self, op: str, who: str, **given: object) -> dict[str, object]:
        answer = self.ask(op, who, **given)
        assert isinstance(answer, dict)
        return {k: bytes.fromhex(v) if isinstance(v, str) else v for k, v in answer.items()}

    def close(self) -> None:
        self._process.communicate(timeout=10)


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    if shutil.which("node") is None or not INSTALLED.exists():
        reason = "ts-mls is not installed: run `npm ci` with Node 20 or later"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    peer = Peer()
    yield peer
    peer.close()


# What all members of an epoch must agree on, by name.
View = dict[str, object]
EXPORTER = ("beacon test", b"a context", 48)


class Member(Protocol):
    """One member, of either side. Every fence is the one that the message is for."""

    tag: str

    def found(self) -> None: ...
    def join(self, group_info: bytes, fence: int) -> bytes: ...
    def commit(self, removes: Sequence[int], fence: int) -> bytes: ...
    def follow(self, commit: bytes, fence: int) -> bool: ...
    def group_info(self, fence: int) -> bytes: ...
    def encrypt(self, content: bytes, fence: int) -> bytes: ...
    def decrypt(self, message: bytes, fence: int) -> bytes: ...
    def leaf(self) -> int: ...
    def view(self) -> View: ...


class Ours:
    """A member that runs the product."""

    def __init__(self, tag: str, psk: bytes = PSK) -> None:
        self.tag = tag
        self._psk = psk
        self._identity = Identity.generate()
        self.group: Group

    def _staged(self, staged: Staged, fence: int) -> bytes:
        self.group = staged.group
        inspect(staged.group_info, ROOM_ID, fence + 1)
        return staged.commit

    def found(self) -> None:
        self._staged(found(self._identity, self.tag, self._psk, ROOM_ID), 0)

    def join(self, group_info: bytes, fence: int) -> bytes:
        chosen = inspect(group_info, ROOM_ID, fence)
        return self._staged(join(chosen, self._identity, self.tag, self._psk), fence)

    def commit(self, removes: Sequence[int], fence: int) -> bytes:
        return self._staged(self.group.commit(removes, fence), fence)

    def follow(self, commit: bytes, fence: int) -> bool:
        """Follow, and say whether we are still in the group."""
        try:
            self.group = self.group.follow(commit, fence).group
        except RemovedError:
            return False
        return True

    def group_info(self, fence: int) -> bytes:
        return self.group.group_info(fence)

    def encrypt(self, content: bytes, fence: int) -> bytes:
        return self.group.encrypt(content, fence, SIZE)

    def decrypt(self, message: bytes, fence: int) -> bytes:
        return self.group.decrypt(message, fence).content

    def leaf(self) -> int:
        return self.group.me.leaf

    def view(self) -> View:
        group = self.group
        return {
            "epoch": group.epoch,
            "groupId": group.group_id,
            "treeHash": group.tree_hash,
            "transcript": group.confirmed_transcript_hash,
            "tree": group._tree.encoded(),
            "authenticator": group.authenticator,
            "exported": group.export(*EXPORTER),
        }


class Theirs:
    """A member that runs ts-mls. What it takes unseen, the binding, is checked here."""

    def __init__(self, peer: Peer, tag: str, psk: bytes = PSK) -> None:
        self.tag = tag
        self._peer = peer
        peer.ask("enter", tag, tag=tag, psk=psk, pskId=PSK_ID)

    def found(self) -> None:
        aad = binding(COMMIT, 0)
        group_id = bytes(range(200, 216))
        self._peer.bytes("found", self.tag, groupId=group_id, authenticatedData=aad)

    def join(self, group_info: bytes, fence: int) -> bytes:
        aad = binding(COMMIT, fence)
        made = self._peer.fields("join", self.tag, groupInfo=group_info, authenticatedData=aad)
        assert made["binding"] == binding(GROUP_INFO, fence)
        assert isinstance(made["commit"], bytes)
        return made["commit"]

    def commit(self, removes: Sequence[int], fence: int) -> bytes:
        aad = binding(COMMIT, fence)
        return self._peer.bytes("commit", self.tag, removes=list(removes), authenticatedData=aad)

    def follow(self, commit: bytes, fence: int) -> bool:
        """Follow, and say whether we are still in the group."""
        done = self._peer.fields("follow", self.tag, commit=commit)
        assert done["authenticatedData"] == binding(COMMIT, fence)
        return not done["removed"]

    def group_info(self, fence: int) -> bytes:
        return self._peer.bytes("groupInfo", self.tag, binding=binding(GROUP_INFO, fence))

    def encrypt(self, content: bytes, fence: int) -> bytes:
        aad = binding(APPLICATION, fence)
        given = {"content": content, "authenticatedData": aad, "padUntil": SIZE - AROUND}
        return self._peer.bytes("encrypt", self.tag, **given)

    def decrypt(self, message: bytes, fence: int) -> bytes:
        done = self._peer.fields("decrypt", self.tag, message=message)
        assert done["authenticatedData"] == binding(APPLICATION, fence)
        assert isinstance(done["content"], bytes)
        return done["content"]

    def leaf(self) -> int:
        leaf = self._peer.ask("leaf", self.tag)
        assert isinstance(leaf, int)
        return leaf

    def view(self) -> View:
        label, context, length = EXPORTER
        return self._peer.fields("view", self.tag, label=label, context=context, length=length)


class Room:
    """Members of both sides in one epoch, by leaf, and the fence of the room."""

    def __init__(self, founder: Member) -> None:
        founder.found()
        self.members: dict[int, Member] = {0: founder}
        self.fence = 1

    def enter(self, member: Member, offerer: Member) -> None:
        """Join by a GroupInfo of ``offerer``: a newcomer, or one who is in the group already."""
        commit = member.join(offerer.group_info(self.fence), self.fence)
        others = [other for other in self.members.values() if other is not member]
        self._follow(member, others, commit, [])

    def commit(self, committer: Member, removes: Sequence[int] = ()) -> None:
        gone = [self.members[leaf] for leaf in removes]
        commit = committer.commit(removes, self.fence)
        others = [other for other in self.members.values() if other is not committer]
        self._follow(committer, others, commit, gone)

    def _follow(
        self, committer: Member, others: Sequence[Member], commit: bytes, gone: Sequence[Member]
    ) -> None:
        for other in others:
            assert other.follow(commit, self.fence) == (other not in gone)
        left = [committer, *(other for other in others if other not in gone)]
        self.members = {member.leaf(): member for member in left}
        assert len(self.members) == len(left)
        self.fence += 1
        self.assert_one()

    def assert_one(self) -> None:
        views = [member.view() for member in self.members.values()]
        assert all(view == views[0] for view in views)

    def talk(self) -> None:
        """Let everybody send two messages, and all others read them in the other order."""
        for leaf, sender in self.members.items():
            contents = [f"{leaf} says {n}".encode() * 3 for n in range(2)]
            sent = [sender.encrypt(content, self.fence) for content in contents]
            for member in self.members.values():
                if member is not sender:
                    for message, content in zip(reversed(sent), reversed(contents), strict=True):
                        assert len(message) == SIZE
                        assert member.decrypt(message, self.fence) == content


@pytest.fixture(params=["ours first", "theirs first"])
def pair(request: pytest.FixtureRequest, peer: Peer) -> tuple[Member, Member]:
    ours, theirs = Ours("0x0a01"), Theirs(peer, "0x0b01")
    return (ours, theirs) if request.param == "ours first" else (theirs, ours)


def test_one_side_joins_the_other(pair: tuple[Member, Member]) -> None:
    founder, newcomer = pair
    room = Room(founder)
    room.enter(newcomer, founder)
    room.talk()
    assert room.members == {0: founder, 1: newcomer}


def test_both_sides_renew_their_keys(pair: tuple[Member, Member]) -> None:
    founder, newcomer = pair
    room = Room(founder)
    room.enter(newcomer, founder)
    room.commit(founder)
    room.commit(newcomer)
    room.commit(founder)
    room.talk()


def test_each_side_removes_the_other_and_lets_it_in_again(pair: tuple[Member, Member]) -> None:
    founder, newcomer = pair
    room = Room(founder)
    room.enter(newcomer, founder)
    room.commit(founder, [1])
    assert room.members == {0: founder}
    room.enter(newcomer, founder)
    room.commit(newcomer, [0])
    assert room.members == {1: newcomer}
    room.enter(founder, newcomer)
    room.talk()


def test_a_member_rejoins_in_place_of_its_own_leaf(pair: tuple[Member, Member]) -> None:
    founder, newcomer = pair
    room = Room(founder)
    room.enter(newcomer, founder)
    room.enter(newcomer, founder)
    room.talk()
    room.enter(founder, newcomer)
    room.talk()
    assert len(room.members) == 2


def crowd(peer: Peer, size: int) -> list[Member]:
    """Members of both sides in turn."""
    return [Theirs(peer, f"0x0b{n:02x}") if n & 1 else Ours(f"0x0a{n:02x}") for n in range(size)]


@pytest.mark.parametrize("last", [4, 5])
def test_both_sides_agree_while_the_root_is_blank(peer: Peer, last: int) -> None:
    # Only the right half of eight leaves is left, so no path of anybody reaches the root (12.4.1).
    members = crowd(peer, 7)
    room = Room(members[0])
    for member in members[1:]:
        room.enter(member, members[0])
    room.commit(members[last], [0, 1, 2, 3])
    for leaf in (5, 4, 6):
        room.commit(members[leaf])
        room.talk()
    room.enter(members[5], members[4])
    room.talk()


@pytest.mark.parametrize("seed", range(6))
def test_a_mixed_room_stays_one_through_a_random_life(peer: Peer, seed: int) -> None:
    draw = random.Random(seed)
    outside = crowd(peer, 11)
    draw.shuffle(outside)
    room = Room(outside.pop())
    for _ in range(30):
        inside = list(room.members.values())
        chosen = draw.choice(inside)
        match draw.choice(["enter", "enter", "renew", "remove", "rejoin"]):
            case "enter" if outside:
                room.enter(outside.pop(draw.randrange(len(outside))), chosen)
            case "renew":
                room.commit(chosen)
            case "remove" if len(inside) > 1:
                leaves = [leaf for leaf, member in room.members.items() if member is not chosen]
                removes = draw.sample(leaves, draw.randint(1, len(leaves)))
                outside += [room.members[leaf] for leaf in removes]
                room.commit(chosen, removes)
            case "rejoin" if len(inside) > 1:
                room.enter(chosen, draw.choice([m for m in inside if m is not chosen]))
    room.talk()


def test_our_side_strands_where_theirs_joins_with_another_psk(peer: Peer) -> None:
    ours, stranger = Ours("0x0a01"), Theirs(peer, "0x0b01", bytes(32))
    ours.found()
    commit = stranger.join(ours.group_info(1), 1)
    with pytest.raises(StrandedError):
        ours.group.follow(commit, 1)


def test_their_side_refuses_where_ours_joins_with_another_psk(peer: Peer) -> None:
    stranger, theirs = Ours("0x0a01", bytes(32)), Theirs(peer, "0x0b01")
    theirs.found()
    commit = stranger.join(theirs.group_info(1), 1)
    with pytest.raises(PeerRefusedError, match="confirmation tag"):
        theirs.follow(commit, 1)


def test_our_side_refuses_what_theirs_binds_to_another_fence(peer: Peer) -> None:
    ours, theirs = Ours("0x0a01"), Theirs(peer, "0x0b01")
    room = Room(ours)
    with pytest.raises(CommitRefusedError, match="binding"):
        ours.follow(theirs.join(ours.group_info(room.fence), room.fence), room.fence + 1)
    room.enter(theirs, ours)
    with pytest.raises(AuthenticationError):
        ours.decrypt(theirs.encrypt(b"late", room.fence), room.fence + 1)
    with pytest.raises(CommitRefusedError, match="binding"):
        inspect(theirs.group_info(room.fence), ROOM_ID, room.fence + 1)


def test_no_side_takes_a_message_twice(pair: tuple[Member, Member]) -> None:
    sender, reader = pair
    room = Room(sender)
    room.enter(reader, sender)
    message = sender.encrypt(b"once", room.fence)
    assert reader.decrypt(message, room.fence) == b"once"
    with pytest.raises((AuthenticationError, PeerRefusedError)):
        reader.decrypt(message, room.fence)
