"""What the machine knows and a connection does not: it slept, or its network is another (shell).

Knows one clock and one kind of socket; knows no connection. A sign may be false, so whoever is
called only looks whether the connection still stands.
"""

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Callable

# How often we look at the clock, and how much later than asked for means that we did not run.
TICK_S = 2.0
SLEPT_S = 3.0
# Signs come in bursts (link down, address gone, route gone, link up, ...): one call for all of one,
# so much after its first; and not more often, for some networks are never quiet.
SETTLE_S = 1.0
CALM_S = 3.0
# Of linux/rtnetlink.h: link, addresses and routes, of IPv4 and IPv6.
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
_MESSAGE_BYTES = 65_536
# What is read at one go: a router's table may change faster than we can read.
_MESSAGES = 64
# CLOCK_MONOTONIC stands still on Linux while the machine sleeps; elsewhere it does not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def wakeful_time() -> float:
    """Return seconds that also pass while the machine sleeps; they begin anywhere."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


class Awake:
    """Calls ``call`` after a sleep or a change of the network, from `start` until `stop`."""

    def __init__(self, call: Callable[[], None], clock: Callable[[], float] = wakeful_time) -> None:
        self._call = call
        self._clock = clock
        self._looked_at = 0.0
        self._called_at: float | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._pending: asyncio.TimerHandle | None = None
        self._netlink: socket.socket | None = None

    def start(self) -> None:
        """Begin to watch; where the system does not tell of its network, the clock alone."""
        self._wait()
        self._netlink = _open_netlink()
        if self._netlink is not None:
            asyncio.get_running_loop().add_reader(self._netlink, self._read)

    def stop(self) -> None:
        """Call no more."""
        for timer in (self._tick, self._pending):
            if timer is not None:
                timer.cancel()
        self._tick = self._pending = None
        self._close_netlink()

    def _wait(self) -> None:
        self._looked_at = self._clock()
        self._tick = asyncio.get_running_loop().call_later(TICK_S, self._look)

    def _look(self) -> None:
        if self._clock() - self._looked_at >= TICK_S + SLEPT_S:
            self._sign(0.0)
        self._wait()

    def _read(self) -> None:
        assert self._netlink is not None
        try:
            for _ in range(_MESSAGES):
                self._netlink.recv(_MESSAGE_BYTES)
        except BlockingIOError:
            pass
        except OSError as exc:
            # More changes than its buffer holds are a change. Anything else would come forever.
            if exc.errno != errno.ENOBUFS:
                self._close_netlink()
        self._sign(SETTLE_S)

    def _sign(self, settle_s: float) -> None:
        """Call soon, once for all signs until then."""
        if self._pending is not None:
            return
        loop = asyncio.get_running_loop()
        at = loop.time() + settle_s
        if self._called_at is not None:
            at = max(at, self._called_at + CALM_S)
        self._pending = loop.call_at(at, self._settled)

    def _settled(self) -> None:
        self._pending = None
        self._called_at = asyncio.get_running_loop().time()
        self._call()

    def _close_netlink(self) -> None:
        if self._netlink is not None:
            asyncio.get_running_loop().remove_reader(self._netlink)
            self._netlink.close()
            self._netlink = None


def _open_netlink() -> socket.socket | None:
    """Open a socket that is told of every change; None where there is none or we may not."""
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        return None
    netlink = None
    with contextlib.suppress(OSError):
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        netlink = socket.socket(family, kind, socket.NETLINK_ROUTE)
        netlink.bind((0, _GROUPS))
        return netlink
    if netlink is not None:
        netlink.close()
    return None
