"""Where connections come from, as a keyed hash: limits per source without keeping an address.

Knows counts and buckets per source; the key is an argument, rotates and lives in memory only.
"""

import hashlib
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import NewType

from relay.limits import Bucket, Rate

SourceId = NewType("SourceId", bytes)

# A table entry is about 600 bytes; beyond this many sources the table is swept, and if that frees
# nothing, newcomers share one entry: a flood of sources limits itself and nobody who is here.
MAX_SOURCES = 65_536
# A sweep looks at every entry: not once for each newcomer of a flood.
SWEEP_S = 10.0
_EVERYBODY = SourceId(b"")
# One page is about sixty files on six connections: those who may open a hundred connections at
# once may fetch the page about as often as the connections allow.
REQUESTS_PER_CONNECTION = 10


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """``open_connections`` 0 means no limit."""

    connections: Rate
    messages: Rate
    open_connections: int

    @property
    def requests(self) -> Rate:
        """What all connections together may ask for."""
        rate, times = self.connections, REQUESTS_PER_CONNECTION
        return Rate(rate.per_s * times, rate.burst * times)


def source_id(key: bytes, address: str) -> SourceId:
    """Hash the prefix of an address: IPv4 /32, IPv6 /64, whatever else as it stands."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        prefix = address.encode("utf-8", "surrogateescape")
    else:
        if isinstance(ip, ipaddress.IPv6Address):
            mapped = ip.ipv4_mapped
            prefix = ip.packed[:8] if mapped is None else mapped.packed
        else:
            prefix = ip.packed
    return SourceId(hashlib.blake2b(prefix, key=key, digest_size=16).digest())


class Source:
    """What one source has open, here and (as far as is known) elsewhere, and may still do."""

    __slots__ = ("connections", "elsewhere", "messages", "open", "requests")

    def __init__(self, limits: SourceLimits, new: Callable[[Rate], Bucket] = Bucket) -> None:
        self.connections = new(limits.connections)
        self.requests = new(limits.requests)
        self.messages = new(limits.messages)
        self.open = 0
        self.elsewhere = 0


class Sources:
    """The table of sources under one key at a time."""

    __slots__ = ("_key", "_limits", "_swept", "_table")

    def __init__(self, limits: SourceLimits, key: bytes) -> None:
        self._limits = limits
        self._key = key
        self._table: dict[SourceId, Source] = {}
        self._swept = -SWEEP_S

    def __len__(self) -> int:
        return len(self._table)

    def rotate(self, key: bytes) -> None:
        """Forget the old key; open connections go on under what they hold.

        The cost accepted: a source that has connections open may open as many again.
        """
        self._key = key
        self._table = {}

    def find(self, address: str, now: float) -> Source:
        """Return the entry of an address, a new one if there is none."""
        identity = source_id(self._key, address)
        source = self._table.get(identity)
        if source is not None:
            return source
        if not self._has_place(now):
            identity = _EVERYBODY
        return self._table.setdefault(identity, self._new(identity))

    def _has_place(self, now: float) -> bool:
        if len(self._table) >= MAX_SOURCES and now - self._swept >= SWEEP_S:
            self._sweep(now)
        return len(self._table) < MAX_SOURCES

    def _new(self, identity: SourceId) -> Source:
        return Source(self._limits)

    def admit(self, source: Source, now: float) -> float:
        """Count one more open connection and return 0.0, or return the seconds to stay away."""
        limit = self._limits.open_connections
        if limit and source.open + source.elsewhere >= limit:
            return 1.0
        wait = source.connections.take(now)
        if wait == 0.0:
            source.open += 1
        return wait

    def release(self, source: Source) -> None:
        """Count one open connection less."""
        source.open -= 1

    def _sweep(self, now: float) -> None:
        """Drop every entry that limits nothing."""
        self._swept = now
        self._table = {
            identity: source
            for identity, source in self._table.items()
            if source.open
            or source.elsewhere
            or not source.connections.is_full(now)
            or not source.requests.is_full(now)
            or not source.messages.is_full(now)
        }
