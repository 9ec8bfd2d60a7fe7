"""What a room that talks notices of very many seats that do nothing, and what those cost.

    python -m bench.idle_room [--seats 10000] [--slices 10] [--seconds 60] [--rate 40]

Every seat is a whole one: its hello was proven, its commit ordered, its room has a hundred of them,
and it answers each ping. They are held by a process of its own, with less right to the processor
than the relay. The talking room is measured before they come, in ten slices while they are here,
and after they have gone: from before the send of one member to after the receipt of each other one.

Ends with 1 if a message was lost, doubled or out of order, or if a seat was not held to the end.
"""

import argparse
import os
import resource
import selectors
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

from bench.hostile_room import Round, measure, ready
from tests.attack.attacker import Visitor
from tests.attack.target import OPEN, Target, serving
from tests.relay.raw import Closed, Link, Member, new_link

ROOM = 100
# Beside the seats: the talking room, what listens, and what the relay keeps free.
SPARE = 300
FLAGS = (
    *OPEN,
    "--message-rate=20",
    "--message-burst=40",
    "--commit-interval=0",
    "--room-commit-interval=0",
)
SILENT_S = 30.0


def main() -> int:
    """Measure before, during and after; print it all."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle_room", description=__doc__)
    parser.add_argument("--seats", type=int, default=10_000)
    parser.add_argument("--slices", type=int, default=10, help="while the seats are held")
    parser.add_argument("--seconds", type=float, default=60.0, help="of a slice")
    parser.add_argument("--honest", type=int, default=8)
    parser.add_argument("--rate", type=float, default=40.0, help="posts a second, of all honest")
    parser.add_argument("--crowd", type=int, metavar="PORT", help="internal")
    options = parser.parse_args()
    allow_files(options.seats + SPARE)
    if options.crowd:
        Crowd(options.crowd).hold(options.seats)
        return 0
    with serving(*FLAGS) as relay:
        link = new_link()
        members = [Visitor(relay.port, link).join() for _ in range(options.honest)]
        talk = Talk(relay, members, options.rate, options.seconds)
        before = talk.measure("before")
        is_held = beside_idle_seats(talk, options.seats, options.slices)
        after = talk.measure("after")
        for member in members:
            member.sock.close()
    return judge(talk, [before, after], is_held)


def allow_files(count: int) -> None:
    """Have so many files; the relay inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        sys.exit(f"the limit of open files is {hard}, {count} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


def beside_idle_seats(talk: "Talk", seats: int, slices: int) -> bool:
    """Fill the relay and measure slice after slice; return whether all seats were held."""
    relay = talk.relay
    command = [sys.executable, "-m", "bench.idle_room", "--crowd", str(relay.port)]
    empty_kb, began = relay.rss_kb(), time.monotonic()
    crowd = subprocess.Popen(
        [*command, "--seats", str(seats)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        # The talking room answers its pings meanwhile.
        with selectors.DefaultSelector() as selector:
            selector.register(crowd.stdout, selectors.EVENT_READ)
            while not selector.select(0):
                talk.listen(1.0)
        assert crowd.stdout.readline() == "here\n"
        print(f"{seats} seats taken in {time.monotonic() - began:.0f} s", flush=True)
        tell_memory(relay, empty_kb, seats)
        cpu, quiet_since = relay.cpu_s(), time.monotonic()
        talk.listen(SILENT_S)
        share = (relay.cpu_s() - cpu) / (time.monotonic() - quiet_since)
        print(f"nobody says a word: {100 * share:.1f} % of a core", flush=True)
        for number in range(slices):
            talk.during.append(talk.measure(f"slice {number + 1}"))
        tell_memory(relay, empty_kb, seats)
        crowd.stdin.close()
        told = crowd.stdout.readline()
        print(told, end="", flush=True)
        return told.startswith(f"{seats} seats held")
    finally:
        crowd.kill()
        crowd.wait()


def tell_memory(relay: Target, empty_kb: int, seats: int) -> None:
    grown = relay.rss_kb() - empty_kb
    print(f"memory: {grown / 1024:.0f} MiB more, {grown / seats:.2f} KiB a seat", flush=True)


@dataclass
class Talk:
    """The room that talks."""

    relay: Target
    members: list[Member]
    rate: float
    seconds: float
    during: list[Round] = field(default_factory=list)

    def measure(self, name: str) -> Round:
        cpu, began = self.relay.cpu_s(), time.monotonic()
        done = measure(self.relay, self.members, self.seconds, self.rate, len(self.members))
        share = (self.relay.cpu_s() - cpu) / (time.monotonic() - began)
        print(
            f"{name:10} {len(done.latencies_s)} deliveries, {done.lost} lost, "
            f"p50 {done.percentile_ms(50):.2f} ms, p99 {done.percentile_ms(99):.2f} ms, "
            f"relay {100 * share:.1f} % of a core",
            flush=True,
        )
        return done

    def listen(self, seconds: float) -> None:
        """Read whatever comes, and answer pings."""
        until = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            for member in self.members:
                selector.register(member.sock, selectors.EVENT_READ, member)
            while (left := until - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    ready(key.data)


class Crowd:
    """Those who hold the idle seats."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._lost = 0

    def hold(self, seats: int) -> None:
        """Take seats, say so, hold them until standard input ends; say how many are left."""
        os.nice(10)
        link: Link = new_link()
        held = []
        for number in range(seats):
            link = new_link() if number % ROOM == 0 else link
            visitor = Visitor(self._port, link).join()
            held.append(visitor)
            self._selector.register(visitor.sock, selectors.EVENT_READ, visitor)
            self._serve(0)
        print("here", flush=True)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        while self._serve(1.0):
            pass
        pings = sum(visitor.pings for visitor in held)
        print(f"{seats - self._lost} seats held, {pings} pings answered", flush=True)

    def _serve(self, wait_s: float) -> bool:
        """Read what is there; return whether it goes on."""
        for key, _ in self._selector.select(wait_s):
            if key.data is None:
                return False
            try:
                ready(key.data)
            except Closed:
                self._lost += 1
                self._selector.unregister(key.fileobj)
        return True


def judge(talk: Talk, around: list[Round], is_held: bool) -> int:
    """Print the ratios; return the exit code."""
    for percent in (50, 99):
        calm = statistics.median(each.percentile_ms(percent) for each in around)
        values = [each.percentile_ms(percent) for each in talk.during]
        print(
            f"p{percent} {calm:.2f} ms without them, {statistics.median(values):.2f} ms "
            f"({min(values):.2f} to {max(values):.2f}) beside them: "
            f"{statistics.median(values) / calm:.2f} times"
        )
    lost = sum(each.lost for each in (*around, *talk.during))
    print(f"lost {lost}; all seats held: {is_held}")
    return int(lost > 0 or not is_held)


if __name__ == "__main__":
    sys.exit(main())
