"""Two and more clients in one room through the real relay, with the library as programs use it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from client import (
    Event,
    Joined,
    Left,
    Link,
    Message,
    RefusedError,
    RoomSession,
    Status,
    TransportError,
    VerificationError,
    create_link,
    open_room,
)
from client.errors import AuthenticationError
from client.seal import Kind, unseal
from client.transport import Connection
from client.wire import Frame, parse_binary
from tests.e2e.process import RelayProcess, relay_process

# Ten times and more of what was measured on two cores, so that only a standstill fails.
PATIENCE_S = 60.0
pytestmark = pytest.mark.timeout(300)


async def wait_for(
    room: RoomSession, wanted: Callable[[Event], bool], events: list[Event] | None = None
) -> Event:
    """Return the next event that is wanted; note all on the way."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in room:
            if events is not None:
                events.append(event)
            if wanted(event):
                return event
    raise AssertionError("the room ended")


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds, without assuming how long it takes."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


@pytest.fixture
def relay() -> AsyncIterator[RelayProcess]:
    with relay_process("--away-for=1", "--message-rate=0") as process:
        yield process


async def test_two_members_talk_both_ways(relay: RelayProcess) -> None:
    link = create_link(relay.url)
    async with open_room(link, nick="ada") as one:
        assert one.first
        assert re.fullmatch(r"0x[0-9a-f]{4}", one.tag)
        assert one.state.status is Status.CONNECTED
        assert one.state.transport == "websocket"
        async with open_room(link) as two:
            assert not two.first
            joined = await wait_for(one, lambda e: isinstance(e, Joined))
            assert isinstance(joined, Joined)
            assert joined.tag == two.tag
            sent = await one.send("hello")
            event = await wait_for(two, lambda e: isinstance(e, Message))
            assert event == Message(one.tag, "ada", "hello", sent.life, sent.seq)
            sent = await two.send("  \u202etwo\n ")
            event = await wait_for(one, lambda e: isinstance(e, Message))
            assert event == Message(two.tag, None, "  \u202etwo\n ", sent.life, sent.seq)
            assert one.words == two.words
            assert len(one.words) == 6
            assert (
                {m.tag for m in one.members} == {one.tag, two.tag} == {m.tag for m in two.members}
            )
        left = await wait_for(one, lambda e: isinstance(e, Left))
        assert isinstance(left, Left)
        assert left.tag == joined.tag


async def test_who_left_is_removed_and_cannot_open_what_follows(relay: RelayProcess) -> None:
    """One says goodbye, one is killed: the group removes both leaves by itself."""
    link = create_link(relay.url)
    keys = link.keys()
    async with open_room(link) as stayer, open_room(link) as talker:
        polite = open_room(link)
        await polite.__aenter__()
        killed = open_room(link)
        await killed.__aenter__()
        await until(lambda: len(stayer.members) == 4 == len(talker.members))
        group = killed._room.group
        assert group is not None
        # What is said while they are here they can open.
        await talker.send("before")
        for room in (stayer, polite, killed):
            event = await wait_for(room, lambda e: isinstance(e, Message))
            assert isinstance(event, Message)
            assert event.text == "before"
        await polite.__aexit__(None, None, None)
        await kill(killed)
        await until(lambda: len(stayer.members) == 2 == len(talker.members))
        frames = record(stayer)
        await talker.send("after")
        await until(lambda: bool(frames))
        # The keys that the killed one held are still in our hands here: they open nothing now.
        assert group.epoch > 0
        for frame in frames:
            with pytest.raises(AuthenticationError):
                group.decrypt(open_seal(keys, frame), frame.fence)


def record(room: RoomSession) -> list[Frame]:
    """Note every application frame that reaches ``room``."""
    frames: list[Frame] = []
    inner = room._room.received

    def received(data: str | bytes, now: float):  # type: ignore[no-untyped-def]
        if isinstance(data, bytes):
            frame = parse_binary(data)
            if isinstance(frame, Frame) and frame.kind is Kind.APPLICATION:
                frames.append(frame)
        return inner(data, now)

    room._room.received = received  # type: ignore[method-assign]
    return frames


def open_seal(keys, frame: Frame) -> bytes:  # type: ignore[no-untyped-def]
    return unseal(keys.seal, keys.room_id, Kind.APPLICATION, frame.fence, frame.sealed)


async def kill(room: RoomSession) -> None:
    """Cut a member's connection without a goodbye, and keep it from coming back."""
    assert room._runner is not None
    assert room._connection is not None
    room._connection._websocket.transport.abort()
    room._runner.cancel()
    await asyncio.gather(room._runner, return_exceptions=True)


@asynccontextmanager
async def crowd(link: Link, count: int) -> AsyncIterator[list[RoomSession]]:
    """``count`` members that all come at the same moment."""
    rooms = [open_room(link) for _ in range(count)]
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(room) for room in rooms))
        yield rooms


async def test_32_at_once_end_in_one_epoch_with_the_same_words(relay: RelayProcess) -> None:
    link = create_link(relay.url)
    async with crowd(link, 32) as rooms:
        await until(lambda: all(len(room.members) == 32 for room in rooms))
        groups = [room._room.group for room in rooms]
        assert len({group.epoch for group in groups if group is not None}) == 1
        assert len({room.words for room in rooms}) == 1
        sent = await rooms[0].send("to all")
        for room in rooms[1:]:
            event = await wait_for(room, lambda e: isinstance(e, Message))
            assert isinstance(event, Message)
            assert (event.text, event.seq) == ("to all", sent.seq)


@pytest.mark.timeout(600)
async def test_128_fit_and_the_next_is_told_that_the_room_is_full() -> None:
    with relay_process("--room-commit-interval=0.01") as relay:
        link = create_link(relay.url)
        async with crowd(link, 128) as rooms:
            await until(lambda: all(len(room.members) == 128 for room in rooms))
            assert len({room.words for room in rooms[::16]}) == 1
            with pytest.raises(RefusedError) as caught:
                await open_room(link).__aenter__()
            assert caught.value.reason == "full"


async def test_connection_cut_in_the_middle_comes_back_by_itself(relay: RelayProcess) -> None:
    link = create_link(relay.url)
    async with open_room(link, nick="ada") as one, open_room(link) as two:
        old = one.tag
        assert one._connection is not None
        one._connection._websocket.transport.abort()
        await until(lambda: one.state.status is Status.RECONNECTING)
        assert one.state.next_retry_at is not None
        sending = asyncio.create_task(one.send("said while away"))
        one.retry_now()
        sent = await sending
        event = await wait_for(two, lambda e: isinstance(e, Message))
        assert event == Message(one.tag, "ada", "said while away", sent.life, sent.seq)
        assert one.tag == old
        await until(lambda: len(two.members) == 2 == len(one.members))
        assert one.words == two.words


async def test_no_relay_is_told_at_once() -> None:
    with pytest.raises(TransportError):
        await open_room(create_link("http://127.0.0.1:9")).__aenter__()


async def test_expected_words_are_those_that_a_member_reads_out(relay: RelayProcess) -> None:
    link = create_link(relay.url)
    async with open_room(link) as one:
        words = one.words
        with pytest.raises(VerificationError):
            await open_room(link, expect_words=("able",) * 6).__aenter__()
        assert len(one.members) == 1
        async with open_room(link, expect_words=words) as two:
            await until(lambda: len(one.members) == 2)
            assert one.words == two.words != words
    with pytest.raises(VerificationError):
        await open_room(create_link(relay.url), expect_words=words).__aenter__()


def test_relay_memory_and_logs_hold_no_plaintext(
    relay: RelayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the relay gets and what it holds is searched: nothing that was said is there."""
    link = create_link(relay.url)
    received = bytearray()
    send = Connection.send

    def note(self: Connection, data: str | bytes) -> None:
        received.extend(data.encode() if isinstance(data, str) else data)
        send(self, data)

    monkeypatch.setattr(Connection, "send", note)
    texts = ["plum-otter-canary-text", "violet-harbour-nick"]

    async def talk() -> bytes:
        async with open_room(link, nick=texts[1]) as one, open_room(link) as two:
            await one.send(texts[0])
            await wait_for(two, lambda e: isinstance(e, Message))
            # While the room is full of it.
            return await asyncio.to_thread(dump, relay.pid)

    image = asyncio.run(talk())
    keys = link.keys()
    # The dump is worth something: what the relay does know is found in it.
    assert keys.room_id in image
    secrets = [text.encode() for text in texts]
    secrets += [text.encode("utf-16-le") for text in texts]
    secrets += [link.secret, link.to_url().partition("#")[2].encode(), keys.psk, keys.seal]
    assert len(received) > 4096
    for secret in secrets:
        assert secret not in image
        assert secret not in received
    assert len(relay.printed) == 1
    assert relay.stop() == 0
    assert len(relay.printed) == 1


def dump(pid: int) -> bytes:
    """Return all private memory of a process, by the kernel's own account."""
    image = bytearray()
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            where, mode, _, _, inode, *_ = line.split()
            if not mode.startswith("rw") or (inode != "0" and "heap" not in line):
                continue
            start, end = (int(part, 16) for part in where.split("-"))
            memory.seek(start)
            try:
                image += memory.read(end - start)
            except OSError:
                continue
    return bytes(image)
