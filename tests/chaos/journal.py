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
    ``shown`` is what it saw and what it was told to be missing, in their order. ``lives`` are the
    room's lives that it was in, and since when at the latest.
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
    lives: Sequence[tuple[float, str]]
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
        lives=_lives(journal),
        journal=journal,
    )


def _lives(journal: Journal) -> list[tuple[float, str]]:
    """Return each life with the moment of the connection on which something of it came first."""
    lives: dict[str, float] = {}
    connected = 0.0
    for line in journal:
        if line["what"] == "state" and line["status"] == "connected":
            connected = line["t"]
        elif line["what"] in ("seen", "said"):
            lives.setdefault(line["life"], connected)
    return [(since, life) for life, since in lives.items()]
