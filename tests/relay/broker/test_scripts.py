"""What the scripts do that no contract of brokers shows: who is there, by a real Redis."""

from collections.abc import Callable, Iterator

import pytest
from redis.exceptions import OutOfMemoryError

from relay.broker import scripts
from tests.relay.redis_process import RedisProcess, redis_running

DEAD_S = 5
Beat = Callable[[bytes, float], set[bytes]]


@pytest.fixture(scope="module")
def store() -> Iterator[RedisProcess]:
    with redis_running() as process:
        yield process


@pytest.fixture
def beat(store: RedisProcess) -> Beat:
    store.ask("FLUSHALL")

    def beat(node: bytes, now: float) -> set[bytes]:
        """Let a node say at that moment that it is there; return who is."""
        text = scripts.BEAT.replace(
            "redis.call('TIME')", f"{{'{int(now)}', '{now % 1 * 1e6:.0f}'}}"
        )
        _, _, nodes = store.ask("EVAL", text, 2, "nodes", "era", node, DEAD_S, "era", 1000)
        return set(nodes)

    return beat


def test_node_that_is_silent_while_others_are_not_is_gone(beat: Beat) -> None:
    assert beat(b"one", 100) == {b"one"}
    assert beat(b"two", 100.5) == {b"one", b"two"}
    for now in range(101, 105):
        assert beat(b"two", now) == {b"one", b"two"}
    assert beat(b"two", 105.5) == {b"two"}
    assert beat(b"one", 106) == {b"one", b"two"}


def test_nobody_is_gone_because_the_store_could_not_be_had(beat: Beat) -> None:
    for now in (100, 101):
        beat(b"one", now)
        beat(b"two", now)
    assert beat(b"one", 160) == {b"one", b"two"}
    assert beat(b"one", 162) == {b"one", b"two"}
    for now in (163, 164):
        beat(b"one", now)
    assert beat(b"one", 166) == {b"one"}, "but who does not come back is"


def test_nobody_is_gone_because_the_store_has_no_memory(beat: Beat, store: RedisProcess) -> None:
    beat(b"one", 100)
    beat(b"two", 100)
    store.ask("CONFIG", "SET", "maxmemory", "1mb")
    try:
        with pytest.raises(OutOfMemoryError):
            store.ask("SET", "anything", "")
        for now in range(101, 110):
            assert beat(b"one", now) >= {b"one"}
            assert beat(b"two", now) == {b"one", b"two"}
    finally:
        store.ask("CONFIG", "SET", "maxmemory", "0")
