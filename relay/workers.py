"""Several processes on one port: starts them, passes signals on, starts again what dies.

Knows processes and signals; what a worker does is serve's. The system spreads connections over
them; a room's members may sit in any, for rooms are kept by the broker.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence

from relay import log
from relay.config import RelayConfig
from relay.errors import ListenError

# One that dies at once is not started in a loop.
PAUSE_S = 1.0
_READY = b"beacon-relay listening on "


async def run(config: RelayConfig, words: Sequence[str], announce: Callable[[str], None]) -> int:
    """Serve by ``config.workers`` processes until SIGTERM or SIGINT; return an exit code.

    ``words`` are the settings as they were given: each worker reads them, and the environment,
    again. Raises ListenError if the port cannot be had.
    """
    reserved, port = _reserve(config)
    team = _Team([*words, "--workers", "1", "--reuse-port", "1", "--port", str(port)], announce)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, team.stop, number)
    loop.add_signal_handler(signal.SIGHUP, team.reload)
    try:
        codes = await asyncio.gather(
            team.keep(is_first=True),
            *(team.keep(is_first=False) for _ in range(config.workers - 1)),
        )
    finally:
        reserved.close()
    return max(codes)


def _reserve(config: RelayConfig) -> tuple[socket.socket, int]:
    """Hold the port, which may be any, without listening: workers share it while this is open."""
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        reserved = socket.socket(family, kind, protocol)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(address)
    except OSError as exc:
        raise ListenError(exc.strerror or "unknown error") from exc
    return reserved, reserved.getsockname()[1]


class _Team:
    def __init__(self, words: list[str], announce: Callable[[str], None]) -> None:
        self._words = words
        self._announce: Callable[[str], None] | None = announce
        self._processes: set[asyncio.subprocess.Process] = set()
        self._ready: set[asyncio.subprocess.Process] = set()
        self._is_stopping = False
        # The first has come up, or will not: what keeps one from it keeps all, and is said once.
        self._is_decided = asyncio.Event()

    def stop(self, number: int) -> None:
        self._is_stopping = True
        self._is_decided.set()
        self._tell(self._processes, number)

    def reload(self) -> None:
        """Pass it on to those that know what it means: it would end one that is starting."""
        self._tell(self._ready, signal.SIGHUP)

    def _tell(self, processes: set[asyncio.subprocess.Process], number: int) -> None:
        for process in list(processes):
            if process.returncode is None:
                process.send_signal(number)

    async def keep(self, *, is_first: bool) -> int:
        """Run one worker, and another when it dies; return the exit code of the last."""
        was_ready = False
        if not is_first:
            await self._is_decided.wait()
        while not self._is_stopping:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "relay.worker", *self._words, env=os.environ,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            self._processes.add(process)
            if self._is_stopping:
                process.terminate()
            if await self._wait_ready(process):
                was_ready = True
                self._ready.add(process)
                self._is_decided.set()
            code = await process.wait()
            self._processes.discard(process)
            self._ready.discard(process)
            if self._is_stopping:
                # One that was still starting ends by the signal itself.
                return 0 if code in (-signal.SIGTERM, -signal.SIGINT) else _exit_code(code)
            if not was_ready:
                # What never came up would not the next time; the others are of no use without it.
                self.stop(signal.SIGTERM)
                return _exit_code(code)
            log.warn("a worker has died; another one starts")
            await asyncio.sleep(PAUSE_S)
        return 0

    async def _wait_ready(self, process: asyncio.subprocess.Process) -> bool:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line.startswith(_READY):
            return False
        if self._announce is not None:
            self._announce(line.removeprefix(_READY).decode().strip())
            self._announce = None
        return True


def _exit_code(code: int) -> int:
    """Return what a process ended with; by a signal it has none of ours."""
    return code if code >= 0 else 1
