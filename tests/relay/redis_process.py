"""A real Redis of the tests: started, asked, broken and stopped; it writes nothing to a disk."""

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

START_S = 20.0
# Below the ports that the system gives to outgoing connections: while it is down, nobody else may
# get its port.
_PORTS = range(20_000, 32_000)
MISSING = "no redis-server here; as root `make test` installs it (scripts/redis)"


class RedisProcess:
    """One Redis, always on the same port; ``flags`` are added to those of every start."""

    def __init__(self, *flags: str) -> None:
        self.port = free_port()
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; return when it answers."""
        path = shutil.which("redis-server")
        assert path is not None, MISSING
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly"]
        self._process = subprocess.Popen(
            [path, *words, "no", "--loglevel", "warning", *self._flags],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + START_S
        while not self._listens():
            assert time.monotonic() < until, "redis-server does not start"
            assert self._process.poll() is None, "redis-server has ended"
            time.sleep(0.01)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, as to stop it and let it go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once: all that it held is gone."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def ask(self, *words: Any) -> Any:
        """Ask one thing on a connection of its own; raise what it says is wrong."""
        with contextlib.closing(redis.Redis(port=self.port, socket_timeout=START_S)) as client:
            return client.execute_command(*words)

    def _listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def redis_running(*flags: str) -> Iterator[RedisProcess]:
    """Run a Redis; skip the test where there is none."""
    if shutil.which("redis-server") is None:
        pytest.skip(MISSING)
    process = RedisProcess(*flags)
    process.start()
    try:
        yield process
    finally:
        process.kill()


def free_port() -> int:
    """Return a port of loopback that nobody has."""
    for port in random.sample(_PORTS, 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no free port")
