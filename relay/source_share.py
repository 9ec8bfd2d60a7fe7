"""Limits per source over several nodes: each tells the others what its sources took, and is told.

Knows the table and numbers in accounts; nodes have names here, and how an account travels and is
kept from others is the broker's. A limit holds for all nodes together, but for what they give
between two accounts: that is owed, and has to be waited for.
"""

import struct
from collections.abc import Iterator

from relay.limits import CountedBucket
from relay.source import Source, SourceId, SourceLimits, Sources

# Once in so many accounts a node tells all that it has open, for whoever has missed something.
WHOLE = 10
# Of one message; what is more goes in another.
MAX_ENTRIES = 1024
# The period, whose key names sources; whether what was told of open connections before is void.
_HEAD = struct.Struct("!Q?")
# Who; how many connections are open; connections, requests, messages since the account before.
_ENTRY = struct.Struct("!16sIIII")


class SharedSource(Source):
    """One that says when there is something to be told of it."""

    __slots__ = ("_identity", "_table")

    def __init__(self, table: "SharedSources", identity: SourceId, limits: SourceLimits) -> None:
        super().__init__(limits, lambda rate: CountedBucket(rate, self.touch))
        self._table = table
        self._identity = identity

    def touch(self) -> None:
        """Be part of the next account."""
        self._table.touch(self._identity, self)

    def entry(self) -> bytes:
        """Return what is to be told, and count anew."""
        buckets = self.connections, self.requests, self.messages
        counts = [one.count() for one in buckets if isinstance(one, CountedBucket)]
        return _ENTRY.pack(self._identity, self.open, *counts)


class SharedSources(Sources):
    """The table of one node. An address has one name on all nodes, in one ``period``."""

    __slots__ = ("_accounts", "_changed", "_period", "_told")

    def __init__(self, limits: SourceLimits, key: bytes, period: int) -> None:
        super().__init__(limits, key)
        self._period = period
        self._changed: dict[SourceId, SharedSource] = {}
        # What each other node has open.
        self._told: dict[bytes, dict[SourceId, int]] = {}
        self._accounts = 0

    def begin(self, key: bytes, period: int) -> None:
        """Begin another period: see Sources.rotate."""
        self.rotate(key)
        self._period = period
        self._changed = {}
        self._told = {}

    def release(self, source: Source) -> None:
        """See Sources."""
        super().release(source)
        if isinstance(source, SharedSource):
            source.touch()

    def touch(self, identity: SourceId, source: SharedSource) -> None:
        """Tell of this source next time, unless it is of a period that is over."""
        if self._table.get(identity) is source:
            self._changed[identity] = source

    def tell(self) -> Iterator[bytes]:
        """Return the next account, in parts; its period comes with it."""
        self._accounts += 1
        is_whole = self._accounts % WHOLE == 1
        if is_whole:
            for source in self._table.values():
                if source.open and isinstance(source, SharedSource):
                    source.touch()
        changed, self._changed = list(self._changed.values()), {}
        for start in range(0, len(changed) or is_whole, MAX_ENTRIES):
            head = _HEAD.pack(self._period, is_whole and start == 0)
            yield head + b"".join(one.entry() for one in changed[start : start + MAX_ENTRIES])

    def heard(self, node: bytes, account: bytes, now: float) -> None:
        """Be charged with what another node gave; raise struct.error if that is no account."""
        period, is_whole = _HEAD.unpack_from(account)
        entries = _ENTRY.iter_unpack(account[_HEAD.size :])
        if period != self._period:
            return
        if is_whole:
            self.gone(node)
        told = self._told.setdefault(node, {})
        for name, opened, connections, requests, messages in entries:
            source = self._at(SourceId(name), now)
            if source is None:
                continue
            source.elsewhere += opened - told.pop(name, 0)
            if opened:
                told[name] = opened
            source.connections.owe(connections, now)
            source.requests.owe(requests, now)
            source.messages.owe(messages, now)

    def gone(self, node: bytes) -> None:
        """Nothing is open there any more."""
        for name, opened in self._told.pop(node, {}).items():
            self._table[name].elsewhere -= opened

    def alive(self, nodes: set[bytes]) -> None:
        """Only these nodes are there."""
        for node in self._told.keys() - nodes:
            self.gone(node)

    def _at(self, name: SourceId, now: float) -> Source | None:
        """Return the entry of this name; None if it has none and there is no place for another."""
        source = self._table.get(name)
        if source is None and self._has_place(now):
            source = self._table[name] = self._new(name)
        return source

    def _new(self, identity: SourceId) -> Source:
        # The entry that many share when there is no place is no source.
        return SharedSource(self, identity, self._limits) if identity else super()._new(identity)
