"""What members do for the room: offer GroupInfo, remove leaves that are due, renew keys.

Knows whose turn a duty is and when; what is committed or offered is made elsewhere (R6, R12, R17,
R25).
"""

from client.roster import RANK_S, Roster
from client.stay import Phase, Stay

# The relay keeps three offers besides the commit's GroupInfo (R25): more would be dropped.
MAX_OFFERERS = 3
# R17: a leaf key is renewed after this, or after so long per leaf, give or take a fifth.
REFRESH_S = 15 * 60.0
REFRESH_PER_LEAF_S = 30.0
REFRESH_SPREAD = 0.2
# At most one refresh per room in this time.
REFRESH_GAP_S = 10.0


class Duties:
    """One member's share."""

    def __init__(self, stay: Stay, roster: Roster) -> None:
        self._stay = stay
        self._roster = roster
        self._offer_at: float | None = None
        self._heal_at: float | None = None
        self._refresh_at: float | None = None
        self._renew_at: float | None = None
        self._began_at = 0.0
        self._last_commit_at = 0.0

    @property
    def rank(self) -> int:
        """How many present members come before us."""
        group = self._stay.group
        assert group is not None
        return self._roster.rank(group.members, group.me.leaf)

    def committed(self, now: float) -> None:
        """A commit was ordered: whatever waited for its turn waits anew, or is done."""
        self._offer_at = self._heal_at = None
        self._last_commit_at = now

    def began(self, now: float) -> None:
        """A new epoch stands: all keys for messages begin anew."""
        self._renew_at = None
        self._began_at = now

    def renewed(self, leaves: int, now: float) -> None:
        """Our leaf has fresh keys."""
        jitter = 1 + REFRESH_SPREAD * (2 * self._stay.fraction() - 1)
        self._refresh_at = now + max(REFRESH_S, REFRESH_PER_LEAF_S * leaves) * jitter

    def others_renewed(self, now: float) -> None:
        """Somebody else made an empty commit: one is enough for a while."""
        if self._refresh_at is not None:
            self._refresh_at = max(self._refresh_at, now + REFRESH_GAP_S)

    def needed(self, now: float) -> None:
        """Somebody needs a GroupInfo (R25)."""
        if self._stay.phase is Phase.JOINED and self._offer_at is None:
            self.plan_offer(now)

    def plan_offer(self, now: float) -> None:
        """Offer a GroupInfo when it is our turn, if that is among the first."""
        if (rank := self.rank) < MAX_OFFERERS:
            self._offer_at = now + rank * RANK_S

    def heal(self, now: float) -> None:
        """Make an empty commit when it is our turn: others have lost the line (R12)."""
        self._heal_at = now + self.rank * RANK_S

    def renew(self, now: float) -> None:
        """Make an empty commit when it is our turn, not too often: a key ran ahead (R16)."""
        if self._renew_at is None:
            self._renew_at = max(now + self.rank * RANK_S, self._began_at + REFRESH_GAP_S)

    def takes_offer(self, now: float) -> bool:
        """Say whether to offer now; asked once."""
        if self._offer_at is None or now < self._offer_at:
            return False
        self._offer_at = None
        return True

    def takes_commit(self, now: float) -> list[int] | None:
        """Return the leaves to remove by a commit that is due now, None for no commit."""
        wait = self.rank * RANK_S
        quiet = self._last_commit_at + wait <= now
        due = self._roster.due(self._stay.others, now, wait_s=wait) if quiet else []
        times = (self._refresh_at, self._renew_at, self._heal_at)
        if not (due or any(at is not None and now >= at for at in times)):
            return None
        self._heal_at = None
        return due

    def stop(self) -> None:
        """Nothing is our turn any more: the connection is gone."""
        self._offer_at = self._heal_at = self._renew_at = None

    def deadline(self) -> float | None:
        """Return when one of the two may be due."""
        times = [self._offer_at, self._heal_at, self._refresh_at, self._renew_at]
        if (due := self._roster.deadline()) is not None:
            times.append(max(due, self._last_commit_at) + self.rank * RANK_S)
        return min((t for t in times if t is not None), default=None)
