"""A room on two nodes is one room: order, fence, seats, and who comes back to where."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import Away, Back
from tests.cluster.place import Node, assert_one_order, guest, until, until_whole
from tests.relay.raw import Link, Member, commit_bytes, new_link, new_reference

pytestmark = pytest.mark.timeout(300)
COUNT = 20
RACES = 100


async def test_order_is_the_same_on_both_nodes(pair: list[Node], secret: str) -> None:
    one, two = pair
    async with guest(one, secret) as ada, guest(two, secret) as bob, guest(two, secret) as eve:
        people = [ada, bob, eve]
        said = [
            someone.say_many(name, COUNT)
            for someone, name in zip(people, ("ada", "bob", "eve"), strict=True)
        ]
        await asyncio.gather(*said)
        await until_whole(people)
        assert_one_order(people)
        numbers = sorted(seq for someone in people for _, seq in someone.said)
        assert numbers == sorted(set(numbers)), "one counter for all"
        assert len({tuple(someone.room.words) for someone in people}) == 1


async def test_who_comes_and_goes_on_one_node_is_seen_on_the_other(
    pair: list[Node], secret: str
) -> None:
    one, two = pair
    async with guest(one, secret) as ada:
        async with guest(two, secret) as bob:
            await until(lambda: ada.tags == bob.tags == {ada.room.tag, bob.room.tag})
        await until(lambda: ada.tags == {ada.room.tag})
        async with guest(two, secret) as eve:
            await eve.say("hello")
            await until(lambda: ada.heard == ["hello"])


async def test_seat_goes_along_to_the_other_node(pair: list[Node], secret: str) -> None:
    one, two = pair
    async with guest(one, secret) as ada, guest(one, secret) as bob:
        tag, life = ada.room.tag, ada.room.life
        await until(lambda: len(bob.tags) == 2)
        for node in (two, one, two):
            came = bob.count(Back)
            ada.move(node)
            await bob.say("meanwhile")
            await ada.say("still me")
            await until(lambda came=came: bob.count(Back) > came)  # type: ignore[misc]
        await until(lambda: len(ada.heard) == 3 == len(bob.heard))
        assert (ada.room.tag, ada.room.life) == (tag, life)
        assert bob.count(Away) == bob.count(Back) == 3
        assert ada.notices() == bob.notices() == {}


def test_of_two_commits_with_one_fence_one_is_accepted(pair: list[Node]) -> None:
    link = new_link()
    racers = [Racer(node, link) for node in pair for _ in range(2)]
    for racer in racers:
        racer.member.join()
    with ThreadPoolExecutor(len(racers)) as pool:
        for raced in [pool.submit(racer.race) for racer in racers]:
            raced.result()
    won = sorted(fence for racer in racers for fence in racer.won)
    assert won == list(range(len(racers), len(racers) + len(won))), "each fence once"
    assert sum(racer.stale for racer in racers), "it was a race"
    for racer in racers:
        assert racer.seen == sorted(set(racer.seen))
        racer.member.sock.close()


class Racer:
    """A member that commits at the fence it knows, against all others."""

    def __init__(self, node: Node, link: Link) -> None:
        self.member = Member(node.port, link)
        self.won: list[int] = []
        # The fences of the commits that it saw.
        self.seen: list[int] = []
        self.stale = 0

    def race(self) -> None:
        for _ in range(RACES):
            reference = new_reference()
            self.member.send(commit_bytes(self.member.fence, reference=reference))
            while not self._is_settled(self.member.message(), reference):
                pass

    def _is_settled(self, message: bytes, reference: bytes) -> bool:
        if message[0] == 0x11:
            self.seen.append(int.from_bytes(message[12:20], "big"))
            self.member.fence = self.seen[-1] + 1
        elif message[0] == 0x13 and message[1:9] == reference:
            self.won.append(self.member.fence - 1)
            return True
        elif message.startswith(b'{"type":"refused"'):
            refused = json.loads(message)
            assert refused["reason"] in ("stale", "pace"), refused
            self.stale += refused["reason"] == "stale"
            time.sleep((refused["retry_after_ms"] or 0) / 20_000)
            return True
        return False
