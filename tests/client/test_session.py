"""The shell around a Room, on real sockets, before a model relay that can be told what to do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from client import (
    Link,
    Message,
    Notice,
    RefusedError,
    RoomSession,
    StateChanged,
    StateError,
    Status,
    TransportError,
    UsageError,
    open_room,
    parse_link,
)
from client import session as session_module
from client.link import LinkError
from tests.model import ModelRelay, text

SECRET = bytes(range(32))
PATIENCE_S = 30.0


class LiveRelay:
    """The model relay behind a WebSocket server."""

    def __init__(self) -> None:
        self.link = Link("http", "127.0.0.1:0", SECRET)
        self.model = ModelRelay(self.link.keys())
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.connections: list[ServerConnection] = []
        self.sockets: dict[int, ServerConnection] = {}
        self.greeting: str | None = None
        self.close_code: int | None = None

    async def serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        if self.close_code is not None:
            await connection.close(self.close_code)
            return
        if self.greeting is not None:
            await connection.send(self.greeting)
        session = self.model.connect()
        await self.flush()
        self.sockets[id(session)] = connection
        try:
            await self.flush()
            async for data in connection:
                self.model.receive(session, data)
                await self.flush()
        finally:
            del self.sockets[id(session)]
            if session in self.model.sessions:
                self.model.drop(session)
            await self.flush()

    async def flush(self) -> None:
        for session in list(self.model.sessions):
            socket = self.sockets.get(id(session))
            while socket is not None and session.inbox:
                await socket.send(session.inbox.popleft())

    def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        if not self.answers:
            return None
        status, headers = self.answers.pop(0)
        response = connection.respond(HTTPStatus(status), "")
        for name, value in headers.items():
            response.headers[name] = value
        return response


@pytest.fixture
async def relay() -> AsyncIterator[LiveRelay]:
    live = LiveRelay()
    async with serve(live.serve, "127.0.0.1", 0, process_request=live.refuse) as server:
        port = server.sockets[0].getsockname()[1]
        live.link = Link("http", f"127.0.0.1:{port}", SECRET)
        yield live


async def collect(room: RoomSession, wanted: Callable[[object], bool]) -> list[object]:
    events: list[object] = []
    async with asyncio.timeout(PATIENCE_S):
        async for event in room:
            events.append(event)
            if wanted(event):
                break
    return events


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def test_send_returns_its_place_and_the_other_reads_it(relay: LiveRelay) -> None:
    async with open_room(relay.link.to_url(), nick="ada") as one, open_room(relay.link) as two:
        sent = await one.send("hello")
        events = await collect(two, lambda e: isinstance(e, Message))
        assert events[-1] == Message(one.tag, "ada", "hello", sent.life, sent.seq)
        assert one.life == sent.life
        await two.set_nick("bob")
        with pytest.raises(UsageError):
            await two.set_nick("")


async def test_state_goes_through_reconnecting_and_back(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one:
        await relay.connections[0].close(1012)
        events = await collect(
            one, lambda e: isinstance(e, StateChanged) and e.state.status is Status.RECONNECTING
        )
        state = one.state
        assert (state.status, state.transport, state.attempt) == (Status.RECONNECTING, "none", 1)
        assert state.next_retry_at is not None
        sending = asyncio.create_task(one.send("waits for the connection"))
        one.retry_now()
        await sending
        events = await collect(
            one, lambda e: isinstance(e, StateChanged) and e.state.status is Status.CONNECTED
        )
        assert events


async def test_busy_relay_is_waited_for_as_it_asks(
    relay: LiveRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay.answers = [(429, {"Retry-After": "0"}), (503, {"Retry-After": "0"}), (503, {})]
    monkeypatch.setattr("client.transport.BACKOFF_S", (0.01,))
    # Without a time that it asks for, a relay that nobody has seen yet is not waited for.
    with pytest.raises(TransportError):
        await open_room(relay.link).__aenter__()
    assert relay.answers == []
    async with open_room(relay.link) as one:
        assert one.first


@pytest.mark.parametrize(("status", "reason"), [(403, "forbidden"), (404, "no_relay")])
async def test_what_is_no_relay_for_us_is_refused(
    relay: LiveRelay, status: int, reason: str
) -> None:
    relay.answers = [(status, {})]
    with pytest.raises(RefusedError) as caught:
        await open_room(relay.link).__aenter__()
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("code", "reason"), [(4500, "refusals"), (4502, "proof"), (4503, "full"), (4999, "closed")]
)
async def test_final_close_code_ends_the_stay(relay: LiveRelay, code: int, reason: str) -> None:
    relay.close_code = code
    with pytest.raises(RefusedError) as caught:
        await open_room(relay.link).__aenter__()
    assert caught.value.reason == reason


async def test_final_refusal_ends_iteration_and_sends_with_its_error(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one:
        refused = text(
            type="refused", reason="full", reference=None, retry_after_ms=None, fence=None
        )
        sending = asyncio.create_task(one.send("never"))
        relay.model.receive = lambda *_: None  # type: ignore[method-assign]
        await relay.connections[0].send(refused)
        with pytest.raises(RefusedError):
            await sending
        with pytest.raises(RefusedError):
            await collect(one, lambda e: False)
        assert one.state.status is Status.CLOSED
        with pytest.raises(RefusedError):
            await one.send("later")


async def test_after_leaving_nothing_goes_and_iteration_ends(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one:
        pass
    with pytest.raises(StateError):
        await one.send("late")
    assert [type(e) for e in await collect(one, lambda e: False)][-1] is StateChanged
    await until(lambda: relay.model.sessions == [])
    assert relay.model.away == set()


async def test_send_that_waits_while_the_room_is_left_fails(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one:
        relay.model.receive = lambda *_: None  # type: ignore[method-assign]
        sending = asyncio.create_task(one.send("never ordered"))
        await asyncio.sleep(0)
    with pytest.raises(StateError):
        await sending


async def test_cancelled_send_disturbs_nothing(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one, open_room(relay.link) as two:
        sending = asyncio.create_task(one.send("goes out all the same"))
        await asyncio.sleep(0)
        sending.cancel()
        await one.send("next")
        texts = [
            e.text
            for e in await collect(two, lambda e: isinstance(e, Message) and e.text == "next")
            if isinstance(e, Message)
        ]
        assert texts == ["goes out all the same", "next"]


async def test_reader_that_is_too_slow_is_told_what_it_lost(
    relay: LiveRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "MAX_EVENTS", 5)
    async with open_room(relay.link) as one, open_room(relay.link) as two:
        for number in range(12):
            await one.send(str(number))
        await until(lambda: len(two._events) == 5)
        events = await collect(two, lambda e: isinstance(e, Notice))
        assert [e.text for e in events if isinstance(e, Message)][-1] == "11"
        assert events[-1] == Notice("events_dropped")


async def test_entering_can_be_cancelled(relay: LiveRelay) -> None:
    relay.model.receive = lambda *_: None  # type: ignore[method-assign]
    room = open_room(relay.link)
    entering = asyncio.create_task(room.__aenter__())
    await until(lambda: bool(relay.connections))
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert room.state.status is Status.CLOSED


async def test_fault_of_ours_ends_the_stay_instead_of_hanging(
    relay: LiveRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = open_room(relay.link)

    def broken(data: object, now: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(room._room, "received", broken)
    with pytest.raises((StateError, ZeroDivisionError)):
        await room.__aenter__()


def test_open_room_refuses_bad_arguments_before_it_connects() -> None:
    with pytest.raises(LinkError):
        open_room("http://example.org/#" + "A" * 43)
    link = parse_link("http://example.org/#" + "A" * 43, insecure_relay=True)
    with pytest.raises(UsageError):
        open_room(link, nick="\x1b[31m")
