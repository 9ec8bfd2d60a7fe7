"""The HTTP server behind the door: Hypercorn's TCPServer, fed one vetted request at a time.

Knows the private class that it borrows, checked at the start; never reads from the network.
"""

import asyncio
import importlib.metadata
import inspect
import logging
from collections.abc import Callable
from typing import Any, cast

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Event, Updated
from hypercorn.typing import ASGIFramework
from hypercorn.utils import wrap_app

from relay.errors import ConfigError

_VERSION = "0.18."
_ARGUMENTS = ["self", "app", "loop", "config", "context", "state", "reader", "writer"]
_log = logging.getLogger("relay.inner")


class Inner:
    """The application and what Hypercorn needs to serve it, once for the process."""

    def __init__(self, app: ASGIFramework) -> None:
        self.config = Config()
        self.config.accesslog = None
        self.config.errorlog = None
        self.config.alpn_protocols = ["http/1.1"]
        self.config.include_server_header = False
        self.app = wrap_app(app, self.config.wsgi_max_body_size, None)
        self.context = WorkerContext(None)

    async def stop(self) -> None:
        """Let every connection end after its present response."""
        await self.context.terminated.set()


class Link:
    """One connection's way through the server: vetted bytes in, response bytes out."""

    def __init__(
        self, inner: Inner, transport: asyncio.Transport, idle: Callable[[], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader(loop=loop)
        self._writer = _Writer(transport, loop)
        server = _Server(
            inner.app,
            loop,
            inner.config,
            inner.context,
            {},
            self._reader,
            cast(asyncio.StreamWriter, self._writer),
        )
        server.idle = idle
        self._task = loop.create_task(server.run())
        self._task.add_done_callback(_note_fault)

    def feed(self, data: bytes) -> None:
        """Give the server the next bytes of a request."""
        self._reader.feed_data(data)

    def detach(self) -> None:
        """End the server's part; the transport stays as it is."""
        self._writer.detach()
        self._reader.feed_eof()

    def lost(self) -> None:
        """Tell the server that the connection is gone."""
        self._writer.lost()
        self._reader.feed_eof()

    def pause(self) -> None:
        """Hold back the server: the peer does not read."""
        self._writer.ready.clear()

    def resume(self) -> None:
        """Let the server write again."""
        self._writer.ready.set()


class _Writer:
    """As much of asyncio.StreamWriter as the server uses."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport: asyncio.Transport | None = transport
        self._socket = transport.get_extra_info("socket")
        self._tls = transport.get_extra_info("ssl_object")
        self.ready = asyncio.Event()
        self.ready.set()
        self._gone = loop.create_future()

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"socket": self._socket, "ssl_object": self._tls}.get(name, default)

    def write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        self._transport.write(data)

    async def drain(self) -> None:
        await self.ready.wait()
        if self._transport is None:
            raise ConnectionResetError

    def write_eof(self) -> None:
        # Closing does it; half a close of the server's would cut what the door has to say.
        pass

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def wait_closed(self) -> None:
        if self._transport is not None:
            await self._gone

    def detach(self) -> None:
        self._transport = None
        self.ready.set()

    def lost(self) -> None:
        self.detach()
        if not self._gone.done():
            self._gone.set_result(None)


class _Server(TCPServer):
    """Says when a response is complete and the next request may come."""

    idle: Callable[[], None]

    async def protocol_send(self, event: Event) -> None:
        await super().protocol_send(event)
        if isinstance(event, Updated) and event.idle:
            self.idle()


def check() -> None:
    """Refuse to start on a Hypercorn whose private parts are not those known here."""
    arguments = list(inspect.signature(TCPServer.__init__).parameters)
    methods = (getattr(TCPServer, name, None) for name in ("run", "protocol_send"))
    known = arguments == _ARGUMENTS and all(map(inspect.iscoroutinefunction, methods))
    if not known or not importlib.metadata.version("hypercorn").startswith(_VERSION):
        raise ConfigError(f"this relay needs Hypercorn {_VERSION}x")


def _note_fault(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("a request failed", exc_info=task.exception())
