"""Being in the group: entering, committing, following others, standing in a new epoch (R4 to R17).

Knows commits and GroupInfos; whose turn a duty is, is duty's, how to find back, stray's. Nothing
of what is said.
"""

from collections.abc import Sequence

from client import mls, wire
from client.comings import EXPECTED_S, Comings
from client.duty import Duties
from client.effect import Enter, Finish, Reconnect, Send
from client.entry import (
    Line,
    StagedCommit,
    seal_group_info,
    stage_commit,
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
)
from client.event import EpochChanged
from client.link import Tag
from client.newcomer import Newcomer
from client.outbox import ANSWER_S
from client.roster import Roster
from client.stay import Phase, Stay
from client.stray import Stray
from client.talk import Talk
from client.wire import Frame, Info, Refused


class Membership:
    """One stay's place in the group, across connections."""

    def __init__(
        self, stay: Stay, roster: Roster, talk: Talk, expect_words: Sequence[str] | None
    ) -> None:
        self._stay = stay
        self._roster = roster
        self._talk = talk
        self.duties = Duties(stay, roster)
        self.stray = Stray(stay, roster)
        self._newcomer = Newcomer(stay, expect_words)
        self._comings = Comings(stay, roster)
        self.first = False
        self.entered = False
        self._staged: StagedCommit | None = None
        self._staged_at = 0.0
        self._signer: bytes | None = None
        self._resend_at: float | None = None
        # Whether our leaf is in the tree that we hold: a removed one has nowhere to go back to.
        self._is_member = False
        self._is_anew = False
        # Since when this group, whatever its epoch, is ours.
        self._group_since = 0.0
        # The life in which we were in the group last.
        self._life = b""

    @property
    def settled(self) -> bool:
        """Whether no commit of ours is on its way, so that posts may go."""
        return self._staged is None or self._resend_at is not None

    def is_own(self, frame: Frame) -> bool:
        """Whether these are the bytes of our staged commit (R15)."""
        staged = self._staged
        return staged is not None and (frame.fence, frame.sealed) == (staged.fence, staged.sealed)

    # Connections

    def lost(self) -> None:
        """The connection is gone; a seat that we had waits for us."""
        self._resend_at = None
        self._newcomer.lost()
        self.duties.stop()

    def reset(self) -> None:
        """There is no seat of ours: whatever belonged to it is gone."""
        self.lost()
        self.stray.stop()
        self._staged = None
        self.entered = False
        self._roster.clear_seats()

    def forget_staged(self) -> None:
        """Whether our commit was ordered cannot be known any more."""
        self._staged = self._resend_at = None

    def caught_up(self, now: float) -> None:
        """We resumed, and have seen what we missed: go on with what was under way."""
        if self._staged is not None and self._staged.fence == self._stay.fence:
            self._resend_at = now
        else:
            self._staged = None
        self.stray.resume(now)
        self._talk.upkeep.resume(now)
        self._roster.watch(self._stay.others, now)

    def skipped(self, fence: int, now: float) -> None:
        """Part of the log will not come; the room's fence is another, or the same."""
        stay = self._stay
        is_behind = fence > stay.fence
        stay.fence = fence
        if is_behind:
            self._staged = self._resend_at = None
            self.stray.strand(None, now)

    # Entering

    def informed(self, info: Info, now: float) -> None:
        """The relay shows the GroupInfos that it holds: our turn to join, or to rejoin."""
        if self._staged is not None:
            # A turn that comes while our commit is on its way.
            return
        match self._stay.phase:
            case Phase.WAITING | Phase.ENTERING if not self.entered:
                self._enter(info, now)
            case Phase.STRANDED | Phase.JOINED if info.fence == self._stay.fence:
                if self._stay.phase is Phase.STRANDED or self.stray.is_seeking:
                    self._rejoin(info)
            case _:
                pass

    def _enter(self, info: Info, now: float) -> None:
        staged = self._newcomer.enter(info, now)
        if staged is not None:
            self._signer = self._newcomer.signer
            self._stay.fence = info.fence
            self._stay.phase = Phase.ENTERING
            self._stage(staged)

    def admitted(self, joined: wire.Joined, now: float) -> None:
        """The relay seats us: we are in."""
        stay = self._stay
        self._roster.seated(joined.seats or (), joined.away or ())
        self._roster.watch(stay.others, now)
        self._newcomer.entered()
        stay.phase = Phase.JOINED
        stay.do(Enter())
        self.stray.entered(self._signer, now)
        self._talk.entered(now)

    def _rejoin(self, info: Info) -> None:
        """Join again in the place of our own leaf, by the best GroupInfo that will do (R13)."""
        stay = self._stay
        assert stay.tag is not None
        is_tag_taken = False
        for chosen in self.stray.choices(info):
            try:
                staged = stage_join(stay.keys, stay.identity, stay.tag, chosen, stay.reference())
            except StateError:
                is_tag_taken = True
                continue
            except (AuthenticationError, CommitRefusedError, FrameError):
                continue
            stay.phase = Phase.STRANDED
            self._signer = chosen.inspected.signer.signature_key
            self._stage(staged)
            return
        if is_tag_taken and stay.phase is Phase.STRANDED:
            # Another tag comes with another seat (R4).
            stay.ticket = None
            stay.do(Reconnect())

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
            # What we cannot mend by coming back to the same place.
            stay.ticket = None
            stay.do(Reconnect())
        return True

    def committed(self, frame: Frame, now: float) -> None:
        """A commit stands in the log: merge our own, follow or refuse another's (R12, R15)."""
        stay, staged = self._stay, self._staged
        if frame.fence < stay.fence:
            stay.notice("relay_equivocates")
            return
        own = self.is_own(frame)
        self._staged = self._resend_at = None
        self.duties.committed(now)
        missed = frame.fence > stay.fence
        stay.fence = frame.fence + 1
        if own:
            assert staged is not None
            self._merge(staged, frame, now)
        elif stay.phase is Phase.STRANDED or missed:
            # Epochs were skipped: nothing binds us to one line any more, take any that lives.
            self.stray.strand(None, now)
        else:
            self._follow(frame, now)

    def _merge(self, staged: StagedCommit, frame: Frame, now: float) -> None:
        stay = self._stay
        is_entry = stay.phase is not Phase.JOINED
        if is_entry:
            stay.heard.clear()
            self.first = staged.fence == 0
        self.entered = self._is_member = True
        self.duties.renewed(len(staged.group.members), now)
        self._begin(staged.group, frame, now, is_entry=is_entry)
        if stay.phase is Phase.STRANDED:
            stay.phase = Phase.JOINED
            self.stray.entered(self._signer, now)
            self._talk.entered(now)

    def _follow(self, frame: Frame, now: float) -> None:
        stay = self._stay
        assert stay.group is not None
        try:
            followed = stay.group.follow(stay.unseal(frame), frame.fence)
        except (AuthenticationError, CommitRefusedError, FrameError):
            self._refuse(frame, now)
        except StrandedError as exc:
            stay.notice("stranded", frame.tag)
            line = Line(exc.confirmed_transcript_hash, exc.tree_hash, exc.confirmation_tag)
            self.stray.left_behind(line, now)
        except RemovedError:
            stay.notice("removed", frame.tag)
            self._is_member = False
            self.stray.left_behind(None, now)
        else:
            if followed.joined is None and not followed.removed:
                self.duties.others_renewed(now)
            self._begin(followed.group, frame, now, is_entry=False)
            if followed.joined is not None:
                self._talk.joined(followed.joined.signature_key, self.duties.rank, now)

    def _refuse(self, frame: Frame, now: float) -> None:
        """Keep the epoch and count the fence, as everybody here does alike.

        The GroupInfo that came with the commit is worth nothing, so somebody offers another. But
        its maker may think the same of us, and be right: look whether there is a better line.
        """
        self._stay.notice("commit_refused", frame.tag)
        self._talk.outbox.fence_moved()
        self.duties.plan_offer(now)
        self.stray.foreign(frame.tag, now)

    def divided(self, tag: Tag, now: float) -> None:
        """Somebody is on another line of epochs: one of both must give way (R13)."""
        if self.stray.foreign(tag, now):
            self._stay.notice("divided", tag)
            self._talk.entered(now)

    def _begin(self, group: mls.Group, frame: Frame, now: float, *, is_entry: bool) -> None:
        """Stand in a new epoch."""
        stay = self._stay
        self.duties.began(now)
        old, before = stay.group, stay.others
        if old is None or group.group_id != old.group_id:
            self._group_since = now
        self._life, life = stay.life, self._life
        stay.group = group
        come: set[bytes] = set()
        if old is not None:
            until = now + EXPECTED_S if is_entry else None
            come, gone = self._comings.began(before, stay.others, frame.seq, until)
            if group.group_id != old.group_id:
                # Founded anew: whoever was in the old group did not come later (R32).
                self._is_anew = True
                if stay.life == life:
                    stay.notice("another_group")
            self._talk.went(gone, self._awaited)
            if now >= self._group_since + EXPECTED_S:
                # In a group that is younger they may be members of the one before, who count on.
                for key in come:
                    self._talk.met(key)
            old.wipe()
        self._roster.watch(stay.others, now)
        self._talk.epoch_began(frame.seq, now, has_newcomers=bool(come))
        stay.emit(EpochChanged(group.epoch))

    def too_far(self, tag: Tag, now: float) -> None:
        """A sender's keys ran ahead of what we follow (R16): a new epoch begins them anew."""
        self._stay.notice("frame_refused", tag)
        self.duties.renew(now)

    @property
    def _awaited(self) -> frozenset[bytes]:
        """Members of a group that was lost with the relay's log, on their way to this one."""
        expected = self._comings.expected
        self._is_anew = self._is_anew and bool(expected)
        return expected if self._is_anew else frozenset()

    def _give_up(self, now: float) -> None:
        """No GroupInfo came by which to rejoin."""
        stay = self._stay
        had_line = self.stray.line is not None
        self.stray.stop()
        if stay.phase is Phase.JOINED:
            return
        if not self._is_member:
            stay.ticket = None
            stay.do(Reconnect())
            return
        # What we could not follow is void for us: stay in the epoch that we can hold. Whoever
        # is on a better line will be heard of.
        stay.phase = Phase.JOINED
        self._talk.outbox.fence_moved()
        self._talk.upkeep.resume(now)
        if had_line:
            self.duties.heal(now)

    def seat_changed(self, event: wire.Away | wire.Back | wire.Left, now: float) -> None:
        """Note what the relay says of a seat, as it comes."""
        match event:
            case wire.Away(tag=tag):
                self._roster.away(tag)
            case wire.Back(tag=tag):
                self._roster.present(tag)
                self._talk.back(tag, now)
            case _:
                self._roster.left(event.tag, now)
                self._comings.seat_left(event.tag)
                self._talk.left(event.tag)
        self._roster.watch(self._stay.others, now)

    # Time

    def tick(self, now: float) -> None:
        """Do what is due: answers that wait, duties of a member, giving up."""
        stay = self._stay
        self._newcomer.tick(now)
        if late := self._comings.expire(now):
            self._talk.went(late, self._awaited)
        if self._staged is not None:
            if self._resend_at is not None and now >= self._resend_at:
                self._resend_at = None
                self._staged_at = now
                stay.do(Send(self._staged.message))
            elif self._resend_at is None and now >= self._staged_at + ANSWER_S:
                self._staged_at = now
                stay.notice("relay_silent")
                stay.do(Reconnect())
            return
        if stay.phase in (Phase.JOINED, Phase.STRANDED) and self.stray.tick(now):
            self._give_up(now)
        if stay.phase is Phase.JOINED:
            self._serve(now)

    def _serve(self, now: float) -> None:
        stay, group = self._stay, self._stay.group
        assert group is not None
        if self.duties.takes_offer(now):
            sealed = seal_group_info(stay.keys, group, stay.fence)
            stay.do(Send(wire.serialize_offer(stay.reference(), stay.fence, sealed)))
        removes = self.duties.takes_commit(now)
        if removes is not None:
            self._stage(stage_commit(stay.keys, group, removes, stay.fence, stay.reference()))

    def _stage(self, staged: StagedCommit) -> None:
        self._staged = staged
        self._staged_at = self._stay.now
        self._stay.do(Send(staged.message))

    def deadline(self) -> float | None:
        """Return when `tick` may have something to do."""
        times = [self._newcomer.deadline(), self._resend_at, self._comings.deadline()]
        if self._staged is not None and self._resend_at is None:
            times.append(self._staged_at + ANSWER_S)
        if self._staged is None and self._stay.phase in (Phase.JOINED, Phase.STRANDED):
            times.append(self.stray.deadline())
            if self._stay.phase is Phase.JOINED:
                times.append(self.duties.deadline())
        return min((t for t in times if t is not None), default=None)
