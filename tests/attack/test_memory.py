"""Memory that is short, rings that are full, and a system that gives no more."""

import resource
import time
from pathlib import Path

import pytest

from tests.attack import figures
from tests.attack.attacker import BINARY, FIN, TEXT, Visitor, crowd, quick_frame
from tests.attack.honest import honest_pair
from tests.attack.swelling import FREE, MIB, SHORT, fill, may_found, post_large, resting_bytes
from tests.attack.target import flooding, serving
from tests.relay.raw import PATIENCE_S, Closed, commit_bytes, new_link, offer_bytes


@pytest.fixture(scope="module")
def base() -> int:
    """Return what a relay holds in which nothing goes on, in bytes."""
    return resting_bytes()


def test_ring_memory() -> None:
    """The rings of all rooms stay below their cap; the room that was idle longest loses its own."""
    with serving(*FREE, f"--ring-total-bytes={4 * MIB}") as relay:
        members = [Visitor(relay.port, new_link()).join() for _ in range(12)]
        with crowd(*members), flooding(relay, "rings of 12 rooms, cap 4 MiB", 8 * 1024) as cost:
            for _ in range(2):
                for member in members:
                    cost.sent += fill(member, MIB)
        # Whoever was busy last can still be given what it missed; the first has a gap.
        with crowd(*members):
            for member, kind in ((members[-1], 0x13), (members[0], ord("{"))):
                member.seq -= 3
                back = member.resumed()
                with crowd(back):
                    # A post of its own, not seen acknowledged; or the word that it is gone.
                    assert back.message()[0] == kind


@pytest.mark.long
def test_ring_memory_over_an_hour() -> None:
    with serving(*FREE, f"--ring-total-bytes={16 * MIB}") as relay:
        members = [Visitor(relay.port, new_link()).join() for _ in range(20)]
        with crowd(*members):
            for member in members:
                fill(member, 2 * MIB)
            with flooding(relay, "rings over an hour") as cost:
                until = time.monotonic() + 3600
                while time.monotonic() < until:
                    for member in members:
                        cost.sent += fill(member, MIB)


def test_memory_cap_sheds_new_ones_and_keeps_old_ones(base: int) -> None:
    """Nobody new comes in, what can be asked for again is given up, and it ends when it is over."""
    # Between what the relay needs by itself and what the rings may hold.
    ceiling = int((base + 8 * MIB) / 0.85)
    short = ("--ring-age=2", "--away-for=1")
    with serving(*FREE, *short, f"--max-memory={ceiling}", logged=SHORT) as relay:
        members = [Visitor(relay.port, new_link()).join() for _ in range(45)]
        with crowd(*members), honest_pair(relay.port) as pair:
            turned_away = 0
            with flooding(relay, "rings above the ceiling", ceiling // 1024) as cost:
                for member in members:
                    cost.sent += fill(member, MIB)
                    # What comes between two looks at the memory must fit in between.
                    time.sleep(0.05)
                    turned_away += not may_found(relay)
                    pair.latencies_s(1)
            most = base // 1024 + cost.grown_kb
            figures.note("ceiling of memory", f"{most} kB reached of {ceiling // 1024} kB")
            assert turned_away
            # Three quarters of what there is: that is what the ceiling is by default.
            assert most < ceiling // 1024 / 0.75
            pair.latencies_s(20)
        until = time.monotonic() + 3 * PATIENCE_S
        while not may_found(relay):
            assert time.monotonic() < until, "nobody is let in any more"
            time.sleep(0.2)


def test_memory_cap_under_rooms_that_swell(base: int) -> None:
    """Small rooms, let in while there was room, that all take as much as a room may hold."""
    ceiling = int((base + 16 * MIB) / 0.85)
    with serving(*FREE, f"--max-memory={ceiling}", logged=SHORT) as relay:
        members = [Visitor(relay.port, new_link()).join() for _ in range(200)]
        with crowd(*members), flooding(relay, "rooms that swell", 2 * ceiling // 1024) as cost:
            for member in members:
                for data in (
                    commit_bytes(1, group_info=bytes(28 + 126 * 1024)),
                    offer_bytes(2, bytes(28 + 127 * 1024)),
                ):
                    member.raw(quick_frame(FIN | BINARY, data))
                    while member.message()[0] != 0x13:
                        pass
                    cost.sent += len(data)
                # What comes between two looks at the memory must fit in between.
                time.sleep(0.01)
        most = base // 1024 + cost.grown_kb
        figures.note("ceiling, rooms that swell", f"{most} kB reached of {ceiling // 1024} kB")
        assert most < ceiling // 1024 / 0.75


def test_memory_cap_under_readers_that_are_behind(base: int) -> None:
    """Those who are behind are cut first; an honest pair goes on."""
    flags = (*FREE, f"--slow-bytes={4 * MIB}", "--slow-after=600")
    ceiling = int((base + 20 * MIB) / 0.85)
    with serving(*flags, f"--max-memory={ceiling}", logged=SHORT) as relay:
        link = new_link()
        loud = Visitor(relay.port, link).join()
        deaf = [Visitor(relay.port, link, receive_buffer=4096).join() for _ in range(30)]
        with crowd(loud, *deaf), honest_pair(relay.port) as pair:
            loud.fence = deaf[-1].fence
            with flooding(relay, "readers behind above the ceiling", ceiling // 1024) as cost:
                began = time.monotonic()
                gone = 0
                while gone < len(deaf):
                    assert time.monotonic() - began < 3 * PATIENCE_S
                    gone += post_large(loud)
                    # What comes between two looks at the memory must fit in between.
                    time.sleep(0.01)
                    cost.sent += 4141
                pair.latencies_s(20)


def test_system_that_gives_no_more_memory() -> None:
    """RLIMIT_AS: what cannot be had ends connections, and the relay is well when it is over."""
    faults = r"((ERROR|WARNING) [^\n]*\n)*"
    short = ("--ring-age=3", "--away-for=1")
    with serving(*FREE, *short, "--max-memory=1000000000", logged=faults) as relay:
        pages = Path(f"/proc/{relay.pid}/statm").read_text().split()[0]
        limit = int(pages) * resource.getpagesize() + 4 * MIB
        members = [Visitor(relay.port, new_link()).join() for _ in range(30)]
        resource.prlimit(relay.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        lost = 0
        with crowd(*members):
            for member in members:
                try:
                    fill(member, MIB)
                except (Closed, ConnectionError):
                    lost += 1
        figures.note("no more memory from the system", f"{lost} of 30 connections ended")
        assert lost
        until = time.monotonic() + 3 * PATIENCE_S
        while not may_found(relay):
            assert relay.is_alive
            assert time.monotonic() < until
            time.sleep(0.2)
        # To end it needs a thread.
        resource.prlimit(relay.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)


def test_text_of_the_largest_size_in_masses() -> None:
    """Nothing is kept of what was refused."""
    with serving(*FREE) as relay, flooding(relay, "refused messages of 128 KiB") as cost:
        for _ in range(20):
            with Visitor(relay.port).join() as visitor:
                data = quick_frame(FIN | TEXT, b"x" * 131_000)
                for _ in range(30):
                    if not visitor.try_raw(data):
                        break
                    cost.sent += len(data)
