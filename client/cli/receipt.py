"""How far the newest of our own messages has come (pure).

Knows receipts and what to say of them; older messages are not its business, for whoever has the
newest has those too.
"""

from collections.abc import Iterable

from client.event import Delivered, Member, Presence


def readers(members: Iterable[Member]) -> int:
    """Count the others who can get what we say now, at once or when they are back."""
    return sum(
        not member.me and member.presence in (Presence.PRESENT, Presence.AWAY) for member in members
    )


class Newest:
    """The newest own message, and its receipts as far as they have come."""

    def __init__(self) -> None:
        self._place: tuple[str, int] | None = None
        self._others = 0
        self._receipt: Delivered | None = None

    def ordered(self, life: str, seq: int, others: int) -> None:
        """A message of ours was ordered while so many others were here."""
        if self._place is None or self._place[0] != life or self._place[1] < seq:
            self._place, self._others = (life, seq), others

    def delivered(self, event: Delivered) -> None:
        """A receipt came; that may be known before the order is."""
        old = self._receipt
        if old is None or old.life != event.life or old.seq <= event.seq:
            self._receipt = event

    @property
    def count(self) -> int:
        """How many have it."""
        receipt = self._own_receipt
        return 0 if receipt is None else receipt.count

    @property
    def of(self) -> int:
        """How many should have it; before the first receipt, how many others were here."""
        receipt = self._own_receipt
        return self._others if receipt is None else receipt.of

    def describe(self) -> str | None:
        """Say in a few words who has it, None where nobody should."""
        if not self.of:
            return None
        if self.count >= self.of:
            return "delivered to all"
        return f"delivered {self.count} of {self.of}"

    @property
    def _own_receipt(self) -> Delivered | None:
        receipt = self._receipt
        if receipt is None or (receipt.life, receipt.seq) != self._place:
            return None
        return receipt
