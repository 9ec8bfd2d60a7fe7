"""The contract of relay.broker, kept by nodes that share a real Redis: by one alone, and by two.

With two, every session is on the other node than the one before it.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from relay.broker import operation as op
from relay.broker.accounts import Accounts
from relay.broker.cipher import Cipher
from relay.broker.later import Later
from relay.broker.operation import NODE_BYTES
from relay.broker.redis import BEAT_S, RedisLog
from relay.broker.shared import SharedBroker
from relay.clock import Clock
from relay.errors import RefusedError
from relay.fanout import Fan, RoomChannel
from relay.limits import Rate
from relay.room import RoomLimits
from relay.source import SourceLimits
from relay.tickets import Tickets
from tests.relay.broker import contract
from tests.relay.broker.contract import *  # noqa: F403  # The contract's tests run here.
from tests.relay.broker.contract import Start
from tests.relay.broker.contract_resume import *  # noqa: F403
from tests.relay.broker.one_log import RING, SECRET, new_sealers
from tests.relay.redis_process import RedisProcess, redis_running

PATIENCE_S = 20.0
UNLIMITED = SourceLimits(Rate(0.0, 1), Rate(0.0, 1), 0)
_nodes = itertools.count(1)


class Given:
    """The moment that is given to the next operation: what clocks show here, and Redis's."""

    def __init__(self) -> None:
        self.now = 0.0

    @property
    def as_time(self) -> str:
        seconds, rest = divmod(round(self.now * 1e6), 10**6)
        return f"{{'{seconds}', '{rest}'}}"


class GivenLog(RedisLog):
    """A log whose Redis takes a given moment for its own; all else is as it is."""

    def __init__(self, url: str, node: op.Node, given: Given) -> None:
        self.faults: list[Exception] = []
        clock = Clock(lambda: given.now)
        super().__init__(
            url, "test", node, 60.0, clock, lambda _: None, lambda: given.now, self.faults.append,
            Accounts(UNLIMITED, Cipher(SECRET, node), given.now),
        )  # fmt: skip
        self._given = given

    def _script(self, script: str, keys: list[Any], words: list[Any]) -> list[Any]:
        text = script.replace("redis.call('TIME')", self._given.as_time)
        return ["EVAL", text, len(keys), *keys, *words]

    @property
    def is_idle(self) -> bool:
        """All that was asked has been answered."""
        return self._idle.is_set() and not (self._follows or self._checks or self._subscribe)


class Process:
    """One node, as if it were a process."""

    def __init__(self, url: str, limits: RoomLimits, given: Given) -> None:
        node = op.Node(next(_nodes).to_bytes(NODE_BYTES, "big"))
        self.log = GivenLog(url, node, given)
        self.soon: list[Callable[[], None]] = []
        fan = Fan(self.soon.append, self.log.faults.append)
        self.broker = SharedBroker(
            limits, RING, 3, new_sealers(Tickets(SECRET)), Cipher(SECRET, node),
            lambda: RoomChannel(fan), self.log, given.now,
        )  # fmt: skip
        self.log.broker = self.broker

    def flush(self) -> None:
        while self.soon:
            self.soon.pop(0)()
        assert not self.log.faults

    @property
    def reached(self) -> dict[bytes, int]:
        """How far each log has come here."""
        return {name: home.at for name, home in self.broker._homes.items()}

    @property
    def is_idle(self) -> bool:
        homes = self.broker._homes.values()
        return self.log.is_idle and not any(home.wanted or not home.is_live for home in homes)


class Turns:
    """Brokers on one Redis that take sessions in turns; what is asked of one has happened on all.

    The contract's tests are synchronous: the loop runs while one of them waits.
    """

    def __init__(self, processes: list[Process], loop: asyncio.AbstractEventLoop, given: Given):
        self.processes = processes
        self._loop = loop
        self._given = given
        self._next = itertools.cycle(processes)

    @property
    def kept_bytes(self) -> int:
        return max(process.broker.kept_bytes for process in self.processes)

    def enter(self, room: Any, port: Any, now: float) -> Any:
        broker = next(self._next).broker
        return Settled(self, self.settled(now, lambda: broker.enter(room, port, now)))

    def resume(self, *arguments: Any) -> Any:
        broker, now = next(self._next).broker, arguments[-1]
        place = self.settled(now, lambda: broker.resume(*arguments))
        return None if place is None else Settled(self, place)

    def expire(self, now: float) -> None:
        for process in self.processes:
            self.settled(now, lambda process=process: process.broker.expire(now))

    def rooms(self) -> int:
        return len(set().union(*(process.reached for process in self.processes)))

    def flush(self) -> None:
        for process in self.processes:
            process.flush()

    def settled(self, now: float, call: Callable[[], Any]) -> Any:
        """Ask something at that moment; return its outcome once nothing is on its way any more."""
        self._given.now = now
        later = []

        async def ask() -> None:
            later.append(call())
            async with asyncio.timeout(PATIENCE_S):
                while not self._is_quiet():  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.001)

        self._loop.run_until_complete(ask())
        if not isinstance(later[0], Later):
            return later[0]
        came: list[Any] = []
        later[0].then(came.append)
        if not came:
            return None
        if isinstance(came[0], RefusedError):
            raise came[0]
        return came[0]

    def _is_quiet(self) -> bool:
        if not all(process.is_idle for process in self.processes):
            return False
        reached: dict[bytes, set[int]] = {}
        for process in self.processes:
            for name, at in process.reached.items():
                reached.setdefault(name, set()).add(at)
        return all(len(places) == 1 for places in reached.values())


class Settled:
    """A place; what is asked of it has happened everywhere when it returns."""

    def __init__(self, turns: Turns, place: Any) -> None:
        self._turns = turns
        self._place = place

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._place, name)
        if name in ("fence", "luggage", "send", "keep"):
            return value
        return lambda *arguments: self._turns.settled(arguments[-1], lambda: value(*arguments))


@pytest.fixture(scope="module")
def store() -> Iterator[RedisProcess]:
    with redis_running() as process:
        yield process


@pytest.fixture(params=[1, 2], ids=["one-node", "two-nodes"])
def broker(store: RedisProcess, request: pytest.FixtureRequest) -> Iterator[Start]:
    loop = asyncio.new_event_loop()
    started: list[Process] = []

    def start(limits: RoomLimits) -> contract.Node:
        given = Given()
        processes = [loop.run_until_complete(new(limits, given)) for _ in range(request.param)]
        turns = Turns(processes, loop, given)
        return contract.Node(turns, turns.flush, turns.rooms, Tickets(SECRET))

    async def new(limits: RoomLimits, given: Given) -> Process:
        process = Process(store.url, limits, given)
        started.append(process)
        await process.log.start(may_persist=False)
        return process

    yield start
    for process in started:
        loop.run_until_complete(process.log.stop())
    loop.close()
    store.ask("FLUSHALL")


async def test_node_that_has_asked_for_nothing_stops_at_once(store: RedisProcess) -> None:
    process = Process(store.url, contract.LIMITS, Given())
    await process.log.start(may_persist=False)
    while process.broker.is_down:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)
    async with asyncio.timeout(BEAT_S / 2):
        await process.log.stop()
