"""Our own texts among those of others, in the order that the relay gave them (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Own:
    """A text of ours that the relay has ordered."""

    text: str
    life: str
    seq: int


def in_order(batch: Sequence[T]) -> list[T]:
    """Return what came at one time with each text of ours before whatever was ordered later.

    Others' events arrive in order; the answer to `send` takes a way of its own beside them.
    """
    ordered: list[T] = []
    for item in batch:
        place = len(ordered)
        if isinstance(item, Own):
            place = next((i for i, other in enumerate(ordered) if _is_later(other, item)), place)
        ordered.insert(place, item)
    return ordered


def _is_later(other: object, own: Own) -> bool:
    # Numbers compare within one life of a room only; what has no number keeps its place.
    return getattr(other, "life", None) == own.life and getattr(other, "seq", 0) > own.seq
