"""When a pulse is due (R14, R31): receipt, heartbeat, confirmation and hole detector in one.

Knows moments, numbers of leaves and chance, which is handed in; never what a pulse says.
"""

from dataclasses import dataclass, field

RECEIPT_S = 2.0
# In larger rooms not everybody answers: so many do, on average.
ANSWERING = 16
HEARTBEAT_S = (45.0, 75.0)
# One confirmation for all who join within a second, by the lowest present leaf; others stand by.
CONFIRM_S = 0.5
RANK_S = 0.3
# Whoever comes in says so within this time, and in a small room is answered by everybody.
GREETING_S = 3.0
# Where receipts are incomplete, what was said is told once more: the last of it may be lost.
PROBE_S = 5.0


@dataclass
class Pulse:
    """The clock of one member's pulses; ``chance`` arguments are from 0 up to 1."""

    _due: float | None = None
    _window: float = 0.0
    _confirm: float | None = None
    _probe: float | None = None
    _heartbeat: float | None = None
    _newcomers: set[bytes] = field(default_factory=set, repr=False)
    # Whether the pulse that is due asks others to say again what they have of ours.
    _probes: bool = False

    def sent(self, now: float, chance: float) -> None:
        """A frame of ours was ordered: the next heartbeat counts from here."""
        low, high = HEARTBEAT_S
        self._heartbeat = now + low + chance * (high - low)

    def took(self) -> bool:
        """Take what is due: a pulse goes out; say whether it is to ask the others for answers."""
        self._due = self._confirm = self._heartbeat = None
        self._newcomers.clear()
        probes, self._probes = self._probes, False
        return probes

    def again(self, now: float, *, probes: bool) -> None:
        """What was taken came to nothing: it is due still."""
        self._due = now
        self._probes = self._probes or probes

    def said(self, now: float) -> None:
        """A counted content of ours was ordered: ask ourselves later whether all have it."""
        self._probe = now + PROBE_S

    def came(self, now: float, leaves: int, chance: float) -> None:
        """A counted content of another came; one pulse answers all of the next two seconds."""
        if self._due is None and now >= self._window:
            self._window = now + RECEIPT_S
            if chance * leaves < ANSWERING:
                self._due = now + RECEIPT_S

    def joined(self, key: bytes, now: float, rank: int) -> None:
        """Somebody came in, and wants to hear that others are there (R14)."""
        self._newcomers.add(key)
        if self._confirm is None:
            self._confirm = now + CONFIRM_S + rank * RANK_S

    def heard(self, key: bytes) -> None:
        """Another's pulse came: if it was here before, whoever came in has heard somebody."""
        if key not in self._newcomers:
            self._confirm = None
            self._newcomers.clear()

    def greet(self, now: float, chance: float) -> None:
        """Tell of ourselves soon."""
        at = now + chance * GREETING_S
        self._due = at if self._due is None else min(self._due, at)

    def is_due(self, now: float, *, awaited: bool) -> bool:
        """Say whether to send one; ``awaited``: not everybody has confirmed what we said."""
        if self._probe is not None and self._probe <= now:
            self._probe = None
            if awaited:
                self._due = now
                self._probes = True
        times = (self._due, self._confirm, self._heartbeat)
        return any(at is not None and at <= now for at in times)

    def deadline(self) -> float | None:
        """Return when `is_due` is worth asking."""
        times = (self._due, self._confirm, self._probe, self._heartbeat)
        return min((at for at in times if at is not None), default=None)
