"""The real relay as a process, as an operator starts it; nothing here knows what it is made of."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Rates of sources are off: every client of a test comes from the same address.
OPEN_SOURCES = (
    "--source-connection-rate=0",
    "--source-connections=0",
    "--source-message-rate=0",
)
START_S = 60.0


class RelayProcess:
    """One running relay: its URL, its process id, and all that it printed."""

    def __init__(self, process: subprocess.Popen[str], url: str, printed: list[str]) -> None:
        self.process = process
        self.url = url
        self.printed = printed

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_S)


@contextmanager
def relay_process(
    *flags: str, sources: bool = True, installed: bool = False
) -> Iterator[RelayProcess]:
    """Start `beacon-relay serve` on a free port and wait until it says that it listens.

    ``installed``: the one that the wheel brought, with its page, and not that of the checkout.
    """
    command = [sys.executable, *(["-I"] if installed else []), "-m", "relay", "serve", "--port=0"]
    command += [*(OPEN_SOURCES if sources else ()), *flags]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("RELAY_", "BEACON_"))}
    process = subprocess.Popen(
        command,
        cwd="/" if installed else ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    printed: list[str] = []
    found = threading.Event()
    urls: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            printed.append(line)
            match = re.search(r"http://[^\s/]+", line)
            if match and not urls:
                urls.append(match[0])
                found.set()
        found.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        found.wait(START_S)
        assert urls, f"the relay did not start: {''.join(printed)}"
        yield RelayProcess(process, urls[0], printed)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(START_S)
        reader.join(START_S)
        assert process.stdout is not None
        process.stdout.close()
