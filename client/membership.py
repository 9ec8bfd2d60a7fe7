"""Being in the group: entering, following, stranding, and the duties of members (R4 to R17).

Knows commits, GroupInfos and whose turn a duty is; nothing of what is said.
"""

from collections.abc import Sequence

from client import mls, wire
from client.effect import Enter, Finish, Reconnect, Send
from client.entry import (
    Candidate,
    Line,
    StagedCommit,
    candidates,
    seal_group_info,
    stage_commit,
    stage_founding,
    stage_join,
)
from client.errors import (
    AuthenticationError,
    CommitRefusedError,
    FrameError,
    RefusedError,
    RemovedError,
    StateError,
    StrandedError,
    VerificationError,
)
from client.event import Back, EpochChanged, Joined, Left
from client.link import Tag
from client.roster import RANK_S, Roster
from client.stay import Phase, Stay
from client.talk import Talk
from client.wire import Frame, Info, Refused

# A newcomer that finds no usable GroupInfo for so long says so (R25).
UNUSABLE_S = 10.0
# A stranded member waits so long for a GroupInfo of the line that it was stranded from (R12).
STRANDED_S = 5.0
# A stranded member asks again this often, and gives up the connection after UNUSABLE_S.
NEED_S = 2.0
# Rejoins of one stay back off to this (R13); a quiet time of as long starts the count anew.
MAX_REJOIN_WAIT_S = 60.0
# The relay keeps three offers besides the commit's GroupInfo (R25): more would be dropped.
MAX_OFFERERS = 3
# R17: a leaf key is renewed after this, or after so long per leaf, give or take a fifth.
REFRESH_S = 15 * 60.0
REFRESH_PER_LEAF_S = 30.0
REFRESH_SPREAD = 0.2
# At most one refresh per room in this time.
REFRESH_GAP_S = 10.0


class Membership:
    """One stay's place in the group, across connections."""

    def __init__(
        self, stay: Stay, roster: Roster, talk: Talk, expect_words: Sequence[str] | None
    ) -> None:
        self._stay = stay
        self._roster = roster
        self._talk = talk
        self._expect = tuple(expect_words) if expect_words is not None else None
        self._told: set[Tag] = set()
        self.first = False
        self.entered = False
        self._staged: StagedCommit | None = None
        self._entry_reference: bytes | None = None
        self._resend_at: float | None = None
        self._line: Line | None = None
        self._stranded_until: float | None = None
        self._unusable_at: float | None = None
        self._need_at: float | None = None
        self._rejoins = 0
        self._rejoined_at = 0.0
        self._offer_at: float | None = None
        self._heal_at: float | None = None
        self._refresh_at: float | None = None
        self._last_commit_at = 0.0

    @property
    def settled(self) -> bool:
        """Whether no commit of ours is on its way, so that posts may go."""
        return self._staged is None or self._resend_at is not None

    def is_own(self, frame: Frame) -> bool:
        """Whether these are the bytes of our staged commit (R15)."""
        staged = self._staged
        return staged is not None and (frame.fence, frame.sealed) == (staged.fence, staged.sealed)

    # Entering

    def lost(self) -> None:
        """The connection is gone, and with it what was on its way."""
        self._staged = self._resend_at = self._line = None
        self._stranded_until = self._unusable_at = self._need_at = None
        self._offer_at = self._heal_at = None
        self.entered = False
        self._entry_reference = None
        self._roster.clear_seats()

    def informed(self, info: Info, now: float) -> None:
        """The relay shows the GroupInfos that it holds: our turn to join, or to rejoin."""
        match self._stay.phase:
            case Phase.WAITING | Phase.ENTERING if not self.entered and self._staged is None:
                self._enter(info, now)
            case Phase.STRANDED if info.fence == self._stay.fence and self._staged is None:
                self._rejoin(info)
            case _:
                # A turn that comes while our commit is on its way, or when we are in.
                pass

    def _enter(self, info: Info, now: float) -> None:
        stay = self._stay
        assert stay.tag is not None
        # One reference for all tries: the relay lets nobody lose race after race (R22).
        reference = self._entry_reference = self._entry_reference or stay.reference()
        if info.fence == 0:
            if self._expect is not None:
                stay.do(Finish(VerificationError("the room is empty: nobody to expect words of")))
                return
            staged = stage_founding(stay.keys, stay.identity, stay.tag, reference)
        else:
            usable = candidates(stay.keys, info)
            if not usable:
                self._ask(now)
                return
            chosen = self._choose(usable)
            if chosen is None:
                stay.do(Finish(VerificationError("the room's words are not those expected")))
                return
            try:
                staged = stage_join(stay.keys, stay.identity, stay.tag, chosen, reference)
            except StateError:
                # Another tag comes with another connection (R4).
                stay.do(Reconnect(0.0))
                return
            except (AuthenticationError, CommitRefusedError):
                self._ask(now)
                return
        self._unusable_at = self._need_at = None
        stay.fence = info.fence
        stay.phase = Phase.ENTERING
        self._stage(staged)

    def _choose(self, usable: list[Candidate]) -> Candidate | None:
        # In random order: whoever offers much gains nothing by it (R25).
        stay = self._stay
        if self._expect is not None:
            usable = [one for one in usable if one.words == self._expect]
        return usable[int(stay.fraction() * len(usable))] if usable else None

    def _ask(self, now: float) -> None:
        if self._unusable_at is None:
            self._unusable_at = now + UNUSABLE_S
            self._stay.notice("unusable")
        if self._need_at is None:
            self._need_at = now

    def admitted(self, joined: wire.Joined, now: float) -> None:
        """The relay seats us: we are in."""
        stay = self._stay
        self._roster.seated(joined.seats or (), joined.away or ())
        self._roster.watch(self._others(), now)
        # Words are expected of the room that is entered first; it changes from then on.
        self._expect = None
        stay.phase = Phase.JOINED
        stay.do(Enter())
        self._talk.entered(now)

    # Commits

    def refused(self, refused: Refused, now: float) -> bool:
        """Take the relay's refusal of our commit; say whether it was of our commit at all."""
        staged, stay = self._staged, self._stay
        if staged is None or refused.reference != staged.reference:
            return False
        if refused.reason in ("pace", "rate"):
            self._resend_at = now + (refused.retry_after_s or 0.25)
        elif refused.reason == "full":
            stay.do(Finish(RefusedError("full")))
        elif refused.reason == "stale":
            # Another commit won: its frame (or, not yet joined, its GroupInfo) follows or was here.
            self._staged = self._resend_at = None
        else:
            stay.do(Reconnect())
        return True

    def committed(self, frame: Frame, now: float) -> None:
        """A commit stands in the log: merge our own, follow or refuse another's (R12, R15)."""
        stay, staged = self._stay, self._staged
        if frame.fence < stay.fence:
            stay.notice("relay_equivocates")
            return
        own = self.is_own(frame)
        self._staged = self._resend_at = self._heal_at = self._offer_at = None
        self._last_commit_at = now
        missed = frame.fence > stay.fence
        stay.fence = frame.fence + 1
        if own:
            assert staged is not None
            self._merge(staged, frame, now)
        elif stay.phase is Phase.STRANDED or missed:
            # Epochs were skipped: nothing binds us to one line any more, take any that lives.
            self._strand(None, now)
        else:
            self._follow(frame, now)

    def _merge(self, staged: StagedCommit, frame: Frame, now: float) -> None:
        stay = self._stay
        if stay.phase is not Phase.JOINED:
            stay.heard.clear()
            self.first = staged.fence == 0
        self.entered = True
        if stay.phase is Phase.STRANDED:
            stay.phase = Phase.JOINED
            self._rejoined_at = now
            self._line = self._stranded_until = self._need_at = None
        leaves = len(staged.group.members)
        jitter = 1 + REFRESH_SPREAD * (2 * stay.fraction() - 1)
        self._refresh_at = now + max(REFRESH_S, REFRESH_PER_LEAF_S * leaves) * jitter
        self._begin(staged.group, frame, now)

    def _follow(self, frame: Frame, now: float) -> None:
        stay = self._stay
        assert stay.group is not None
        try:
            followed = stay.group.follow(stay.unseal(frame), frame.fence)
        except (AuthenticationError, CommitRefusedError, FrameError):
            # Everybody refuses it alike, keeps the epoch and counts the fence. The GroupInfo that
            # came with it is worth nothing, so somebody offers another.
            stay.notice("commit_refused", frame.tag)
            self._talk.outbox.fence_moved()
            self._plan_offer(now)
        except StrandedError as exc:
            stay.notice("stranded", frame.tag)
            self._strand(Line(exc.confirmed_transcript_hash, exc.tree_hash), now)
        except RemovedError:
            stay.notice("removed", frame.tag)
            self._strand(None, now)
        else:
            if followed.joined is None and not followed.removed and self._refresh_at is not None:
                self._refresh_at = max(self._refresh_at, now + REFRESH_GAP_S)
            self._begin(followed.group, frame, now)

    def _begin(self, group: mls.Group, frame: Frame, now: float) -> None:
        """Stand in a new epoch; tell who came, went, and came back under another tag."""
        stay = self._stay
        before = {leaf.signature_key: Tag(leaf.tag) for leaf in stay.leaves}
        after = {leaf.signature_key: Tag(leaf.tag) for leaf in group.members}
        fresh = stay.group is None
        old, stay.group = stay.group, group
        mine = stay.identity.signature_key
        place = (stay.life_b64, frame.seq)
        for key in after.keys() - {mine} if not fresh else ():
            tag, nick = after[key], self._roster.nick(key)
            previous = before.get(key)
            if previous is None:
                self._talk.met(key)
                stay.emit(Joined(tag, nick, *place))
            elif previous != tag:
                stay.emit(Back(tag, previous, nick, *place))
        for key in before.keys() - after.keys() - {mine}:
            stay.heard.discard(key)
            if before[key] not in self._told:
                stay.emit(Left(before[key], self._roster.nick(key), *place))
        self._told &= set(after.values())
        self._roster.watch(self._others(), now)
        self._talk.epoch_began(now, newcomers=not fresh and bool(after.keys() - before.keys()))
        stay.emit(EpochChanged(group.epoch))
        if old is not None:
            old.wipe()

    # Stranded (R12, R13)

    def _strand(self, line: Line | None, now: float) -> None:
        stay = self._stay
        stay.phase = Phase.STRANDED
        self._line = line
        self._stranded_until = now + (STRANDED_S if line is not None else UNUSABLE_S)
        if now - self._rejoined_at > MAX_REJOIN_WAIT_S:
            self._rejoins = 0
        wait = min(2.0 ** (self._rejoins - 1), MAX_REJOIN_WAIT_S) if self._rejoins else 0.0
        self._stranded_until += wait
        self._need_at = now + wait

    def too_far(self, now: float) -> None:
        """A sender's keys ran ahead of what we may follow (R16): rejoin."""
        self._stay.notice("stranded")
        self._strand(None, now)

    def _rejoin(self, info: Info) -> None:
        stay = self._stay
        assert stay.tag is not None
        usable = candidates(stay.keys, info, self._line)
        if not usable:
            return
        chosen = min(
            usable, key=lambda c: (-c.inspected.epoch, c.inspected.confirmed_transcript_hash)
        )
        try:
            staged = stage_join(stay.keys, stay.identity, stay.tag, chosen, stay.reference())
        except (AuthenticationError, CommitRefusedError, FrameError, StateError):
            return
        self._rejoins += 1
        self._stage(staged)

    def _give_up_line(self, now: float) -> None:
        stay = self._stay
        self._stranded_until = self._need_at = None
        if self._line is None:
            stay.do(Reconnect())
            return
        # The commit is void for us: stay in the epoch that we can hold, and let its lowest
        # present leaf make a fresh one there.
        self._line = None
        stay.phase = Phase.JOINED
        self._talk.outbox.fence_moved()
        self._heal_at = now + self._rank() * RANK_S

    # Duties

    def needed(self, now: float) -> None:
        """Somebody needs a GroupInfo (R25)."""
        if self._stay.phase is Phase.JOINED and self._offer_at is None:
            self._plan_offer(now)

    def _plan_offer(self, now: float) -> None:
        if (rank := self._rank()) < MAX_OFFERERS:
            self._offer_at = now + rank * RANK_S

    def _rank(self) -> int:
        group = self._stay.group
        assert group is not None
        return self._roster.rank(group.members, group.me.leaf)

    def away(self, event: wire.Away | wire.Back | wire.Left, now: float) -> None:
        """Note what the relay says of a seat, as it comes."""
        match event:
            case wire.Away(tag=tag):
                self._roster.away(tag)
            case wire.Back(tag=tag):
                self._roster.present(tag)
            case _:
                self._roster.left(event.tag, now)
                self._told.add(event.tag)
        self._roster.watch(self._others(), now)

    def _others(self) -> list[mls.Member]:
        mine = self._stay.identity.signature_key
        return [leaf for leaf in self._stay.leaves if leaf.signature_key != mine]

    def tick(self, now: float) -> None:
        """Do what is due: answers that wait, duties of a member, giving up."""
        stay = self._stay
        if self._unusable_at is not None and now >= self._unusable_at:
            stay.do(Finish(RefusedError("unusable")))
            return
        if self._stranded_until is not None and now >= self._stranded_until:
            self._give_up_line(now)
        if self._need_at is not None and now >= self._need_at:
            self._need_at = now + NEED_S
            stay.do(Send(wire.NEED))
        if self._staged is not None:
            if self._resend_at is not None and now >= self._resend_at:
                self._resend_at = None
                stay.do(Send(self._staged.message))
        elif stay.phase is Phase.JOINED:
            self._serve(now)

    def _serve(self, now: float) -> None:
        stay = self._stay
        group = stay.group
        assert group is not None
        if self._offer_at is not None and now >= self._offer_at:
            self._offer_at = None
            sealed = seal_group_info(stay.keys, group, stay.fence)
            stay.do(Send(wire.serialize_offer(stay.reference(), stay.fence, sealed)))
        wait = self._rank() * RANK_S
        quiet = self._last_commit_at + wait <= now
        due = self._roster.due(self._others(), now, wait_s=wait) if quiet else []
        refresh = self._refresh_at is not None and now >= self._refresh_at
        heal = self._heal_at is not None and now >= self._heal_at
        if due or refresh or heal:
            self._heal_at = None
            self._stage(stage_commit(stay.keys, group, due, stay.fence, stay.reference()))

    def _stage(self, staged: StagedCommit) -> None:
        self._staged = staged
        self._stay.do(Send(staged.message))

    def deadline(self, now: float) -> float | None:
        """Return when `tick` may have something to do."""
        times = [self._unusable_at, self._stranded_until, self._need_at, self._resend_at]
        if self._stay.phase is Phase.JOINED and self._staged is None:
            times += [self._offer_at, self._heal_at, self._refresh_at]
            if (due := self._roster.deadline()) is not None:
                times.append(max(due, self._last_commit_at) + self._rank() * RANK_S)
        return min((t for t in times if t is not None), default=None)
