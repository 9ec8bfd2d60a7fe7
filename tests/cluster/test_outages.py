"""What happens to the broker, and what people see of it: nothing that was accepted is lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from client import RoomSession, StateChanged, Status
from tests.chaos.proxy import Proxy
from tests.cluster.conftest import AWAY_S
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
from tests.relay.redis_process import RedisProcess, redis_running

pytestmark = pytest.mark.timeout(300)
# How long Redis hangs, beyond the time until everybody knows.
STOP_S = float(os.environ.get("BEACON_CLUSTER_STOP_S", "0"))
# A service's manager gives it longer, but people wait.
END_S = 5.0
UNREACHABLE = "the broker cannot be reached"


@asynccontextmanager
async def two_people(pair: list[Node], secret: str) -> AsyncIterator[tuple[Guest, Guest]]:
    """Let two talk, each on a node; in the end each has the other's texts, in one order."""
    async with guest(pair[0], secret) as ada, guest(pair[1], secret) as bob:
        await asyncio.gather(ada.say("ada before"), bob.say("bob before"))
        await until_whole([ada, bob])
        yield ada, bob
        await asyncio.gather(ada.say("ada after"), bob.say("bob after"))
        await until_whole([ada, bob])
        assert_one_order([ada, bob])


async def until_degraded(*people: Guest) -> None:
    for one in people:
        await until(lambda one=one: one.notices()["degraded"] > 0)  # type: ignore[misc]


def times_lost(one: Guest) -> int:
    """How often its connection was lost."""
    return sum(
        isinstance(event, StateChanged)
        and event.state.status is Status.RECONNECTING
        and event.state.attempt == 1
        for event in one.events
    )


def sending(*people: Guest) -> "asyncio.Future[list[int]]":
    """Say something that cannot be accepted yet."""
    return asyncio.gather(*(one.say(f"{one.room.tag} during") for one in people))


async def test_killed_broker_costs_the_life_and_nothing_else(
    store: RedisProcess, pair: list[Node], secret: str
) -> None:
    async with two_people(pair, secret) as people:
        lives = {one.room.life for one in people}
        tags = [one.room.tag for one in people]
        store.kill()
        await until_degraded(*people)
        for node in pair:
            assert await until_health(node, 503) == UNREACHABLE
        during = sending(*people)
        await asyncio.sleep(0.3)
        assert not during.done()
        store.start()
        await during
        for node in pair:
            await until_health(node, 200)
        assert len(lives) == 1
        assert not lives & {one.room.life for one in people}
        assert [one.room.tag for one in people] == tags
    assert [one.notices()["degraded"] for one in people] == [1, 1]


async def test_broker_that_hangs_costs_a_wait(
    store: RedisProcess, pair: list[Node], secret: str
) -> None:
    async with two_people(pair, secret) as people:
        life = people[0].room.life
        store.signal(signal.SIGSTOP)
        try:
            during = sending(*people)
            await until_degraded(*people)
            for node in pair:
                assert await until_health(node, 503) == UNREACHABLE
            await asyncio.sleep(STOP_S)
            assert not during.done()
        finally:
            store.signal(signal.SIGCONT)
        await during
        for node in pair:
            await until_health(node, 200)
    for one in people:
        assert one.notices()["degraded"] == 1
        assert times_lost(one) == 0
        assert one.room.life == life


async def test_broker_without_memory_costs_a_wait(
    store: RedisProcess, pair: list[Node], secret: str
) -> None:
    async with two_people(pair, secret) as people:
        life = people[0].room.life
        store.ask("CONFIG", "SET", "maxmemory", "1mb", "maxmemory-policy", "noeviction")
        try:
            during = sending(*people)
            await until_degraded(*people)
            for node in pair:
                assert "no memory" in await until_health(node, 503)
            await asyncio.sleep(3.0)
            assert not during.done()
            assert all(node.health()[0] == 503 for node in pair)
        finally:
            store.ask("CONFIG", "SET", "maxmemory", "0")
        await during
        for node in pair:
            await until_health(node, 200)
    for one in people:
        assert one.notices()["degraded"] == 1
        assert times_lost(one) == 0
        assert one.room.life == life


async def test_scripts_that_are_gone_are_brought_again(
    store: RedisProcess, pair: list[Node], secret: str
) -> None:
    async with two_people(pair, secret) as people:
        store.ask("SCRIPT", "FLUSH")
        await asyncio.gather(*(one.say_many(one.room.tag, 5) for one in people))
    for one in people:
        assert one.notices() == {}
        assert times_lost(one) == 0


async def test_emptied_broker_costs_the_life_and_nothing_else(
    store: RedisProcess, pair: list[Node], secret: str
) -> None:
    async with two_people(pair, secret) as people:
        lives = {one.room.life for one in people}
        tags = [one.room.tag for one in people]
        store.ask("FLUSHALL")
        await sending(*people)
        assert not lives & {one.room.life for one in people}
        assert [one.room.tag for one in people] == tags


async def test_node_alone_without_the_broker(
    store: RedisProcess, pair: list[Node], secret: str, tmp_path: Path
) -> None:
    """Its people wait, and are away for the others; when it is back, so are they."""
    way = Proxy(store.port)
    await way.start()
    (tmp_path / "ticket.key").write_bytes((pair[0].log.parent / "ticket.key").read_bytes())
    apart = Node(f"redis://127.0.0.1:{way.port}/0", tmp_path, f"--away-for={AWAY_S}").begin()
    await asyncio.to_thread(apart.ready)
    try:
        async with two_people([pair[0], apart], secret) as (ada, bob):
            tag = bob.room.tag
            way.stall()
            await ada.say("can you hear me")
            during = sending(bob)
            await until_degraded(bob)
            assert await until_health(apart, 503) == UNREACHABLE
            assert (await asyncio.to_thread(pair[0].health))[0] == 200
            await until(lambda: is_away(ada.room, tag))
            way.flow()
            await during
            await until_health(apart, 200)
            await until(lambda: not is_away(ada.room, bob.room.tag))
        assert ada.notices() == {}
        assert bob.notices()["degraded"] == 1
    finally:
        code, _ = await asyncio.to_thread(apart.end)
        await way.stop()
    assert (code, apart.logged) == (0, "")


def is_away(room: RoomSession, tag: str) -> bool:
    return any(m.tag == tag and m.presence.value == "away" for m in room.members)


async def test_what_a_replica_has_not_got_is_no_gap_in_a_life(secret: str, tmp_path: Path) -> None:
    """One takes over that lacks the end of the log: what follows is another life."""
    flags = (
        "--dir",
        str(tmp_path),
        "--repl-diskless-load",
        "swapdb",
        "--repl-diskless-sync-delay",
        "0",
    )
    with redis_running(*flags) as first, redis_running(*flags) as second:
        second.ask("REPLICAOF", "127.0.0.1", first.port)
        way = Proxy(first.port)
        await way.start()
        folder, url = tmp_path / "nodes", f"redis://127.0.0.1:{way.port}/0"
        folder.mkdir()
        running = [Node(url, folder, "--broker-may-persist=1").begin() for _ in range(2)]
        for node in running:
            await asyncio.to_thread(node.ready)
        try:
            async with two_people(running, secret) as people:
                first.ask("WAIT", 1, 10_000)
                lives = {one.room.life for one in people}
                second.ask("REPLICAOF", "NO", "ONE")
                await asyncio.gather(*(one.say_many(one.room.tag, 5) for one in people))
                way.relay_ports = (second.port,)
                first.kill()
                await sending(*people)
                assert not lives & {one.room.life for one in people}
        finally:
            ends = [await asyncio.to_thread(node.end) for node in running]
            await way.stop()
    assert [code for code, _ in ends] == [0, 0]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_broker_that_is_gone_for_good_holds_up_no_end(
    secret: str, tmp_path: Path, how: signal.Signals
) -> None:
    with redis_running() as store, nodes(2, store.url, tmp_path) as running:
        async with guest(running[0], secret) as ada:
            store.signal(how)
            during = asyncio.ensure_future(ada.say("never"))
            if how == signal.SIGKILL:
                await until_degraded(ada)
                for node in running:
                    assert await until_health(node, 503) == UNREACHABLE
            took = [(await asyncio.to_thread(node.end))[1] for node in running]
            during.cancel()
        assert max(took) < END_S
