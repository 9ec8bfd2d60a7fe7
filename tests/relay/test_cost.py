"""What the hot path costs, counted and not timed: it fails when somebody makes it fatter.

A figure that falls is good news: lower the bound with it. One that must rise says why, there.
"""

import gc
import sys
import tracemalloc
from types import FrameType
from typing import Any

from relay.limits import Rate
from relay.source import Source, SourceLimits
from tests.relay.one_hub import Client, World
from tests.relay.raw import client_frame, new_link, post_bytes

# Python's and C's functions that one post goes through, from the bytes that come in to the last
# write, in a room of two; and for each one more who hears it.
MOST_CALLS = 72
MOST_CALLS_EACH = 7.2
# Of Python's objects for a member of a room of two who says nothing, its transport a fake one.
MOST_SEAT_BYTES = 6300


def fill(world: World, members: int) -> list[Client]:
    """Return the people of a new room, who may speak as fast as they like."""
    link = new_link()
    here = [world.connect().join(link, fence) for fence in range(members)]
    world.flush()
    for one in here:
        one.frames()
    return here


def new_world() -> World:
    # Faster than anybody may speak: the buckets are there and are charged.
    world = World(messages=Rate(1e6, 10**6), seats=30, rooms=1000)
    world.source = Source(SourceLimits(Rate(1e6, 10**6), Rate(1e6, 10**6), 0))
    return world


def count_calls(world: World, sender: Client) -> int:
    """Count what one post has run, after one that has warmed up what is made once."""
    frames = [client_frame(2, post_bytes(_fence(sender))) for _ in range(2)]
    sender.raw(frames[0])
    world.flush()
    calls = 0

    def count(_: FrameType, event: str, __: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    sender.raw(frames[1])
    world.flush()
    sys.setprofile(None)
    return calls


def _fence(client: Client) -> int:
    place = client.socket._place
    assert place is not None
    return place.fence


def test_calls_per_post() -> None:
    world = new_world()
    few = count_calls(world, fill(world, 2)[0])
    many = count_calls(world, fill(world, 30)[0])
    each = (many - few) / 28
    print(f"{few} calls for two, {each:.1f} for each one more")
    assert few <= MOST_CALLS
    assert each <= MOST_CALLS_EACH


def test_writes_per_delivery() -> None:
    world = new_world()
    here = fill(world, 20)
    for one in here:
        one.transport.writes = 0
    for sender in here:
        for _ in range(5):
            sender.send(post_bytes(_fence(sender)))
    world.flush()
    assert [one.transport.writes for one in here] == [1] * 20, "a hundred messages in one tick"


def test_bytes_per_idle_seat() -> None:
    world, rooms = new_world(), 200
    fill(world, 2)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [fill(world, 2) for _ in range(rooms)]
    for one in (one for here in kept for one in here):
        # The peer's end is not ours.
        one.transport.data = b""
    world.advance(1.0)
    gc.collect()
    size = (tracemalloc.get_traced_memory()[0] - before) / (2 * rooms)
    tracemalloc.stop()
    print(f"{size:.0f} bytes for each seat")
    assert size <= MOST_SEAT_BYTES
