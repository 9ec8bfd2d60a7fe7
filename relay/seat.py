"""The seats of one room: who holds one, who is away, and which ticket gives one back (R27).

Knows tags, moments and generations; never the log, nor how a ticket is sealed.

    g, confirmed --ticket g--> g + 1, unconfirmed --first message--> g + 1, confirmed
                                |  ^           |
                                '--'           '--ticket g + 1--> g + 2, unconfirmed
                              ticket g
"""

from collections import OrderedDict
from dataclasses import dataclass

from relay.wire import Life, Tag


@dataclass(slots=True)
class Held:
    """``since`` is the first number that its owner may ask for the successors of."""

    life: Life
    since: int
    generation: int = 1
    # The ticket that the present connection has shown: good until that connection speaks.
    spent: tuple[Life, int] | None = None
    luggage: object = None


class Seats:
    """The seats by their tags; the room bounds their number."""

    __slots__ = ("_away", "_away_s", "_held")

    def __init__(self, away_s: float) -> None:
        self._away_s = away_s
        self._held: dict[Tag, Held] = {}
        # In the order in which they were lost: away again is at the end again.
        self._away: OrderedDict[Tag, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, tag: Tag) -> bool:
        return tag in self._held

    @property
    def tags(self) -> list[Tag]:
        """Every seat, in ascending order."""
        return sorted(self._held)

    @property
    def away(self) -> list[Tag]:
        """The seats whose connection is lost, in ascending order."""
        return sorted(self._away)

    def take(self, tag: Tag, life: Life, since: int) -> None:
        """Seat a session that has joined; its ticket is of generation 1."""
        self._held[tag] = Held(life, since)

    def restore(self, tag: Tag, life: Life, since: int, former: Life, generation: int) -> None:
        """Seat a session by a ticket of a former life (R28)."""
        self._held[tag] = Held(life, since, spent=(former, generation))

    def free(self, tag: Tag) -> bool:
        """Give up a seat; False if there was none."""
        self._away.pop(tag, None)
        return self._held.pop(tag, None) is not None

    def lost(self, tag: Tag, now: float) -> bool:
        """Note that a connection is lost; False if there is no seat, or it is away already."""
        if tag not in self._held or tag in self._away:
            return False
        self._away[tag] = now
        return True

    def back(self, tag: Tag) -> bool:
        """Note that a seat has a connection; False if it was not away."""
        return self._away.pop(tag, None) is not None

    def resume(self, tag: Tag, life: Life, generation: int) -> bool:
        """Take a ticket; False if it is worth nothing.

        The last one opens the next generation. The one before stays good until that is confirmed:
        then the same generation is opened again, to whoever may not have heard of it.
        """
        seat = self._held.get(tag)
        if seat is None:
            return False
        shown = (life, generation)
        if shown == (seat.life, seat.generation):
            seat.spent = shown
            seat.generation += 1
        return seat.spent == shown

    def confirm(self, tag: Tag) -> None:
        """Note that the present connection has spoken, and so has its ticket."""
        self._held[tag].spent = None

    def generation(self, tag: Tag) -> int:
        """Return the generation of a seat's present ticket."""
        return self._held[tag].generation

    def since(self, tag: Tag) -> int:
        """Return the number before which nothing is replayed to a seat."""
        return self._held[tag].since

    def cut_off(self, seq: int) -> None:
        """Replay nothing from before ``seq`` to anybody who is here."""
        for seat in self._held.values():
            seat.since = seq

    def keep(self, tag: Tag, luggage: object) -> None:
        """Keep what the next session in this seat is to find; nobody here looks into it."""
        self._held[tag].luggage = luggage

    def luggage(self, tag: Tag) -> object:
        """Return what was kept with a seat."""
        return self._held[tag].luggage

    def overdue(self, now: float) -> list[Tag]:
        """Return those that are away for too long."""
        return [tag for tag, since in self._away.items() if since + self._away_s <= now]

    def deadline(self) -> float | None:
        """Return when the next one is overdue."""
        return next(iter(self._away.values())) + self._away_s if self._away else None
