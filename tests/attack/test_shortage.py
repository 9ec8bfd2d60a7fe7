"""People in their rooms while the relay's memory runs short: they lose nothing, nobody is shut out.

They use the client library; who swells the relay speaks to it by raw sockets.
"""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import pytest

from client import (
    Equivocation,
    Link,
    Message,
    Missing,
    RoomSession,
    Tag,
    TransportError,
    create_link,
    open_room,
)
from tests.attack import figures
from tests.attack.attacker import Visitor, crowd
from tests.attack.swelling import FREE, MIB, SHORT, fill, is_full, may_found, resting_bytes
from tests.attack.target import Cost, Target, flooding, serving
from tests.e2e.proxy import Proxy, proxied
from tests.relay.raw import PATIENCE_S, new_link

# A sender keeps its last 64 texts for two minutes: whoever is away for half of one gets them all.
BETWEEN_S = 0.5
GATE_S, LONG_S = 6, 600


@dataclass
class Person:
    """One at the library: what it said, and what it was shown, by sender."""

    room: RoomSession
    said: list[str] = field(default_factory=list)
    heard: dict[Tag, list[str]] = field(default_factory=lambda: defaultdict(list))
    faults: list[object] = field(default_factory=list)
    has_said_it_all: bool = False

    async def listen(self) -> None:
        async for event in self.room:
            match event:
                case Message(sender=sender, text=text):
                    self.heard[sender].append(text)
                case Missing() | Equivocation():
                    self.faults.append(event)

    async def say(self) -> None:
        text = f"{self.room.tag} says {len(self.said)}"
        await self.room.send(text)
        self.said.append(text)

    async def talk(self) -> None:
        while not self.has_said_it_all:
            await self.say()
            await asyncio.sleep(BETWEEN_S)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(3 * PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.05)


@asynccontextmanager
async def entering(link: Link) -> AsyncIterator[Person]:
    """Be in a room and read what comes; knock again for as long as nobody opens."""
    until_s = time.monotonic() + 3 * PATIENCE_S
    room = None
    while room is None:
        try:
            room = await open_room(link).__aenter__()
        except TransportError:
            assert time.monotonic() < until_s
            await asyncio.sleep(0.5)
    person = Person(room)
    listening = asyncio.create_task(person.listen())
    try:
        yield person
    finally:
        await room.__aexit__(None, None, None)
        await listening


@contextmanager
def swelling(relay: Target, cost: Cost) -> Iterator[None]:
    """Keep what many rooms have in their rings above the ceiling."""
    members = [Visitor(relay.port, new_link()).join() for _ in range(45)]
    over = threading.Event()

    def swell() -> None:
        while True:
            for member in members:
                if over.is_set():
                    return
                cost.sent += fill(member, MIB)
                # What comes between two looks at the memory must fit in between.
                time.sleep(0.05)

    thread = threading.Thread(target=swell, daemon=True)
    with crowd(*members):
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(PATIENCE_S)


async def come_back_in_vain(proxy: Proxy, person: Person) -> None:
    """Cut a connection, again if need be, until its owner was turned away."""
    async with asyncio.timeout(3 * PATIENCE_S):
        while person.room.state.attempt < 2:
            if not person.room.state.attempt:
                proxy.cut()
            await asyncio.sleep(0.1)


async def stand_it(seconds: float) -> None:
    """One room talks, one is quiet; one person is cut off, one comes at the worst moment."""
    base = resting_bytes()
    ceiling = int((base + 8 * MIB) / 0.85)
    flags = (*FREE, "--ring-age=2", f"--max-memory={ceiling}")
    with serving(*flags, logged=SHORT) as relay, proxied(relay.port) as proxy:
        url = f"http://127.0.0.1:{relay.port}"
        loud, quiet = create_link(url), create_link(url)
        round_about = Link("http", proxy.url.removeprefix("http://"), loud.secret)
        async with AsyncExitStack() as stack:

            async def enter(link: Link) -> Person:
                return await stack.enter_async_context(entering(link))

            people = [await enter(link) for link in (loud, loud, round_about)]
            still = [await enter(quiet) for _ in range(2)]
            talking = [asyncio.create_task(person.talk()) for person in people]
            with (
                flooding(relay, "rings above the ceiling, people talk", ceiling // 1024) as cost,
                swelling(relay, cost),
            ):
                began = time.monotonic()
                await until(lambda: asyncio.to_thread(is_full, relay))
                await come_back_in_vain(proxy, people[2])
                coming = asyncio.create_task(enter(loud))
                await asyncio.sleep(max(1.0, began + seconds - time.monotonic()))
            most = base // 1024 + cost.grown_kb
            figures.note("ceiling, people talk", f"{most} kB reached of {ceiling // 1024} kB")
            # Three quarters of what there is: that is what the ceiling is by default.
            assert most < ceiling // 1024 / 0.75
            await until(lambda: asyncio.to_thread(may_found, relay))
            newcomer = await coming
            for person in people:
                person.has_said_it_all = True
            await asyncio.gather(*talking)
            # Nobody has committed there since GroupInfos were given up: they offer another.
            still.append(await enter(quiet))
            await assert_whole(people, newcomer)
            await assert_whole(still)


async def assert_whole(people: list[Person], newcomer: Person | None = None) -> None:
    """Each has all that each other has said, in its order; all are in one group."""
    here = [*people, newcomer] if newcomer is not None else people
    await asyncio.gather(*(person.say() for person in here))
    assert all(await asyncio.gather(*(person.room.delivered(3 * PATIENCE_S) for person in here)))
    for person in here:
        for other in here:
            if other is person:
                continue
            heard, said = person.heard[other.room.tag], other.said
            # Whoever came later has what was said since.
            assert heard == (said[-len(heard) :] if person is newcomer else said)
        assert person.faults == []
        assert person.room.words == here[0].room.words


def test_people_lose_nothing_while_memory_is_short() -> None:
    asyncio.run(stand_it(GATE_S))


@pytest.mark.long
def test_people_lose_nothing_while_memory_is_short_for_ten_minutes() -> None:
    """At its ceiling all the time, the relay is not ended by the system for want of memory."""
    asyncio.run(stand_it(LONG_S))
