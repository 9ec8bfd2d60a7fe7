"""Nodes that share one Redis, all real processes, and people in a room that spans them."""

import asyncio
import contextlib
import http.client
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from client import Event, Message, Missing, Notice, RoomSession, create_link, open_room
from tests.chaos.proxy import Proxy
from tests.relay.process import ROOT
from tests.relay.redis_process import free_port

# Ten times and more of what was measured on two cores, so that only a standstill fails.
PATIENCE_S = 60.0
OPEN = (
    "--source-connection-rate=0",
    "--source-connections=0",
    "--source-message-rate=0",
    "--message-rate=0",
    "--commit-interval=0",
    "--room-commit-interval=0",
)
SERVE = (sys.executable, "-m", "relay", "serve")
_LISTENING = re.compile(r"beacon-relay listening on http://127\.0\.0\.1:(\d+)\n")


class Node:
    """One `beacon-relay serve`, on the same port at every start; what it logs is in ``log``."""

    def __init__(self, broker: str, folder: Path, *flags: str, command: Sequence[str] = SERVE):
        self.port = free_port()
        self.log = folder / f"node-{self.port}.log"
        key_file = folder / "ticket.key"
        if not key_file.exists():
            key_file.write_bytes(secrets.token_bytes(32))
        self._command = [
            *command, f"--port={self.port}", f"--broker={broker}", f"--ticket-key-file={key_file}",
            *OPEN, *flags,
        ]  # fmt: skip
        self.process: subprocess.Popen[str] | None = None

    def begin(self) -> "Node":
        """Start it, and do not wait."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("RELAY_", "BEACON_"))}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def ready(self) -> "Node":
        """Wait until it listens."""
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert _LISTENING.fullmatch(line), (line, self.logged)
        return self

    def start(self) -> "Node":
        """Start it, and wait until it listens."""
        return self.begin().ready()

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """End it; return its exit code, and how long that took."""
        assert self.process is not None
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
        return code, time.monotonic() - began

    @property
    def logged(self) -> str:
        return self.log.read_text()

    def health(self) -> tuple[int, str]:
        """Ask whether it serves."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            return response.status, response.read().decode().strip()


@contextmanager
def nodes(
    count: int, broker: str, folder: Path, *flags: str, logged: str = ""
) -> Iterator[list[Node]]:
    """Run nodes; those that are still there must end well, and all have logged ``logged``."""
    running = [Node(broker, folder, *flags).begin() for _ in range(count)]
    codes = []
    try:
        for node in running:
            node.ready()
        yield running
    finally:
        for node in running:
            assert node.process is not None
            is_here = node.process.poll() is None
            code, _ = node.end()
            codes += [code] * is_here
    assert not any(codes), (codes, [node.logged for node in running])
    for node in running:
        assert re.fullmatch(logged, node.logged), node.logged


@dataclass(eq=False)
class Guest:
    """One person in a room: what it said, and all that it was told, in its order."""

    room: RoomSession
    way: Proxy
    events: list[Event] = field(default_factory=list)
    said: dict[tuple[str, int], str] = field(default_factory=dict)

    async def say(self, text: str) -> int:
        """Say something; return its number when it is accepted."""
        sent = await self.room.send(text)
        self.said[sent.life, sent.seq] = text
        return sent.seq

    async def say_many(self, name: str, count: int) -> None:
        """Say so many things, each when the one before is accepted."""
        for number in range(count):
            await self.say(f"{name} {number}")

    @property
    def heard(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Message)]

    @property
    def tags(self) -> set[str]:
        """Who it takes to be here."""
        return {member.tag for member in self.room.members}

    def count(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.events)

    def notices(self) -> Counter[str]:
        return Counter(event.code for event in self.events if isinstance(event, Notice))

    def move(self, node: Node, *, reset: bool = True) -> None:
        """Be cut off, and come back by way of that node."""
        self.way.relay_ports = (node.port,)
        self.way.cut(reset=reset)
        self.room.retry_now()


@asynccontextmanager
async def guest(node: Node, secret: str, nick: str | None = None) -> AsyncIterator[Guest]:
    """Enter a room by a node, as anybody would."""
    way = Proxy(node.port)
    await way.start()
    try:
        async with open_room(f"http://127.0.0.1:{way.port}/#{secret}", nick=nick) as room:
            one = Guest(room, way)
            listening = asyncio.create_task(_listen(one))
            yield one
        await listening
    finally:
        await way.stop()


async def _listen(one: Guest) -> None:
    async for event in one.room:
        one.events.append(event)


def new_secret() -> str:
    """Return what stands behind the # of a fresh link: the room is the same on every node."""
    return create_link("http://127.0.0.1:1").to_url().partition("#")[2]


async def until(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


async def until_health(node: Node, status: int) -> str:
    """Wait until a node says that of itself; return its words."""
    async with asyncio.timeout(PATIENCE_S):
        while (found := await asyncio.to_thread(node.health))[0] != status:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found[1]


async def until_whole(guests: Sequence[Guest]) -> None:
    """Wait until everybody has all that anybody has said, and who is here."""
    said = [text for one in guests for text in one.said.values()]
    for one in guests:
        wanted = sorted(set(said) - set(one.said.values()))
        await until(lambda one=one, wanted=wanted: set(one.heard) >= set(wanted))  # type: ignore[misc]
    here = {one.room.tag for one in guests}
    for one in guests:
        await until(lambda one=one: one.tags == here)  # type: ignore[misc]


def assert_one_order(guests: Sequence[Guest]) -> None:
    """Nothing was lost or came twice, and what was ordered at a place is the same everywhere."""
    places: dict[tuple[str, int], str] = {}
    for one in guests:
        assert not one.count(Missing)
        assert sorted(one.heard) == sorted(set(one.heard)), "nothing twice"
        live = [event for event in one.events if isinstance(event, Message) and not event.late]
        numbers = [(event.life, event.seq) for event in live]
        for life in {life for life, _ in numbers}:
            of_life = [seq for other, seq in numbers if other == life]
            assert of_life == sorted(of_life), "in the order of the room"
        for place, text in [*zip(numbers, (e.text for e in live), strict=True), *one.said.items()]:
            assert places.setdefault(place, text) == text
