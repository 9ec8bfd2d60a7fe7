"""No address, room, tag, text or key in anything that the relay prints."""

import shlex
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from tests.attack import exchange, figures
from tests.attack.attacker import Attacker
from tests.attack.target import OPEN, SERVE, Target, environment, start
from tests.relay.process import ROOT
from tests.relay.raw import PATIENCE_S, Closed

# Every level of every logger, asyncio's debug mode, all warnings.
VERBOSE = """
import sys
from relay import __main__, log
setup = log.setup
log.setup = lambda: setup(level=1)
sys.exit(__main__.main())
"""
# The same without what keeps records from being written out: shows that this test can fail.
TALKATIVE = """
import logging, sys
from relay import __main__, log
log.setup = lambda: logging.basicConfig(level=1)
sys.exit(__main__.main())
"""


def printed(relay: Target) -> str:
    """End the relay; return what it wrote."""
    code, out, err = relay.stop()
    assert code == 0, err
    return out + err


def found(words: list[str], text: str) -> list[str]:
    return [word for word in words if word.lower() in text.lower()]


def run(code: str) -> Target:
    command = (sys.executable, "-X", "dev", "-c", code, "serve")
    return start(*OPEN, command=command, env={"PYTHONASYNCIODEBUG": "1"})


def test_nothing_is_logged_of_a_full_exchange() -> None:
    relay = start(*OPEN, command=SERVE)
    exchange.everything(relay)
    assert printed(relay) == ""


def test_no_identifier_is_logged_at_the_most_verbose_level() -> None:
    relay = run(VERBOSE)
    words = exchange.everything(relay)
    text = printed(relay)
    figures.note("most verbose log", f"{len(text.splitlines())} lines, {len(words)} words sought")
    assert "DEBUG" in text
    assert found(words, text) == []
    assert str(relay.port) not in text


def test_what_others_would_log_is_found_by_this_test() -> None:
    relay = run(TALKATIVE)
    words = exchange.everything(relay)
    assert found(words, printed(relay))


@pytest.mark.parametrize(
    "redirected",
    [">/dev/full 2>/dev/full", "2>&-", "<&- >&- 2>&-"],
)
def test_disk_full(redirected: str) -> None:
    """Output that cannot be written, or has no place to go, is no reason to stop serving.

    The ceiling of memory is below what the relay needs, so that there is something to be said.
    """
    port = free_port()
    command = shlex.join([*SERVE, f"--port={port}", *OPEN, "--max-memory=1000000"])
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {command} {redirected}"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + PATIENCE_S
        status = 0
        # Memory is measured twice a second.
        while status != 503:
            assert process.poll() is None, "the relay has ended"
            assert time.monotonic() < until
            time.sleep(0.05)
            status = health(port)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()


def health(port: int) -> int:
    """Return what the relay says of itself, 0 if it is not there."""
    with suppress(ConnectionError, Closed), Attacker(port) as peer:
        peer.try_raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        return peer.response()[0]
    return 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
