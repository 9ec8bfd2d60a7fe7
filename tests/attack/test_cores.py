"""Attacks on what a relay leaves behind: no core when it dies, no look into it while it lives."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attack.target import OPEN, Target, serving, start

CRASHES = (signal.SIGSEGV, signal.SIGQUIT)
NOBODY = 65_534


def unlimited() -> None:
    """Let the process dump what it likes, as an operator's shell may."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def limits(relay: Target) -> tuple[str, str]:
    text = Path(f"/proc/{relay.pid}/limits").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Max core file size"))
    soft, hard = line.split()[4:6]
    return soft, hard


def dumped(process: "subprocess.Popen[str]") -> bool:
    """Wait for the process; tell whether the system wrote a core of it."""
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -os.WTERMSIG(status)
    return os.WCOREDUMP(status)


def test_no_core_may_be_written() -> None:
    with serving(*OPEN, preexec=unlimited) as relay:
        assert limits(relay) == ("0", "0")


@pytest.mark.parametrize("number", CRASHES)
def test_crash_leaves_no_core(number: signal.Signals) -> None:
    """The system's own word: whether it has written one, whatever core_pattern says."""
    relay = start(*OPEN, preexec=unlimited)
    relay.process.send_signal(number)
    assert not dumped(relay.process)
    for stream in (relay.process.stdout, relay.process.stderr):
        assert stream is not None
        stream.close()


def test_crash_of_another_process_would_leave_one(tmp_path: Path) -> None:
    """Without this the test above says nothing; some machines never write cores."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import os; os.abort()"],
        cwd=tmp_path,
        text=True,
        preexec_fn=unlimited,
    )
    if not dumped(process):
        pytest.skip("this machine writes no cores of anything")


def test_memory_is_closed_to_others_of_the_same_user() -> None:
    """What is not dumpable belongs to root in /proc: no debugger of the same user gets in."""
    user = os.getuid() or NOBODY

    def become() -> None:
        if os.getuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)

    try:
        relay = start(*OPEN, preexec=become)
    except (AssertionError, OSError):
        pytest.skip("no other user may run the relay from here")
    try:
        status = Path(f"/proc/{relay.pid}/status").read_text()
        assert f"Uid:\t{user}" in status
        assert Path(f"/proc/{relay.pid}/mem").stat().st_uid == 0
    finally:
        relay.stop()
