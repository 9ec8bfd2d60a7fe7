"""The same random script in memory, on one node and on two that share a real Redis: the same room.

Whatever anybody reads or is refused is compared, step by step; tags, lives and what is sealed are
drawn by each, and stand under the number of the session that showed them first.
"""

import asyncio
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio.connection import AbstractConnection

from relay.broker.redis import BEAT_S
from relay.errors import RefusedError
from relay.limits import Rate
from relay.room import RoomLimits
from relay.tickets import Ticket, Tickets
from relay.turn import TurnLimits
from relay.wire import Commit, Offer, Reference, RoomId
from tests.relay.broker import test_memory, test_redis
from tests.relay.broker.contract import COMMIT, INFO, SEALED, FakePort, Guest, Node
from tests.relay.broker.one_log import RING, SECRET
from tests.relay.broker.test_redis import Given, Process, Turns
from tests.relay.redis_process import RedisProcess, redis_running

# Things happen at whole seconds and time brings what it brings at halves: a moment that is both is
# late by a turn of the wheel in memory, and in order in a log. A step is a second after the last.
LIMITS = RoomLimits(
    seats=3,
    away_s=40.5,
    turns=TurnLimits(unjoined=3, turn_s=3.5, join_s=15.5),
    commits=Rate(0.4, 3),
    message_rate=Rate(1.0, 10),
)
WHO, BEHIND, AGAIN = st.integers(0, 5), st.sampled_from([0, 0, 0, 1]), st.sampled_from([0, 0, 1])
# Most is said, and whoever comes stays a while.
STEP = st.one_of(
    st.sampled_from([("join",), ("join",), ("enter",)]),
    st.tuples(st.sampled_from(["post", "post", "commit", "offer"]), WHO, BEHIND, AGAIN),
    st.tuples(st.just("post"), WHO, BEHIND, AGAIN),
    st.tuples(st.sampled_from(["need", "confirm", "leave", "lost", "lost", "lost"]), WHO),
    st.tuples(st.just("resume"), WHO, st.sampled_from([0, 0, 2])),
    st.tuples(st.just("wait"), st.sampled_from([1, 2, 4, 16, 38])),
)
_TAG = re.compile(r"0x[0-9a-f]{4}")
_rooms = itertools.count(1)
_spans = itertools.count(1)
# Long enough for whatever a script may leave behind.
SPAN_S = 100_000.0
EXAMPLES = int(os.environ.get("BEACON_SCRIPTS", "25"))


class Play:
    """One broker's play of a script."""

    def __init__(self, node: Node, room: RoomId, now: float) -> None:
        self.node = node
        self.room = room
        self.now = now
        self.guests: list[Guest] = []
        self.over: set[int] = set()
        self.references = itertools.count(1)
        self.last = Reference(bytes(8))
        self.names: dict[str, str] = {}

    def play(self, script: list[tuple[Any, ...]]) -> list[Any]:
        """Return all that anybody could see, step by step."""
        seen: list[Any] = []
        for kind, *rest in [("join",), ("join",), *script]:
            self.wait(1)
            seen.append(("before", None, self.read()))
            try:
                outcome = getattr(self, kind)(*rest)
            except RefusedError as error:
                wait = None if error.retry_after_s is None else round(error.retry_after_s, 3)
                outcome = (error.reason, wait, error.fence, error.close_code)
            seen.append((kind, outcome, self.read()))
        return seen

    def end(self) -> None:
        """Leave nothing behind."""
        for number in self.here():
            self.guests[number].place.leave(self.now)
        for _ in range(3):
            self.wait(61)

    def here(self) -> list[int]:
        return [n for n in range(len(self.guests)) if n not in self.over]

    def read(self) -> list[Any]:
        """Return what each has read, whose session is over and why; the newest first."""
        self.node.flush()
        found = []
        for number, guest in reversed([*enumerate(self.guests)]):
            if number in self.over:
                continue
            # A machine that stands still for some seconds lets the line to Redis break.
            read = [m for m in map(self.plain, guest.read_all()) if kind(m) != "notice"]
            if guest.port.ended is not None:
                self.over.add(number)
            if read or guest.port.ended is not None:
                found.append((number, read, guest.port.ended))
        return found

    def plain(self, message: Any) -> Any:
        if not isinstance(message, dict):
            return message
        plain = {key: self.named(key, value) for key, value in message.items()}
        return plain | {key: bool(plain[key]) for key in ("ticket", "mark") if key in plain}

    def named(self, key: str, value: Any) -> Any:
        if isinstance(value, list):
            return sorted(self.named(key, one) for one in value)
        if key == "life" or (isinstance(value, str) and _TAG.fullmatch(value)):
            return self.names.setdefault(value, f"{key} {len(self.names)}")
        return value

    # Steps. Who is asked for is one of those who are here.

    def enter(self) -> None:
        port = FakePort()
        place = self.node.broker.enter(self.room, port, self.now)
        self.guests.append(Guest(self.node, port, place, self.room))

    def join(self) -> None:
        self.enter()
        self.guests[-1].place.commit(
            Commit(self.reference(0), self.guests[-1].place.fence, COMMIT, INFO), self.now
        )

    def reference(self, again: int) -> Reference:
        if not again:
            self.last = Reference(next(self.references).to_bytes(8, "big"))
        return self.last

    def who(self, who: int) -> Guest | None:
        here = self.here()
        return self.guests[here[who % len(here)]] if here else None

    def post(self, who: int, behind: int, again: int) -> int | None:
        guest = self.who(who)
        if guest is None or not guest.ticket:
            return None
        return guest.place.post(self.reference(again), guest.place.fence - behind, SEALED, self.now)  # type: ignore[return-value]

    def commit(self, who: int, behind: int, again: int) -> None:
        guest = self.who(who)
        if guest is None:
            return
        fence = guest.place.fence - behind
        try:
            guest.place.commit(Commit(self.reference(again), fence, COMMIT, INFO), self.now)
        except RefusedError as error:
            if error.fence is not None:
                guest.place.inform(self.now)
            raise

    def offer(self, who: int, behind: int, again: int) -> None:
        guest = self.who(who)
        if guest is not None and guest.ticket:
            fence = guest.place.fence - behind
            guest.place.offer(Offer(self.reference(again), fence, INFO), self.now)

    def need(self, who: int) -> None:
        guest = self.who(who)
        if guest is not None:
            guest.place.need(self.now)

    def confirm(self, who: int) -> None:
        guest = self.who(who)
        if guest is not None and guest.ticket:
            guest.place.confirm(self.now)

    def leave(self, who: int) -> None:
        guest = self.who(who)
        if guest is not None:
            self.over.add(self.guests.index(guest))
            guest.place.leave(self.now)

    def lost(self, who: int) -> None:
        guest = self.who(who)
        if guest is not None:
            self.over.add(self.guests.index(guest))
            guest.place.lost(self.now)

    def resume(self, who: int, back: int) -> bool | None:
        shown = [guest for guest in self.guests if guest.ticket]
        if not shown:
            return None
        old = shown[who % len(shown)]
        ticket: Ticket = old.opened()
        port = FakePort()
        seen = max(0, old.seen - back)
        place = self.node.broker.resume(self.room, ticket, None, seen, port, self.now)
        if place is None:
            return False
        self.guests.append(Guest(self.node, port, place, self.room, seen=old.seen))
        return True

    def wait(self, seconds: int) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + max(1, seconds // 8))
            self.node.broker.expire(self.now - 0.1)


def kind(message: Any) -> str:
    return str(message["type"] if isinstance(message, dict) else message[0])


@pytest.fixture(scope="module")
def store() -> Iterator[RedisProcess]:
    with redis_running() as process:
        yield process


@pytest.fixture(scope="module")
def nodes(store: RedisProcess) -> Iterator[dict[str, Node]]:
    """Return who plays: each for all scripts, in a room of its own for each."""
    loop = asyncio.new_event_loop()
    started: list[Process] = []

    async def new(given: Given, url: str) -> Process:
        process = Process(url, LIMITS, given)
        # Time goes by in leaps here, and nobody dies of it.
        process.log._keep_beating = stay  # type: ignore[method-assign]
        started.append(process)
        await process.log.start(may_persist=False)
        return process

    async def stay(listener: AbstractConnection) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await listener.send_command("PING")  # type: ignore[no-untyped-call]

    def shared(count: int) -> Node:
        given = Given()
        # Each set of nodes has a time of its own, and a database.
        url = store.url.removesuffix("0") + str(count)
        processes = [loop.run_until_complete(new(given, url)) for _ in range(count)]
        for process in processes:
            process.broker.alive({one.broker.node for one in processes}, 0.0)
        turns = Turns(processes, loop, given)
        return Node(turns, turns.flush, turns.rooms, Tickets(SECRET))

    with pytest.MonkeyPatch.context() as patch:
        # Nothing is too old to be had again: that, too, may come a turn of the wheel late.
        for module in (test_memory, test_redis):
            patch.setattr(module, "RING", replace(RING, age_s=SPAN_S))
        yield {"memory": test_memory.start(LIMITS), "one node": shared(1), "two nodes": shared(2)}
    for process in started:
        loop.run_until_complete(process.log.stop())
    loop.close()


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize="BEACON_SCRIPTS" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(script=st.lists(STEP, min_size=20, max_size=40))
def test_same_script_makes_the_same_room(
    nodes: dict[str, Node], script: list[tuple[Any, ...]]
) -> None:
    began = next(_spans) * SPAN_S
    expected: list[Any] | None = None
    for name, node in nodes.items():
        # Nodes of one Redis would meet in a room of one name.
        play = Play(node, RoomId(next(_rooms).to_bytes(16, "big")), began)
        try:
            seen = play.play(script)
            expected = expected or seen
            for number, (told, wanted) in enumerate(zip(seen, expected, strict=True)):
                assert told == wanted, (name, number)
        finally:
            play.end()
        assert node.rooms() == 0
