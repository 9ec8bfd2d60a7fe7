"""The way to the relay: one WebSocket at a time, and when to try the next (shell).

Knows addresses, close codes and backoff; never looks into a message.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    ProxyError,
)

from client.errors import RefusedError, TransportError
from client.link import Link
from client.wire import MAX_MESSAGE_BYTES

# With a fifth of jitter never 10 s: a relay that is back has its rooms back within that.
BACKOFF_S = (1.0, 2.0, 4.0, 7.0)
JITTER = 0.2
CONNECT_S = 10.0
CLOSE_S = 1.0
# The relay pings every 20 s; a client that hears nothing for as long as the relay would, gives up.
PING_S = 20.0
PONG_S = 25.0
# After a sleep or on another network, a connection that still stands answers within this time.
PROBE_S = 5.0
# Close codes from here on mean: do not come back (PROTOCOL 4.4).
_FINAL_CODE = 4500
_FINAL_REASON = {4500: "refusals", 4502: "proof", 4503: "full", 4504: "superseded"}


@dataclass
class Backoff:
    """1, 2, 4, 7, 7, ... seconds, each up to a fifth more or less; ``draw`` gives 0 to 1."""

    draw: Callable[[], float]
    attempt: int = 0

    def next_s(self, at_least_s: float | None = None) -> float:
        """Return how long to wait now, and count the attempt that follows.

        0.0 asks for an attempt at once; that is granted to the first since a connection stood, or
        a relay that gives reasons to come back could make us do so without end.
        """
        wait = BACKOFF_S[min(self.attempt, len(BACKOFF_S) - 1)]
        self.attempt += 1
        wait *= 1 + JITTER * (2 * self.draw() - 1)
        if at_least_s == 0.0:
            return 0.0 if self.attempt == 1 else wait
        return wait if at_least_s is None else at_least_s + wait * JITTER

    def reset(self) -> None:
        """The connection stood."""
        self.attempt = 0


class Connection:
    """One open WebSocket. Messages are sent in the order in which ``send`` was called."""

    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket
        self._outgoing: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())
        self._prober: asyncio.Task[None] | None = None

    def send(self, data: str | bytes) -> None:
        """Queue one message. The outbox's window and the limits on commits bound the queue."""
        self._outgoing.put_nowait(data)

    def finish(self) -> None:
        """Close when all that is queued has been sent, or after a second; `messages` then ends."""
        self._outgoing.put_nowait(None)
        asyncio.get_running_loop().call_later(CLOSE_S, self._websocket.transport.abort)

    def probe(self) -> None:
        """Cut the connection unless the relay answers a ping soon; `messages` then ends."""
        if self._prober is None or self._prober.done():
            self._prober = asyncio.create_task(self._probe())

    async def messages(self) -> AsyncIterator[str | bytes]:
        """Yield what the relay sends until the connection ends; then raise.

        TransportError when coming back may help, RefusedError when the relay said that it won't.
        """
        try:
            while True:
                yield await self._websocket.recv()
        except ConnectionClosed as exc:
            code = exc.rcvd.code if exc.rcvd is not None else 1006
            if code >= _FINAL_CODE:
                raise RefusedError(_FINAL_REASON.get(code, "closed")) from exc
            raise TransportError("the connection to the relay ended") from exc

    async def close(self) -> None:
        """Close at once, whatever is still queued."""
        for task in (self._writer, self._prober):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await self._websocket.close()

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while (data := await self._outgoing.get()) is not None:
                await self._websocket.send(data)
            await self._websocket.close()

    async def _probe(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            try:
                # What arrived before the pong proves nothing: it may have lain here while we slept.
                async with asyncio.timeout(PROBE_S):
                    await (await self._websocket.ping())
            except TimeoutError:
                self._websocket.transport.abort()


async def open_connection(link: Link) -> Connection:
    """Connect to the link's relay.

    Raises TransportError (try again; ``retry_after`` of the relay is in it) or RefusedError (what
    answers there is no Beacon relay, or does not want us).
    """
    try:
        websocket = await connect(
            link.websocket,
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            open_timeout=CONNECT_S,
            close_timeout=CLOSE_S,
            ping_interval=PING_S,
            ping_timeout=PONG_S,
            user_agent_header=None,
            # A proxy set in the environment serves what is out there, not this machine.
            proxy=None if _is_local(link) else True,
        )
    except InvalidStatus as exc:
        raise _status_error(exc) from exc
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ProxyError) as exc:
        raise TransportError("the relay cannot be reached") from exc
    return Connection(websocket)


def _status_error(exc: InvalidStatus) -> TransportError | RefusedError:
    status = exc.response.status_code
    if status in (429, 503) or status >= 500:
        after = exc.response.headers.get("Retry-After", "")
        wait = float(after) if after.isascii() and after.isdigit() and len(after) < 5 else None
        return TransportError("the relay is busy", retry_after_s=wait)
    if status == 403:
        return RefusedError("forbidden")
    return RefusedError("no_relay")


def _is_local(link: Link) -> bool:
    host = link.host.rpartition(":")[0] if not link.host.endswith("]") else link.host
    try:
        return ipaddress.ip_address((host or link.host).strip("[]")).is_loopback
    except ValueError:
        return (host or link.host).endswith("localhost")
