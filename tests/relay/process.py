"""A real relay process for the raw client: started, watched, and stopped."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.relay.raw import PATIENCE_S

ROOT = Path(__file__).parents[2]


@dataclass
class Relay:
    """A real relay process."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def pid(self) -> int:
        return self.process.pid

    def rss_kb(self) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", text)
        assert found
        return int(found[1])

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Stop the process; return its exit code and what it wrote."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            out, err = self.process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
        return self.process.returncode, out, err


def start_relay(*flags: str) -> Relay:
    """Start `beacon-relay serve` on a free port and wait until it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "relay", "serve", "--port", "0", *flags],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith("RELAY_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"beacon-relay listening on http://127\.0\.0\.1:(\d+)\n", line)
    if found is None:
        process.kill()
        raise AssertionError((line, process.communicate()))
    return Relay(process, int(found[1]))


@contextmanager
def running(*flags: str) -> Iterator[Relay]:
    """Run a relay; it must end well and have logged nothing."""
    relay = start_relay(*flags)
    try:
        yield relay
    finally:
        code, out, err = relay.stop()
        assert (code, out, err) == (0, "", ""), (code, out, err)
