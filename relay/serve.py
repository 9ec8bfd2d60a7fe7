"""The running relay: builds its parts, listens, ticks, and drains when it is told to stop.

Knows where randomness, time and signals come from; the rules are everywhere else.
"""

import asyncio
import random
import secrets
import signal
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from hypercorn.typing import ASGIFramework

from relay import inner, log, process, rooms
from relay.app import create_app
from relay.broker.memory import MemoryBroker
from relay.clock import Clock
from relay.config import RelayConfig, descriptor_limit, read_ticket_key
from relay.door import door_factory
from relay.errors import ConfigError, ListenError
from relay.fanout import Fan, RoomChannel
from relay.house import DoorLimits, Guest, House
from relay.hub import Connection, Hub
from relay.limits import Rate
from relay.metrics import Metrics
from relay.outlet import SocketLimits
from relay.pressure import Pressure, judge
from relay.returns import Returns
from relay.session import SessionLimits
from relay.source import Sources
from relay.tickets import Tickets
from relay.tls import Certificate
from relay.wheel import TURN_S, Wheel
from relay.wire import NONCE_BYTES

if TYPE_CHECKING:
    from relay.broker.redis import RedisLog
    from relay.broker.shared import SharedBroker

BACKLOG = 1024
# The loop accepts so many at a time and decides about them two turns later: three times this and
# those being turned away must fit into the descriptors that the cap keeps free, or accept fails,
# and asyncio then retries without end.
ACCEPTS = 16
# A source's hash changes this often; limits of those who are here go on, counts of others start
# anew.
ROTATE_S = 3600.0
# Spread over this, the clients of a full relay come back at a rate that it can take.
RETRY_MS = (500, 5000)
DRAIN_S = 3.0
# What the system may hold for one peer beside what the relay does: left to itself it takes up to
# 4 MiB from a peer that does not read, in memory that no ceiling of ours counts, and the peer is
# not behind until that is full.
SEND_BYTES = 131_072
# What was sent to a peer and not acknowledged for so long: it is gone, and nobody will say so. Its
# seat is kept, and a client that is there after all comes back to it.
UNANSWERED_S = 20.0
# Memory is measured so often: what all sockets can take in within one such time must fit between
# the marks of pressure.
MEASURE_S = 0.5
# Giving back what is free takes up to a tenth of a second where much is held.
TRIM_S = 5.0
# What readers that were cut leave free stays within the process, in pieces. It takes a hundredth of
# a second to give that back, so that this comes no more often, however many are cut.
TIDY_S = 30.0
# Or if so much of what was said has grown old.
TIDY_BYTES = 4_194_304
# Under pressure a reader may be behind by this part of what it may be else.
TIGHT_SLOW = 8


class Relay:
    """One process's relay; needs a running loop."""

    def __init__(self, config: RelayConfig) -> None:
        inner.check()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log.loop_exception)
        cap = config.connection_cap(descriptor_limit())
        self._config = config
        self._loop = loop
        self._clock = Clock(loop.time)
        self._fan = Fan(loop.call_soon, self._fault)
        self._sockets: Wheel[Connection] = Wheel(self._clock.now())
        self._doors: Wheel[Guest] = Wheel(self._clock.now())
        key = read_ticket_key(config.ticket_key_file)
        tickets = Tickets(key)
        returns = Returns(tickets, time.time, self._clock.now() + config.restore_for)
        self._broker: MemoryBroker | SharedBroker
        self._log: RedisLog | None = None
        if config.broker and key is not None:
            self._broker, self._log = rooms.in_redis(
                config, key, tickets, returns, self._open_channel, self._clock, self._fault
            )
            self._sources: Sources = self._log.accounts.sources
        else:
            self._broker = rooms.in_memory(config, tickets, self._open_channel, self._clock)
            self._sources = Sources(rooms.source_limits(config), secrets.token_bytes(32))
        self._rotate_at = self._clock.now() + ROTATE_S
        self.metrics = Metrics()
        hub = Hub(
            broker=self._broker,
            wheel=self._sockets,
            clock=self._clock,
            metrics=self.metrics,
            session_limits=SessionLimits(
                messages=Rate(config.message_rate, config.message_burst),
                commits=rooms.interval(config.commit_interval, config.commit_burst),
                max_commit_bytes=config.max_commit_bytes,
                hello_s=config.hello_timeout,
            ),
            limits=SocketLimits(
                ping_s=config.ping_interval,
                dead_s=config.dead_after,
                slow_bytes=config.slow_bytes,
                slow_s=config.slow_after,
            ),
            nonce=lambda: secrets.token_bytes(NONCE_BYTES),
            fault=self._fault,
            returns=returns,
            closed=lambda closed: self._house.closed(closed),
        )
        self._inner = inner.Inner(cast(ASGIFramework, create_app(self._trouble)))
        self._house = House(
            hub,
            self._inner,
            self._sources,
            self._doors,
            DoorLimits(
                connections=cap,
                names=config.server_name,
                origins=frozenset(config.allow_origin),
                proxies=config.proxies(),
            ),
            Certificate(config.certfile, config.keyfile) if config.certfile else None,
        )
        self._ceiling = config.max_memory or process.derive_ceiling()
        self._pressure = Pressure.EASY
        self._measure_at = self._trim_at = self._tidy_at = self._clock.now()
        # How many readers had been cut at the last look, and when it was last tidied up.
        self._cut = self._cut_tidied = 0
        # The most that rooms have kept of what was said since then.
        self._kept = 0
        self._server: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> str:
        """Listen; return the address as an URL.

        Raises ListenError if that cannot be had, BrokerError if rooms cannot be kept.
        """
        if self._log is not None:
            await self._log.start(may_persist=bool(self._config.broker_may_persist))
        try:
            listener = await self._listen()
        except OSError as exc:
            raise ListenError(exc.strerror or "unknown error") from exc
        self._server = await self._loop.create_server(
            door_factory(self._house), sock=listener, backlog=ACCEPTS
        )
        listener.listen(BACKLOG)
        self._tick()
        bound = self._server.sockets[0]
        host, port = bound.getsockname()[:2]
        scheme = "https" if self._config.certfile else "http"
        name = f"[{host}]" if bound.family == socket.AF_INET6 else host
        return f"{scheme}://{name}:{port}"

    def reload(self) -> None:
        """Read the certificate again; one that cannot be used changes nothing."""
        certificate = self._house.certificate
        if certificate is not None:
            try:
                certificate.reload()
            except ConfigError:
                log.warn("the new certificate cannot be used; the old one stays")

    async def stop(self) -> None:
        """Tell everybody to come back, each at another moment, and end within DRAIN_S."""
        house = self._house
        house.drain()
        if self._server is not None:
            self._server.close()
        await self._inner.stop()
        self._fan.flush()
        for drained in list(house.sockets):
            drained.drain(random.randint(*RETRY_MS))
        try:
            await asyncio.wait_for(house.is_empty.wait(), DRAIN_S)
        except TimeoutError:
            house.abort()
        await asyncio.sleep(0)
        if self._log is not None:
            await self._log.stop()
        if self._timer is not None:
            self._timer.cancel()

    async def _listen(self) -> socket.socket:
        host, port = self._config.host, self._config.port
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._config.reuse_port:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # Accepted connections inherit them.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
            listener.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNANSWERED_S * 1000)
            )
            listener.bind(address)
        except OSError:
            listener.close()
            raise
        return listener

    def _open_channel(self) -> RoomChannel:
        return RoomChannel(self._fan)

    def _trouble(self) -> str:
        return "" if self._log is None else self._log.trouble

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TURN_S, self._tick)
        now = self._clock.tick()
        self._guard(self._broker.expire, now)
        for socket_ in self._sockets.advance(now):
            self._guard(socket_.expire, now)
        for door in self._doors.advance(now):
            self._guard(door.expire, now)
        if now >= self._measure_at:
            self._measure_at = now + MEASURE_S
            self._measure()
            self._tidy(now)
        if self._log is None and now >= self._rotate_at:
            self._rotate_at = now + ROTATE_S
            self._sources.rotate(secrets.token_bytes(32))

    def _measure(self) -> None:
        """Look how much memory is left, and give up what there is least need of."""
        if not self._ceiling:
            return
        pressure = judge(process.resident_bytes(), self._ceiling, self._pressure)
        if pressure is Pressure.EASY is self._pressure:
            return
        if pressure > self._pressure:
            log.warn("memory is short: no new rooms, or connections, until there is more")
        self._pressure = pressure
        self._house.is_full = pressure is Pressure.FULL
        self._broker.relieve(pressure)
        if pressure is Pressure.FULL:
            for socket_ in list(self._house.sockets):
                socket_.shed(self._config.slow_bytes // TIGHT_SLOW)
        now = self._clock.now()
        if pressure is Pressure.FULL or now >= self._trim_at:
            # What is free in here counts as taken out there: no room would be let in again.
            self._trim_at = now + TRIM_S
            process.trim()

    def _tidy(self, now: float) -> None:
        """Give back what readers have left that were cut, once no more of them are, and old frames.

        Else a relay whose rooms fall silent stays as large as they were when they talked.
        """
        before, self._cut = self._cut, self.metrics.slow
        kept = self._broker.kept_bytes
        self._kept = max(self._kept, kept)
        is_calm = self._cut == before != self._cut_tidied
        if (is_calm or kept <= self._kept - TIDY_BYTES) and now >= self._tidy_at:
            self._cut_tidied, self._kept = before, kept
            self._tidy_at = now + TIDY_S
            process.trim()

    def _guard(self, expire: Callable[[float], None], now: float) -> None:
        try:
            expire(now)
        except Exception as exc:  # One connection's fault must not stop the clock of all.
            self._fault(exc)

    def _fault(self, exc: Exception) -> None:
        self.metrics.faults += 1
        log.fault(exc)


async def run(config: RelayConfig, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    process.forbid_dumps()
    process.return_memory()
    process.lock_memory()
    relay = Relay(config)
    loop.add_signal_handler(signal.SIGHUP, relay.reload)
    address = await relay.start()
    process.settle()
    announce(address)
    await stop.wait()
    await relay.stop()
