"""What the machine says: a clock by hand, a real address on lo, a process that is stopped."""

import asyncio
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from client import awake
from client.awake import Awake, wakeful_time
from tests.client.cli.beacon import ROOT
from tests.client.live import PATIENCE_S, until


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awake, "TICK_S", 0.01)
    monkeypatch.setattr(awake, "SETTLE_S", 0.1)
    monkeypatch.setattr(awake, "CALM_S", 0.2)


@contextmanager
def watched(clock: Callable[[], float]) -> Iterator[list[float]]:
    calls: list[float] = []
    one = Awake(lambda: calls.append(asyncio.get_running_loop().time()), clock)
    one.start()
    try:
        yield calls
    finally:
        one.stop()


async def test_clock_that_went_on_without_us_is_a_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awake, "_open_netlink", lambda: None)
    clock = Clock()
    with watched(clock) as calls:
        await asyncio.sleep(0.1)
        assert calls == []
        clock.now += awake.SLEPT_S + 0.1
        await until(lambda: len(calls) == 1)
        # Once for one sleep; and again for the next, but not before it is calm.
        await asyncio.sleep(0.3)
        assert len(calls) == 1
        clock.now += 3600
        await until(lambda: len(calls) == 2)
        clock.now += 3600
        await until(lambda: len(calls) == 3)
        assert calls[2] - calls[1] >= awake.CALM_S
    clock.now += 3600
    await asyncio.sleep(0.1)
    assert len(calls) == 3


async def test_short_delay_is_no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awake, "_open_netlink", lambda: None)
    clock = Clock()
    with watched(clock) as calls:
        clock.now += awake.SLEPT_S - 0.1
        await asyncio.sleep(0.1)
        assert calls == []


def test_clock_goes_on() -> None:
    first = wakeful_time()
    assert wakeful_time() >= first


@contextmanager
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Put one end of a pair in the place of the kernel's socket."""
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    monkeypatch.setattr(awake, "_open_netlink", lambda: ours)
    try:
        yield theirs
    finally:
        theirs.close()
        ours.close()


async def test_burst_of_changes_is_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awake, "_MESSAGES", 2)
    with told(monkeypatch) as kernel, watched(Clock()) as calls:
        for _ in range(5):
            kernel.send(b"change")
        await until(lambda: len(calls) == 1)
        await asyncio.sleep(0.3)
        assert len(calls) == 1
        kernel.send(b"change")
        await until(lambda: len(calls) == 2)


class Broken:
    """A socket that always has the same error to tell."""

    def __init__(self, inner: socket.socket, code: int) -> None:
        self._inner = inner
        self._code = code
        self.reads = 0
        self.closed = False

    def fileno(self) -> int:
        return self._inner.fileno()

    def recv(self, size: int) -> bytes:
        self.reads += 1
        if self._inner.recv(size) == b"":
            raise BlockingIOError
        raise OSError(self._code, "error")

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("code", [errno.ENOBUFS, errno.EBADF])
async def test_more_changes_than_can_be_read_are_a_change(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    with told(monkeypatch) as kernel:
        ours = awake._open_netlink()
        assert ours is not None
        broken = Broken(ours, code)
        monkeypatch.setattr(awake, "_open_netlink", lambda: broken)
        with watched(Clock()) as calls:
            kernel.send(b"too many")
            await until(lambda: len(calls) == 1)
            # What cannot be read at all is not tried forever.
            assert broken.closed is (code == errno.EBADF)
            kernel.send(b"too many")
            await asyncio.sleep(0.3)
            assert broken.reads == (1 if code == errno.EBADF else 2)
        assert broken.closed


class Unbound:
    """A socket that may be had, but not heard."""

    closed = False

    def bind(self, _: object) -> None:
        raise PermissionError

    def close(self) -> None:
        self.closed = True


async def test_where_the_system_says_nothing_there_is_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> socket.socket:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.delattr(socket, "AF_NETLINK", raising=False)
        assert awake._open_netlink() is None
    with monkeypatch.context() as patch:
        patch.setattr(awake.socket, "socket", refused)
        assert awake._open_netlink() is None
    with monkeypatch.context() as patch:
        unbound = Unbound()
        patch.setattr(awake.socket, "socket", lambda *_: unbound)
        assert awake._open_netlink() is None
        assert unbound.closed
    monkeypatch.setattr(awake, "_open_netlink", lambda: None)
    clock = Clock()
    with watched(clock) as calls:
        clock.now += 3600
        await until(lambda: len(calls) == 1)


def change_lo(what: str) -> subprocess.CompletedProcess[bytes]:
    command = ["ip", "address", what, "127.9.9.9/32", "dev", "lo"]
    return subprocess.run(command, capture_output=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="netlink is Linux's")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may add an address to lo")
async def test_new_address_is_a_change_of_the_network() -> None:
    if shutil.which("ip") is None:
        pytest.skip("there is no command ip to add an address with")
    with watched(Clock()) as calls:
        await asyncio.sleep(0.2)
        quiet = len(calls)
        added = await asyncio.to_thread(change_lo, "add")
        try:
            if added.returncode:
                pytest.skip(f"ip: {added.stderr.decode().strip()}")
            await until(lambda: len(calls) > quiet)
        finally:
            await asyncio.to_thread(change_lo, "del")


PROGRAM = """
import asyncio
from client import awake

async def main():
    woken = asyncio.Event()
    one = awake.Awake(woken.set)
    one.start()
    print("watching", flush=True)
    await woken.wait()
    one.stop()
    print("awake", flush=True)

awake._open_netlink = lambda: None
asyncio.run(main())
"""


def test_stopped_process_notices_that_it_goes_on() -> None:
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "watching\n"
            process.send_signal(signal.SIGSTOP)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(awake.SLEPT_S + 3.0)
            process.send_signal(signal.SIGCONT)
            assert process.stdout.readline() == "awake\n"
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
