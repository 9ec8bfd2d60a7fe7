"""The benchmark still runs: seconds only, few members, every kind of load, and nothing is lost."""

from pathlib import Path
from typing import Any

import pytest

from bench import chart, generator, report
from bench.scenario import FAST, Scenario
from bench.server import RELAY, Server, servers
from bench.versus import measure

pytestmark = pytest.mark.skipif(generator.compiler() is None, reason="there is no C compiler")
# What a gate's machine has installed anyway.
SERVERS = [server for server in servers() if server.name in (RELAY, "quart")]
BASELINE_CASES = ("saturation", "handshakes")
CASES = (
    Scenario("saturation", "closed loop", ("-r1", "-m5", "-w4"), FAST),
    Scenario("circles", "open loop", ("-r3", "-m3", "-R20"), shows="latency", rooms=3),
    Scenario("pairs", "largest size", ("-r2", "-m2", "-w2", "-b4124"), FAST, rooms=2),
    Scenario("handshakes", "hello", ("-r20", "-m1", "-H", "-i", "-d0"), shows="connect", rooms=20),
    Scenario("storm", "storm", ("-r1", "-m9", "-c9", "-i", "-d0"), shows="storm"),
    Scenario("idle10", "idle", ("-r5", "-m2", "-i", "-d0.1"), shows="idle", rooms=5),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    generator.build(folder)
    return folder


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[dict[str, Any]]:
    runs = [(case, server) for case in CASES for server in SERVERS]
    # The other server is there for what a baseline speaks: a message, and a greeting.
    wanted = [run for run in runs if run[1].name == RELAY or run[0].name in BASELINE_CASES]
    return [measure(folder, case, server, 1, 0.3) for case, server in wanted]


def test_every_run_ends_and_nothing_is_lost(rows: list[dict[str, Any]]) -> None:
    assert [report.faults(row) for row in rows] == [""] * len(rows)
    busy = [row for row in rows if row["scenario"] in ("saturation", "circles", "pairs")]
    assert busy
    assert all(row["deliveries"] > 0 for row in busy)
    assert all(row["others"] == 0 for row in rows)


def test_the_report_has_a_row_for_each(rows: list[dict[str, Any]]) -> None:
    text = report.tables(rows, 50.0)
    assert text.count("| Beacon relay |") == len(CASES)
    assert text.count("| Quart on Hypercorn |") == len(BASELINE_CASES)
    assert "10,000 idle: at most 8,000 bytes a seat" in text
    drawn = chart.draw(report.panels(rows))
    assert drawn.count('class="ours"') == len(report.panels(rows)) == 5


def test_what_is_lost_is_said(folder: Path, rows: list[dict[str, Any]]) -> None:
    spoiled = [{**row, "lost": 3} for row in rows if row["scenario"] == "pairs"]
    assert "Beacon relay, round 1: lost 3." in report.tables(spoiled, 50.0)


def test_a_server_that_does_not_start_is_a_figure_too(folder: Path) -> None:
    broken = Server("quart", "broken", ("false",))
    row = measure(folder, CASES[0], broken, 1, 0.3)
    assert "did not start" in row["error"]
    assert "ERROR" in report.one_line(row)
