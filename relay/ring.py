"""The recent frames of rooms, and a common bound on all of them.

Knows numbers, ages and lengths; never looks into a frame.
"""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RingLimits:
    """What one room may keep, and all rooms together."""

    frames: int
    bytes: int
    age_s: float
    total_bytes: int


# Number, moment and message. A tuple and no class of its own: the collector of cycles lets go of
# plain ones, and there may be a million of them (STYLE 2.8).
Kept = tuple[int, float, bytes]


class Rings:
    """All rings of this process; beyond the total, the room that was idle longest loses its own."""

    __slots__ = ("_by_use", "limits", "total")

    def __init__(self, limits: RingLimits) -> None:
        self.limits = limits
        self.total = 0
        self._by_use: OrderedDict[Ring, None] = OrderedDict()

    def used(self, ring: "Ring", grown: int) -> None:
        """Account for ``grown`` bytes more in ``ring`` and make room for them elsewhere."""
        self._by_use[ring] = None
        self._by_use.move_to_end(ring)
        self.total += grown
        while self.total > self.limits.total_bytes:
            next(iter(self._by_use)).clear()

    def halve(self) -> None:
        """Keep half of what is kept: that of the rooms in use."""
        goal = self.total // 2
        while self.total > goal:
            next(iter(self._by_use)).clear()

    def shrunk(self, ring: "Ring", freed: int) -> None:
        """Account for ``freed`` bytes less in ``ring``."""
        self.total -= freed
        if not ring.size:
            self._by_use.pop(ring, None)


class Ring:
    """The last frames of one room, bounded in number, bytes and age."""

    __slots__ = ("_kept", "_rings", "size")

    def __init__(self, rings: Rings) -> None:
        self._rings = rings
        # A list: a deque takes half a kilobyte for a room in which little is said.
        self._kept: list[Kept] = []
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def append(self, seq: int, message: bytes, now: float) -> None:
        """Keep one frame; drop what is beyond the bounds."""
        rings, kept, size = self._rings, self._kept, len(message)
        limits = rings.limits
        kept.append((seq, now, message))
        self.size += size
        rings.used(self, size)
        while kept and (len(kept) > limits.frames or self.size > limits.bytes):
            self._drop()
        if kept and kept[0][1] <= now - limits.age_s:
            self.expire(now)

    def register(self) -> None:
        """Count what this ring was given as a whole."""
        self._rings.used(self, self.size)

    def since(self, seq: int) -> list[Kept]:
        """Return what is kept with a higher number."""
        return [kept for kept in self._kept if kept[0] > seq]

    def expire(self, now: float) -> None:
        """Drop what is too old."""
        oldest = now - self._rings.limits.age_s
        while self._kept and self._kept[0][1] <= oldest:
            self._drop()

    def deadline(self) -> float | None:
        """Return when the oldest frame is too old."""
        return self._kept[0][1] + self._rings.limits.age_s if self._kept else None

    def clear(self) -> None:
        """Drop everything."""
        freed, self.size = self.size, 0
        self._kept.clear()
        self._rings.shrunk(self, freed)

    def _drop(self) -> None:
        freed = len(self._kept.pop(0)[2])
        self.size -= freed
        self._rings.shrunk(self, freed)
