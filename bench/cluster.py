"""Rooms on one node, on one and on two that share a Redis, and plain pub/sub: side by side.

    python -m bench.cluster [--seconds 5] [--rounds 3] [--rooms 500 2000 7000]

Every server, and Redis, is on one core, the generator on another: throughput is what one core gives
to all of them together. docs/cluster.md says what is measured.
"""

import argparse
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from bench import generator
from bench.scenario import SCENARIOS
from bench.server import HERE, RELAY, LoadError, Server, cores
from tests.relay.redis_process import RedisProcess

SERVE = (sys.executable, "-m", "relay", "serve", "--port={port}")
SHOWN = ("saturation", "pairs", "town", "circles")
SAMPLE_S = 0.01
# A log without news is asked for every 45 s: long enough to meet that twice.
REST_S = 95.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Mode:
    """One column: what serves, and whether it has a Redis."""

    title: str
    server: Server
    has_store: bool = True


@dataclass
class Meter:
    """How much Redis has worked, from moment to moment."""

    pid: int
    samples: list[tuple[float, float]] = field(default_factory=list)
    is_over: bool = False

    def watch(self) -> None:
        while not self.is_over:
            self.samples.append((time.monotonic(), cpu_s(self.pid)))
            time.sleep(SAMPLE_S)

    def last(self, seconds: float) -> float:
        """Return the work of the last so many seconds."""
        at, used = self.samples[-1]
        return used - next(cpu for t, cpu in self.samples if t >= at - seconds)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def modes(url: str, key_file: Path) -> list[Mode]:
    shared = (*SERVE, f"--broker={url}", f"--ticket-key-file={key_file}")
    pubsub = (sys.executable, str(HERE / "peers" / "pubsub_room.py"), "{port}", url)
    return [
        Mode("one node, memory", Server(RELAY, "", SERVE), has_store=False),
        Mode("one node, Redis", Server(RELAY, "", shared)),
        Mode("two nodes, Redis", Server(RELAY, "", (*shared, "--workers=2"))),
        Mode("plain pub/sub", Server("plain", "", pubsub)),
    ]


@contextmanager
def store() -> Iterator[RedisProcess]:
    """Run a Redis on the servers' core."""
    process = RedisProcess()
    process.start()
    os.sched_setaffinity(process.pid, cores()[0])
    try:
        yield process
    finally:
        process.kill()


def measure(
    program: Path, keys: Path, mode: Mode, load: tuple[str, ...], flags: tuple[str, ...], pid: int
) -> dict[str, Any]:
    """Put one load on one server; return what the generator says, and Redis's work beside it."""
    meter = Meter(pid)
    watching = threading.Thread(target=meter.watch)
    watching.start()
    try:
        found = generator.run(program, keys, mode.server, load, flags)
    finally:
        meter.is_over = True
        watching.join()
    found["store_cpu_s"] = meter.last(found["seconds"]) if mode.has_store else 0.0
    return found


def row(mode: Mode, found: Sequence[dict[str, Any]]) -> str:
    """Return a line of a table: the medians of all rounds."""

    def median(name: str) -> float:
        return statistics.median(run[name] for run in found)

    def micros(name: str) -> float:
        return statistics.median(1e6 * run[name] / max(1.0, run["deliveries"]) for run in found)

    rate = statistics.median(run["deliveries"] / run["seconds"] for run in found)
    # Pub/sub keeps no order between what one sends and what all others do; the rest must be zero.
    wrong = {name: sum(run[name] for run in found) for name in generator.FAULTS}
    faults = ", ".join(f"{name} {count:.0f}" for name, count in wrong.items() if count)
    return (
        f"| {mode.title} | {rate:,.0f} | {median('p50_ms'):.1f} | {median('p99_ms'):.1f} | "
        f"{micros('server_cpu_s'):.1f} | {micros('store_cpu_s'):.1f} | {faults or '-'} |"
    )


def talk(program: Path, keys: Path, seconds: float, rounds: int, folder: Path) -> None:
    """Print a table for each scenario."""
    for scenario in (scenario for scenario in SCENARIOS if scenario.name in SHOWN):
        print(f"\n{scenario.title}\n")
        print("| | deliveries/s | p50, ms | p99, ms | node, us/delivery | Redis, us | wrong |")
        print("|---|---|---|---|---|---|---|", flush=True)
        with store() as process:
            shown = modes(process.url, folder / "key")
            found: dict[str, list[dict[str, Any]]] = {mode.title: [] for mode in shown}
            # In turns, so that what the machine does meanwhile hits all alike.
            for _ in range(rounds):
                for mode in shown:
                    # Of the ones before, who were killed, seats are kept there.
                    process.ask("FLUSHALL")
                    load = (*scenario.load, f"-d{seconds}", "-W1")
                    flags = scenario.relay_flags
                    got = measure(program, keys, mode, load, flags, process.pid)
                    found[mode.title].append(got)
            for mode in shown:
                print(row(mode, found[mode.title]), flush=True)


def rest(program: Path, keys: Path, rooms: Sequence[int], seconds: float, folder: Path) -> None:
    """Print what rooms cost in which nobody says anything."""
    print("\nRooms of two that are silent\n")
    print("| | rooms | node, KiB/room | Redis, KiB/room | node, CPU us/room/s | Redis, us/room/s |")
    print("|---|---|---|---|---|---|", flush=True)
    for count in rooms:
        for number in range(3):
            with store() as process, redis.Redis(port=process.port) as client:
                mode = modes(process.url, folder / "key")[number]
                empty = client.info("memory")["used_memory"]
                peak = Peak(client)
                load = (f"-r{count}", "-m2", "-i", "-g5", f"-d{seconds}")
                found = measure(program, keys, mode, load, (), process.pid)
                held = peak.stop() - empty
            per = 1e6 / count / found["seconds"]
            node = (found["joined_kib"] - found["empty_kib"]) / count
            print(
                f"| {mode.title} | {count:,} | {node:.1f} | {held / 1024 / count:.1f} | "
                f"{found['server_cpu_s'] * per:.1f} | {found['store_cpu_s'] * per:.1f} |",
                flush=True,
            )


class Peak:
    """The most memory that Redis has used."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._most = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        self._is_over.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._is_over.wait(0.5):
            self._most = max(self._most, self._client.info("memory")["used_memory"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.cluster", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rooms", type=int, nargs="*", default=[500, 2000, 7000])
    options = parser.parse_args()
    if shutil.which("redis-server") is None:
        raise SystemExit("there is no redis-server here")
    most = max([500, *options.rooms])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "key").write_bytes(secrets.token_bytes(32))
        try:
            program = generator.build(folder)
            generator.write_keys(folder / "keys", most)
            talk(program, folder / "keys", options.seconds, options.rounds, folder)
            rest(program, folder / "keys", options.rooms, REST_S, folder)
        except (LoadError, subprocess.SubprocessError) as exc:
            print(f"bench.cluster: {exc}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
