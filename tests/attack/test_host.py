"""The machine under the relay: clocks that jump, a process that is stopped or killed."""

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.attack import exchange, figures
from tests.attack.attacker import Attacker, Visitor
from tests.attack.honest import honest_pair
from tests.attack.target import OPEN, Target, serving, start
from tests.relay.raw import Closed, Member, commit_bytes, new_link, new_reference, post_bytes

FREE = (*OPEN, "--message-rate=0", "--commit-interval=0", "--room-commit-interval=0")
# Wall time of the relay's own process jumps by a day, forward and back, at a signal.
JUMPING = """
import signal, sys, time
real, offset = time.time, 0.0
def jump(number, frame):
    global offset
    offset += 86400.0 if number == signal.SIGUSR1 else -2 * 86400.0
signal.signal(signal.SIGUSR1, jump)
signal.signal(signal.SIGUSR2, jump)
time.time = lambda: real() + offset
from relay.__main__ import main
sys.exit(main())
"""


def test_wall_clock_jumps_a_day() -> None:
    """Nobody is late by it, and tickets are as good as before."""
    command = (sys.executable, "-c", JUMPING, "serve")
    short = ("--hello-timeout=60", "--away-for=30", "--ring-age=30")
    with serving(*FREE, *short, command=command) as relay, honest_pair(relay.port) as pair:
        away = Visitor(relay.port, pair.one.link).join()
        away.sock.close()
        waiting = Attacker(relay.port).upgraded()
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            relay.process.send_signal(number)
            time.sleep(0.6)
            pair.latencies_s(5, away.fence)
            back = away.resumed()
            back.text(b'{"type":"need"}')
            while back.message()[0] != 0x12:
                pass
            back.sock.close()
            away = back
        waiting.text(b"?")
        assert waiting.json()["reason"] == "malformed"
        waiting.sock.close()


def test_relay_that_was_stopped_finds_nobody_late() -> None:
    """SIGSTOP: deadlines of 2 s pass while nothing runs; then everything goes on."""
    limits = ("--ping-interval=1", "--dead-after=2.5", "--away-for=2.5", "--hello-timeout=2.5")
    with serving(*FREE, *limits) as relay, honest_pair(relay.port) as pair:
        away = Visitor(relay.port, pair.one.link).join()
        late = Attacker(relay.port).upgraded()
        away.sock.close()
        pair.one.until("away")
        relay.process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        relay.process.send_signal(signal.SIGCONT)
        late.text(b"?")
        assert late.json()["reason"] == "malformed"
        back = away.resumed()
        pair.latencies_s(5, away.fence)
        for peer in (late, back):
            peer.sock.close()


def test_sigterm_in_the_middle_of_a_flood() -> None:
    """It ends in time, with 1012 to those who can hear it, and without a word in the log."""
    relay = start(*FREE).warm_up()
    link = new_link()
    members = [Visitor(relay.port, link).join() for _ in range(20)]
    others = [Attacker(relay.port) for _ in range(50)]
    for peer in others:
        peer.handshake()
    for member in members:
        for _ in range(20):
            member.try_raw(post_bytes(20))
    began = time.monotonic()
    relay.process.send_signal(signal.SIGTERM)
    with ThreadPoolExecutor(70) as threads:
        codes = list(threads.map(Attacker.close_code, (*others[:30], *members)))
    code, out, err = relay.stop()
    taken = time.monotonic() - began
    figures.note("SIGTERM in the middle of a flood", f"{taken:.1f} s of 5 s")
    assert (code, out, err) == (0, "", "")
    assert codes[:30] == [1012] * 30
    assert taken < 10 * 5
    for peer in (*members, *others):
        peer.sock.close()


def test_sigkill_in_the_middle_of_commits(tmp_path: Path) -> None:
    kill_often(tmp_path, times=2)


@pytest.mark.long
def test_sigkill_in_the_middle_of_commits_often(tmp_path: Path) -> None:
    kill_often(tmp_path, times=1000)


def kill_often(folder: Path, times: int) -> None:
    """What was acknowledged before a kill is behind the fence of the room that comes back."""
    key = folder / "key"
    key.write_bytes(os.urandom(32))
    flags = (*FREE, f"--ticket-key-file={key}")
    relay = start(*flags)
    member: Member = Visitor(relay.port).join()
    waits = []
    try:
        for number in range(times):
            acknowledged = member.fence
            relay_dies = ThreadPoolExecutor(1)
            with relay_dies, suppress(Closed, ConnectionError):
                relay_dies.submit(kill, relay, 0.005 * (number % 10 + 1))
                while True:
                    reference = new_reference()
                    member.send(commit_bytes(acknowledged, reference=reference))
                    while member.message()[:9] != b"\x13" + reference:
                        pass
                    acknowledged += 1
            relay.stop()
            began = time.monotonic()
            relay = start(*flags)
            back = member.resumed(relay.port)
            waits.append(time.monotonic() - began)
            # The commit on its way may have been taken, and its mark have come, without its ack.
            assert back.fence in (acknowledged, acknowledged + 1)
            assert back.message().startswith(b'{"type":"gap"')
            member.sock.close()
            member = back
    finally:
        relay.stop()
        member.sock.close()
    figures.note(f"{times} times SIGKILL and back", f"{max(waits):.2f} s at most, start included")


def kill(relay: Target, after_s: float) -> None:
    time.sleep(after_s)
    relay.process.kill()


def memory(pid: int) -> bytes | None:
    """Return all private memory of a process, None where one may not look."""
    image = bytearray()
    with suppress(PermissionError):
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
            for line in lines:
                where, mode, _, _, inode, *_ = line.split()
                if not mode.startswith("rw") or (inode != "0" and "heap" not in line):
                    continue
                first, last = (int(part, 16) for part in where.split("-"))
                with suppress(OSError):
                    file.seek(first)
                    image += file.read(last - first)
        return bytes(image)
    return None


def test_address_is_not_kept_when_its_connection_is_gone() -> None:
    """In memory it is while it is connected; nothing of the relay's refers to it any longer."""
    with serving(*FREE) as relay:
        here = Visitor(relay.port, source=exchange.ADDRESSES[0]).join()
        known = memory(relay.pid)
        if known is None:
            pytest.skip("nobody may look into the relay's memory from here")
        needle = exchange.ADDRESSES[0].encode()
        assert needle in known, "the search can find it"
        here.text(b'{"type":"bye"}')
        here.close_code()
        here.sock.close()
        # What is free is used again: others come and go.
        for number in range(300):
            with Visitor(relay.port, source=f"127.11.{number // 200}.{number % 200 + 1}") as other:
                other.hello()
        rest = memory(relay.pid)
        assert rest is not None
        figures.note("an address that was here, in memory", f"{rest.count(needle)} times")
        assert rest.count(needle) == 0
