"""The model relay on real sockets, for tests of shells; it does whatever it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from client import Link, RoomSession
from tests.model import ModelRelay

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
        self.on_request: Callable[[], None] = lambda: None

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
        self.on_request()
        if not self.answers:
            return None
        status, headers = self.answers.pop(0)
        response = connection.respond(HTTPStatus(status), "")
        for name, value in headers.items():
            response.headers[name] = value
        return response


@asynccontextmanager
async def live_relay() -> AsyncIterator[LiveRelay]:
    """Serve on a free port of this machine."""
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
