"""What happens to nodes: restarts, ends, clocks that differ, several on one port."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest

from client import Away, Back, Left
from tests.cluster.place import (
    Guest,
    Node,
    assert_one_order,
    guest,
    nodes,
    until,
    until_health,
    until_whole,
)
from tests.relay.raw import Peer
from tests.relay.redis_process import RedisProcess

pytestmark = pytest.mark.timeout(300)
# A node that takes itself for another time of day and of machine, and runs a little fast.
SKEWED = """
import sys, time
wall, clock, began = time.time, time.monotonic, time.monotonic()
time.time = lambda: wall() + 20
time.monotonic = lambda: 123456 + began + (clock() - began) * 1.05
from relay.__main__ import main
sys.exit(main())
"""
# A node that says nothing for so long is gone, and what it did last is known a little later.
GONE_S = 5.0
LATE_S = 3.0
# Sockets that a worker may open while it starts.
OWN = 8


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_node_that_restarts_costs_its_people_a_moment(
    pair: list[Node], secret: str, how: signal.Signals
) -> None:
    """On its port there is soon another one, with which everybody goes on where they were."""
    for doomed, other in (pair, pair[::-1]):
        async with guest(doomed, secret) as ada, guest(other, secret) as bob:
            await asyncio.gather(ada.say("ada before"), bob.say("bob before"))
            await until_whole([ada, bob])
            tags, life = (ada.room.tag, bob.room.tag), ada.room.life
            code, _ = await asyncio.to_thread(doomed.end, how)
            assert code == (0 if how == signal.SIGTERM else -how)
            during = asyncio.gather(ada.say("ada during"), bob.say("bob during"))
            await asyncio.to_thread(doomed.start)
            ada.room.retry_now()
            await during
            await until_whole([ada, bob])
            assert_one_order([ada, bob])
            assert (ada.room.tag, bob.room.tag) == tags
            assert {ada.room.life, bob.room.life} == {life}
            assert bob.count(Left) == 0


async def test_people_of_a_node_that_dies_go_away_and_then_leave(
    store: RedisProcess, secret: str, tmp_path: Path
) -> None:
    with nodes(2, store.url, tmp_path, "--away-for=1") as (left, doomed):
        async with guest(left, secret) as ada, guest(doomed, secret) as bob:
            await until(lambda: len(ada.tags) == 2)
            bob.way.refuses = True
            doomed.end(signal.SIGKILL)
            began = time.monotonic()
            await until(lambda: ada.count(Away) == 1)
            assert time.monotonic() - began < GONE_S + LATE_S
            await until(lambda: ada.count(Left) == 1)
            await until(lambda: ada.tags == {ada.room.tag})
            await ada.say("alone")
            bob.room.retry_now()


async def test_time_is_that_of_the_log(store: RedisProcess, secret: str, tmp_path: Path) -> None:
    """A seat is kept as long by a node whose clocks are wrong as by one whose clocks are right."""
    away_s = 1.0
    flags = (f"--away-for={away_s}",)
    skewed = Node(store.url, tmp_path, *flags, command=(sys.executable, "-c", SKEWED, "serve"))
    with nodes(1, store.url, tmp_path, *flags) as (right,):
        await asyncio.to_thread(skewed.start)
        try:
            async with guest(right, secret) as ada, guest(skewed, secret) as bob:
                await until(lambda: len(ada.tags) == 2 == len(bob.tags))
                for node in (skewed, right):
                    async with guest(node, secret) as eve:
                        await until(lambda: len(ada.tags) == 3 == len(bob.tags))
                        took = await asyncio.gather(
                            *(time_away(one) for one in (ada, bob)), lose(eve)
                        )
                        for seconds in took[:2]:
                            assert away_s - 0.2 < seconds < away_s + LATE_S, took
                tag = bob.room.tag
                bob.move(right)
                await bob.say("the same one")
                await until_whole([ada, bob])
                bob.move(skewed)
                await bob.say("still")
                await until_whole([ada, bob])
                assert_one_order([ada, bob])
                assert bob.room.tag == tag
                assert ada.count(Back) == 2
        finally:
            code, _ = await asyncio.to_thread(skewed.end)
        assert (code, skewed.logged) == (0, "")


async def lose(one: Guest) -> None:
    one.way.refuses = True
    one.way.cut(reset=True)


async def time_away(one: Guest) -> float:
    """Return how long after `away` the next `left` came."""
    away, left = one.count(Away), one.count(Left)
    await until(lambda: one.count(Away) > away)
    began = time.monotonic()
    await until(lambda: one.count(Left) > left)
    return time.monotonic() - began


async def test_workers_are_one_relay(store: RedisProcess, secret: str, tmp_path: Path) -> None:
    team = Node(store.url, tmp_path, "--workers=2")
    await asyncio.to_thread(team.start)
    assert team.process is not None
    try:
        await until(lambda: len(workers(team)) == 2)
        # It is to read the certificate again, of which one that is still starting knows nothing.
        team.process.send_signal(signal.SIGHUP)
        first = workers(team)
        await until_all_serve(team)
        async with guest(team, secret) as ada, guest(team, secret) as bob:
            await asyncio.gather(ada.say("ada before"), bob.say("bob before"))
            os.kill(first[0], signal.SIGKILL)
            await asyncio.gather(ada.say("ada after"), bob.say("bob after"))
            await until_whole([ada, bob])
            assert_one_order([ada, bob])
            await until(lambda: len(workers(team)) == 2 and first[0] not in workers(team))
            assert first[1] in workers(team)
            await until_all_serve(team)
            last = workers(team)
    finally:
        code, took = await asyncio.to_thread(team.end)
    assert code == 0
    assert took < 5.0
    assert not {*map(str, first + last)} & {*os.listdir("/proc")}
    assert team.logged == "WARNING relay a worker has died; another one starts\n"


async def test_workers_end_with_whoever_started_them(store: RedisProcess, tmp_path: Path) -> None:
    team = Node(store.url, tmp_path, "--workers=2")
    await asyncio.to_thread(team.start)
    await until(lambda: len(workers(team)) == 2)
    await until_all_serve(team)
    left = {*map(str, workers(team))}
    await asyncio.to_thread(team.end, signal.SIGKILL)
    await until(lambda: not left & {*os.listdir("/proc")})
    assert team.logged == ""


async def test_limits_of_a_source_hold_over_all_nodes(store: RedisProcess, tmp_path: Path) -> None:
    flags = "--source-connections=4", "--away-for=21"
    with nodes(2, store.url, tmp_path, *flags) as (left, right):
        held = [HTTPConnection("127.0.0.1", left.port) for _ in range(4)]
        for one in held:
            one.connect()
        await until_health(right, 429)
        for one in held:
            one.close()
        await until_health(right, 200)


def workers(team: Node) -> list[int]:
    assert team.process is not None
    pid = team.process.pid
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def until_all_serve(team: Node) -> None:
    """Connect until each worker has got some of the connections."""
    before = {pid: sockets(pid) + OWN for pid in workers(team)}
    with ExitStack() as stack:

        def is_shared() -> bool:
            stack.enter_context(Peer(team.port))
            return all(sockets(pid) > count for pid, count in before.items())

        await until(is_shared)


def sockets(pid: int) -> int:
    folder = f"/proc/{pid}/fd"
    found = 0
    for name in os.listdir(folder):
        # One may be closed meanwhile.
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(f"{folder}/{name}").startswith("socket:")
    return found
