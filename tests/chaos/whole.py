"""How long a room takes to be whole again after something broke (pure).

Whole: everybody who stays has seen a text that was said after the last of an episode's faults was
over, and so is connected and in the group again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.journal import Journal, lines_of


@dataclass(frozen=True)
class Episode:
    """When its first fault began and its last was over."""

    began: float
    ended: float


@dataclass(frozen=True)
class Mending:
    """Seconds from an episode's end until the room was whole; ``run_into``: by the next one."""

    seconds: float
    run_into: bool


def mendings(
    journals: Mapping[str, Journal], episodes: Sequence[Episode], names: Collection[str]
) -> list[Mending]:
    """Measure each episode; infinite if the room was never whole again."""
    handed = {
        line["text"]: line["t"]
        for journal in journals.values()
        for line in lines_of(journal, "saying")
    }
    found = []
    for number, episode in enumerate(episodes):
        whole = max((_first(journals[name], handed, episode.ended) for name in names), default=0.0)
        following = episodes[number + 1 :]
        run_into = bool(following) and following[0].began < whole
        found.append(Mending(whole - episode.ended, run_into))
    return found


def _first(journal: Journal, handed: Mapping[str, float], moment: float) -> float:
    times = (
        line["t"] for line in lines_of(journal, "seen") if handed.get(line["text"], 0.0) > moment
    )
    return min(times, default=float("inf"))
