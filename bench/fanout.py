"""Deliveries per server CPU-second: one room of 100, the smallest class, everything on.

    python -m bench.fanout [--rounds 5] [--seconds 5] [--members 100] [--window 64]

Loopback only. The relay runs as an operator runs it, with its rates raised by flags: order,
fence, ring, acknowledgements, reference memory, budgets and slow-reader watch are all there. Beside
it, interleaved in the same rounds: `bare_door` (Python, no rule at all) and `node_ws` (Node and ws;
`npm ci` in bench/ first, left out without it). CPU time is the server's own, from /proc.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.relay.raw import SEALED, Member, Peer, new_link, post_bytes

HERE = Path(__file__).parent
TICK = os.sysconf("SC_CLK_TCK")
RAISED = [
    "--message-rate=0",
    "--source-message-rate=0",
    "--source-connection-rate=0",
    "--source-connections=0",
    "--commit-interval=0",
    "--room-commit-interval=0",
    "--room-seats=200",
    "--ping-interval=300",
    "--dead-after=600",
]
# Above every descriptor that this process has open by itself.
_FIRST = 2000


@dataclass(frozen=True)
class Server:
    """A server under test: how it starts, and how a connection of it becomes ready."""

    name: str
    command: list[str]
    open: Callable[[int, int], list[Peer]]


def open_relay(port: int, members: int) -> list[Peer]:
    link = new_link()
    joined: list[Peer] = [Member(port, link).join() for _ in range(members)]
    return joined


def open_plain(port: int, members: int) -> list[Peer]:
    peers = [Peer(port) for _ in range(members)]
    for peer in peers:
        assert peer.handshake() == 101
    return peers


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure(
    server: Server, pump: Path, arguments: argparse.Namespace
) -> tuple[float, float, float]:
    """Return deliveries per server CPU-second, deliveries per second, and the pump's CPU share."""
    process = subprocess.Popen(server.command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found, f"{server.name} did not start"
        peers = server.open(int(found[1]), arguments.members)
        before = cpu_seconds(process.pid)
        out = pump_through(peers, pump, arguments)
        used = cpu_seconds(process.pid) - before
    finally:
        process.terminate()
        process.communicate()
    deliveries, seconds, lost, own = int(out[0]), float(out[1]), int(out[3]), float(out[4])
    assert lost == 0, f"{server.name} lost {lost} deliveries"
    return deliveries / used, deliveries / seconds, own / seconds


def pump_through(peers: list[Peer], pump: Path, arguments: argparse.Namespace) -> list[str]:
    """Hand the connections to the pump; return what it counted."""
    fence = peers[-1].fence if isinstance(peers[-1], Member) else 0
    descriptors = range(_FIRST, _FIRST + len(peers))
    with tempfile.NamedTemporaryFile() as payload:
        payload.write(post_bytes(fence, os.urandom(SEALED)))
        payload.flush()
        for wanted, peer in zip(descriptors, peers, strict=True):
            os.dup2(peer.sock.fileno(), wanted)
            peer.sock.close()
        words = [_FIRST, len(peers), arguments.window, arguments.seconds, payload.name]
        try:
            done = subprocess.run(
                [pump, *map(str, words)],
                pass_fds=descriptors,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=arguments.seconds + 30,
            )
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
    return done.stdout.split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--window", type=int, default=64)
    arguments = parser.parse_args()
    python = sys.executable
    servers = [
        Server("relay", [python, "-m", "relay", "serve", "--port=0", *RAISED], open_relay),
        Server("bare_door", [python, str(HERE / "peers" / "bare_door.py")], open_plain),
    ]
    if shutil.which("node") and (HERE / "node_modules" / "ws").is_dir():
        command = ["node", str(HERE / "peers" / "node_ws.cjs")]
        servers.append(Server("node_ws", command, open_plain))
    with tempfile.TemporaryDirectory() as folder:
        pump = Path(folder) / "load"
        subprocess.run(["cc", "-O2", "-o", pump, HERE / "load.c"], check=True)
        results: dict[str, list[tuple[float, float, float]]] = {s.name: [] for s in servers}
        for _ in range(arguments.rounds):
            for server in servers:
                results[server.name].append(measure(server, pump, arguments))
    print(f"1 x {arguments.members}, window {arguments.window}, {arguments.rounds} rounds")
    for name, rows in results.items():
        per_cpu = [row[0] for row in rows]
        print(
            f"{name:10} {statistics.median(per_cpu) / 1e3:8.0f}k deliveries per CPU-second "
            f"({min(per_cpu) / 1e3:.0f}k to {max(per_cpu) / 1e3:.0f}k), "
            f"{statistics.median(row[1] for row in rows) / 1e3:.0f}k per second, "
            f"pump {100 * statistics.median(row[2] for row in rows):.0f} % of a core"
        )


if __name__ == "__main__":
    main()
