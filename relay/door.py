"""The listening socket's other side: one request head at a time, and who serves it.

Knows connections, heads and bodies' lengths; what a WebSocket says is websocket's, what a page is
is app's. Every byte that reaches the server behind it belongs to a request that was vetted here.

    (TLS: a handshake first)
    head --> WebSocket: the transport changes hands, the door is done
         --> request: body counted --> response --> head ...
         --> refused: answer, then linger a second, reading nothing
"""

import asyncio
import contextlib
import http
import ssl
from collections.abc import Callable
from enum import Enum, auto
from typing import cast

from relay import head as heads
from relay.errors import HeadError
from relay.handshake import shake_hands
from relay.head import Head
from relay.house import House
from relay.inner import Link
from relay.page import headers
from relay.source import Source
from relay.websocket import Socket
from relay.wheel import IDLE

CONNECT_PATH = b"/v1/connect"
# Nothing that is served takes a body yet; this much is read to answer politely.
MAX_BODY_BYTES = 8192
HEAD_S = 5.0
BODY_S = 10.0
KEEP_ALIVE_S = 15.0
RESPONSE_S = 10.0
LINGER_S = 1.0
RETRY_S = 5
# Connections beyond the cap that are still told so; the next ones are dropped without a word, so
# that telling cannot use up the descriptors that the cap keeps free.
MAX_TURNED_AWAY = 64
# A refusal is a response like any other to whoever shows it.
_SECURITY = [f"{name.lower()}: {value}" for name, value in headers().items()]


class _Phase(Enum):
    HANDSHAKE = auto()
    HEAD = auto()
    BODY = auto()
    RESPONSE = auto()
    LINGER = auto()
    GONE = auto()


class Door(asyncio.Protocol):
    """One connection until it is a WebSocket's, or to its end."""

    __slots__ = (
        "_body_left", "_handshake", "_held", "_house", "_is_turned_away", "_link", "_peer",
        "_phase", "_source", "_transport", "_until", "turn",
    )  # fmt: skip

    def __init__(self, house: House) -> None:
        self._house = house
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        # Whose request it is comes with its head if ``_source`` stays None: the peer is a proxy.
        self._source: Source | None = None
        self._peer = ""
        self._handshake: asyncio.Task[None] | None = None
        self._link: Link | None = None
        self._held = bytearray()
        self._phase = _Phase.HEAD
        self._body_left = 0
        self._until = 0.0
        self._is_turned_away = False
        self.turn = IDLE

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Decide whether this connection may stay."""
        house = self._house
        self._transport = cast(asyncio.Transport, transport)
        house.doors.add(self)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if peer else ""
        admitted = house.admit(self._peer)
        if not isinstance(admitted, int):
            self._source = admitted
            self._wait(HEAD_S)
            if house.certificate is not None:
                self._phase = _Phase.HANDSHAKE
                self._handshake = asyncio.get_running_loop().create_task(
                    self._secure(house.certificate.context)
                )
            return
        house.metrics.turned_away += 1
        house.turned_away += 1
        self._is_turned_away = True
        if house.turned_away > MAX_TURNED_AWAY or house.certificate is not None:
            self._phase = _Phase.GONE
            self._transport.abort()
        else:
            self._refuse(admitted)

    def data_received(self, data: bytes) -> None:
        """Take what the peer has sent."""
        if self._phase in (_Phase.LINGER, _Phase.GONE):
            return
        if self._phase is _Phase.HEAD and not self._held:
            self._wait(HEAD_S)
        self._held += data
        self._proceed()

    def eof_received(self) -> bool:
        """Keep the way out open for a response that is still due."""
        # TLS has no half of an end, and logs who asks for it.
        return self._phase is _Phase.RESPONSE and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """Hold back the server: the peer does not read its response."""
        if self._link is not None:
            self._link.pause()
            self._wait(RESPONSE_S)

    def resume_writing(self) -> None:
        """Let the server go on."""
        if self._link is not None:
            self._link.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the transport is gone."""
        self._phase = _Phase.GONE
        if self._link is not None:
            self._link.lost()
        self._forget()
        source, self._source = self._source, None
        if source is not None:
            self._house.sources.release(source)
        if self._is_turned_away:
            self._is_turned_away = False
            self._house.turned_away -= 1

    def abort(self) -> None:
        """Drop the connection."""
        self._transport.abort()

    async def _secure(self, context: ssl.SSLContext) -> None:
        """Shake hands; who takes longer than for a head is dropped by the same deadline."""
        raw = self._transport
        # What this one holds back, the one around it must know of (Outlet).
        raw.set_write_buffer_limits(high=1, low=0)
        try:
            transport = await asyncio.get_running_loop().start_tls(
                raw, self, context, server_side=True, ssl_handshake_timeout=2 * HEAD_S
            )
        except OSError:
            # Not TLS, no common version, or gone.
            transport = None
        if transport is None:
            raw.abort()
            # asyncio tells nobody of a connection that is lost within its handshake: its place
            # would never be free again.
            self.connection_lost(None)
            return
        self._transport = transport
        if self._phase is _Phase.HANDSHAKE:
            self._phase = _Phase.HEAD
            self._wait(HEAD_S)
            self._proceed()

    def expire(self, now: float) -> None:
        """Drop a peer that is late with a head or a body, or with reading its response."""
        if now < self._until:
            self._house.wheel.wait(self, self._until)
        elif self._phase is _Phase.BODY:
            self._refuse(408)
        else:
            self._phase = _Phase.GONE
            self._transport.abort()

    def _wait(self, seconds: float) -> None:
        self._until = self._house.now() + seconds
        self._house.wheel.wait(self, self._until)

    def _forget(self) -> None:
        self._house.wheel.forget(self)
        self._house.forget(self)

    def _proceed(self) -> None:
        try:
            self._advance()
        except HeadError as error:
            self._refuse(error.status)
        except Exception as exc:
            self._house.hub.fault(exc)
            self._transport.abort()

    def _advance(self) -> None:
        """Go through what is held as far as it reaches."""
        while self._held:
            if self._phase is _Phase.HEAD:
                end = heads.find_end(self._held)
                if end < 0:
                    return
                raw = bytes(self._held[:end])
                del self._held[:end]
                self._route(heads.parse(raw))
            elif self._phase is _Phase.BODY and self._link is not None:
                part = bytes(self._held[: self._body_left])
                del self._held[: len(part)]
                self._body_left -= len(part)
                self._link.feed(part)
                if not self._body_left:
                    self._phase = _Phase.RESPONSE
                    self._wait(RESPONSE_S)
            else:
                if len(self._held) > heads.MAX_HEAD_BYTES:
                    # Whoever sends ahead of the response waits; one read may be in here.
                    self._transport.pause_reading()
                return

    def _route(self, head: Head) -> None:
        house = self._house
        if head.path == CONNECT_PATH:
            if not head.wants_websocket or head.method != b"GET":
                raise HeadError(426)
            if head.length:
                raise HeadError(400)
            if not self._is_own(head) and head.origin not in house.limits.origins:
                raise HeadError(403)
            self._upgrade(head, self._source or self._find(head))
            return
        if head.length > MAX_BODY_BYTES:
            raise HeadError(413)
        # A kept-alive connection saves the peer the handshake, not the limit.
        if self._source is None or self._link is not None:
            source = self._source or self._find(head)
            if source.requests.take(house.now()):
                raise HeadError(429)
        if self._link is None:
            self._link = Link(house.inner, self._transport, self._responded)
        self._link.feed(heads.serialize(head))
        self._body_left = head.length
        self._phase = _Phase.BODY if head.length else _Phase.RESPONSE
        self._wait(BODY_S if head.length else RESPONSE_S)

    def _responded(self) -> None:
        """Go on with the next request: the response to the last one is written."""
        if self._phase is _Phase.RESPONSE:
            self._phase = _Phase.HEAD
            self._wait(KEEP_ALIVE_S)
            if not self._transport.is_closing():
                self._transport.resume_reading()
            self._proceed()

    def _find(self, head: Head) -> Source:
        """Return the source of a proxy's request."""
        house = self._house
        return house.sources.find(house.limits.proxies.client(self._peer, head.fields), house.now())

    def _is_own(self, head: Head) -> bool:
        """Tell whether the request comes from the relay's own page, or from no page at all."""
        if head.origin is None:
            return True
        scheme, _, host = head.origin.partition("://")
        port = {"http": ":80", "https": ":443"}.get(scheme)
        if port is None:
            return False
        # A name that was made to lead here is the Host of its page's requests, too: where the
        # operator has said what the relay is called, that alone counts.
        names = self._house.limits.names or (head.host,)
        own = {name.removesuffix(port) for name in names}
        return host.removesuffix(port) in own

    def _upgrade(self, head: Head, source: Source) -> None:
        response = shake_hands(head)
        if response is None:
            raise HeadError(400)
        house = self._house
        if self._source is None and house.sources.admit(source, house.now()):
            raise HeadError(429)
        if self._link is not None:
            self._link.detach()
            self._link = None
        self._transport.write(response)
        # A name is what an operator knows; the Host that was seen is what the peer says (R2).
        hosts = house.limits.names or (head.host,)
        socket = Socket(house.hub, self._transport, source, hosts)
        self._source = None
        self._phase = _Phase.GONE
        house.sockets.add(socket)
        self._forget()
        self._transport.set_protocol(socket)
        socket.open()
        if self._held:
            socket.data_received(bytes(self._held))
            self._held = bytearray()

    def _refuse(self, status: int) -> None:
        """Answer, and linger: closing at once would reset the connection under the answer."""
        self._house.metrics.heads_refused += 1
        if self._link is not None:
            self._link.detach()
            self._link = None
        phrase = http.HTTPStatus(status).phrase
        body = f"{status} {phrase}\n"
        lines = [f"HTTP/1.1 {status} {phrase}", "content-type: text/plain; charset=utf-8"]
        lines += [f"content-length: {len(body)}", "connection: close", *_SECURITY]
        if status in (429, 503):
            lines.append(f"retry-after: {RETRY_S}")
        if status == 426:
            lines[3] = "connection: upgrade, close"
            lines.append("upgrade: websocket")
        self._phase = _Phase.LINGER
        self._held = bytearray()
        self._transport.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        if self._transport.can_write_eof() and not self._transport.is_closing():
            # The peer may be gone without the transport knowing it yet.
            with contextlib.suppress(OSError):
                self._transport.write_eof()
        self._wait(LINGER_S)


def door_factory(house: House) -> Callable[[], Door]:
    """Return what asyncio calls for each accepted connection."""
    return lambda: Door(house)
