"""One conversation: a state machine of data and `now` in, effects out (client/effect.py).

It opens no connection, draws no randomness and reads no clock; `deadline` says when `tick` wants
to be called. Membership and talk hold the rules; this joins them to the connection.

    OFFLINE --connected--> GREETING --welcome--> WAITING --info--> ENTERING --joined--> JOINED
       ^                      |                     ^                 |                 |   ^
       |                      |                     '-----stale-------'       stranding |   | own
       |                      |                                                  commit v   | commit
       |                      '--resumed--> JOINED or STRANDED, as before ---------- STRANDED
       '----------------- lost (from any)

CLOSED follows `leave` and every Finish; nothing leads out of it.
"""

from collections.abc import Callable, Sequence

from client import mls, wire
from client.effect import Effect, Finish, Reconnect, Send
from client.errors import ForeignError, FrameError, LimitError, RefusedError, StateError
from client.event import Away, Back, Left, Member, Presence
from client.link import Link, Tag
from client.membership import Membership
from client.resumption import Resumption
from client.roster import Roster
from client.seal import Kind
from client.stay import Phase, Stay
from client.talk import Talk
from client.words import member_words, verification_words

# The relay speaks first; one that says nothing for so long is not one.
GREETING_S = 10.0
# From the turn to join to the seat; longer than the relay waits for us (PROTOCOL 4.2).
ENTERING_S = 20.0
# A deadline is missed by so much only where the process did not run.
SLEPT_S = 2.0
# A replay that takes longer than this will not end.
CATCHING_UP_S = 30.0
# Refusals after which coming back is of no use (PROTOCOL 4.4).
_FINAL = ("full", "proof", "version")


class Room:
    """One stay in one room, across as many connections as it takes."""

    def __init__(
        self,
        link: Link,
        draw: Callable[[int], bytes],
        *,
        expect_words: Sequence[str] | None = None,
    ) -> None:
        self._stay = Stay(link.host, link.keys(), mls.Identity.generate(), draw)
        self._roster = Roster()
        self._talk = Talk(self._stay, self._roster)
        self._membership = Membership(self._stay, self._roster, self._talk, expect_words)
        self._resumption = Resumption(self._stay, self._roster, self._talk, self._membership)
        self._give_up_at: float | None = None
        # What `deadline` said last, if nothing has come since.
        self._awaited: float | None = None
        self._words: tuple[mls.Group, tuple[str, ...]] | None = None

    # What a program may ask

    @property
    def phase(self) -> Phase:
        """Where this stay is."""
        return self._stay.phase

    @property
    def tag(self) -> Tag | None:
        """Our tag; None before the first welcome."""
        return self._stay.tag

    @property
    def life(self) -> str:
        """The room's life, base64url."""
        return self._stay.life_b64

    @property
    def first(self) -> bool:
        """Whether we founded the room at our last entry."""
        return self._membership.first

    @property
    def fence(self) -> int:
        """The room's fence, as far as we followed."""
        return self._stay.fence

    @property
    def group(self) -> mls.Group | None:
        """The group as it stands; None before the first entry."""
        return self._stay.group

    @property
    def words(self) -> tuple[str, ...]:
        """The six words of the present epoch, empty before entry; some 50 ms once an epoch."""
        group = self._stay.group
        if group is None:
            return ()
        if self._words is None or self._words[0] is not group:
            self._words = (group, verification_words(group.words_context))
        return self._words[1]

    def member_words(self, tag: Tag) -> tuple[str, ...]:
        """The two words of the member with that tag, empty if there is none; some 50 ms."""
        leaf = next((leaf for leaf in self._stay.leaves if leaf.tag == tag), None)
        return () if leaf is None else member_words(leaf.signature_key)

    @property
    def members(self) -> tuple[Member, ...]:
        """Who is in the group, by leaf, then seats without a leaf; seats only decorate (R6)."""
        stay, mine = self._stay, self._stay.identity.signature_key
        inside = tuple(
            self._roster.me(leaf, self._talk.nick)
            if leaf.signature_key == mine
            else self._roster.member(
                leaf,
                heard=leaf.signature_key in stay.heard,
                silent=stay.is_silent(leaf.signature_key),
            )
            for leaf in stay.leaves
        )
        return inside + tuple(
            Member(tag, None, Presence.CONNECTING, me=False, heard=False)
            for tag in self._roster.connecting(stay.leaves)
        )

    @property
    def outstanding(self) -> int:
        """Our texts that the relay has not ordered, or somebody here has not confirmed."""
        return self._talk.outstanding

    # Inputs

    def connected(self, now: float) -> list[Effect]:
        """A connection stands; the relay speaks first. One that comes after leaving is nothing."""
        self._begin(now)
        if self._stay.phase is Phase.CLOSED:
            return []
        self._stay.phase = Phase.GREETING
        self._give_up_at = now + GREETING_S
        return self._finish(now)

    def lost(self, now: float) -> list[Effect]:
        """The connection is gone; what was accepted by `say` waits for the next one."""
        self._begin(now)
        stay = self._stay
        self._resumption.lost()
        if stay.phase is not Phase.CLOSED:
            stay.phase = Phase.OFFLINE
        self._give_up_at = None
        self._membership.lost()
        self._talk.lost()
        return self._finish(now)

    def received(self, data: str | bytes, now: float) -> list[Effect]:
        """One message of the relay; a malformed one ends the connection, not the stay."""
        self._begin(now)
        if self._stay.phase in (Phase.OFFLINE, Phase.CLOSED):
            return []
        try:
            if isinstance(data, str):
                self._on_text(wire.parse_text(data), now)
            else:
                self._on_binary(wire.parse_binary(data), now)
            if self._resumption.advance(now):
                self._give_up_at = None
        except (FrameError, StateError):
            # Not by the ticket: the replay would bring the same again.
            self._stay.ticket = None
            self._stay.do(Reconnect())
        return self._finish(now)

    def say(self, text: str, now: float, *, strict: bool = False) -> tuple[bytes, list[Effect]]:
        """Accept a text; return its reference, which a Settle will bear, and effects.

        With ``strict`` it fails with HeldError rather than reach somebody who came later (R24).
        Raises UsageError (not a text that may be sent) or LimitError (too many wait).
        """
        self._begin(now)
        reference = self._talk.say(text, now, strict=strict)
        return reference, self._finish(now)

    def rename(self, nick: str, now: float) -> list[Effect]:
        """Take a nickname; raise UsageError."""
        self._begin(now)
        self._talk.rename(nick)
        return self._finish(now)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due by ``now``."""
        self._begin(now)
        if self._stay.phase is Phase.CLOSED:
            return []
        if self._give_up_at is not None and now >= self._give_up_at:
            self._give_up_at = None
            self._stay.do(Reconnect())
        if self._stay.phase not in (Phase.OFFLINE, Phase.GREETING):
            self._membership.tick(now)
        self._talk.kept.expire(now)
        if self._stands:
            self._talk.tick(now)
        return self._finish(now)

    def leave(self, now: float) -> list[Effect]:
        """Say goodbye and forget every key (R18); the room cannot be used again."""
        self._stay.now = now
        stay = self._stay
        if self._may_post:
            self._talk.farewell(now)
        if stay.phase not in (Phase.OFFLINE, Phase.CLOSED, Phase.GREETING):
            stay.do(Send(wire.BYE))
        stay.phase = Phase.CLOSED
        stay.forget()
        self._talk.forget()
        effects, stay.effects = stay.effects, []
        return effects

    def deadline(self, now: float) -> float | None:
        """Return when `tick` wants to be called, None for never."""
        if self._stay.phase is Phase.CLOSED:
            return None
        times = [self._give_up_at, self._talk.kept.deadline()]
        if self._stay.phase not in (Phase.OFFLINE, Phase.GREETING):
            times.append(self._membership.deadline())
        if self._stands:
            times.append(self._talk.deadline(now, may_post=self._may_post))
        self._awaited = min((t for t in times if t is not None), default=None)
        return self._awaited

    # Inside

    def _begin(self, now: float) -> None:
        """Note the time; whoever is called so much later than it wanted to be has slept (R33)."""
        self._stay.now = now
        if self._awaited is not None and now - self._awaited > SLEPT_S:
            self._talk.slept(now)
        self._awaited = None

    @property
    def _stands(self) -> bool:
        """Whether we are in the group, as far as the relay has got."""
        return self._stay.phase is Phase.JOINED and not self._resumption.is_catching_up

    @property
    def _may_post(self) -> bool:
        return self._stands and self._membership.settled

    def _finish(self, now: float) -> list[Effect]:
        """Send what may go after this input; hand out the effects in their order."""
        stay = self._stay
        if self._may_post:
            self._talk.flush(now)
        effects, stay.effects = stay.effects, []
        if any(isinstance(effect, Finish) for effect in effects):
            stay.phase = Phase.CLOSED
        return effects

    def _on_text(self, frame: wire.TextFrame | wire.Unknown, now: float) -> None:
        stay = self._stay
        match stay.phase, frame:
            case Phase.GREETING, wire.Challenge(nonce=nonce):
                self._resumption.greet(nonce)
            case Phase.GREETING, wire.Welcome():
                self._on_welcome(frame, now)
            case Phase.GREETING, wire.Resumed() if stay.ticket is not None:
                self._resumption.resumed(frame, now)
                self._give_up_at = now + CATCHING_UP_S
            case Phase.JOINED | Phase.STRANDED, wire.Gap() if self._resumption.is_catching_up:
                self._resumption.skipped(frame, now)
            case Phase.ENTERING | Phase.JOINED | Phase.STRANDED, wire.Mark(mark=mark):
                stay.mark = mark
            case Phase.ENTERING, wire.Joined(tag=stay.tag) if self._membership.entered:
                self._give_up_at = None
                stay.number(frame.seq)
                stay.ticket = frame.ticket
                self._membership.admitted(frame, now)
            case Phase.JOINED | Phase.STRANDED, wire.Joined(tag=tag):
                if stay.number(frame.seq):
                    self._roster.present(tag)
            case Phase.JOINED | Phase.STRANDED, wire.Away() | wire.Back() | wire.Left():
                self._on_seat(frame, now)
            case Phase.WAITING | Phase.ENTERING, wire.Reset():
                stay.life, stay.seq, stay.fence = frame.life, frame.seq, frame.fence
                self._membership.reset()
                stay.phase = Phase.WAITING
            case Phase.JOINED | Phase.STRANDED, wire.Reset(life=stay.life):
                self._on_raised(frame, now)
            case Phase.JOINED | Phase.STRANDED, wire.Reset():
                stay.notice("reset")
                stay.do(Reconnect(0.0))
            case _, wire.Refused():
                self._on_refused(frame, now)
            case _, wire.Need():
                self._membership.duties.needed(now)
            case _, wire.Drain(retry_after_s=after_s):
                stay.notice("draining")
                stay.do(Reconnect(after_s))
            case _, wire.Notice(code=code):
                stay.notice("degraded" if code == "degraded" else "relay_notice")
            case _, wire.Unknown():
                pass
            case _:
                raise StateError("a message that has no place here")

    def _on_welcome(self, welcome: wire.Welcome, now: float) -> None:
        stay = self._stay
        self._give_up_at = stay.ticket = stay.mark = None
        self._membership.reset()
        stay.phase = Phase.WAITING
        stay.life, stay.tag = welcome.life, welcome.tag
        stay.seq, stay.fence = welcome.seq, welcome.fence
        budget = self._talk.outbox.budget
        budget.rate, budget.burst = welcome.message_rate, max(1, welcome.message_burst)
        budget.tokens, budget.at = float(budget.burst), now

    def _on_raised(self, reset: wire.Reset, now: float) -> None:
        """Somebody came back to a restored room who has followed it further than we (R28)."""
        if reset.fence < self._stay.fence:
            self._stay.notice("relay_equivocates")
        elif reset.fence > self._stay.fence:
            self._membership.skipped(reset.fence, now)

    def _on_seat(self, event: wire.Away | wire.Back | wire.Left, now: float) -> None:
        stay = self._stay
        if not stay.number(event.seq):
            return
        self._membership.seat_changed(event, now)
        leaf = next((leaf for leaf in stay.leaves if leaf.tag == event.tag), None)
        if leaf is None or leaf.signature_key == stay.identity.signature_key:
            return
        nick, place = self._roster.nick(leaf.signature_key), (stay.life_b64, event.seq)
        match event:
            case wire.Away(tag=tag):
                stay.emit(Away(tag, nick, *place))
            case wire.Back(tag=tag):
                stay.emit(Back(tag, tag, nick, *place))
            case _:
                stay.emit(Left(event.tag, nick, *place))

    def _on_refused(self, refused: wire.Refused, now: float) -> None:
        is_inside = self._stay.phase in (Phase.JOINED, Phase.STRANDED)
        if is_inside and refused.fence not in (None, self._stay.fence):
            # Whatever moved the fence stands before this in the order.
            self._stay.notice("relay_equivocates")
            raise StateError("a fence that we were not led to")
        if refused.reference is not None:
            if not self._membership.refused(refused, now):
                self._talk.refused(refused, now)
        elif refused.reason in _FINAL:
            self._stay.do(Finish(RefusedError(refused.reason)))
        elif refused.reason == "busy":
            self._stay.do(Reconnect(refused.retry_after_s))

    def _on_binary(self, frame: wire.BinaryFrame, now: float) -> None:
        stay = self._stay
        match frame:
            case wire.Info() if stay.phase is not Phase.GREETING:
                self._membership.informed(frame, now)
                if stay.phase is Phase.ENTERING:
                    self._give_up_at = now + ENTERING_S
            case wire.Ack() if stay.phase in (Phase.ENTERING, Phase.JOINED, Phase.STRANDED):
                self._talk.acknowledged(frame, now)
            case wire.Frame(kind=Kind.COMMIT) if stay.phase in (Phase.JOINED, Phase.STRANDED):
                if stay.number(frame.seq):
                    self._membership.committed(frame, now)
            case wire.Frame(kind=Kind.COMMIT) if stay.phase is Phase.ENTERING:
                if not self._membership.is_own(frame):
                    raise StateError("a commit of others before our own")
                stay.seq = frame.seq
                self._membership.committed(frame, now)
            case wire.Frame(kind=Kind.APPLICATION) if stay.phase is Phase.JOINED:
                self._on_application(frame, now)
            case wire.Frame(kind=Kind.APPLICATION) if stay.phase is Phase.STRANDED:
                stay.number(frame.seq)
            case _:
                raise StateError("a message that has no place here")

    def _on_application(self, frame: wire.Frame, now: float) -> None:
        stay = self._stay
        if not stay.number(frame.seq):
            return
        if frame.fence != stay.fence:
            stay.notice("relay_equivocates")
            if frame.fence > stay.fence:
                raise StateError("a frame for a fence that we were not led to")
            return
        try:
            self._talk.heard(frame, now)
        except ForeignError:
            self._membership.divided(frame.tag, now)
        except LimitError:
            self._membership.too_far(frame.tag, now)
