"""Finding the way back to the others: stranded, unheard, alone or divided (R12 to R14).

Knows lines of epochs, GroupInfos that may be trusted and how long to wait; joining by one is
membership's.
"""

from client import wire
from client.effect import Send
from client.entry import Candidate, Line, candidates
from client.event import Unconfirmed
from client.link import Tag
from client.roster import Roster
from client.stay import SILENT_S, Phase, Stay
from client.wire import Info

# A stranded member waits so long for a GroupInfo of the line that it was stranded from (R12), and
# so long for any.
STRANDED_S = 5.0
LOST_S = 10.0
NEED_S = 2.0
# Nobody heard so long after we came in, while others have seats, is shown (R14).
CONFIRM_S = 5.0
# Whoever looks for a better line does so for this long at a time.
SEEK_S = 5.0
# Rejoins and searches back off to this (R13); a quiet time of as long starts the count anew.
MAX_WAIT_S = 60.0
# As many seats as a room may have, away ones twice over.
MAX_FOREIGN = 512


class _Backoff:
    """0, 1, 2, 4 .. 60 seconds between tries."""

    def __init__(self) -> None:
        self._tries = 0
        self._last = 0.0

    def next_s(self, now: float) -> float:
        """Return how long to wait before this try, and count it."""
        if now - self._last > 2 * MAX_WAIT_S:
            self._tries = 0
        wait = min(2.0 ** (self._tries - 1), MAX_WAIT_S) if self._tries else 0.0
        self._tries += 1
        self._last = now + wait
        return wait


class Stray:
    """Where this member stands towards the others."""

    def __init__(self, stay: Stay, roster: Roster) -> None:
        self._stay = stay
        self._roster = roster
        self.line: Line | None = None
        self._until: float | None = None
        self._need_at: float | None = None
        self._asked_at = 0.0
        self._rejoins = _Backoff()
        self._seeks = _Backoff()
        self._seek_after = 0.0
        # Seats of which something of another line came, and when.
        self._foreign: dict[Tag, float] = {}
        self._confirm_by: float | None = None
        self._came_at = 0.0
        self._is_told = False
        # By whose GroupInfo we came in: the next is another's, if nobody is heard (R14).
        self._signer: bytes | None = None

    @property
    def is_seeking(self) -> bool:
        """Whether we look for a better line, though we have one."""
        return self._stay.phase is Phase.JOINED and self._until is not None

    def entered(self, signer: bytes | None, now: float) -> None:
        """We came in, anew or again, by a GroupInfo of ``signer``; None: we founded the room."""
        self.stop()
        self._signer = signer
        self._came_at = now
        self._confirm_by = None if signer is None else now + CONFIRM_S
        self._is_told = False

    def stop(self) -> None:
        """Look for nothing any more."""
        self.line = None
        self._until = self._need_at = None

    def strand(self, line: Line | None, now: float) -> None:
        """We cannot follow: wait for a GroupInfo, of ``line`` if that is known."""
        if self._stay.phase is Phase.STRANDED:
            self.left_behind(line, now)
        else:
            self._wait_for(line, now, self._rejoins.next_s(now))

    def left_behind(self, line: Line | None, now: float) -> None:
        """A commit strands or removes us: it was paced by the relay, our answer need not be."""
        # One comes after the other: what was shown is worth nothing any more.
        self._wait_for(line, now, max(0.0, self._asked_at + NEED_S / 4 - now))

    def _wait_for(self, line: Line | None, now: float, wait: float) -> None:
        self._stay.phase = Phase.STRANDED
        self.line = line
        self._until = now + wait + (STRANDED_S if line is not None else LOST_S)
        self._need_at = now + wait

    def foreign(self, tag: Tag, now: float) -> bool:
        """Something of another line came under a seat's tag; say whether we begin to look."""
        self._foreign.pop(tag, None)
        self._foreign[tag] = now
        while len(self._foreign) > MAX_FOREIGN:
            del self._foreign[next(iter(self._foreign))]
        was_seeking = self.is_seeking
        self.seek(now)
        return self.is_seeking and not was_seeking

    def seek(self, now: float) -> None:
        """Others may be on a better line: ask for GroupInfos, not too often."""
        if self._stay.phase is Phase.JOINED and self._until is None and now >= self._seek_after:
            wait = self._seeks.next_s(now)
            self._need_at = now + wait
            self._until = self._seek_after = now + wait + SEEK_S

    def resume(self, now: float) -> None:
        """A new connection stands: ask again, with the whole time to get an answer."""
        if self._until is not None:
            self._need_at = now
            self._until = now + (STRANDED_S if self.line is not None else LOST_S)
        if self._confirm_by is not None:
            self._confirm_by = now + CONFIRM_S
        self._came_at = max(self._came_at, now - SILENT_S / 2)

    def choices(self, info: Info) -> list[Candidate]:
        """Return what is worth joining by, the best first: highest epoch, lowest hash (R13)."""
        stay = self._stay
        usable = candidates(stay.keys, info, self.line)
        if stay.phase is Phase.JOINED:
            usable = [one for one in usable if self._is_better(one)]
        usable.sort(key=_order)
        if not self._hears_others:
            # Whoever led us to where nobody is heard is asked last (R14).
            usable.sort(key=lambda one: one.inspected.signer.signature_key == self._signer)
        return usable

    @property
    def _hears_others(self) -> bool:
        since = self._stay.now - SILENT_S
        return any(at > since for at in self._stay.heard.values())

    def _is_better(self, other: Candidate) -> bool:
        group = self._stay.group
        assert group is not None
        found = other.inspected
        if found.confirmed_transcript_hash == group.confirmed_transcript_hash:
            return False
        if self._hears_others:
            there, here = self._weights()
            own = (-here, -group.epoch, group.confirmed_transcript_hash)
            return (-there, *_order(other)) < own
        # Nobody is heard on ours, whatever its number: any other is better.
        return True

    def _weights(self) -> tuple[int, int]:
        """Count the present seats on other lines and on ours, by what was heard of them last.

        Ours counts ourselves. One member may speak for as many lines as it likes, and is one.
        """
        stay = self._stay
        present = set(self._roster.present_others(stay.tag))
        since = stay.now - SILENT_S
        foreign = {tag: at for tag, at in self._foreign.items() if at > since and tag in present}
        here = 1
        for leaf in stay.others:
            tag, at = Tag(leaf.tag), stay.heard.get(leaf.signature_key, since)
            if at <= foreign.get(tag, since):
                continue
            foreign.pop(tag, None)
            here += tag in present
        return len(foreign), here

    def tick(self, now: float) -> bool:
        """Ask when that is due; say whether it is time to stop waiting."""
        if self._stay.phase is Phase.JOINED:
            self._look_around(now)
        if self._until is not None and now >= self._until:
            return True
        if self._need_at is not None and now >= self._need_at:
            self._need_at, self._asked_at = now + NEED_S, now
            self._stay.do(Send(wire.NEED))
        return False

    def _look_around(self, now: float) -> None:
        """Notice that nobody is heard although there are others (R13, R14)."""
        stay = self._stay
        if self._confirm_by is not None:
            unheard = self._unheard()
            if stay.heard or not unheard:
                self._confirm_by = None if stay.heard or not stay.others else now + CONFIRM_S
            elif now >= self._confirm_by:
                self._confirm_by = now + CONFIRM_S
                if not self._is_told:
                    self._is_told = True
                    stay.emit(Unconfirmed(unheard))
                self.seek(now)
        if now >= self._alone_at:
            if self._roster.present_others(stay.tag):
                self.seek(now)
            self._came_at = now - SILENT_S / 2

    @property
    def _alone_at(self) -> float:
        return max(self._came_at, *self._stay.heard.values(), 0.0) + SILENT_S

    def _unheard(self) -> tuple[Tag, ...]:
        stay, present = self._stay, self._roster.present_others(self._stay.tag)
        tags = [Tag(leaf.tag) for leaf in stay.others if leaf.signature_key not in stay.heard]
        return tuple(tag for tag in tags if tag in present)

    def deadline(self) -> float | None:
        """Return when `tick` has something to do."""
        times = [self._until, self._need_at]
        if self._stay.phase is Phase.JOINED:
            times += [self._confirm_by, self._alone_at]
        return min((t for t in times if t is not None), default=None)


def _order(one: Candidate) -> tuple[int, bytes]:
    return (-one.inspected.epoch, one.inspected.confirmed_transcript_hash)
