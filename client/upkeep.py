"""What keeps a talk whole: pulses, requests for what is missing, and repairs (R31, R32).

Knows what is due and what it costs; texts have their own way (talk, outbox), and what is shown is
the ledger's to say. These frames take no counter: one that is refused is not sent again, what it
was for stays due.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar, assert_never

from client import content
from client.content import MAX_PARTS, Ask, Pulse, Repair
from client.event import Presence
from client.kept import Kept
from client.ledger import MAX_WANTED, Ledger
from client.link import Tag
from client.mls import CONTENT_OVERHEAD
from client.outbox import Outbox
from client.pulse import ANSWERING
from client.pulse import Pulse as Clock
from client.roster import Roster
from client.seal import CLASSES
from client.stay import Stay

# One request in this time, the first after up to ASK_DELAY_S: others may have lost the same.
ASK_S = 2.0
ASK_DELAY_S = 0.5
# A pulse that the relay has not answered for so long is as good as lost.
FLIGHT_S = 30.0
# A relay that answers nothing is asked no more than this.
MAX_ERRANDS = 64
# A pulse leaves so many tokens to texts.
PULSE_TOKENS = 4
MAX_CONTENT_BYTES = CLASSES[-1] - CONTENT_OVERHEAD
# Of one part of a repair: its length (2), kem output and tag (48), its counter in the head.
_PART_BYTES = 2 + 48 + 17
_REPAIR_HEAD_BYTES = 120
# What fits one frame however large the counters are; what is left goes with the next.
_MAX_ROWS = 128
_MAX_HOLES = 64

T = TypeVar("T")


@dataclass(frozen=True)
class _Told:
    """A pulse on its way: what it says to have received, by key, and of ourselves."""

    received: dict[bytes, tuple[int, int]] = field(repr=False)
    counter: int
    probes: bool


@dataclass(frozen=True)
class _Asked:
    """A request on its way: sender, first and last counter."""

    holes: tuple[tuple[bytes, int, int], ...] = field(repr=False)


@dataclass(frozen=True)
class _Repaired:
    """A repair on its way to the owners of these keys."""

    keys: tuple[bytes, ...] = field(repr=False)
    counters: tuple[int, ...]


_Errand = _Told | _Asked | _Repaired


class Upkeep(Generic[T]):
    """One stay's share in completeness, across connections."""

    def __init__(
        self, stay: Stay, roster: Roster, outbox: Outbox, ledger: Ledger[T], kept: Kept
    ) -> None:
        self._stay = stay
        self._roster = roster
        self._outbox = outbox
        self._ledger = ledger
        self._kept = kept
        self.clock = Clock()
        self.nick: str | None = None
        self._errands: dict[bytes, _Errand] = {}
        self._told: dict[bytes, tuple[int, int]] = {}
        self._told_counter = 0
        self._pulsed_at: float | None = None
        self._ask_at: float | None = None
        self._asked_at = -ASK_S
        self._answers: dict[bytes, set[int]] = {}
        # Whether the last frame was a repair: the next one then is not, while tokens are few.
        self._repaired_last = False

    # What came

    def note(self, key: bytes, now: float) -> None:
        """Something came that says how far a sender has counted: ask for what is missing."""
        if self._ask_at is None and self._ledger.wants(key):
            delay = ASK_DELAY_S * self._stay.fraction()
            self._ask_at = max(now + delay, self._asked_at + ASK_S)

    def asked(self, key: bytes, ask: Ask) -> None:
        """A member asks; answer what was said while it was here, and still is kept (R32)."""
        group = self._stay.group
        assert group is not None
        for leaf, first, last in ask.holes:
            if leaf != group.me.leaf:
                continue
            flying = self._flying(key)
            for counter in range(first, min(last, first + MAX_WANTED - 1) + 1):
                if counter not in flying and self._kept.may_have(key, counter):
                    self._answers.setdefault(key, set()).add(counter)

    def began(self, key: bytes, first: int) -> None:
        """A member counts us from ``first`` on: send what it should have of before."""
        for counter in self._kept.lacking(key, first):
            if counter not in self._flying(key):
                self._answers.setdefault(key, set()).add(counter)

    def _flying(self, key: bytes) -> set[int]:
        return {
            counter
            for errand in self._errands.values()
            if isinstance(errand, _Repaired) and key in errand.keys
            for counter in errand.counters
        }

    def posted(self) -> None:
        """A text went out: a repair may follow it."""
        self._repaired_last = False

    def probed(self, key: bytes) -> None:
        """A member wants to hear again what we have of it."""
        self._told.pop(key, None)

    # What becomes of ours

    def acknowledged(self, reference: bytes, now: float) -> bool:
        """Take the relay's answer to one of these frames; say whether it was one."""
        errand = self._errands.pop(reference, None)
        match errand:
            case None:
                return False
            case _Told(received, counter):
                self._pulsed_at = None
                self._told.update(received)
                self._told_counter = counter
            case _Asked(holes):
                for key, first, last in holes:
                    self._ledger.asked(key, first, last)
            case _Repaired(keys, counters):
                for key in keys:
                    for counter in counters:
                        self._kept.repaired(key, counter)
            case _ as unreachable:
                assert_never(unreachable)
        self.clock.sent(now, self._stay.fraction())
        return True

    def refused(self, reference: bytes) -> bool:
        """The relay refused one of these frames; say whether it was one."""
        errand = self._errands.pop(reference, None)
        if isinstance(errand, _Told):
            self._pulsed_at = None
            self.clock.again(self._stay.now, probes=errand.probes)
        if isinstance(errand, _Repaired):
            for key in errand.keys:
                self._answers.setdefault(key, set()).update(errand.counters)
        return errand is not None

    def epoch_began(self, keys: Iterable[bytes]) -> None:
        """Whatever is on its way is for an older fence; ``keys`` are the members now."""
        for reference in list(self._errands):
            self.refused(reference)
        present = set(keys)
        self._answers = {key: c for key, c in self._answers.items() if key in present}

    def lost(self) -> None:
        """The connection is gone; who asked will ask again."""
        for reference in list(self._errands):
            self.refused(reference)
        self._answers.clear()
        self._ask_at = self._pulsed_at = None
        self._repaired_last = False

    def resume(self, now: float) -> None:
        """We have a seat again: look for holes."""
        self._ledger.resume(now)
        for key in self._ledger.wanted():
            self.note(key, now)

    # What goes out

    def ask(self, now: float) -> None:
        """Ask for what is missing, if that is due; it cannot wait for our texts."""
        if self._ask_at is not None and now >= self._ask_at:
            self._ask(now)

    def pulse(self, now: float) -> None:
        """Send a pulse, if one is due and our texts leave room for it."""
        if self._pulsed_at is not None and now >= self._pulsed_at + FLIGHT_S:
            for reference in [r for r, e in self._errands.items() if isinstance(e, _Told)]:
                self.refused(reference)
        is_flying = self._pulsed_at is not None
        due = self.clock.is_due(now, awaited=self._kept.is_awaited)
        if due and not is_flying and self._outbox.budget.take(now, PULSE_TOKENS):
            self._pulse(now)

    def repair(self, now: float) -> bool:
        """Send one repair if one is due; while tokens are few every second frame is a text."""
        leaves = {member.signature_key: member.leaf for member in self._stay.others}
        due = {
            key: counters
            for key, answers in self._answers.items()
            if key in leaves
            if (counters := sorted(c for c in answers if self._kept.may_have(key, c)))
        }
        self._answers = {key: self._answers[key] for key in due}
        if not due or not self._outbox.budget.take(now, self._repair_tokens):
            return False
        everyone = frozenset(leaves)
        common = {c for c in set().union(*due.values()) if self._kept.is_open_to(everyone, c)}
        for key, counters in due.items():
            # What not all may have is older, and goes first: whoever never heard us before could
            # not show it after what is newer.
            if sealed := [c for c in counters if c not in common]:
                self._answer(key, leaves[key], sealed)
                return True
        self._answer_all(next(iter(due.values())))
        return True

    @property
    def _repair_tokens(self) -> int:
        is_next = self._repaired_last and self._outbox.texts > 0
        return (self._outbox.budget.burst + 1) // 2 if is_next else 1

    def farewell(self, now: float) -> None:
        """Tell once more how far we counted, and what we have, before we go."""
        if self._outbox.base > self._told_counter or self._untold(now):
            self._pulse(now)

    def deadline(self, now: float) -> float | None:
        """Return when `ask`, `pulse` or `repair` may have something to do."""
        budget, times = self._outbox.budget, []
        if self._ask_at is not None:
            times.append(max(self._ask_at, budget.ready_at(now)))
        if self._pulsed_at is not None:
            times.append(self._pulsed_at + FLIGHT_S)
        elif (due := self.clock.deadline()) is not None:
            times.append(max(due, budget.ready_at(now, PULSE_TOKENS)))
        if self._answers:
            times.append(budget.ready_at(now, self._repair_tokens))
        return min(times, default=None)

    def _post(self, said: Pulse | Ask | Repair, errand: _Errand) -> None:
        reference = self._stay.reference()
        self._errands[reference] = errand
        if len(self._errands) > MAX_ERRANDS:
            self.refused(next(iter(self._errands)))
        self._repaired_last = isinstance(said, Repair)
        self._stay.post(reference, content.serialize(said))

    def _pulse(self, now: float) -> None:
        outbox, stay, group = self._outbox, self._stay, self._stay.group
        assert group is not None
        untold = self._untold(now)
        rows = [
            (member.leaf, *untold[member.signature_key])
            for member in stay.others
            if member.signature_key in untold
        ]
        probes = self.clock.took()
        if probes and len(stay.leaves) <= ANSWERING:
            rows = sorted([*rows, (group.me.leaf, 1, outbox.base)])
        pulse = Pulse(outbox.base, outbox.epoch_base, self.nick, tuple(rows))
        self._pulsed_at = now
        self._post(pulse, _Told(untold, outbox.base, probes))

    def _untold(self, now: float) -> dict[bytes, tuple[int, int]]:
        """Return what we have of the others' contents, where they do not know it."""
        received: dict[bytes, tuple[int, int]] = {}
        for member in self._stay.others:
            key = member.signature_key
            span = self._ledger.received(key, now)
            # Of whom nothing came that there could be, there is nothing to tell.
            is_news = span is not None and span != (1, 0) and self._told.get(key) != span
            if span is not None and is_news and len(received) < _MAX_ROWS:
                received[key] = span
        return received

    def _ask(self, now: float) -> None:
        # Whoever is away cannot answer: we ask when they are back.
        leaves = {
            member.signature_key: member.leaf
            for member in self._stay.others
            if self._roster.presence(Tag(member.tag)) is Presence.PRESENT
        }
        holes = [
            (leaves[key], first, last, key)
            for key, counters in self._ledger.wanted().items()
            if key in leaves
            for first, last in _ranges(counters)
        ]
        if not holes:
            self._ask_at = None
        elif self._outbox.budget.take(now):
            holes = sorted(holes)[:_MAX_HOLES]
            self._ask_at, self._asked_at = now + ASK_S, now
            rows = tuple((leaf, first, last) for leaf, first, last, _ in holes)
            errand = _Asked(tuple((key, first, last) for _, first, last, key in holes))
            self._post(Ask(self._outbox.base, self._outbox.epoch_base, rows), errand)

    def _answer(self, key: bytes, leaf: int, counters: list[int]) -> None:
        """Send one asker what only some of those here may have, sealed to it."""
        group, mine = self._stay.group, self._stay.identity.signature_key
        assert group is not None
        parts = tuple(
            (counter, group.seal_repair(leaf, mine, counter, data))
            for counter, data in self._fitting(counters)
        )
        self._repair(leaf, parts, (key,))

    def _answer_all(self, counters: list[int]) -> None:
        """Send everybody what everybody here may have: one frame for all who ask for it."""
        parts = tuple(self._fitting(counters))
        sent = {counter for counter, _ in parts}
        keys = [
            key
            for key, counters in self._answers.items()
            if any(self._kept.may_have(key, counter) for counter in counters & sent)
        ]
        self._repair(None, parts, tuple(keys))

    def _fitting(self, counters: list[int]) -> list[tuple[int, bytes]]:
        """Return the first contents that fit into one frame, sealed or not."""
        size, parts = _REPAIR_HEAD_BYTES, list[tuple[int, bytes]]()
        for counter in counters[:MAX_PARTS]:
            data = self._kept.content(counter)
            size += _PART_BYTES + len(data)
            if parts and size > MAX_CONTENT_BYTES:
                break
            parts.append((counter, data))
        return parts

    def _repair(
        self, leaf: int | None, parts: tuple[tuple[int, bytes], ...], keys: tuple[bytes, ...]
    ) -> None:
        sent = tuple(counter for counter, _ in parts)
        for key in keys:
            self._answers[key] -= set(sent)
        repair = Repair(self._outbox.base, self._outbox.epoch_base, leaf, parts)
        self._post(repair, _Repaired(keys, sent))


def _ranges(counters: list[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as first and last of each row without a hole."""
    ranges: list[tuple[int, int]] = []
    for counter in counters:
        if ranges and ranges[-1][1] == counter - 1:
            ranges[-1] = (ranges[-1][0], counter)
        else:
            ranges.append((counter, counter))
    return ranges
