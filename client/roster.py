"""The people of a room: leaves first, seats as decoration, and whose leaf is due (R6).

Knows who is here and whose turn a duty is; never commits anything itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from client.event import Member, Presence
from client.link import Tag
from client.mls import Member as Leaf

# A leaf that never had a seat since we know of it: after a restart of the relay its owner may
# still be on the way back.
UNSEATED_S = 60.0
# A leaf whose seat the relay has declared gone, after `bye` or 60 s of being away: only long
# enough to gather those who leave together into one commit.
LEFT_S = 2.0
# Whoever shares a duty waits this much longer per rank, so that one does it (DESIGN 3).
RANK_S = 0.3
# Nicknames remembered, of members past and present; a nickname has at most 128 bytes.
MAX_NICKS = 1024
# Seats remembered: more than a room has, and fewer than a relay can make up.
MAX_SEATS = 256


@dataclass
class Roster:
    """Seats and nicknames; leaves are handed in, for the tree alone says who is a member."""

    _away: dict[Tag, bool] = field(default_factory=dict)
    _due: dict[Tag, float] = field(default_factory=dict)
    _nicks: dict[bytes, str] = field(default_factory=dict)

    def seated(self, seats: Iterable[Tag], away: Iterable[Tag]) -> None:
        """Take over the relay's list of seats, as the joiner gets it."""
        gone = set(away)
        self._due.clear()
        self._away = {tag: tag in gone for tag in seats}

    def clear_seats(self) -> None:
        """Forget seats: the connection, or the relay's log, was lost."""
        self._away.clear()
        self._due.clear()

    def present(self, tag: Tag) -> None:
        """A seat is taken, or its connection is back."""
        self._note(tag, away=False)
        self._due.pop(tag, None)

    def away(self, tag: Tag) -> None:
        """A seat's connection is lost."""
        self._note(tag, away=True)

    def _note(self, tag: Tag, *, away: bool) -> None:
        if tag in self._away or len(self._away) < MAX_SEATS:
            self._away[tag] = away

    def left(self, tag: Tag, now: float) -> None:
        """A seat is free."""
        self._away.pop(tag, None)
        self._due[tag] = now + LEFT_S

    def presence(self, tag: Tag) -> Presence:
        """Return what the relay says of the seat under ``tag``."""
        away = self._away.get(tag)
        if away is None:
            return Presence.GONE
        return Presence.AWAY if away else Presence.PRESENT

    def nick(self, key: bytes) -> str | None:
        """Return the nickname that the owner of a signature key told last."""
        return self._nicks.get(key)

    def rename(self, key: bytes, nick: str) -> bool:
        """Remember a nickname; say whether it is a new one."""
        if self._nicks.get(key) == nick:
            return False
        self._nicks.pop(key, None)
        self._nicks[key] = nick
        while len(self._nicks) > MAX_NICKS:
            del self._nicks[next(iter(self._nicks))]
        return True

    def watch(self, leaves: Iterable[Leaf], now: float) -> None:
        """Start the time of every leaf without a seat, and stop that of leaves that are gone."""
        tags = {Tag(leaf.tag) for leaf in leaves}
        for tag in tags - self._away.keys() - self._due.keys():
            self._due[tag] = now + UNSEATED_S
        for tag in self._due.keys() - tags:
            del self._due[tag]

    def due(self, leaves: Iterable[Leaf], now: float, *, wait_s: float = 0.0) -> list[int]:
        """Return the leaves whose removal has been due for ``wait_s``."""
        return [
            leaf.leaf
            for leaf in leaves
            if (at := self._due.get(Tag(leaf.tag))) is not None and at + wait_s <= now
        ]

    def deadline(self) -> float | None:
        """Return when the first leaf is due."""
        return min(self._due.values(), default=None)

    def rank(self, leaves: Iterable[Leaf], me: int) -> int:
        """Return how many present members come before leaf ``me`` in a shared duty."""
        return sum(
            leaf.leaf < me and self.presence(Tag(leaf.tag)) is Presence.PRESENT for leaf in leaves
        )

    def present_others(self, me: Tag | None) -> list[Tag]:
        """Return the seats but ours whose connection stands."""
        return [tag for tag, away in self._away.items() if not away and tag != me]

    def connecting(self, leaves: Iterable[Leaf]) -> list[Tag]:
        """Return present seats without a leaf: the group refused their owner's commit.

        One that is away was left behind by somebody who came back under another tag.
        """
        tags = {Tag(leaf.tag) for leaf in leaves}
        return sorted(tag for tag, away in self._away.items() if not away and tag not in tags)

    def member(self, leaf: Leaf, *, heard: bool, silent: bool) -> Member:
        """Describe another's leaf for the program."""
        tag, nick = Tag(leaf.tag), self.nick(leaf.signature_key)
        return Member(tag, nick, self.presence(tag), me=False, heard=heard, silent=silent)

    def me(self, leaf: Leaf, nick: str | None) -> Member:
        """Describe our own leaf."""
        tag = Tag(leaf.tag)
        return Member(tag, nick, self.presence(tag), me=True, heard=True)
