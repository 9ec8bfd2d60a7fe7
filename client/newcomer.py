"""Getting in: what a client without a seat does with the GroupInfos that it is shown (R9, R25).

Knows who may be joined by and what is expected of the room; the commit that it makes is sent and
merged by membership.
"""

from collections.abc import Sequence

from client import wire
from client.effect import Finish, Reconnect, Send
from client.entry import Candidate, StagedCommit, candidates, stage_founding, stage_join
from client.errors import (
    AuthenticationError,
    CommitRefusedError,
    RefusedError,
    StateError,
    VerificationError,
)
from client.stay import Stay
from client.stray import NEED_S
from client.wire import Info

# A newcomer that finds no usable GroupInfo for so long says so (R25).
UNUSABLE_S = 10.0


class Newcomer:
    """One stay's way in, across as many tries as it takes."""

    def __init__(self, stay: Stay, expect_words: Sequence[str] | None) -> None:
        self._stay = stay
        self._expect = tuple(expect_words) if expect_words is not None else None
        self._reference: bytes | None = None
        self._unusable_at: float | None = None
        self._need_at: float | None = None
        # By whose GroupInfo we go in; None: we found the room.
        self.signer: bytes | None = None

    def lost(self) -> None:
        """The connection is gone."""
        self._unusable_at = self._need_at = self._reference = None

    def entered(self) -> None:
        """We are in. Words are expected of the room that is entered first; it changes then."""
        self._expect = self._reference = None

    def enter(self, info: Info, now: float) -> StagedCommit | None:
        """Make the commit that lets us in, if this can be; None if not, or not yet."""
        stay = self._stay
        assert stay.tag is not None
        # One reference for all tries: the relay lets nobody lose race after race (R22).
        reference = self._reference = self._reference or stay.reference()
        if info.fence == 0:
            if self._expect is not None:
                stay.do(Finish(VerificationError("the room is empty: nobody to expect words of")))
                return None
            self.signer = None
            return stage_founding(stay.keys, stay.identity, stay.tag, reference)
        usable = candidates(stay.keys, info)
        if not usable:
            self._ask(now)
            return None
        chosen = self._choose(usable)
        if chosen is None:
            stay.do(Finish(VerificationError("the room's words are not those expected")))
            return None
        try:
            staged = stage_join(stay.keys, stay.identity, stay.tag, chosen, reference)
        except StateError:
            # Another tag comes with another connection (R4).
            stay.do(Reconnect(0.0))
            return None
        except (AuthenticationError, CommitRefusedError):
            self._ask(now)
            return None
        self.signer = chosen.inspected.signer.signature_key
        self._unusable_at = self._need_at = None
        return staged

    def _choose(self, usable: list[Candidate]) -> Candidate | None:
        # In random order: whoever offers much gains nothing by it (R25).
        if self._expect is not None:
            usable = [one for one in usable if one.words == self._expect]
        return usable[int(self._stay.fraction() * len(usable))] if usable else None

    def _ask(self, now: float) -> None:
        if self._unusable_at is None:
            self._unusable_at = now + UNUSABLE_S
            self._stay.notice("unusable")
        if self._need_at is None:
            self._need_at = now

    def tick(self, now: float) -> None:
        """Ask for GroupInfos, or give up."""
        if self._unusable_at is not None and now >= self._unusable_at:
            self._stay.do(Finish(RefusedError("unusable")))
        elif self._need_at is not None and now >= self._need_at:
            self._need_at = now + NEED_S
            self._stay.do(Send(wire.NEED))

    def deadline(self) -> float | None:
        """Return when `tick` has something to do."""
        times = (self._unusable_at, self._need_at)
        return min((t for t in times if t is not None), default=None)
