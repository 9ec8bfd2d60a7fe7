"""Completeness: what each sender's counter says of what arrived (R30, R33).

Knows counters, duplicates, holes and order; knows nothing of keys but that they name a sender.
Pulses and repair will fill holes here; until then a hole closes by time.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

HOLD_S = 10.0
# A sender whose relay withheld more than this gets no more held back: memory over completeness.
MAX_HELD = 64
# Digests kept per sender to tell a duplicate from an equivocation; as far back as repair will go.
MAX_REMEMBERED = 64
# Senders remembered after they left, so that a message resent after a rejoin is still known.
MAX_SENDERS = 512

T = TypeVar("T")


@dataclass(frozen=True)
class Verdict(Generic[T]):
    """What to show now: ``items`` in order, before them a hole of ``missing`` if not 0."""

    items: tuple[T, ...] = ()
    missing: int = 0
    equivocation: bool = False


@dataclass
class _Sender(Generic[T]):
    next: int
    held: dict[int, T] = field(default_factory=dict)
    held_since: float | None = None
    digests: OrderedDict[int, bytes] = field(default_factory=OrderedDict)


class Ledger(Generic[T]):
    """Every sender's account, by signature key."""

    def __init__(self) -> None:
        self._senders: OrderedDict[bytes, _Sender[T]] = OrderedDict()

    def begin(self, key: bytes, base: int) -> None:
        """Open a sender's account, unless it is open: what comes first bears ``base`` + 1.

        For a sender whose coming we saw that is 1; for all others the base of what we first get of
        them says what was before our time.
        """
        if key not in self._senders:
            self._senders[key] = _Sender(next=base + 1)
            if len(self._senders) > MAX_SENDERS:
                self._senders.popitem(last=False)

    def take(
        self, key: bytes, counter: int, base: int, digest: bytes, item: T, now: float
    ) -> Verdict[T]:
        """Account for one content; ``base`` below ``counter``. ``digest`` names what it says."""
        self.begin(key, base)
        sender = self._senders[key]
        known = sender.digests.get(counter)
        if known is not None or counter < sender.next:
            # An empty digest (a void, an unknown type) contradicts nothing.
            return Verdict(equivocation=bool(known and digest) and known != digest)
        sender.digests[counter] = digest
        while len(sender.digests) > MAX_REMEMBERED:
            sender.digests.popitem(last=False)
        sender.held[counter] = item
        missing = 0
        if base >= sender.next:
            # What was ordered before this epoch cannot come by itself any more.
            missing = sum(n not in sender.held for n in range(sender.next, base + 1))
            items = [sender.held.pop(n) for n in sorted(sender.held) if n <= base]
            sender.next = base + 1
            return Verdict((*items, *_drain(sender, now)), missing)
        if len(sender.held) > MAX_HELD:
            return self._skip(sender, now)
        return Verdict(tuple(_drain(sender, now)))

    def deadline(self) -> float | None:
        """Return when the next hole must be given up."""
        times = [s.held_since + HOLD_S for s in self._senders.values() if s.held_since is not None]
        return min(times, default=None)

    def expire(self, now: float) -> list[tuple[bytes, Verdict[T]]]:
        """Give up every hole that is due; return each sender's key and what to show."""
        return [
            (key, self._skip(sender, now))
            for key, sender in self._senders.items()
            if sender.held_since is not None and sender.held_since + HOLD_S <= now
        ]

    def _skip(self, sender: _Sender[T], now: float) -> Verdict[T]:
        first = min(sender.held)
        missing, sender.next = first - sender.next, first
        return Verdict(tuple(_drain(sender, now)), missing)


def _drain(sender: _Sender[T], now: float) -> list[T]:
    items = []
    while sender.next in sender.held:
        items.append(sender.held.pop(sender.next))
        sender.next += 1
    if not sender.held:
        sender.held_since = None
    elif items or sender.held_since is None:
        sender.held_since = now
    return items
