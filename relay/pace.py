"""Whose commit a room takes next (PROTOCOL 7, R22).

Knows tags, references and moments; never the fence, nor whether a commit is any good.
"""

from collections import OrderedDict

from relay.limits import Bucket, Rate
from relay.wire import Reference, Tag

# How long one who was refused goes before those who have had more, and how long a reference that
# was stale twice keeps other sessions' commits away.
WAITING_S = 1.5
RESERVED_S = 1.5
# Of those who have had the same, whoever waits longest goes first: it is on its way already.
TIE_S = 0.02
# The longest wait told to those kept away: a reservation mostly ends long before its time.
MAX_RETRY_S = 0.5
# Stale references remembered per room: each costs its sender a token of the stale bucket, so that
# these are the last seconds of everybody who is here.
MAX_STALE = 1024


class Pace:
    """The bucket of one room's commits, and who goes first when they queue."""

    __slots__ = ("_bucket", "_reserved", "_served", "_spent", "_stale", "_waiting")

    def __init__(self, rate: Rate) -> None:
        self._bucket = Bucket(rate)
        self._served: dict[Tag, int] = {}
        self._waiting: dict[Tag, float] = {}
        self._stale: OrderedDict[tuple[Tag, Reference], None] = OrderedDict()
        self._reserved: tuple[Tag, Reference, float] | None = None
        self._spent: dict[Tag, float] = {}

    def stale(self, tag: Tag, reference: Reference, now: float, *, is_commit: bool) -> None:
        """Note that something was refused as stale."""
        self._lapse(now)
        if is_commit:
            self._waiting.setdefault(tag, now)
        key = (tag, reference)
        if key not in self._stale:
            self._stale[key] = None
            if len(self._stale) > MAX_STALE:
                self._stale.popitem(last=False)
        elif self._reserved is None and self._spent.get(tag, now) <= now:
            self._reserved = (tag, reference, now + RESERVED_S)

    def wait(self, tag: Tag, now: float) -> float:
        """Return 0.0 if a commit of ``tag`` may be taken now, else the seconds to wait for.

        One who must wait goes before those who have had more, for WAITING_S from its first
        refusal: not from the last, or whoever never comes would go first forever.
        """
        self._lapse(now)
        wait = 0.0
        if self._reserved is not None and self._reserved[0] != tag:
            wait = self._reserved[2] - now
        own = (self._served.get(tag, 0), self._waiting.get(tag, now))
        for other, since in self._waiting.items():
            served = self._served.get(other, 0)
            if other != tag and served < own[0]:
                wait = max(wait, since + WAITING_S - now)
            elif other != tag and (served, since) < own:
                wait = max(wait, TIE_S)
        wait = max(min(wait, MAX_RETRY_S), self._bucket.wait(now))
        if wait > 0.0:
            self._waiting.setdefault(tag, now)
        return wait

    def ordered(self, tag: Tag, reference: Reference) -> None:
        """Note that a reference was ordered: what it had reserved is free."""
        if not self._stale and self._reserved is None:
            return
        self._stale.pop((tag, reference), None)
        if self._reserved is not None and self._reserved[:2] == (tag, reference):
            self._reserved = None

    def accepted(self, tag: Tag, reference: Reference, now: float) -> None:
        """Note that a commit was taken."""
        self._bucket.take(now)
        self._served[tag] = self._served.get(tag, 0) + 1
        self._waiting.pop(tag, None)
        self.ordered(tag, reference)

    def forget(self, tag: Tag) -> None:
        """Drop everything about a session that is gone."""
        self._served.pop(tag, None)
        self._waiting.pop(tag, None)
        self._spent.pop(tag, None)
        if self._reserved is not None and self._reserved[0] == tag:
            self._reserved = None

    def _lapse(self, now: float) -> None:
        """Let go of waits and reservations that were not used: they count as having had a commit.

        A session that asks for precedence and never commits would else stop the room for good.
        """
        for tag in [tag for tag, since in self._waiting.items() if since + WAITING_S <= now]:
            del self._waiting[tag]
            self._served[tag] = self._served.get(tag, 0) + 1
        if self._reserved is not None and self._reserved[2] <= now:
            self._spent[self._reserved[0]] = now + 10 * RESERVED_S
            self._reserved = None
