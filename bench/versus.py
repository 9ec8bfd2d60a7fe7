"""The relay beside public baselines: the same load on each, in turn, in one run.

    python -m bench.versus [--rounds 3] [--seconds 3] [--only SCENARIO,..] [--servers SERVER,..]

Loopback only. A round is every scenario, a scenario every server, so that what the machine does
meanwhile is everybody's. A delivery is a message at a member other than its sender, who gets an
acknowledgement; a handshake is the upgrade and the first round trip (at the relay the challenge and
the hello with its signature, at the others a greeting). CPU is the server's own, from /proc, and so
is its memory. Writes all figures to --output, for `python -m bench.report`.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import generator, report
from bench.scenario import SCENARIOS, Scenario
from bench.server import LoadError, Server, servers
from relay.proof import verify
from relay.wire import Hello, RoomId
from tests.relay import raw

WARM_S = 1.0


def chosen(names: str, known: dict[str, Any]) -> list[Any]:
    """Return what is named, all where nothing is."""
    wanted = names.split(",") if names else list(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in wanted]


def present(found: list[Server]) -> list[Server]:
    """Return those that can be started, and say which cannot."""
    for server in found:
        if server.missing:
            print(f"left out: {server.name}: {server.missing}")
    return [server for server in found if not server.missing]


def measure(
    folder: Path, scenario: Scenario, server: Server, round_number: int, seconds: float
) -> dict[str, Any]:
    """Run one server under one scenario; what went wrong is a figure too."""
    load = (
        scenario.load
        if scenario.waits
        else (*scenario.load, f"-d{seconds}", f"-W{min(WARM_S, seconds)}")
    )
    row: dict[str, Any] = {
        "scenario": scenario.name,
        "server": server.name,
        "round": round_number,
    }
    keys = folder / f"keys-{scenario.rooms}"
    if not keys.exists():
        generator.write_keys(keys, scenario.rooms)
    try:
        row |= generator.run(folder / "load", keys, server, load, scenario.relay_flags)
    except LoadError as exc:
        row["error"] = str(exc)
    return row


def machine() -> dict[str, str]:
    """Describe what this ran on, as far as a figure depends on it."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cpu": model or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def proof_us(checks: int = 1000) -> float:
    """Return what the relay's check of one hello takes of a processor, in microseconds."""
    link, nonce = raw.new_link(), os.urandom(32)
    hello = Hello(RoomId(link.room), link.access, link.sign("relay.example", nonce))
    began = time.process_time()
    for _ in range(checks):
        verify(hello, ("relay.example",), nonce)
    return 1e6 * (time.process_time() - began) / checks


def main() -> None:
    """Measure, print each run as it ends, then the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.versus", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", default="", help="scenarios, with commas between")
    parser.add_argument("--servers", default="", help="servers, with commas between")
    parser.add_argument("--output", type=Path, help="where all figures go, as JSON")
    given = parser.parse_args()
    scenarios = chosen(given.only, {each.name: each for each in SCENARIOS})
    found = present(chosen(given.servers, {each.name: each for each in servers()}))
    rows: list[dict[str, Any]] = []
    check_us = proof_us()
    if given.output:
        given.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generator.build(folder)
        for round_number in range(1, given.rounds + 1):
            for scenario in scenarios:
                if round_number > scenario.rounds:
                    continue
                for server in found:
                    rows.append(measure(folder, scenario, server, round_number, given.seconds))
                    print(f"round {round_number} {report.one_line(rows[-1])}", flush=True)
                    if given.output:
                        figures = {"machine": machine(), "proof_us": check_us, "rows": rows}
                        given.output.write_text(json.dumps(figures, indent=1) + "\n")
    print()
    print(report.tables(rows, check_us))


if __name__ == "__main__":
    main()
