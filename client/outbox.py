"""What `send` accepted and the relay has not ordered yet: order, retries and pace (R16, R22, R24).

Knows references, counters and the session's budget; never sees a key or a sealed byte.
"""

from collections import deque
from dataclasses import dataclass, field

from client.content import Counted, Nick, Text, Void
from client.errors import LimitError

# A member tries one message this often before it says "not sent" (R22).
MAX_TRIES = 8
# Posts on their way at once. Small, so that a refusal in the middle disturbs little of the order.
WINDOW = 8
# A relay that says nothing to a post for so long has not got it, or does not want to say.
ANSWER_S = 30.0
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
    tried_at: float = 0.0
    # What the last try said, and who could read every try that may have been ordered (R32).
    data: bytes = field(default=b"", repr=False)
    audience: frozenset[bytes] | None = field(default=None, repr=False)
    # Whether a try may have been ordered without our having heard of it.
    is_doubtful: bool = False

    @property
    def is_void(self) -> bool:
        """Whether only its counter is left to be sent."""
        return self.text is None and self.nick is None

    def content(self, counter: int, base: int) -> Counted:
        """Return what is said, under its counter."""
        if self.text is not None:
            return Text(counter, base, self.nick, self.text)
        return Void(counter, base) if self.nick is None else Nick(counter, base, self.nick)

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

    def take(self, now: float, least: int = 1) -> bool:
        """Use one token if ``least`` are there (or all that there can be); rate 0: no limit."""
        if self.rate == 0:
            return True
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < min(least, self.burst) - _EPSILON:
            return False
        self.tokens -= 1
        return True

    def refused(self, now: float, retry_at: float) -> None:
        """The relay counts otherwise: the next token is there at ``retry_at``."""
        self.tokens, self.at = min(self.tokens, 1 - (retry_at - now) * self.rate), now

    def ready_at(self, now: float, least: int = 1) -> float:
        """Return when ``least`` tokens are there."""
        if self.rate == 0:
            return now
        least = min(least, self.burst)
        tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        return now if tokens >= least - _EPSILON else now + (least - tokens) / self.rate


@dataclass
class Outbox:
    """All pending contents of one stay, oldest first."""

    budget: Budget = field(default_factory=Budget)
    # The base of this epoch: what we had ordered before it (R30).
    epoch_base: int = 0
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

    @property
    def texts(self) -> int:
        """How many texts wait for the relay's answer."""
        return sum(pending.text is not None for pending in self._queue)

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

    def sent(self, pending: Pending, fence: int, now: float) -> int:
        """Note a try at ``fence``; return the counter, the same for all tries (R30)."""
        pending.tried_at = now
        if pending.counter is None:
            self._counter += 1
            pending.counter = self._counter
        pending.fence = fence
        pending.tries += 1
        return pending.counter

    def read_by(self, pending: Pending, audience: frozenset[bytes]) -> None:
        """Note who can read the try that goes out: of two that may both have been ordered, both."""
        pending.audience = audience if pending.audience is None else pending.audience & audience

    def unanswered_at(self) -> float | None:
        """Return when the oldest try that has no answer yet has waited for too long."""
        tries = [pending.tried_at for pending in self._queue if pending.fence is not None]
        return min(tries) + ANSWER_S if tries else None

    def waits_again(self, now: float) -> None:
        """Wait for the answers that are due from now on: what was to be done about it was done."""
        for pending in self._queue:
            pending.tried_at = now

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
                if pending.fence is None and not pending.is_doubtful:
                    pending.audience = None

    def fence_moved(self) -> None:
        """Every try still unanswered was for an older fence and is refused: try again."""
        for pending in self._queue:
            pending.fence = None
            if not pending.is_doubtful:
                pending.audience = None

    def lost(self) -> None:
        """The connection is gone: what was on its way goes again, with its reference (R29)."""
        self._not_before = 0.0
        for pending in self._queue:
            pending.is_doubtful = pending.is_doubtful or pending.fence is not None
            pending.fence = None
            pending.tries = 0

    def caught_up(self) -> None:
        """The log was replayed to its end: what is not answered was not ordered."""
        for pending in self._queue:
            pending.is_doubtful = False

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

    def drop(self, pending: Pending) -> None:
        """Take out what nobody waits for any more."""
        self._queue.remove(pending)

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
