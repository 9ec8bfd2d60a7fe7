"""Several nodes on one Redis in place of the relay, and what can break between them (shell).

Every client comes back to any node; a node that cannot start without its broker is started again.
"""

import asyncio
import signal
from pathlib import Path

from tests.chaos.process import Relay
from tests.chaos.proxy import Proxy
from tests.chaos.script import STORE, Fault
from tests.chaos.world import World
from tests.relay.redis_process import RedisProcess

NODES = 3
AGAIN_S = 0.5


class Node(Relay):
    """One of several; ``way`` leads to their broker."""

    def __init__(self, log: Path, key_file: Path, way: Proxy) -> None:
        super().__init__(log, key_file, f"--broker=redis://127.0.0.1:{way.port}/0")
        self.way = way

    async def start(self) -> None:
        """Start it, as often as it takes; return when it listens."""
        while not await self._launch():  # noqa: ASYNC110 - nobody tells when it would
            await asyncio.sleep(AGAIN_S)


class Cluster(World):
    """All of it; here ``key_file`` is that of all nodes."""

    def __init__(self, seed: int, folder: Path, key_file: Path, secret: str) -> None:
        super().__init__(seed, folder, key_file, secret)
        self._key_file = key_file
        self._store = RedisProcess()
        self._nodes: list[Node] = []

    async def _open(self) -> None:
        await asyncio.to_thread(self._store.start)
        for number in range(NODES):
            way = Proxy(self._store.port)
            await way.start()
            self._nodes.append(Node(self.folder / f"relay-{number}.log", self._key_file, way))
        self._relays = [*self._nodes]
        await super()._open()

    async def _close(self) -> None:
        await super()._close()
        for node in self._nodes:
            await node.way.stop()
        self._store.kill()

    async def _break_relay(self, fault: Fault, down_s: float) -> None:
        if fault.target == STORE:
            await self._break_store(fault.kind, down_s)
            return
        node = self._nodes[-1 - fault.target]
        match fault.kind:
            case "node_stop":
                node.signal(signal.SIGSTOP)
                await asyncio.sleep(down_s)
                node.signal(signal.SIGCONT)
            case "node_apart":
                node.way.stall()
                await asyncio.sleep(down_s)
                node.way.flow()
            case _:
                await super()._break_relay(fault, down_s)

    async def _break_store(self, kind: str, down_s: float) -> None:
        if kind == "store_stop":
            self._store.signal(signal.SIGSTOP)
            await asyncio.sleep(down_s)
            self._store.signal(signal.SIGCONT)
        else:
            self._store.kill()
            await asyncio.sleep(down_s)
            await asyncio.to_thread(self._store.start)
