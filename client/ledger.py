"""Completeness: what each sender's counter says of what arrived (R30, R33).

Knows counters, duplicates, holes and order; knows nothing of keys but that they name a sender. A
hole is a counter that its sender's own frames say exists and that did not come; what others say
is worth asking for, but proves nothing.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

HOLD_S = 10.0
# While its sender fills a hole there is more to come: it has one frame a second for all who ask.
MAX_HOLD_S = 30.0
# A sender whose relay withheld more than this gets no more held back: memory over completeness.
MAX_HELD = 64
# Digests kept per sender to tell a duplicate from an equivocation; as far back as repair goes.
MAX_REMEMBERED = 64
# Senders remembered after they left, so that a message resent after a rejoin is still known.
MAX_SENDERS = 512
# What is asked for: the next counters, each so often (R32).
MAX_WANTED = 64
MAX_ASKS = 3
# So long after a hole was given up nothing behind it is confirmed: its sender, who keeps what it
# said for 120 s from when it learns that it was ordered, would take the hole for filled.
LOST_S = 240.0

T = TypeVar("T")


@dataclass(frozen=True)
class Gap:
    """``count`` contents in a row that did not come, in their place."""

    count: int


@dataclass(frozen=True)
class Verdict(Generic[T]):
    """What to show now, in the sender's order."""

    shown: tuple[T | Gap, ...] = ()
    equivocation: bool = False


@dataclass
class _Sender(Generic[T]):
    next: int
    # Where the account begins, and the last counter that was shown of it.
    first: int
    shown: int = 0
    before: set[int] = field(default_factory=set)
    # How far its own frames say that it counted, each with the time when that was first seen.
    horizons: deque[tuple[int, float]] = field(default_factory=deque)
    rumoured: int = 0
    held: dict[int, T] = field(default_factory=dict)
    digests: OrderedDict[int, bytes] = field(default_factory=OrderedDict)
    asks: dict[int, int] = field(default_factory=dict)
    lost: tuple[int, float] | None = None
    # Until then its contents wait for what it may have said to us before its first that we heard.
    waits: float | None = None
    early: dict[int, T] = field(default_factory=dict)
    # When it last sent a repair, to whomever.
    mended: float = float("-inf")

    def until(self, since: float) -> float:
        """Return how long a hole that is known ``since`` then is held for."""
        return min(max(since, self.mended) + HOLD_S, since + MAX_HOLD_S)

    def attest(self, last: int, now: float) -> None:
        known = self.horizons[-1][0] if self.horizons else self.next - 1
        # Its own word is the last: whoever claimed more has not told the truth.
        self.rumoured = min(self.rumoured, last)
        if last > known:
            self.horizons.append((last, now))
            # What was asked for on a rumour is asked for anew, now that it is known to exist.
            self.asks = {n: asks for n, asks in self.asks.items() if not known < n <= last}
            if len(self.horizons) > MAX_HELD:
                # More steps than that are one: the older time of two neighbours is the safe one.
                (_, at), (further, _) = self.horizons.popleft(), self.horizons.popleft()
                self.horizons.appendleft((further, at))

    def remember(self, counter: int, digest: bytes) -> None:
        self.digests[counter] = digest
        while len(self.digests) > MAX_REMEMBERED:
            self.digests.popitem(last=False)

    def drain(self) -> list[T | Gap]:
        """Take out what is next, and everything that follows it without a hole."""
        items: list[T | Gap] = []
        while self.next in self.held:
            items.append(self.held.pop(self.next))
            self.shown = self.next
            self.next += 1
        self.advanced()
        return items

    def release(self) -> list[T | Gap]:
        """Wait no more for what came before: take out what there is, in its order."""
        self.waits = None
        items: list[T | Gap] = []
        for counter in sorted(self.early):
            items.append(self.early.pop(counter))
            self.reached(counter)
        return items + self.drain()

    def reached(self, counter: int) -> None:
        """Count from ``counter`` on, if nothing is missing between it and where we count from."""
        self.shown = counter
        self.before.add(counter)
        while self.first - 1 in self.before:
            self.first -= 1
            self.before.discard(self.first)

    def skip(self, last: int, now: float) -> list[T | Gap]:
        """Give up every hole up to ``last``; take out what is there, gaps in their place."""
        if self.lost is None or self.lost[1] <= now:
            self.lost = (self.next, now + LOST_S)
        else:
            self.lost = (self.lost[0], now + LOST_S)
        items: list[T | Gap] = []
        for counter in sorted(n for n in self.held if n <= last):
            if counter > self.next:
                items.append(Gap(counter - self.next))
            items.append(self.held.pop(counter))
            self.shown, self.next = counter, counter + 1
        if last >= self.next:
            items.append(Gap(last + 1 - self.next))
            self.next = last + 1
        return items + self.drain()

    def advanced(self) -> None:
        while self.horizons and self.horizons[0][0] < self.next:
            self.horizons.popleft()
        for counter in [n for n in self.asks if n < self.next]:
            del self.asks[counter]

    def wanted(self) -> list[int]:
        """What may still be asked for, of the next counters that there must or may be."""
        last = max(self.horizons[-1][0] if self.horizons else 0, self.rumoured)
        last = min(last, self.next + MAX_WANTED - 1)
        # What it may have said to us before the first that we heard: it knows what of that is ours.
        before = range(max(1, self.first - MAX_WANTED), 0 if self.waits is None else self.first)
        return [
            n
            for n in (*before, *range(self.next, last + 1))
            if n not in self.early and n not in self.held and self.asks.get(n, 0) < MAX_ASKS
        ]


class Ledger(Generic[T]):
    """Every sender's account, by signature key."""

    def __init__(self) -> None:
        self._senders: OrderedDict[bytes, _Sender[T]] = OrderedDict()

    def begin(self, key: bytes, base: int, until: float | None = None) -> None:
        """Open a sender's account, unless it is open: what comes first bears ``base`` + 1.

        The base of what we first get of a sender says what was before our time, or before its own
        coming: whoever comes back under its key goes on counting. Where it may also be that we
        missed something, what comes is held back for it ``until`` then (R33).
        """
        if key not in self._senders:
            waits = until if base else None
            self._senders[key] = _Sender(next=base + 1, first=base + 1, waits=waits)
        self._senders.move_to_end(key)
        if len(self._senders) > MAX_SENDERS:
            self._senders.popitem(last=False)

    def take(
        self, key: bytes, counter: int, base: int, digest: bytes, item: T, now: float
    ) -> Verdict[T]:
        """Account for one content; ``base`` below ``counter``. ``digest`` names what it says."""
        self.begin(key, base)
        sender = self._senders[key]
        sender.attest(counter, now)
        return self._put(sender, counter, digest, item, now)

    def repaired(self, key: bytes, counter: int, digest: bytes, item: T, now: float) -> Verdict[T]:
        """Fill a hole with what its sender sent again; what was no hole is a duplicate."""
        sender = self._senders.get(key)
        if sender is None or counter >= sender.next + MAX_WANTED:
            return Verdict()
        if counter < sender.first and counter not in sender.digests:
            return self._reach_back(sender, counter, digest, item)
        return self._put(sender, counter, digest, item, now)

    def _reach_back(self, sender: _Sender[T], counter: int, digest: bytes, item: T) -> Verdict[T]:
        """Take what was said to us before the first that we heard, while that keeps the order.

        Its sender knows that we should have it; we could not.
        """
        sender.remember(counter, digest)
        if sender.waits is not None:
            sender.early[counter] = item
            is_all = len(sender.early) == sender.first - 1 or len(sender.early) > MAX_HELD
            return Verdict(tuple(sender.release())) if is_all else Verdict()
        if counter <= sender.shown:
            return Verdict((Gap(1),))
        sender.reached(counter)
        return Verdict((item,))

    def _put(
        self, sender: _Sender[T], counter: int, digest: bytes, item: T, now: float
    ) -> Verdict[T]:
        known = sender.digests.get(counter)
        if known is not None or counter < sender.next:
            # An empty digest (void, unknown type) contradicts nothing; to be told once will do.
            if not (known and digest) or known == digest:
                return Verdict()
            sender.digests[counter] = b""
            return Verdict(equivocation=True)
        sender.remember(counter, digest)
        sender.held[counter] = item
        if sender.waits is not None:
            is_full = len(sender.held) > MAX_HELD
            return Verdict(tuple(sender.release())) if is_full else Verdict()
        if counter > sender.next and len(sender.held) > MAX_HELD:
            return Verdict(tuple(sender.skip(min(sender.held), now)))
        return Verdict(tuple(sender.drain()))

    def attest(self, key: bytes, last: int, base: int, now: float) -> None:
        """Note what a sender says of itself without counting: that it has counted to ``last``."""
        self.begin(key, base)
        self._senders[key].attest(last, now)

    def mending(self, key: bytes, now: float) -> None:
        """Note that a sender sends again what some lack: what we lack may come next (R33)."""
        sender = self._senders.get(key)
        if sender is not None:
            sender.mended = now

    def rumour(self, key: bytes, last: int) -> None:
        """Note that somebody else says to have a sender's contents up to ``last``."""
        sender = self._senders.get(key)
        if sender is not None:
            sender.rumoured = max(sender.rumoured, last)

    def knows(self, key: bytes) -> bool:
        """Say whether a sender has an account."""
        return key in self._senders

    def received(self, key: bytes, now: float) -> tuple[int, int] | None:
        """Return from where we count, and up to where nothing of a sender is missing since.

        The second is one less than the first where nothing came. None if the sender is unknown.
        """
        sender = self._senders.get(key)
        if sender is None:
            return None
        if sender.lost is not None and now < sender.lost[1]:
            return sender.first, max(sender.lost[0], sender.first) - 1
        return sender.first, sender.next - 1

    def wants(self, key: bytes) -> bool:
        """Say whether there is something of this sender to ask for."""
        sender = self._senders.get(key)
        return sender is not None and bool(sender.wanted())

    def wanted(self) -> dict[bytes, list[int]]:
        """Return the counters that are worth asking for, by sender."""
        wanted = {key: sender.wanted() for key, sender in self._senders.items()}
        return {key: counters for key, counters in wanted.items() if counters}

    def asked(self, key: bytes, first: int, last: int) -> None:
        """Count that a request for a sender's counters was ordered."""
        sender = self._senders.get(key)
        if sender is None:
            return
        oldest = sender.next if sender.waits is None else 1
        for counter in range(max(first, oldest), last + 1):
            sender.asks[counter] = sender.asks.get(counter, 0) + 1

    def deadline(self, is_awaited: Callable[[bytes], bool]) -> float | None:
        """Return when the next hole must be given up."""
        times = []
        for key, sender in self._senders.items():
            if sender.waits is not None:
                times.append(sender.until(sender.waits - HOLD_S))
            elif sender.horizons and (sender.held or not is_awaited(key)):
                times.append(sender.until(sender.horizons[0][1]))
        return min(times, default=None)

    def expire(
        self, now: float, is_awaited: Callable[[bytes], bool]
    ) -> list[tuple[bytes, Verdict[T]]]:
        """Give up every hole that is due; return each sender's key and what to show.

        A hole of a sender that ``is_awaited`` (it is away, and may come back) and that holds
        nothing back costs nobody anything: it waits for its sender.
        """
        verdicts = []
        for key, sender in self._senders.items():
            items: list[T | Gap] = []
            if sender.waits is not None:
                if sender.until(sender.waits - HOLD_S) > now:
                    continue
                items = sender.release()
            due = [last for last, since in sender.horizons if sender.until(since) <= now]
            if due and (sender.held or not is_awaited(key)):
                items += sender.skip(max(due), now)
            if items:
                verdicts.append((key, Verdict(tuple(items))))
        return verdicts

    def clear(self) -> None:
        """Forget everything."""
        self._senders.clear()

    def resume(self, now: float, key: bytes | None = None) -> None:
        """Count the time of every hole, or of one sender's, and what was asked, anew (R33).

        Nothing could come while we, or that sender, had no seat; an answer on its way is lost.
        """
        for owner, sender in self._senders.items():
            if key in (None, owner):
                sender.asks.clear()
                sender.horizons = deque((last, now) for last, _ in sender.horizons)
                if sender.waits is not None:
                    sender.waits = now + HOLD_S
