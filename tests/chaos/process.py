"""The relay and the members of a chaos run as processes; each can be killed, or put to sleep."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from tests.chaos.proxy import Proxy
from tests.e2e.process import OPEN_SOURCES, ROOT

_LINE_BYTES = 1 << 20
# Below the ports that the system gives to outgoing connections: while the relay is down, nobody
# else may get its port, nor may a connection to it meet itself.
_PORTS = range(20_000, 32_000)


class Relay:
    """The relay, always on the same port; what it prints goes to ``log``."""

    def __init__(self, log: Path, key_file: Path | None, *flags: str) -> None:
        self.port = _free_port()
        self._log = log
        self._key_file = key_file
        self._flags = flags
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; return when it listens."""
        line = await self._launch()
        assert "http://" in line, f"the relay did not start: {line}{self._log.read_text()}"

    async def _launch(self) -> str:
        """Start it; return the line that it says then, '' if it cannot serve."""
        flags = [f"--port={self.port}", *OPEN_SOURCES, *self._flags]
        if self._key_file is not None:
            flags.append(f"--ticket-key-file={self._key_file}")
        with self._log.open("ab") as log:
            self._process = await _spawn(["relay", "serve", *flags], log)
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode()

    async def restart(self, how: signal.Signals, down_s: float) -> None:
        """End it, wait, and start it again."""
        assert self._process is not None
        self._process.send_signal(how)
        await self._process.wait()
        await asyncio.sleep(down_s)
        await self.start()

    def signal(self, what: signal.Signals) -> None:
        """Send a signal, as to stop it and let it go on."""
        assert self._process is not None
        self._process.send_signal(what)

    async def stop(self) -> None:
        """Kill it."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class Member:
    """One client process, its proxy and its journal, which is also written to ``folder``."""

    def __init__(self, name: str, folder: Path, *relay_ports: int) -> None:
        self.name = name
        self.proxy = Proxy(*relay_ports)
        self.journal: list[dict[str, Any]] = []
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()

    async def start(self, seed: int, secret: str) -> None:
        """Start it; its talk comes from ``seed``, its room from the link's ``secret``."""
        await self.proxy.start()
        with (self._folder / f"{self.name}.err").open("ab") as log:
            self._process = await _spawn(["tests.chaos.member", self.name, str(seed)], log)
        self._reader = asyncio.create_task(self._read())
        self.tell(f"http://127.0.0.1:{self.proxy.port}/#{secret}")

    def tell(self, command: str) -> None:
        """Send a command; one that is gone does not hear it."""
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(command.encode() + b"\n")

    def signal(self, what: signal.Signals) -> None:
        """Send a signal, unless it is gone."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(what)

    async def noted(self, what: str, timeout_s: float) -> bool:
        """Wait until something is in the journal; say whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self._has(what):
                    self._stirred.clear()
                    await self._stirred.wait()
        return self._has(what)

    async def stop(self) -> None:
        """End it and its proxy."""
        if self._process is not None:
            if self._process.returncode is None:
                self.signal(signal.SIGKILL)
            await self._process.wait()
        if self._reader is not None:
            await self._reader
        await self.proxy.stop()

    def _has(self, what: str) -> bool:
        return any(line["what"] == what for line in self.journal)

    async def _read(self) -> None:
        """Take the journal as it is written."""
        assert self._process is not None
        assert self._process.stdout is not None
        with (self._folder / f"{self.name}.jsonl").open("wb") as file:
            while (line := await self._process.stdout.readline()).endswith(b"\n"):
                file.write(line)
                self.journal.append(json.loads(line))
                self._stirred.set()


async def _spawn(arguments: Sequence[str], log: BinaryIO) -> asyncio.subprocess.Process:
    """Run a module of this repository, as a person would: no setting of ours is inherited."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("RELAY_", "BEACON_"))}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *arguments),
        cwd=ROOT,
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        limit=_LINE_BYTES,
    )


def _free_port() -> int:
    for port in random.sample(_PORTS, 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no free port")
