"""Whoever may write to the broker cannot put in anything that a node would take."""

import asyncio
import secrets
from typing import Any

import msgpack
import pytest

from client import Joined, Left
from tests.cluster.place import Guest, Node, assert_one_order, guest, new_secret, until
from tests.relay.redis_process import RedisProcess

pytestmark = pytest.mark.timeout(120)
NONSENSE = [
    b"", b"\xc1", b"nonsense", msgpack.packb(7), msgpack.packb([1, 2]), msgpack.packb(["", "", ""]),
    msgpack.packb(["", "1", "1", 7]), msgpack.packb([[], "1", "1", "r"]),
]  # fmt: skip


class Log:
    """A room's log, as it lies in Redis."""

    def __init__(self, store: RedisProcess, key: bytes) -> None:
        self.store = store
        self.stream = key
        self.hash = key.removesuffix(b"stream") + b"hash"
        self.channel = key.removesuffix(b":stream")

    @property
    def records(self) -> list[bytes]:
        return [fields[b"r"] for _, fields in self.store.ask("XRANGE", self.stream, "-", "+")]

    @property
    def born(self) -> bytes:
        born: bytes = self.store.ask("HGET", self.hash, "b")
        return born

    def add(self, *records: bytes) -> None:
        """Put records at the end, as a node does, and tell the nodes."""
        last = 0
        for record in records:
            last = self.store.ask("HINCRBY", self.hash, "n", 1)
            self.store.ask("XADD", self.stream, f"{last}-0", "t", "1", "r", record)
        self.tell(self.born, str(last), "1", *records)

    def tell(self, *news: Any) -> None:
        """Say something where the nodes listen for news."""
        self.store.ask("SPUBLISH", self.channel, msgpack.packb(news))


def logs(store: RedisProcess) -> set[bytes]:
    return set(store.ask("KEYS", "*:stream"))


async def talk(people: list[Guest], what: str) -> None:
    """Let everybody say something, and hear all others."""
    await asyncio.gather(*(one.say(f"{one.room.tag} {what}") for one in people))
    for one in people:
        wanted = {f"{other.room.tag} {what}" for other in people if other is not one}
        await until(lambda one=one, wanted=wanted: wanted <= {*one.heard})  # type: ignore[misc]


async def test_what_is_not_sealed_by_a_node_changes_nothing(
    store: RedisProcess, pair: list[Node], secret: str
) -> None:
    others = logs(store)
    async with guest(pair[0], secret) as ada, guest(pair[1], secret) as bob:
        people = [ada, bob]
        await talk(people, "before")
        (key,) = logs(store) - others
        log = Log(store, key)
        async with guest(pair[0], new_secret()) as eve:
            await eve.say("elsewhere")
            (other,) = logs(store) - others - {key}
            moved = Log(store, other).records
        await asyncio.sleep(0.1)
        seats = ada.tags
        # Made up, somebody else's, changed, and every one of its own once more.
        own = log.records
        changed = [record[:-1] + bytes([record[-1] ^ 1]) for record in own]
        log.add(b"", secrets.token_bytes(300), *moved, *changed, *own)
        await talk(people, "between")
        # News of what is not there, of another log, and of nothing at all.
        log.tell(log.born, "10000", "1", *own)
        log.tell(bytes(16), str(len(own) + 1), "1", *own)
        log.tell(log.born, "1", "1")
        await talk(people, "after")
        assert ada.tags == bob.tags == seats
        numbers = sorted(seq for one in people for _, seq in one.said)
        assert numbers == list(range(numbers[0], numbers[0] + 6)), "no number for any of it"
        async with guest(pair[1], secret) as late:
            await talk([*people, late], "with one more")
            assert late.tags == ada.tags == bob.tags
        await until(lambda: ada.count(Left) == 1 == bob.count(Left))
        assert_one_order(people)
        assert ada.count(Joined) == 2
        assert ada.notices() == bob.notices() == {}


async def test_news_that_are_none_change_nothing(
    store: RedisProcess, pair: list[Node], secret: str
) -> None:
    others = logs(store)
    async with guest(pair[0], secret) as ada, guest(pair[1], secret) as bob:
        await talk([ada, bob], "before")
        (key,) = logs(store) - others
        for number, news in enumerate(NONSENSE):
            store.ask("SPUBLISH", Log(store, key).channel, news)
            await talk([ada, bob], f"after {number}")
        assert_one_order([ada, bob])
        assert ada.notices() == bob.notices() == {}
