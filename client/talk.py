"""What is said: posts on their way out, application frames on their way in (R4, R16, R24, R30).

Knows contents, the outbox and the ledger; never changes the group but for its ratchets.
"""

from dataclasses import dataclass

from client import content, seal
from client.content import Content, Nick, Other, Text, Void
from client.effect import Send, Settle
from client.errors import (
    AuthenticationError,
    FrameError,
    HeldError,
    LimitError,
    RefusedError,
    StateError,
)
from client.event import Message, Missing, NickChanged
from client.ledger import Ledger, Verdict
from client.link import Tag
from client.mls import CONTENT_OVERHEAD
from client.outbox import MAX_TRIES, Outbox, Pending
from client.roster import Roster
from client.seal import Kind
from client.stay import Stay
from client.wire import Ack, Frame, Refused, serialize_post

# A nickname is told again to newcomers only where this costs little (pulses will carry it).
MAX_ANNOUNCED = 16
ANNOUNCE_S = 3.0


@dataclass(frozen=True)
class _Heard:
    """One opened content, with its place in the order."""

    tag: Tag
    seq: int
    content: Content | Other


class Talk:
    """Both directions of one stay."""

    def __init__(self, stay: Stay, roster: Roster) -> None:
        self._stay = stay
        self._roster = roster
        self._ledger: Ledger[_Heard] = Ledger()
        self.outbox = Outbox()
        self._base = 0
        self.nick: str | None = None
        self._announce_at: float | None = None

    def forget(self) -> None:
        """Drop what waits to be sent or shown (R18)."""
        self.outbox.clear()
        self._ledger = Ledger()

    def say(self, text: str, now: float, *, strict: bool) -> bytes:
        """Queue a text; return its reference. Raises UsageError or LimitError, nothing queued."""
        content.check_text(text)
        reference = self._stay.reference()
        self.outbox.add(Pending(reference, text, self.nick, now, strict))
        return reference

    def rename(self, nick: str, now: float) -> None:
        """Take a nickname and tell it; raise UsageError."""
        self.nick = content.check_nick(nick)
        self._announce_at = now

    def epoch_began(self, now: float, *, newcomers: bool) -> None:
        """Another epoch: what is unanswered was refused, and goes again under the new keys."""
        self.outbox.fence_moved()
        self._base = self.outbox.base
        if newcomers:
            self.outbox.newcomer()
            if self.nick is not None and len(self._stay.leaves) <= MAX_ANNOUNCED:
                self._announce_at = now + self._stay.fraction() * ANNOUNCE_S

    def met(self, key: bytes) -> None:
        """We saw this signature key enter: its first message bears counter 1 (R30)."""
        self._ledger.begin(key, 0)

    def entered(self, now: float) -> None:
        """We came in: who else is here has not heard our nickname."""
        if self.nick is not None:
            self._announce_at = now

    def flush(self, now: float) -> None:
        """Send what may go now; the caller has made sure that the group is in step."""
        if self._announce_at is not None and now >= self._announce_at and self.nick is not None:
            self._announce_at = None
            self.outbox.add(Pending(self._stay.reference(), None, self.nick, now))
        while (pending := self.outbox.next(now)) is not None:
            if pending.must_hold(now):
                self._fail(pending, HeldError("somebody joined before this was sent"))
            elif pending.tries >= MAX_TRIES and not pending.is_void:
                self._fail(pending, LimitError("not sent: the group changed too often"))
            else:
                self._post(pending)

    def _fail(self, pending: Pending, error: HeldError | LimitError | RefusedError) -> None:
        self.outbox.give_up(pending)
        self._stay.do(Settle(pending.reference, error))

    def _post(self, pending: Pending) -> None:
        stay, group = self._stay, self._stay.group
        assert group is not None
        counter = self.outbox.sent(pending, stay.fence)
        data = content.serialize(_content_of(pending, counter, self._base))
        size = seal.size_class(len(data) + CONTENT_OVERHEAD)
        message = group.encrypt(data, stay.fence, size)
        sealed = seal.seal(stay.keys.seal, stay.keys.room_id, Kind.APPLICATION, stay.fence, message)
        stay.do(Send(serialize_post(pending.reference, stay.fence, sealed)))

    def acknowledged(self, ack: Ack) -> None:
        """The relay ordered a post, now or (an older number) before."""
        if ack.seq > self._stay.seq:
            self._stay.number(ack.seq)
        pending = self.outbox.accepted(ack.reference)
        if pending is not None and not pending.is_void:
            self._stay.do(Settle(ack.reference, ack.seq))

    def refused(self, refused: Refused, now: float) -> None:
        """The relay refused a post."""
        assert refused.reference is not None
        if refused.reason == "stale":
            self.outbox.stale(refused.reference, refused.fence or 0)
        elif refused.reason in ("rate", "pace"):
            wait = refused.retry_after_s if refused.retry_after_s is not None else 1.0
            self.outbox.refused(refused.reference, now + wait)
        elif (pending := self.outbox.find(refused.reference)) is not None:
            self._fail(pending, RefusedError(refused.reason))

    def heard(self, frame: Frame, now: float) -> None:
        """Open one application frame and show what it completes.

        Raises LimitError when the sender's keys have run too far ahead to follow (R16).
        """
        stay, group = self._stay, self._stay.group
        assert group is not None
        try:
            opened = group.decrypt(stay.unseal(frame), frame.fence, frame.tag)
            said = content.parse(opened.content)
        except StateError:
            stay.notice("relay_mislabels", frame.tag)
            return
        except (AuthenticationError, FrameError):
            stay.notice("frame_refused", frame.tag)
            return
        key = opened.member.signature_key
        stay.heard.add(key)
        item = _Heard(frame.tag, frame.seq, said)
        digest = content.digest(said)
        verdict = self._ledger.take(key, said.counter, said.base, digest, item, now)
        if verdict.equivocation:
            stay.notice("equivocation", frame.tag)
        self._show(key, verdict)

    def tick(self, now: float) -> None:
        """Give up holes that are due."""
        for key, verdict in self._ledger.expire(now):
            self._show(key, verdict)

    def deadline(self, now: float, *, may_post: bool) -> float | None:
        """Return when `tick`, or if posts may go `flush`, will have something to do."""
        times = [self._ledger.deadline()]
        if may_post:
            times += [self.outbox.deadline(now), self._announce_at]
        return min((t for t in times if t is not None), default=None)

    def _show(self, key: bytes, verdict: Verdict[_Heard]) -> None:
        stay = self._stay
        for index, item in enumerate(verdict.items):
            place = (stay.life_b64, item.seq)
            if index == 0 and verdict.missing:
                nick = self._roster.nick(key)
                stay.emit(Missing(item.tag, nick, verdict.missing, *place))
            said = item.content
            if isinstance(said, Void | Other):
                continue
            if said.nick is not None and self._roster.rename(key, said.nick):
                stay.emit(NickChanged(item.tag, said.nick, *place))
            if isinstance(said, Text):
                stay.emit(Message(item.tag, said.nick, said.text, *place))


def _content_of(pending: Pending, counter: int, base: int) -> Content:
    if pending.text is not None:
        return Text(counter, base, pending.nick, pending.text)
    if pending.nick is not None:
        return Nick(counter, base, pending.nick)
    return Void(counter, base)
