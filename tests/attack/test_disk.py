"""No disk writes: the system's own account of what a busy relay opens and writes."""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.attack import exchange, figures
from tests.attack.target import OPEN, SERVE, Target, start

_CALLS = (
    "openat,open,creat,rename,renameat,renameat2,mkdir,mkdirat,mknod,mknodat,link,linkat,symlink,"
    "symlinkat,truncate,ftruncate,write,pwrite64,writev,memfd_create"
)
_FOR_WRITING = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)")
_LINE = re.compile(r"(?:\d+ +)?(\w+)\((.*)")
ANNOUNCED = "beacon-relay listening on"
GATE_S, LONG_S = 8, 3600


@contextmanager
def traced(trace: Path) -> Iterator[Target]:
    """Run a relay under strace; it must end well."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace here: nothing else says what a process opens")
    command = (strace, "-f", "-qq", "-y", "-s", "64", "-e", f"trace={_CALLS}", "-o", str(trace))
    try:
        relay = start(*OPEN, command=(*command, *SERVE))
    except AssertionError:
        pytest.skip("no process may be traced here")
    try:
        yield relay
    finally:
        # The signal is for the relay, not for who watches it.
        children = Path(f"/proc/{relay.pid}/task/{relay.pid}/children").read_text().split()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGTERM)
        code, out, err = relay.stop(signal.SIGCONT)
        assert (code, out, err) == (0, "", "")


def writes(trace: Path) -> tuple[list[str], int]:
    """Return what was opened for writing or written to since the relay listens, and all calls."""
    lines = trace.read_text().splitlines()
    # Where strace may not look into the process it shows addresses, and neither texts nor names.
    start_at = next(n for n, line in enumerate(lines) if ANNOUNCED in line or "write(1, 0x" in line)
    found = []
    for line in lines[start_at + 1 :]:
        match = _LINE.match(line)
        if match is None:
            continue
        call, arguments = match.groups()
        if call in ("openat", "open"):
            is_write = _FOR_WRITING.search(arguments) is not None
        elif call in ("write", "pwrite64", "writev"):
            is_write = not re.match(r"[12]\b|\d+<(pipe|socket|anon_inode|TCP|UNIX)", arguments)
        else:
            is_write = True
        if is_write:
            found.append(line)
    return found, len(lines) - start_at


def run(trace: Path, seconds: float) -> None:
    with traced(trace) as relay:
        until = time.monotonic() + seconds
        rounds = 0
        while time.monotonic() < until:
            exchange.everything(relay)
            rounds += 1
    found, calls = writes(trace)
    figures.note("disk", f"{rounds} rounds of everything, {calls} calls, {len(found)} writes")
    assert found == []


def test_no_disk_writes_at_all(tmp_path: Path) -> None:
    run(tmp_path / "trace", GATE_S)


@pytest.mark.long
def test_no_disk_writes_at_all_in_an_hour(tmp_path: Path) -> None:
    run(tmp_path / "trace", LONG_S)


def test_a_write_would_be_found(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    lines = (
        f'7 write(1<pipe:[1]>, "{ANNOUNCED} http://"..., 40) = 40',
        '7 openat(AT_FDCWD</>, "/tmp/x", O_RDONLY|O_CLOEXEC) = 3</tmp/x>',
        '7 write(2<pipe:[2]>, "WARNING", 7) = 7',
        '7 openat(AT_FDCWD</>, "/tmp/x", O_WRONLY|O_CREAT, 0666) = 3</tmp/x>',
        '7 write(3</tmp/x>, "secret", 6) = 6',
        '7 rename("/tmp/x", "/tmp/y") = 0',
    )
    trace.write_text("\n".join(lines))
    assert writes(trace) == (list(lines[3:]), 6)


def test_system_has_counted_no_write() -> None:
    """The same by the system's own account, which needs no strace; sockets do not count there."""
    relay = start(*OPEN).warm_up()
    try:
        before = written(relay)
        exchange.everything(relay)
        after = written(relay)
    except PermissionError:
        pytest.skip("nobody may look at the relay's account from here")
    finally:
        code, out, err = relay.stop()
    assert (code, out, err) == (0, "", "")
    figures.note("written by a relay, in bytes", f"{after['wchar'] - before['wchar']}")
    assert after == before


def written(relay: Target) -> dict[str, int]:
    """Return how much, and how often, the process has written, and what of it was for a disk."""
    lines = Path(f"/proc/{relay.pid}/io").read_text().splitlines()
    account = {name: int(value) for name, value in (line.split(": ") for line in lines)}
    return {name: account[name] for name in ("wchar", "syscw", "write_bytes")}
