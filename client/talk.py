"""What is said: posts on their way out, application frames on their way in (R4, R16, R24, R30).

Knows contents, the outbox and the ledger; never changes the group but for its ratchets.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from client import content
from client.content import Ask, Counted, Nick, Other, Pulse, Repair, Text, Void
from client.effect import Reconnect, Settle
from client.errors import (
    AuthenticationError,
    ForeignError,
    FrameError,
    HeldError,
    LimitError,
    RefusedError,
    StateError,
)
from client.event import Delivered, Equivocation, Message, Missing, NickChanged, Presence
from client.kept import Kept, Receipt
from client.ledger import HOLD_S, MAX_SENDERS, Gap, Ledger, Verdict
from client.link import Tag
from client.mls import Opened
from client.outbox import MAX_TRIES, Outbox, Pending
from client.pulse import ANSWERING
from client.roster import Roster
from client.stay import Stay
from client.upkeep import Upkeep
from client.wire import Ack, Frame, Refused


@dataclass(frozen=True)
class _Heard:
    """One opened content, with its place in the order."""

    tag: Tag
    seq: int
    content: Counted | Other


class Talk:
    """Both directions of one stay."""

    def __init__(self, stay: Stay, roster: Roster) -> None:
        self._stay = stay
        self._roster = roster
        self._ledger: Ledger[_Heard] = Ledger()
        self.kept = Kept()
        self.outbox = Outbox()
        self.upkeep = Upkeep(stay, roster, self.outbox, self._ledger, self.kept)
        self.nick: str | None = None
        self._must_tell_nick = False
        # Whether we are in, and whether something was ordered then that never came to us.
        self._has_entered = self._has_missed = False
        # The number of the commit that began this epoch.
        self._epoch_seq = 0
        # Under which tag a sender was heard last.
        self._tags: dict[bytes, Tag] = {}
        # Members of a group that was lost with the relay's log, on their way back (R32).
        self._expected: frozenset[bytes] = frozenset()
        # Members whose seat is gone and whose leaf is not yet.
        self._left: set[bytes] = set()

    @property
    def outstanding(self) -> int:
        """Texts that are not ordered, or not confirmed by everybody who should have them."""
        return self.outbox.texts + self.kept.outstanding

    def forget(self) -> None:
        """Drop what waits to be sent or shown (R18)."""
        self.outbox.clear()
        self.kept.clear()
        self._ledger.clear()

    def say(self, text: str, now: float, *, strict: bool) -> bytes:
        """Queue a text; return its reference. Raises UsageError or LimitError, nothing queued."""
        content.check_text(text)
        reference = self._stay.reference()
        self.outbox.add(Pending(reference, text, self.nick, now, strict))
        return reference

    def rename(self, nick: str) -> None:
        """Take a nickname and tell it; raise UsageError."""
        self.nick = self.upkeep.nick = content.check_nick(nick)
        # Before we are in, the first pulse tells it.
        self._must_tell_nick = self._stay.group is not None

    # The group, as it changes

    def went(self, gone: Iterable[bytes], expected: frozenset[bytes]) -> None:
        """Others went for good.

        ``expected`` count as being here: they were in the group that was lost with the relay's log.
        """
        for key in gone:
            self._tell(self.kept.left(key))
        self._expected = expected

    def met(self, key: bytes) -> None:
        """We saw a newcomer enter, not somebody who comes back: it counts from 1 (R30)."""
        self._ledger.begin(key, 0)

    def epoch_began(self, seq: int, now: float, *, has_newcomers: bool) -> None:
        """Another epoch: what is unanswered was refused, and goes again under the new keys."""
        self._epoch_seq = seq
        self.outbox.fence_moved()
        self.outbox.epoch_base = self.outbox.base
        self.upkeep.epoch_began(leaf.signature_key for leaf in self._stay.leaves)
        self._left &= {leaf.signature_key for leaf in self._stay.others}
        for leaf in self._stay.others:
            if leaf.signature_key not in self._left:
                self.kept.back(leaf.signature_key)
        if has_newcomers:
            self.outbox.newcomer()
        if self.kept.is_awaited:
            # Somebody may have found no way to follow us before.
            self.upkeep.clock.said(now)

    def joined(self, key: bytes, rank: int, now: float) -> None:
        """Somebody came in, or in again: it wants to hear us, and our nickname."""
        self._left.discard(key)
        self.kept.back(key)
        self.upkeep.clock.joined(key, now, rank)
        if len(self._stay.leaves) <= ANSWERING:
            self.upkeep.clock.greet(now, self._stay.fraction())

    def back(self, tag: Tag, now: float) -> None:
        """A seat is taken again: what its owner said may be asked for."""
        for leaf in self._stay.others:
            if leaf.tag == tag:
                self._left.discard(leaf.signature_key)
                self._ledger.resume(now, leaf.signature_key)
                self.upkeep.note(leaf.signature_key, now)

    def left(self, tag: Tag) -> None:
        """A seat is free: its owner will confirm nothing any more."""
        for leaf in self._stay.others:
            if leaf.tag == tag:
                self._left.add(leaf.signature_key)
                self._tell(self.kept.left(leaf.signature_key))

    def _is_awaited(self, key: bytes) -> bool:
        """Whether a sender is away, and may come back."""
        if key in self._expected:
            return True
        tags = [Tag(leaf.tag) for leaf in self._stay.others if leaf.signature_key == key]
        return any(self._roster.presence(tag) is not Presence.PRESENT for tag in tags)

    def slept(self, now: float) -> None:
        """This machine slept: what came meanwhile is still to be read."""
        self.upkeep.resume(now)

    def entered(self, now: float) -> None:
        """We came in, anew or with something missed: whoever is here wants to hear us."""
        self._has_missed = self._has_entered
        self._has_entered = True
        self.upkeep.resume(now)
        self.upkeep.clock.greet(now, self._stay.fraction())

    def lost(self) -> None:
        """The connection is gone; what was accepted by `say` waits for the next one."""
        self.outbox.lost()
        self.upkeep.lost()

    # Out

    def flush(self, now: float) -> None:
        """Send what may go now; the caller has made sure that the group is in step."""
        if self._must_tell_nick and self.nick is not None:
            self._must_tell_nick = False
            self.outbox.add(Pending(self._stay.reference(), None, self.nick, now))
        self.upkeep.ask(now)
        while self.upkeep.repair(now) or self._post_next(now):
            pass
        self.upkeep.pulse(now)

    def farewell(self, now: float) -> None:
        """Say what is to be said before we go."""
        self.upkeep.farewell(now)

    def _post_next(self, now: float) -> bool:
        pending = self.outbox.next(now)
        if pending is None:
            return False
        if pending.must_hold(now):
            self._fail(pending, HeldError("somebody joined before this was sent"))
        elif pending.tries >= MAX_TRIES and not pending.is_void:
            self._fail(pending, LimitError("not sent: the group changed too often"))
        else:
            self._post(pending)
        return True

    def _fail(self, pending: Pending, error: HeldError | LimitError | RefusedError) -> None:
        self.outbox.give_up(pending)
        self._stay.do(Settle(pending.reference, error))

    def _post(self, pending: Pending) -> None:
        counter = self.outbox.sent(pending, self._stay.fence, self._stay.now)
        pending.data = content.serialize(pending.content(counter, self.outbox.epoch_base))
        present = frozenset(leaf.signature_key for leaf in self._stay.others) - self._left
        self.outbox.read_by(pending, present | self._expected)
        self._stay.post(pending.reference, pending.data)
        self.upkeep.posted()

    def acknowledged(self, ack: Ack, now: float) -> None:
        """The relay ordered a post, now or (an older number) before."""
        stay = self._stay
        if ack.seq > stay.seq:
            stay.number(ack.seq)
        if self.upkeep.acknowledged(ack.reference, now):
            return
        pending = self.outbox.accepted(ack.reference)
        if pending is None:
            return
        assert pending.counter is not None
        if ack.seq < self._epoch_seq:
            # It was ordered before this epoch, though we learn it only now (R30).
            self.outbox.epoch_base = max(self.outbox.epoch_base, pending.counter)
        place, is_text = (stay.life_b64, ack.seq), pending.text is not None
        audience = pending.audience or frozenset()
        self.kept.keep(pending.counter, pending.data, audience, place, now, is_text=is_text)
        self.upkeep.clock.said(now)
        self.upkeep.clock.sent(now, stay.fraction())
        if not pending.is_void:
            stay.do(Settle(ack.reference, ack.seq))

    def refused(self, refused: Refused, now: float) -> None:
        """The relay refused a post."""
        assert refused.reference is not None
        reference = refused.reference
        retry_at = now + (1.0 if refused.retry_after_s is None else refused.retry_after_s)
        if self.upkeep.refused(reference):
            if refused.reason == "rate":
                self.outbox.budget.refused(now, retry_at)
        elif refused.reason == "stale":
            self.outbox.stale(reference, refused.fence or 0)
        elif refused.reason in ("rate", "pace"):
            self.outbox.refused(reference, retry_at)
        elif (pending := self.outbox.find(reference)) is not None:
            if pending.is_void:
                # Its sender has had its answer.
                self.outbox.drop(pending)
            else:
                self._fail(pending, RefusedError(refused.reason))

    # In

    def heard(self, frame: Frame, now: float) -> None:
        """Open one application frame and show what it completes.

        Raises LimitError when the sender's keys have run too far ahead to follow (R16),
        ForeignError when the sender is on another line of epochs (R13).
        """
        stay, group = self._stay, self._stay.group
        assert group is not None
        try:
            opened = group.decrypt(stay.unseal(frame), frame.fence, frame.tag)
            said = content.parse(opened.content)
        except StateError:
            stay.notice("relay_mislabels", frame.tag)
            return
        except ForeignError:
            raise
        except (AuthenticationError, FrameError):
            stay.notice("frame_refused", frame.tag)
            return
        key = opened.member.signature_key
        stay.heard[key] = now
        is_new = not self._ledger.knows(key)
        # What somebody said before the first that we hear may have been said while we were away.
        self._ledger.begin(key, said.base, now + HOLD_S if self._has_missed else None)
        self._tags.pop(key, None)
        self._tags[key] = frame.tag
        match said:
            case Pulse():
                self._ledger.attest(key, said.counter, said.base, now)
                self._on_pulse(key, said, frame)
            case Ask():
                self._ledger.attest(key, said.counter, said.base, now)
                self.upkeep.asked(key, said)
            case Repair():
                self._ledger.attest(key, said.counter, said.base, now)
                self._on_repair(opened, said, frame, now)
            case _:
                verdict = self._take(key, said, frame, now, is_repair=False)
                self._show(key, verdict, _Heard(frame.tag, frame.seq, said))
        self.upkeep.note(key, now)
        if is_new and said.base:
            # It may have said something to us before: it learns from where we count.
            self.upkeep.clock.came(now, len(stay.leaves), stay.fraction())
        if len(self._tags) > MAX_SENDERS:
            del self._tags[next(key for key in self._tags if not self._ledger.knows(key))]

    def _take(
        self, key: bytes, said: Counted | Other, frame: Frame, now: float, *, is_repair: bool
    ) -> Verdict[_Heard]:
        item = _Heard(frame.tag, frame.seq, said)
        digest = content.digest(said)
        if is_repair:
            verdict = self._ledger.repaired(key, said.counter, digest, item, now)
        else:
            verdict = self._ledger.take(key, said.counter, said.base, digest, item, now)
        if verdict.equivocation:
            place = (self._stay.life_b64, frame.seq)
            self._stay.emit(Equivocation(frame.tag, self._roster.nick(key), *place))
        self.upkeep.clock.came(now, len(self._stay.leaves), self._stay.fraction())
        return verdict

    def _on_pulse(self, key: bytes, pulse: Pulse, frame: Frame) -> None:
        stay = self._stay
        if pulse.nick is not None and self._roster.rename(key, pulse.nick):
            stay.emit(NickChanged(frame.tag, pulse.nick, stay.life_b64, frame.seq))
        keys = {leaf.leaf: leaf.signature_key for leaf in stay.leaves}
        for leaf, first, last in pulse.received:
            whose = keys.get(leaf)
            if whose == stay.identity.signature_key:
                self._tell(self.kept.confirmed(key, first, last))
                self.upkeep.began(key, first)
            elif whose == key:
                self.upkeep.probed(key)
                self.upkeep.clock.came(stay.now, len(stay.leaves), stay.fraction())
            elif whose is not None:
                self._ledger.rumour(whose, last)
                self.upkeep.note(whose, stay.now)
        self.upkeep.clock.heard(key)

    def _tell(self, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            self._stay.emit(Delivered(receipt.life, receipt.seq, receipt.count, receipt.of))

    def _on_repair(self, opened: Opened, repair: Repair, frame: Frame, now: float) -> None:
        group, key = self._stay.group, opened.member.signature_key
        assert group is not None
        self._ledger.mending(key, now)
        if repair.leaf not in (None, group.me.leaf):
            return
        is_sound, shown = True, list[_Heard | Gap]()
        for counter, part in repair.parts:
            try:
                plain = part if repair.leaf is None else group.open_repair(key, counter, part)
                said = content.parse(plain)
            except (AuthenticationError, FrameError):
                said = None
            if isinstance(said, Text | Nick | Void | Other) and said.counter == counter:
                for item in self._take(key, said, frame, now, is_repair=True).shown:
                    if isinstance(item, Gap) and shown and isinstance(shown[-1], Gap):
                        shown[-1] = Gap(shown[-1].count + item.count)
                    else:
                        shown.append(item)
            else:
                is_sound = False
        self._show(key, Verdict(tuple(shown)), None)
        if not is_sound:
            self._stay.notice("frame_refused", frame.tag)

    # Time

    def tick(self, now: float) -> None:
        """Give up holes that are due, and a relay that does not answer."""
        unanswered_at = self.outbox.unanswered_at()
        if unanswered_at is not None and now >= unanswered_at:
            self.outbox.waits_again(now)
            self._stay.notice("relay_silent")
            self._stay.do(Reconnect())
        for key, verdict in self._ledger.expire(now, self._is_awaited):
            self._show(key, verdict, None)

    def deadline(self, now: float, *, may_post: bool) -> float | None:
        """Return when `tick`, or if posts may go `flush`, will have something to do."""
        times = [self._ledger.deadline(self._is_awaited), self.outbox.unanswered_at()]
        if may_post:
            times += [self.outbox.deadline(now), self.upkeep.deadline(now)]
        return min((t for t in times if t is not None), default=None)

    def _show(self, key: bytes, verdict: Verdict[_Heard], current: _Heard | None) -> None:
        """Show what a verdict releases; only ``current`` comes in the place of its number."""
        stay, nick, tag = self._stay, self._roster.nick(key), self._tags[key]
        for item in verdict.shown:
            if isinstance(item, Gap):
                stay.emit(Missing(tag, nick, item.count, stay.life_b64, stay.seq))
                continue
            said, place = item.content, (stay.life_b64, item.seq)
            if isinstance(said, Void | Other):
                continue
            if said.nick is not None and self._roster.rename(key, said.nick):
                stay.emit(NickChanged(item.tag, said.nick, *place))
            if isinstance(said, Text):
                late = item != current
                stay.emit(Message(item.tag, said.nick, said.text, *place, late))
