"""What a seat has missed, from what its room has kept.

Knows frames, events and references by their numbers; whose seat it is and since when, is room's.
"""

from collections.abc import Mapping

from relay import wire
from relay.ring import Ring
from relay.wire import Reference, Tag


def replay(
    ring: Ring, references: Mapping[Reference, int], tag: Tag, seen: int, seq: int
) -> list[bytes] | None:
    """Return all after ``seen`` up to ``seq`` as ``tag`` would have got it; None if it is not here.

    Of its own frames the owner gets the acks, and its commits besides.
    """
    kept = ring.since(seen)
    if len(kept) != seq - seen:
        return None
    numbers = {number: reference for reference, number in references.items() if number > seen}
    missed: list[bytes] = []
    for number, _, message in kept:
        if not wire.is_from(message, tag):
            missed.append(message)
        elif number not in numbers:
            # A ring that is longer than the memory of references.
            return None
        else:
            own = wire.serialize_ack(numbers[number], number)
            missed += [message, own] if wire.is_commit(message) else [own]
    return missed
