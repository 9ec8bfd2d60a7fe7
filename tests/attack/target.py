"""The relay under attack: `beacon-relay serve` as a process of its own, watched from outside.

It runs without the coverage of the tests around it: that writes files, and takes memory and time
that are not the relay's.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.attack import figures
from tests.attack.attacker import Attacker, Visitor
from tests.relay.process import ROOT, Relay

# Everybody of a test comes from few addresses: limits of sources are switched on where they are
# what is tested.
OPEN = (
    "--source-connection-rate=0",
    "--source-connections=0",
    "--source-message-rate=0",
)
# What a flood may add to the relay's memory where its test says nothing else.
MOST_KB = 5 * 1024
_SAMPLE_S = 0.01
# Where the first visitors come from: the limits of all other sources are untouched.
WARM = "127.9.9.9"
_OURS = ("RELAY_", "BEACON_", "COVERAGE_", "COV_CORE_")
SERVE = (sys.executable, "-m", "relay", "serve")


@dataclass
class Target(Relay):
    """A relay process and what it has cost."""

    scheme: str = "http"

    def cpu_s(self) -> float:
        """Return the time that the process has been running on a core."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9
        except OSError:
            # A kernel that keeps no such account has one in hundredths of a second.
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def is_tls(self) -> bool:
        return self.scheme == "https"

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def warm_up(self) -> "Target":
        """Let everything happen once that allocates for good: a page, a room, a refusal."""
        for _ in range(3):
            with Attacker(self.port, source=WARM, tls=self.is_tls) as peer:
                peer.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/9\r\n\r\n")
                peer.response()
                peer.response()
            with Visitor(self.port, source=WARM, tls=self.is_tls).join() as visitor:
                visitor.text(b'{"type":"bye"}')
                visitor.close_code()
        return self


@dataclass
class Cost:
    """What a flood was, and what it did to the relay; ``sent`` is for the flood to say."""

    sent: int = 0
    grown_kb: int = 0
    cpu_s: float = 0.0
    seconds: float = 0.0
    _samples: list[int] = field(default_factory=list)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which nothing of the tests' own reaches the relay."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
    return kept | dict(more or {})


def start(
    *flags: str,
    command: Sequence[str] = SERVE,
    env: Mapping[str, str] | None = None,
    preexec: Callable[[], None] | None = None,
) -> Target:
    """Start a relay on a free port and wait until it says that it listens."""
    process = subprocess.Popen(
        [*command, "--port=0", *flags],
        cwd=ROOT,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=preexec,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"beacon-relay listening on (https?)://127\.0\.0\.1:(\d+)\n", line)
    if found is None:
        process.kill()
        raise AssertionError((line, process.communicate()))
    return Target(process, int(found[2]), found[1])


@contextmanager
def serving(
    *flags: str,
    logged: str = "",
    is_warm: bool = True,
    command: Sequence[str] = SERVE,
    env: Mapping[str, str] | None = None,
    preexec: Callable[[], None] | None = None,
) -> Iterator[Target]:
    """Run a relay: it must live to the end, end well, and have logged ``logged`` (a pattern)."""
    target = start(*flags, command=command, env=env, preexec=preexec)
    try:
        yield target.warm_up() if is_warm else target
        assert target.is_alive, "the relay ended by itself"
    finally:
        code, out, err = target.stop()
    assert (code, out) == (0, ""), (code, out, err)
    assert re.fullmatch(logged, err), err


@contextmanager
def flooding(target: Target, row: str, most_kb: int = MOST_KB) -> Iterator[Cost]:
    """Watch the relay's memory and processor while it is attacked; memory has a bound."""
    cost = Cost()
    over = threading.Event()
    samples = [target.rss_kb()]

    def sample() -> None:
        while not over.wait(_SAMPLE_S):
            samples.append(target.rss_kb())

    watcher = threading.Thread(target=sample, daemon=True)
    cpu, began = target.cpu_s(), time.monotonic()
    watcher.start()
    try:
        yield cost
    finally:
        over.set()
        watcher.join()
    cost.seconds = time.monotonic() - began
    cost.cpu_s = target.cpu_s() - cpu
    cost.grown_kb = max(*samples, target.rss_kb()) - samples[0]
    figures.flood(row, cost.sent, cost.grown_kb, cost.cpu_s, cost.seconds)
    assert cost.grown_kb < most_kb, f"the relay grew by {cost.grown_kb} kB"
