"""Attacks by more connections than there are descriptors, and what an idle one costs."""

import resource
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.attack import figures
from tests.attack.attacker import Attacker, Visitor, connect, crowd
from tests.attack.honest import Pair, honest_pair, summary
from tests.attack.target import OPEN, Target, serving
from tests.relay.raw import PATIENCE_S, Closed, new_link

LIMIT = 300


def lower_limit() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


@contextmanager
def full_relay() -> Iterator[tuple[Target, Pair, list[socket.socket]]]:
    """Open twice as many connections as the relay can have; its log must stay silent."""
    with (
        serving(*OPEN, "--message-rate=0", preexec=lower_limit) as relay,
        honest_pair(relay.port) as pair,
    ):
        sockets = [connect(relay.port) for _ in range(2 * LIMIT)]
        try:
            yield relay, pair, sockets
        finally:
            for sock in sockets:
                sock.close()


def descriptors(relay: Target) -> int | None:
    """Return how many the relay has open, None where one may not look."""
    with suppress(PermissionError):
        return len(list(Path(f"/proc/{relay.pid}/fd").iterdir()))
    return None


def test_descriptor_exhaustion() -> None:
    """New ones are refused, old ones live, the log stays silent, and nothing spins."""
    with full_relay() as (relay, pair, _):
        figures.note("honest, descriptors used up", summary(pair.latencies_s(100)))
        open_now = descriptors(relay)
        assert open_now is None or open_now < LIMIT
        time.sleep(1.2)
        before = relay.cpu_s()
        time.sleep(0.5)
        # A listener that cannot accept would be tried again at once, for ever.
        assert relay.cpu_s() - before < 0.25
        # Told so, or dropped without a word.
        with suppress(Closed), Attacker(relay.port) as late:
            assert late.response()[0] == 503


def test_descriptors_are_free_again_when_the_flood_ends() -> None:
    with full_relay() as (relay, pair, sockets):
        for sock in sockets:
            sock.close()
        until = time.monotonic() + PATIENCE_S
        status = 0
        while status != 101:
            assert time.monotonic() < until
            with suppress(Closed, ConnectionError), Attacker(relay.port) as late:
                status = late.handshake()
        with Visitor(relay.port, pair.one.link).join():
            pass


def test_connections_reset_before_they_are_accepted() -> None:
    with serving(*OPEN) as relay, honest_pair(relay.port) as pair:
        before = descriptors(relay)
        for _ in range(500):
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.connect(("127.0.0.1", relay.port))
        pair.latencies_s(3)
        until = time.monotonic() + PATIENCE_S
        while descriptors(relay) != before:
            assert time.monotonic() < until


def idle(relay: Target, count: int, is_seated: bool) -> None:
    """Open idle connections; note what each costs, and what all of them cost a second."""
    link = new_link()
    peers: list[Attacker | Visitor] = []
    with crowd(*peers):
        before = relay.rss_kb()
        for number in range(count):
            if is_seated:
                # Rooms of a hundred.
                link = new_link() if number % 100 == 0 else link
                peers.append(Visitor(relay.port, link).join())
            else:
                peers.append(Attacker(relay.port).upgraded())
        each = (relay.rss_kb() - before) / count
        cpu, began = relay.cpu_s(), time.monotonic()
        time.sleep(1.5)
        share = (relay.cpu_s() - cpu) / (time.monotonic() - began)
        kind = "seats" if is_seated else "connections"
        figures.note(f"{count} idle {kind}", f"{each:.1f} kB each, {100 * share:.1f} % of a core")
        for peer in peers:
            peer.sock.close()
        assert each < 20


def test_idle_connections_cost_little() -> None:
    """10 kB each at 10,000 of them; here fewer, and room for the interpreter's arenas."""
    with serving(*OPEN, "--hello-timeout=600") as relay:
        idle(relay, 500, is_seated=False)


@pytest.mark.long
@pytest.mark.parametrize("is_seated", [False, True])
def test_10_000_idle_connections(is_seated: bool) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 10_300:
        pytest.skip(f"the limit of open files is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 10_300), hard))
    limits = ("--commit-interval=0", "--room-commit-interval=0", "--hello-timeout=3600")
    with serving(*OPEN, *limits) as relay:
        idle(relay, 10_000, is_seated)
