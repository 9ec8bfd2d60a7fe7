"""What the runs of bench.versus have shown: medians and spread, ratios by round, and the targets.

    python -m bench.report FIGURES.json [--into docs/performance.md] [--chart docs/performance.svg]

Without a document it prints what would stand there.
"""

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench import chart
from bench.figure import (
    ACCEPTED,
    FIGURES,
    P99,
    PER_CPU,
    SEAT,
    TARGETS,
    Figure,
    Row,
    number,
    spread,
)
from bench.generator import FAULTS
from bench.scenario import SCENARIOS
from bench.server import RELAY, servers

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
TITLES = {server.name: server.title for server in servers()}


def faults(row: Row) -> str:
    """Name what must not be: lost, doubled, mixed up or refused messages."""
    if "error" in row:
        return str(row["error"])
    return ", ".join(f"{name} {row[name]:.0f}" for name in FAULTS if row[name])


def one_line(row: Row) -> str:
    """Spell one run."""
    shows = {each.name: each.shows for each in SCENARIOS}.get(row["scenario"], "throughput")
    head = f"{row['scenario']:10} {row['server']:10}"
    if "error" in row:
        return f"{head} ERROR {row['error']}"
    cells = [f"{number(figure.of(row))} {figure.title}" for figure in FIGURES[shows]]
    return "; ".join([f"{head} {cells[0]}", *cells[1:], faults(row)]).rstrip("; ")


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _runs(rows: list[Row], scenario: str, server: str) -> list[Row]:
    wanted = [row for row in rows if (row["scenario"], row["server"]) == (scenario, server)]
    return [row for row in wanted if "error" not in row]


def scenario_table(rows: list[Row], scenario: str, figures: Sequence[Figure]) -> str:
    """Return one scenario's table, and what went wrong in it."""
    body, wrong = [], []
    for server, title in TITLES.items():
        runs = _runs(rows, scenario, server)
        if runs:
            body.append([title, *(spread([figure.of(run) for run in runs]) for figure in figures)])
        for row in rows:
            if (row["scenario"], row["server"]) == (scenario, server) and faults(row):
                wrong.append(f"{title}, round {row['round']}: {faults(row)}.")
    table = _table(["", *(figure.title for figure in figures)], body)
    return "\n\n".join([table, *wrong])


def target_table(rows: list[Row]) -> str:
    """Return what the relay was to reach, and whether it did."""
    body = []
    for target in TARGETS:
        values = []
        others = {run["round"]: run for run in _runs(rows, target.scenario, target.baseline)}
        for run in _runs(rows, target.scenario, RELAY):
            if not target.baseline:
                values.append(target.figure.of(run))
            elif run["round"] in others:
                values.append(target.figure.of(run) / target.figure.of(others[run["round"]]))
        if values:
            reached = target.low <= statistics.median(values) <= target.high
            body.append([target.text, spread(values), "yes" if reached else "**no**"])
    return _table(["target", "median of rounds", "reached"], body)


def tables(rows: list[Row], proof_us: float) -> str:
    """Return everything as Markdown."""
    parts = [target_table(rows)] if any(row["server"] == RELAY for row in rows) else []
    for scenario in SCENARIOS:
        if any(row["scenario"] == scenario.name for row in rows):
            flags = " ".join(scenario.relay_flags)
            raised = f"The relay with `{flags}`." if flags else "The relay with its defaults."
            table = scenario_table(rows, scenario.name, FIGURES[scenario.shows])
            parts += [f"### {scenario.title}", raised, table]
            if scenario.name == "handshakes" and proof_us:
                parts.append(
                    f"Of that the check of a hello's proof takes the relay {proof_us:.0f} µs."
                )
    return "\n\n".join(parts)


def replaced(text: str, between: str) -> str:
    """Return a document with what stands between the marks replaced."""
    head, found, rest = text.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not (found and ended):
        raise SystemExit(f"the document lacks {BEGIN} or {END}")
    return f"{head}{BEGIN}\n\n{between}\n\n{END}{tail}"


def main() -> None:
    """Print the tables, or put them into a document and draw the chart."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--into", type=Path)
    parser.add_argument("--chart", type=Path)
    given = parser.parse_args()
    figures = json.loads(given.figures.read_text())
    rows, machine = figures["rows"], figures["machine"]
    where = (
        f"Measured {machine['day']} on {machine['cores']} cores of {machine['cpu']}, Python "
        f"{machine['python']}: median of {max(row['round'] for row in rows)} rounds "
        "(least to most)."
    )
    text = f"{where}\n\n{tables(rows, figures['proof_us'])}"
    if given.into:
        given.into.write_text(replaced(given.into.read_text(), text))
    else:
        print(text)
    if given.chart:
        given.chart.write_text(chart.draw(panels(rows)))


def panels(rows: list[Row]) -> list[chart.Panel]:
    """Return what the chart shows."""
    wanted = (
        ("saturation", PER_CPU, "One room of 100, saturated", "deliveries per CPU-second"),
        ("pairs", PER_CPU, "500 rooms of two, saturated", "deliveries per CPU-second"),
        ("circles", P99, "50 rooms of 20, 10 msg/s each", "p99 in ms, less is better"),
        ("town", P99, "One room of 128, 1 msg/s each", "p99 in ms, less is better"),
        ("handshakes", ACCEPTED, "Handshakes", "per CPU-second"),
        ("idle10", SEAT, "10,000 idle", "bytes a seat, less is better"),
    )
    drawn = []
    for scenario, figure, title, unit in wanted:
        bars = []
        for server, name in TITLES.items():
            values = [figure.of(run) for run in _runs(rows, scenario, server)]
            if values:
                middle = statistics.median(values)
                ends = (min(values), max(values))
                bars.append(chart.Bar(name, middle, *ends, number(middle), server == RELAY))
        if bars:
            drawn.append(chart.Panel(title, unit, tuple(bars)))
    return drawn


if __name__ == "__main__":
    main()
