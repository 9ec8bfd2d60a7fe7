"""What one member wrote of its stay, read (pure); see member for the lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Line = Mapping[str, Any]
Journal = Sequence[Line]


def author(text: str) -> tuple[str, int]:
    """Return who said a text, and its number: texts are "NAME NUMBER ..."."""
    name, number, _ = text.split(" ", 2)
    return name, int(number)


def lines_of(journal: Journal, what: str) -> list[Line]:
    """Return the lines of one kind."""
    return [line for line in journal if line["what"] == what]


@dataclass(frozen=True)
class Stay:
    """One member's stay.

    ``begun`` is when the attempt to come in began that worked; ``left`` is infinite for who stayed
    to the end. ``had_delivered``: when it left, it was told that all that it said had arrived.
    ``shown`` is what it saw and what it was told to be missing, in their order.
    """

    name: str
    begun: float
    entered: float
    left: float
    had_delivered: bool
    handed: Mapping[str, float]
    said: Mapping[str, Line]
    seen: Sequence[Line]
    shown: Sequence[Line]
    journal: Journal


def read(name: str, journal: Journal) -> Stay:
    """Read a journal; one who never came in has ``entered`` infinite."""
    never = float("inf")
    entered = min((line["t"] for line in lines_of(journal, "entered")), default=never)
    begun = [line["t"] for line in lines_of(journal, "begun") if line["t"] <= entered]
    leaving = lines_of(journal, "leaving")
    return Stay(
        name=name,
        begun=max(begun, default=0.0),
        entered=entered,
        left=leaving[0]["t"] if leaving else never,
        had_delivered=bool(leaving and leaving[0]["delivered"]),
        handed={line["text"]: line["t"] for line in lines_of(journal, "saying")},
        said={line["text"]: line for line in lines_of(journal, "said")},
        seen=lines_of(journal, "seen"),
        shown=[line for line in journal if line["what"] in ("seen", "missing")],
        journal=journal,
    )
