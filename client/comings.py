"""Who came, who went, who came back: what changes of the tree and of seats mean to a person.

Knows signature keys and tags; a key is a person's for one stay (R5), whatever tag it has.
"""

from collections.abc import Iterable

from client.event import Back, Joined, Left
from client.link import Tag
from client.mls import Member
from client.roster import Roster
from client.stay import Stay

# Members of a group that was lost with the relay's log are expected back for so long (R32).
EXPECTED_S = 60.0


class Comings:
    """One stay's view of the others' comings and goings; each is told once."""

    def __init__(self, stay: Stay, roster: Roster) -> None:
        self._stay = stay
        self._roster = roster
        self._left: set[Tag] = set()
        self._expected: dict[bytes, tuple[Tag, float]] = {}

    @property
    def expected(self) -> frozenset[bytes]:
        """Signature keys of those who are on their way back, as far as we know."""
        return frozenset(self._expected)

    def seat_left(self, tag: Tag) -> None:
        """The relay declared a seat gone, and that was told."""
        self._left.add(tag)

    def began(
        self,
        before: Iterable[Member],
        after: Iterable[Member],
        seq: int,
        expect_until: float | None,
    ) -> tuple[set[bytes], set[bytes]]:
        """Tell what an epoch changed; return the keys that are new and those that are gone.

        With ``expect_until`` it is our own entry that changed everything: whoever is not in this
        group, or line, may be on the way, and is gone only when that time is over.
        """
        stay = self._stay
        old = {leaf.signature_key: Tag(leaf.tag) for leaf in before}
        new = {leaf.signature_key: Tag(leaf.tag) for leaf in after}
        known = old | {key: tag for key, (tag, _) in self._expected.items()}
        come = new.keys() - known.keys()
        for key, tag in new.items():
            self._expected.pop(key, None)
            nick = self._roster.nick(key)
            if key in come:
                stay.emit(Joined(tag, nick, stay.life_b64, seq))
            elif known[key] != tag:
                stay.emit(Back(tag, known[key], nick, stay.life_b64, seq))
        gone = old.keys() - new.keys()
        if expect_until is not None:
            # Whoever said goodbye is not on the way.
            here = {key for key in gone if old[key] not in self._left}
            self._expected |= {key: (old[key], expect_until) for key in here}
            gone -= here
        for key in gone:
            self._tell_left(key, old[key], seq)
        self._left &= set(new.values())
        return set(come), set(gone)

    def expire(self, now: float) -> set[bytes]:
        """Expect nobody for too long; return the keys of those who did not come back."""
        late = {key for key, (_, until) in self._expected.items() if until <= now}
        for key in late:
            self._tell_left(key, self._expected.pop(key)[0], self._stay.seq)
        return late

    def deadline(self) -> float | None:
        """Return when `expire` has something to do."""
        return min((until for _, until in self._expected.values()), default=None)

    def _tell_left(self, key: bytes, tag: Tag, seq: int) -> None:
        self._stay.heard.pop(key, None)
        if tag not in self._left:
            self._stay.emit(Left(tag, self._roster.nick(key), self._stay.life_b64, seq))
