"""The page's MLS and this one in the same rooms: equal trees, transcripts and words."""

import json
import random
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from client.errors import StrandedError
from client.mls import inspect
from tests.client.mls.test_tsmls import PSK, ROOM_ID, SIZE, Ours, Room

ROOT = Path(__file__).parents[3]


class RefusedByPage(Exception):
    pass


class Process:
    """A node process that holds members of the page's; see tests/static/mls/peer.js."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["node", str(ROOT / "tests/static/mls/peer.js")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, op: str, who: str, **given: object) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        spelt = {k: v.hex() if isinstance(v, bytes) else v for k, v in given.items()}
        self.process.stdin.write(json.dumps({"op": op, "who": who, **spelt}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "refused" in answer:
            raise RefusedByPage(answer["refused"], answer["check"])
        return answer["ok"]


class Page:
    """One member in JavaScript, as `Room` wants its members."""

    def __init__(self, process: Process, tag: str, psk: bytes = PSK) -> None:
        self.tag, self.process = tag, process
        process.ask("enter", tag, tag=tag, psk=psk, roomId=ROOM_ID)

    def found(self) -> None:
        self._staged(self.process.ask("found", self.tag), 0)

    def join(self, group_info: bytes, fence: int) -> bytes:
        return self._staged(
            self.process.ask("join", self.tag, groupInfo=group_info, fence=fence), fence
        )

    def commit(self, removes: Iterable[int], fence: int) -> bytes:
        return self._staged(
            self.process.ask("commit", self.tag, removes=list(removes), fence=fence), fence
        )

    def follow(self, commit: bytes, fence: int) -> bool:
        return not self.process.ask("follow", self.tag, commit=commit, fence=fence)["removed"]

    def group_info(self, fence: int) -> bytes:
        return bytes.fromhex(self.process.ask("groupInfo", self.tag, fence=fence))

    def encrypt(self, content: bytes, fence: int) -> bytes:
        sent = self.process.ask("encrypt", self.tag, content=content, fence=fence, size=SIZE)
        return bytes.fromhex(sent)

    def decrypt(self, message: bytes, fence: int) -> bytes:
        opened = self.process.ask("decrypt", self.tag, message=message, fence=fence)
        return bytes.fromhex(opened["content"])

    def leaf(self) -> int:
        leaf: int = self.process.ask("leaf", self.tag)
        return leaf

    def view(self) -> dict[str, object]:
        shown = self.process.ask("view", self.tag)
        return {k: bytes.fromhex(v) if isinstance(v, str) else v for k, v in shown.items()}

    def _staged(self, made: dict[str, str], fence: int) -> bytes:
        inspect(bytes.fromhex(made["groupInfo"]), ROOM_ID, fence + 1)
        return bytes.fromhex(made["commit"])


class Here(Ours):
    """One member in Python, seen as the page shows its own."""

    def view(self) -> dict[str, object]:  # type: ignore[override]
        group = self.group
        return {
            "epoch": group.epoch,
            "groupId": group.group_id,
            "treeHash": group.tree_hash,
            "transcript": group.confirmed_transcript_hash,
            "tree": group._tree.encoded(),
            "authenticator": group.authenticator,
            "wordsContext": group.words_context,
        }


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    process = Process()
    yield process
    process.process.communicate(timeout=60)


def crowd(process: Process, size: int) -> list[Any]:
    """So many who are not in yet, every second of them the page's."""
    return [Page(process, f"0x0b{n:02x}") if n % 2 else Here(f"0x0a{n:02x}") for n in range(size)]


@pytest.mark.parametrize("last", [4, 5])
def test_commit_over_a_blank_root(process: Process, last: int) -> None:
    members = crowd(process, 7)
    room = Room(members[0])
    for member in members[1:]:
        room.enter(member, members[0])
    room.commit(members[last], [0, 1, 2, 3])
    for leaf in (5, 4, 6):
        room.commit(members[leaf])
        room.talk()


@pytest.mark.parametrize("seed", range(4))
def test_random_life(process: Process, seed: int) -> None:
    chance = random.Random(seed)
    outside = crowd(process, 11)
    chance.shuffle(outside)
    room = Room(outside.pop())
    for _ in range(30):
        inside = list(room.members.values())
        chosen = chance.choice(inside)
        match chance.choice(["enter", "enter", "renew", "remove"]):
            case "enter" if outside:
                room.enter(outside.pop(chance.randrange(len(outside))), chosen)
            case "renew":
                room.commit(chosen)
            case "remove" if len(inside) > 1:
                leaves = [leaf for leaf, member in room.members.items() if member is not chosen]
                removed = chance.sample(leaves, chance.randint(1, len(leaves)))
                outside += [room.members[leaf] for leaf in removed]
                room.commit(chosen, removed)
            case _:
                room.talk()
    room.talk()


def test_newcomer_with_another_psk_is_followed_by_neither(process: Process) -> None:
    ours, page = crowd(process, 2)
    room = Room(ours)
    room.enter(page, ours)
    stranger = Page(process, "0xbad0", psk=bytes(32))
    commit = stranger.join(ours.group_info(room.fence), room.fence)
    with pytest.raises(StrandedError):
        ours.follow(commit, room.fence)
    with pytest.raises(RefusedByPage, match="StrandedError"):
        page.follow(commit, room.fence)
    room.talk()
