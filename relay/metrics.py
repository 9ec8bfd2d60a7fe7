"""Aggregate counters: how much of what, never whose.

Knows numbers since the start; no room, address, tag or moment.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Metrics:
    """Counters of one process, all since its start."""

    connections: int = 0
    turned_away: int = 0
    heads_refused: int = 0
    websockets: int = 0
    hellos: int = 0
    resumes: int = 0
    refusals: int = 0
    ignored: int = 0
    closed: int = 0
    slow: int = 0
    dead: int = 0
    faults: int = 0
