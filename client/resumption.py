"""Getting the seat back on another connection, and what was missed meanwhile (PROTOCOL 4.5).

Knows tickets, numbers and lives; what a missed commit or message means is membership's and talk's.
"""

from client import wire
from client.effect import Enter, Send
from client.errors import StateError
from client.membership import Membership
from client.roster import Roster
from client.stay import Phase, Stay
from client.talk import Talk


class Resumption:
    """One stay's way back to its seat."""

    def __init__(self, stay: Stay, roster: Roster, talk: Talk, membership: Membership) -> None:
        self._stay = stay
        self._roster = roster
        self._talk = talk
        self._membership = membership
        # Where we were when the connection was lost, and, resumed, how far the replay goes.
        self._was = Phase.OFFLINE
        self._behind: int | None = None
        self._fence = 0
        self._must_skip = False
        # Whether nothing was left out of the replay.
        self._is_whole = False

    @property
    def is_catching_up(self) -> bool:
        """Whether something that we missed is still on its way."""
        return self._behind is not None

    def lost(self) -> None:
        """The connection is gone, wherever we were."""
        if self._stay.phase in (Phase.JOINED, Phase.STRANDED):
            self._was = self._stay.phase
        self._behind = None

    def greet(self, nonce: bytes) -> None:
        """Prove the link; show what may give us our seat back, if we have had one."""
        stay, keys = self._stay, self._stay.keys
        signature = keys.access.sign_hello(stay.host, keys.room_id, nonce)
        proof = (keys.room_id, keys.access.key, signature)
        if stay.ticket is None or stay.mark is None:
            stay.ticket = None
            stay.do(Send(wire.serialize_hello(*proof)))
        else:
            stay.do(Send(wire.serialize_resume(*proof, stay.ticket, stay.mark, stay.seq)))

    def resumed(self, resumed: wire.Resumed, now: float) -> None:
        """We have our seat back; what we missed follows, or a gap."""
        stay = self._stay
        is_same = resumed.life == stay.life
        if resumed.fence < stay.fence or (is_same and resumed.seq < stay.seq):
            # Our mark stands for our fence, whatever life this is.
            stay.notice("relay_equivocates")
            raise StateError("numbers that go back")
        stay.phase = self._was
        stay.tag, stay.ticket = resumed.tag, resumed.ticket
        budget = self._talk.outbox.budget
        budget.rate, budget.burst = resumed.message_rate, max(1, resumed.message_burst)
        if not is_same:
            # The relay was restarted: nothing of its log is left, and so nothing can be replayed.
            stay.life, stay.seq = resumed.life, 0
            budget.tokens, budget.at = float(budget.burst), now
            self._membership.forget_staged()
        self._must_skip = not is_same
        self._is_whole = is_same
        self._behind, self._fence = resumed.seq, resumed.fence
        stay.do(Enter())

    def skipped(self, gap: wire.Gap, now: float) -> None:
        """What we missed does not come: the room is as this says."""
        if gap.seq != self._behind:
            raise StateError("a gap that ends elsewhere")
        self._must_skip = self._is_whole = False
        self._stay.seq, self._fence = gap.seq, gap.fence
        self._roster.seated(gap.seats, gap.away)
        self._membership.skipped(gap.fence, now)
        self._talk.entered(now)

    def advance(self, now: float) -> bool:
        """Go on where we were, once everything is here; say whether that is now."""
        if self._behind is None or self._must_skip or self._stay.seq < self._behind:
            return False
        self._behind = None
        if self._stay.fence != self._fence:
            raise StateError("commits that were left out of the replay")
        if self._is_whole:
            self._talk.outbox.caught_up()
        self._membership.caught_up(now)
        return True
