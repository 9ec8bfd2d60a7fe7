"""The queue of sessions that have said hello and not joined yet (PROTOCOL 4.2).

Knows who waits and who may compute a join now; never what a join is.
"""

from collections import OrderedDict
from dataclasses import dataclass

from relay.wire import Tag

# Two at a time: one computes while the other's commit is on its way.
HOLDERS = 2


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """How many may wait, how long a turn lasts while others wait, how long joining may take."""

    unjoined: int
    turn_s: float
    join_s: float


class Newcomer:
    """One in the queue."""

    __slots__ = ("granted", "informed", "join_by")

    def __init__(self) -> None:
        self.granted: float | None = None
        self.join_by: float | None = None
        self.informed: int | None = None


class Turns:
    """Unjoined sessions in the order of their arrival, two of them with the turn to join."""

    __slots__ = ("_holding", "_limits", "_waiting")

    def __init__(self, limits: TurnLimits) -> None:
        self._limits = limits
        self._waiting: OrderedDict[Tag, Newcomer] = OrderedDict()
        self._holding: OrderedDict[Tag, Newcomer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._holding)

    def __contains__(self, tag: Tag) -> bool:
        return tag in self._waiting or tag in self._holding

    @property
    def tags(self) -> list[Tag]:
        """Everybody here, holders first."""
        return [*self._holding, *self._waiting]

    @property
    def is_full(self) -> bool:
        return len(self) >= self._limits.unjoined

    def enter(self, tag: Tag) -> None:
        """Queue a newcomer behind all others."""
        self._waiting[tag] = Newcomer()

    def leave(self, tag: Tag) -> None:
        """Forget a newcomer: it has joined or gone."""
        self._waiting.pop(tag, None)
        self._holding.pop(tag, None)
        if not self:
            # What they had grown to is not kept for a room in which nobody joins any more.
            self._waiting, self._holding = OrderedDict(), OrderedDict()

    def has_had(self, tag: Tag) -> bool:
        """Tell whether this newcomer has or had the turn, so that a commit of it may come."""
        newcomer = self._waiting.get(tag) or self._holding.get(tag)
        return newcomer is not None and newcomer.join_by is not None

    def grant(self, now: float) -> list[Tag]:
        """Give free turns to those next in the queue; return who got one."""
        granted: list[Tag] = []
        while self._waiting and len(self._holding) < HOLDERS:
            tag, newcomer = self._waiting.popitem(last=False)
            newcomer.granted = now
            newcomer.informed = None
            if newcomer.join_by is None:
                newcomer.join_by = now + self._limits.join_s
            self._holding[tag] = newcomer
            granted.append(tag)
        return granted

    def must_inform(self, tag: Tag, fence: int) -> bool:
        """Tell whether this holder has yet to see the GroupInfos of ``fence``; note that it does.

        Without this note one stale commit after the other would each cost an info.
        """
        newcomer = self._holding.get(tag)
        if newcomer is None or newcomer.informed == fence:
            return False
        newcomer.informed = fence
        return True

    def lost_race(self, tag: Tag, now: float) -> None:
        """Count the time to join anew for a newcomer whose commit came second."""
        if tag in self._holding:
            self._holding[tag].join_by = now + self._limits.join_s

    def restart(self, now: float) -> None:
        """Count everything anew: the room has a new life."""
        for newcomer in self._holding.values():
            newcomer.granted, newcomer.join_by = now, now + self._limits.join_s
            newcomer.informed = None

    def expire(self, now: float) -> list[Tag]:
        """End turns held too long while others wait; drop and return who did not join in time."""
        late = [
            tag
            for queue in (self._holding, self._waiting)
            for tag, newcomer in queue.items()
            if newcomer.join_by is not None and newcomer.join_by <= now
        ]
        for tag in late:
            self.leave(tag)
        for tag, newcomer in list(self._holding.items()):
            held = newcomer.granted is not None and newcomer.granted + self._limits.turn_s <= now
            if held and self._waiting:
                self._waiting[tag] = self._holding.pop(tag)
        return late

    def deadline(self) -> float | None:
        """Return when expire has something to do."""
        moments = [
            newcomer.join_by
            for queue in (self._holding, self._waiting)
            for newcomer in queue.values()
            if newcomer.join_by is not None
        ]
        if self._waiting:
            moments += [
                newcomer.granted + self._limits.turn_s
                for newcomer in self._holding.values()
                if newcomer.granted is not None
            ]
        return min(moments, default=None)
