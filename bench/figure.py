"""What is read off a run, what the relay is to reach, and how numbers are spelt."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """One column: how it is got from a run."""

    title: str
    of: Callable[[Row], float]


def _each_cpu_second(row: Row) -> float:
    return float(row["deliveries"] / max(row["server_cpu_s"], 0.01))


def _accepted_cpu_second(row: Row) -> float:
    return float(row["connections"] / max(row["connect_cpu_s"], 0.01))


def _seat_bytes(row: Row) -> float:
    return float(1024 * (row["end_kib"] - row["empty_kib"]) / row["connections"])


def _busy_percent(row: Row) -> float:
    return float(100 * row["server_cpu_s"] / row["seconds"])


def _plain(name: str) -> Callable[[Row], float]:
    return lambda row: float(row[name])


PER_CPU = Figure("deliveries per CPU-second", _each_cpu_second)
ACCEPTED = Figure("per CPU-second", _accepted_cpu_second)
SEAT = Figure("bytes a seat", _seat_bytes)
BUSY = Figure("% of a core", _busy_percent)
P99 = Figure("p99, ms", _plain("p99_ms"))
FIGURES: dict[str, tuple[Figure, ...]] = {
    "throughput": (
        PER_CPU,
        Figure("deliveries per second", lambda row: row["deliveries"] / row["seconds"]),
        P99,
    ),
    "slow": (
        PER_CPU,
        P99,
        Figure("memory gained, MB", lambda row: (row["end_kib"] - row["joined_kib"]) / 976.6),
        Figure("cut off", _plain("gone")),
    ),
    "latency": (
        Figure("p50, ms", _plain("p50_ms")),
        P99,
        Figure("p99.9, ms", _plain("p999_ms")),
        BUSY,
    ),
    "connect": (
        ACCEPTED,
        Figure("per second", lambda row: row["connections"] / row["connect_s"]),
        Figure("p50, ms", _plain("connect_p50_ms")),
        Figure("p99, ms", _plain("connect_p99_ms")),
    ),
    "storm": (
        Figure("all are in after, s", _plain("connect_s")),
        Figure("CPU each, ms", lambda row: 1000 * row["connect_cpu_s"] / row["connections"]),
        Figure("p50, ms", _plain("connect_p50_ms")),
    ),
    "idle": (SEAT, BUSY),
}


@dataclass(frozen=True)
class Target:
    """What the relay is to reach: a ratio to a baseline of the same round, or an absolute."""

    text: str
    scenario: str
    figure: Figure
    baseline: str
    low: float = 0.0
    high: float = float("inf")


TARGETS = (
    Target("1 x 100: at least 5 x Node ws", "saturation", PER_CPU, "node-ws", low=5),
    Target("1 x 100: at least 4 x picows", "saturation", PER_CPU, "picows", low=4),
    Target("500 x 2: at least picows", "pairs", PER_CPU, "picows", low=1),
    Target("50 x 20: p99 at most 1.2 x picows", "circles", P99, "picows", high=1.2),
    Target("handshakes: at least Node ws", "handshakes", ACCEPTED, "node-ws", low=1),
    Target("10,000 idle: at most 8,000 bytes a seat", "idle10", SEAT, "", high=8000),
    Target("10,000 idle: below 1 % of a core", "idle10", BUSY, "", high=1),
)


def number(value: float) -> str:
    """Spell a number with three digits that mean something."""
    if abs(value) >= 100:
        size = 10 ** (len(str(int(abs(value)))) - 3)
        return f"{round(value / size) * size:,}"
    return f"{value:.3g}" if abs(value) >= 0.001 else "0"


def spread(values: Sequence[float]) -> str:
    """Spell a median and what it lies between."""
    middle = number(statistics.median(values))
    return f"{middle} ({number(min(values))} to {number(max(values))})"
