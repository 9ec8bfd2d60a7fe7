"""Token buckets, as arithmetic on `now`.

Knows rates; never knows whom they limit or what a token buys.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """``per_s`` tokens a second up to ``burst``; ``per_s`` 0 means no limit."""

    per_s: float
    burst: int


class Bucket:
    """Tokens of one peer; starts full."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        # Whole numbers that are shared: most buckets are never used, and there are many.
        self._tokens: float = rate.burst
        self._at: float = 0

    def _fill(self, now: float) -> float:
        elapsed = now - self._at
        # A clock that went back (the stall correction of the shell does that) fills nothing.
        if elapsed > 0.0:
            rate = self._rate
            self._tokens = min(float(rate.burst), self._tokens + elapsed * rate.per_s)
        self._at = now
        return self._tokens

    def wait(self, now: float) -> float:
        """Return how many seconds are left until a token is there; take nothing."""
        per_s = self._rate.per_s
        if per_s == 0.0:
            return 0.0
        tokens = self._fill(now)
        return 0.0 if tokens >= 1.0 else (1.0 - tokens) / per_s

    def take(self, now: float) -> float:
        """Take a token and return 0.0, or take none and return the seconds until there is one.

        Hot: one call (STYLE 2.8).
        """
        rate = self._rate
        per_s = rate.per_s
        if per_s == 0.0:
            return 0.0
        tokens, elapsed = self._tokens, now - self._at
        if elapsed > 0.0:
            tokens += elapsed * per_s
            if tokens > rate.burst:
                tokens = float(rate.burst)
        self._at = now
        if tokens < 1.0:
            self._tokens = tokens
            return (1.0 - tokens) / per_s
        self._tokens = tokens - 1.0
        return 0.0

    def put_back(self) -> None:
        """Give back a token that was taken at this moment."""
        if self._rate.per_s:
            self._tokens += 1.0

    def level(self, now: float) -> float:
        """Return how many tokens there are."""
        return self._fill(now)

    def fill(self, tokens: float, now: float) -> None:
        """Have so many tokens from now on, and no more than it may hold."""
        self._tokens, self._at = min(tokens, float(self._rate.burst)), now

    def owe(self, tokens: int, now: float) -> None:
        """Be charged for what was given elsewhere, down to a whole burst of debt."""
        self._tokens = max(self._fill(now) - tokens, -float(self._rate.burst))

    def is_full(self, now: float) -> bool:
        """Tell whether forgetting this bucket would change nothing."""
        return self._rate.per_s == 0.0 or self._fill(now) >= self._rate.burst


class CountedBucket(Bucket):
    """One that counts what was taken, and calls back when that begins."""

    __slots__ = ("_begins", "_taken")

    def __init__(self, rate: Rate, begins: Callable[[], None]) -> None:
        super().__init__(rate)
        self._taken = 0
        self._begins = begins

    def take(self, now: float) -> float:
        """See Bucket."""
        wait = super().take(now)
        if wait == 0.0:
            if not self._taken:
                self._begins()
            self._taken += 1
        return wait

    def count(self) -> int:
        """Return how many tokens were taken since this was asked last."""
        taken, self._taken = self._taken, 0
        return taken
