"""What we said lately: who was there, who has it, and who may have it again (R32, R34).

Knows counters, signature keys and contents as bytes; never encrypts nor sends anything.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

# As far back, and as long, as a repair may reach (R18, R32).
MAX_KEPT = 64
KEEP_S = 120.0
# One counter goes to one asker so often: it may get lost, but not forever.
MAX_REPAIRS = 3


@dataclass(frozen=True)
class Receipt:
    """How many of those who should have one of our contents confirmed it."""

    counter: int
    life: str
    seq: int
    count: int
    of: int


@dataclass
class _Content:
    data: bytes = field(repr=False)
    audience: frozenset[bytes] = field(repr=False)
    life: str
    seq: int
    until: float
    is_text: bool
    confirmed: set[bytes] = field(default_factory=set, repr=False)
    gone: set[bytes] = field(default_factory=set, repr=False)
    repairs: dict[bytes, int] = field(default_factory=dict, repr=False)

    @property
    def awaited(self) -> frozenset[bytes]:
        """Whoever is still here and has not confirmed it."""
        return self.audience - self.confirmed - self.gone

    def receipt(self, counter: int) -> Receipt:
        of = len(self.audience - (self.gone - self.confirmed))
        return Receipt(counter, self.life, self.seq, len(self.confirmed), of)


class Kept:
    """The last contents of ours that were ordered, by counter."""

    def __init__(self) -> None:
        self._contents: OrderedDict[int, _Content] = OrderedDict()

    def __len__(self) -> int:
        return len(self._contents)

    @property
    def outstanding(self) -> int:
        """How many texts somebody who should have confirmed has not."""
        return sum(c.is_text and bool(c.awaited) for c in self._contents.values())

    @property
    def is_awaited(self) -> bool:
        """Whether anything at all is not confirmed by everybody."""
        return any(content.awaited for content in self._contents.values())

    def keep(
        self,
        counter: int,
        data: bytes,
        audience: Iterable[bytes],
        place: tuple[str, int],
        now: float,
        *,
        is_text: bool,
    ) -> None:
        """Keep a content that was ordered at ``place`` (life, number).

        ``audience``: the other signature keys that were in the tree then.
        """
        self._contents[counter] = _Content(data, frozenset(audience), *place, now + KEEP_S, is_text)
        while len(self._contents) > MAX_KEPT:
            self._contents.popitem(last=False)

    def confirmed(self, key: bytes, first: int, last: int) -> list[Receipt]:
        """Note that a member has everything in between; return what is new of texts."""
        receipts = []
        for counter, content in self._contents.items():
            if (
                first <= counter <= last
                and key in content.audience
                and key not in content.confirmed
            ):
                content.confirmed.add(key)
                if content.is_text:
                    receipts.append(content.receipt(counter))
        return receipts

    def lacking(self, key: bytes, first: int) -> list[int]:
        """Return what a member should have, but began to count too late to know."""
        return [
            counter
            for counter, content in self._contents.items()
            if counter < first and key in content.awaited and self.may_have(key, counter)
        ]

    def left(self, key: bytes) -> list[Receipt]:
        """Expect no confirmation from a member that is gone; return what that changes of texts."""
        receipts = []
        for counter, content in self._contents.items():
            if key in content.awaited and content.is_text:
                content.gone.add(key)
                receipts.append(content.receipt(counter))
            content.gone.add(key)
        return receipts

    def back(self, key: bytes) -> None:
        """Expect confirmations of a member again."""
        for content in self._contents.values():
            content.gone.discard(key)

    def may_have(self, key: bytes, counter: int) -> bool:
        """Say whether this asker may have this content once (more)."""
        content = self._contents.get(counter)
        return (
            content is not None
            and key in content.audience
            and content.repairs.get(key, 0) < MAX_REPAIRS
        )

    def is_open_to(self, keys: frozenset[bytes], counter: int) -> bool:
        """Say whether all of these may have a content."""
        content = self._contents.get(counter)
        return content is not None and keys <= content.audience

    def content(self, counter: int) -> bytes:
        """Return a content for an asker that may have it."""
        return self._contents[counter].data

    def repaired(self, key: bytes, counter: int) -> None:
        """Count that an asker was sent a content once more."""
        content = self._contents.get(counter)
        if content is not None:
            content.repairs[key] = content.repairs.get(key, 0) + 1

    def expire(self, now: float) -> None:
        """Forget what is too old."""
        while self._contents and next(iter(self._contents.values())).until <= now:
            self._contents.popitem(last=False)

    def deadline(self) -> float | None:
        """Return when the oldest is too old."""
        return next(iter(self._contents.values())).until if self._contents else None

    def clear(self) -> None:
        """Forget everything."""
        self._contents.clear()
