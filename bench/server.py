"""The servers under test: how each starts, on which core, and how it ends.

They are the relay, as `beacon-relay serve`, and the baselines in peers/. Each has a core to itself
and the generator another, where there are two.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE / "peers"
# The baselines' own, so that nothing of theirs is near the relay: requirements/bench.txt.
PYTHON = HERE / ".venv" / "bin" / "python"
START_S = 20.0
RELAY = "relay"


class LoadError(Exception):
    """A run that did not come to its end."""


@dataclass(frozen=True)
class Server:
    """A server that can be started; ``missing`` says why it cannot."""

    name: str
    title: str
    command: tuple[str, ...]
    missing: str = ""


def servers() -> list[Server]:
    """Return the relay and every baseline."""
    python = sys.executable
    return [
        Server(RELAY, "Beacon relay", (python, "-m", "relay", "serve", "--port={port}")),
        _node("node-ws", "Node ws", ("node", str(PEERS / "node_ws.cjs"), "{port}"), "ws"),
        _python("picows", "picows, uvloop", "picows_room.py", "picows"),
        _python("websockets", "websockets, uvloop", "websockets_room.py", "uvloop"),
        _python("quart", "Quart on Hypercorn", "quart_room.py", "quart"),
        _workerd(),
    ]


def _python(name: str, title: str, file: str, package: str) -> Server:
    python, missing = str(PYTHON), ""
    if not PYTHON.exists():
        python = sys.executable
        missing = "" if importlib.util.find_spec(package) else f"{package} is not installed"
    return Server(name, title, (python, str(PEERS / file), "{port}"), missing)


def _node(name: str, title: str, command: tuple[str, ...], package: str) -> Server:
    missing = ""
    if not shutil.which("node"):
        missing = "there is no node"
    elif not (HERE / "node_modules" / package).is_dir():
        missing = "npm ci was not run in bench/"
    return Server(name, title, command, missing)


def _workerd() -> Server:
    found = sorted(HERE.glob("node_modules/@cloudflare/workerd-*/bin/workerd"))
    program = str(found[0]) if found else "workerd"
    command = (
        program,
        "serve",
        str(PEERS / "workerd.capnp"),
        "--socket-addr=http=127.0.0.1:{port}",
    )
    missing = "" if found else "no workerd for this machine, or npm ci was not run in bench/"
    return Server("workerd", "Durable Object, workerd", command, missing)


def cores() -> tuple[set[int], set[int]]:
    """Return the server's core and the generator's, the same where there is one."""
    own = sorted(os.sched_getaffinity(0))
    return {own[0]}, {own[-1]}


@contextmanager
def running(server: Server, flags: Sequence[str] = ()) -> Iterator[tuple[int, list[int]]]:
    """Run a server; yield its port and processes."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [word.replace("{port}", str(port)) for word in server.command]
    everywhere = os.sched_getaffinity(0)
    with tempfile.TemporaryFile() as complaints:
        os.sched_setaffinity(0, cores()[0])
        try:
            process = subprocess.Popen(
                [*command, *flags], cwd=HERE.parent, stdout=subprocess.DEVNULL, stderr=complaints
            )
        finally:
            os.sched_setaffinity(0, everywhere)
        try:
            if not _answers(port, process):
                complaints.seek(0)
                said = complaints.read()[-500:].decode(errors="replace")
                raise LoadError(f"{server.name} did not start: {said}")
            yield port, family(process.pid)
        finally:
            # Nothing that it has is worth saving, and some take their time with many connections.
            if process.poll() is None:
                for pid in reversed(family(process.pid)):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            time.sleep(0.3)
            return True
    return False


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += family(int(child))
    return found
