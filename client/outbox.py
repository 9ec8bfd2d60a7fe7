"""What `send` accepted and the relay has not ordered yet: order, retries and pace (R16, R22, R24).

Knows references, counters and the session's budget; never sees a key or a sealed byte.
"""

from collections import deque
from dataclasses import dataclass, field

from client.errors import LimitError

# A member tries one message this often before it says "not sent" (R22).
MAX_TRIES = 8
# Posts on their way at once. Small, so that a refusal in the middle disturbs little of the order.
WINDOW = 8
# What a program may queue before `send` refuses: 500 characters each, so about 2 MB at most.
MAX_PENDING = 1024
# A message younger than this goes out even if somebody has joined since (R24).
GRACE_S = 3.0
# A token that is there but for rounding is there: else the wait for it could be of length zero.
_EPSILON = 1e-9


@dataclass
class Pending:
    """One content on its way: a text, else a bare nickname, else a void.

    ``counter`` is given at the first try and kept (R30); ``fence`` is that of the last try while
    its answer is awaited, None while the message waits here. ``strict`` asks before it goes to
    somebody who came after it was sent; ``exposed`` says that somebody has (R24).
    """

    reference: bytes
    text: str | None
    nick: str | None
    sent_at: float
    strict: bool = False
    exposed: bool = False
    counter: int | None = None
    fence: int | None = None
    tries: int = 0

    @property
    def is_void(self) -> bool:
        """Whether only its counter is left to be sent."""
        return self.text is None and self.nick is None

    def must_hold(self, now: float) -> bool:
        """Say whether a person must be asked before this goes out (R24)."""
        return self.strict and self.exposed and self.sent_at + GRACE_S <= now


@dataclass
class Budget:
    """The session's token bucket, kept on this side too so that nothing need be refused."""

    rate: float = 0.0
    burst: int = 1
    tokens: float = 1.0
    at: float = 0.0

    def take(self, now: float) -> bool:
        """Use one token if there is one; a rate of 0 has no limit."""
        if self.rate == 0:
            return True
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1 - _EPSILON:
            return False
        self.tokens -= 1
        return True

    def ready_at(self, now: float) -> float:
        """Return when the next token is there."""
        if self.rate == 0:
            return now
        tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        return now if tokens >= 1 - _EPSILON else now + (1 - tokens) / self.rate


@dataclass
class Outbox:
    """All pending contents of one stay, oldest first."""

    budget: Budget = field(default_factory=Budget)
    _ordered: int = 0
    _queue: deque[Pending] = field(default_factory=deque)
    _counter: int = 0
    _not_before: float = 0.0

    @property
    def base(self) -> int:
        """The last counter up to which everything of ours is ordered (R30)."""
        waiting = [p.counter for p in self._queue if p.counter is not None]
        return min(waiting) - 1 if waiting else self._ordered

    def add(self, pending: Pending) -> None:
        """Queue one content; raise LimitError when too many wait."""
        if len(self._queue) >= MAX_PENDING:
            raise LimitError("too many messages are waiting to be sent")
        self._queue.append(pending)

    def __len__(self) -> int:
        return len(self._queue)

    def next(self, now: float) -> Pending | None:
        """Return the next content to try now; None while it must wait."""
        if now < self._not_before:
            return None
        flying = 0
        for pending in self._queue:
            if pending.fence is not None:
                flying += 1
                continue
            if flying >= WINDOW or not self.budget.take(now):
                return None
            return pending
        return None

    def sent(self, pending: Pending, fence: int) -> int:
        """Note a try at ``fence``; return the counter, the same for all tries (R30)."""
        if pending.counter is None:
            self._counter += 1
            pending.counter = self._counter
        pending.fence = fence
        pending.tries += 1
        return pending.counter

    def deadline(self, now: float) -> float | None:
        """Return when ``next`` may have something, None while all wait for answers or none is."""
        if all(pending.fence is not None for pending in self._queue):
            return None
        if sum(pending.fence is not None for pending in self._queue) >= WINDOW:
            return None
        return max(self._not_before, self.budget.ready_at(now))

    def accepted(self, reference: bytes) -> Pending | None:
        """Take out what the relay has ordered."""
        pending = self._take(reference)
        if pending is not None and pending.counter is not None:
            self._ordered = max(self._ordered, pending.counter)
        return pending

    def refused(self, reference: bytes, retry_at: float) -> None:
        """Wait with everything until ``retry_at``: what is behind must not overtake."""
        self._not_before = max(self._not_before, retry_at)
        for pending in self._queue:
            if pending.reference == reference:
                pending.fence = None

    def stale(self, reference: bytes, fence: int) -> None:
        """Note a stale answer, which carries the room's ``fence``.

        An answer to an older try than the last, known by that fence, changes nothing.
        """
        for pending in self._queue:
            if pending.reference == reference and pending.fence is not None:
                pending.fence = pending.fence if pending.fence >= fence else None

    def fence_moved(self) -> None:
        """Every try still unanswered was for an older fence and is refused: try again."""
        for pending in self._queue:
            pending.fence = None

    def lost(self) -> None:
        """The connection is gone: what was on its way goes again, with its reference (R29)."""
        self.fence_moved()
        self._not_before = 0.0
        for pending in self._queue:
            pending.tries = 0

    def newcomer(self) -> None:
        """A new signature key entered: whatever still waits would reach it too (R24)."""
        for pending in self._queue:
            pending.exposed = True

    def give_up(self, pending: Pending) -> None:
        """Never send what ``pending`` says; a void takes its counter, if it had one.

        The reference stays: if an earlier try was ordered after all, the relay answers with its
        number and the void goes nowhere (R29).
        """
        if pending.counter is None:
            self._queue.remove(pending)
            return
        pending.text = pending.nick = None
        pending.strict, pending.tries, pending.fence = False, 0, None

    def find(self, reference: bytes) -> Pending | None:
        """Return what goes under ``reference``, if it still waits for its answer."""
        return next((p for p in self._queue if p.reference == reference), None)

    def clear(self) -> None:
        """Take out everything."""
        self._queue.clear()

    def _take(self, reference: bytes) -> Pending | None:
        pending = self.find(reference)
        if pending is not None:
            self._queue.remove(pending)
        return pending
