"""What honest members notice of hostile ones in their room: what they lose, and how late it comes.

    python -m bench.hostile_room [--rounds 5] [--seconds 25] [--honest 8] [--rate 40]

One room, in every round the same number of seats, long enough for the relay to give up those who
are half-open (20 s). Calm: beside the honest members a hundred and two others who listen. Hostile:
of those a hundred are half-open (their link drops every packet, so that nothing is ever
acknowledged and nobody says goodbye), one reads a few bytes a second and comes back when it is cut,
and one posts as fast as it is let, far beyond its limits, and comes back when it is closed. (The
honest may well be better off then: nobody reads so much.) Rounds are interleaved, each with a relay
of its own. Latency is from before the send of one honest member to after the receipt of each other
one. The crowd is a process of its own, with less right to the processor than the relay, as it would
be on its own machine.

Ends with 1 if anything was lost, doubled or out of order, or if the hostile 99th percentile is
three times the calm one or more (medians over the rounds).
"""

import argparse
import itertools
import os
import selectors
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import zip_longest

from nacl.signing import SigningKey

from tests.attack.attacker import BINARY, FIN, PING, PONG, TEXT, Visitor, go_deaf, quick_frame
from tests.attack.target import OPEN, Target, serving
from tests.relay import raw
from tests.relay.raw import (
    PATIENCE_S,
    SEALED,
    Closed,
    Link,
    Member,
    client_frame,
    new_reference,
    post_bytes,
)

HALF_OPEN = 100
ALLOWED = 3.0
# Honest members stay below their limits; the flooder is held to the same.
FLAGS = (
    *OPEN,
    "--message-rate=20",
    "--message-burst=40",
    "--commit-interval=0",
    "--room-commit-interval=0",
)


@dataclass
class Round:
    """What one round has shown."""

    latencies_s: list[float] = field(default_factory=list)
    lost: int = 0
    away: int = 0

    def percentile_ms(self, percent: int) -> float:
        cuts = statistics.quantiles(self.latencies_s, n=100, method="inclusive")
        return cuts[percent - 1] * 1e3


def main() -> int:
    """Run rounds in turn and print what they have shown."""
    parser = argparse.ArgumentParser(prog="python -m bench.hostile_room", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--honest", type=int, default=8)
    parser.add_argument("--rate", type=float, default=40.0, help="posts a second, of all honest")
    parser.add_argument("--crowd", nargs=3, metavar=("KIND", "PORT", "SEED"), help="internal")
    options = parser.parse_args()
    if options.crowd:
        kind, port, seed = options.crowd
        crowd(kind, int(port), Link(SigningKey(bytes.fromhex(seed))))
        return 0
    rounds: dict[str, list[Round]] = {"calm": [], "hostile": []}
    for number in range(options.rounds):
        for kind, done in rounds.items():
            done.append(play(kind, options.honest, options.seconds, options.rate))
            last = done[-1]
            print(
                f"round {number + 1} {kind:8} {len(last.latencies_s)} deliveries, "
                f"{last.lost} lost, {last.away} gone away, p50 {last.percentile_ms(50):.2f} ms, "
                f"p99 {last.percentile_ms(99):.2f} ms",
                flush=True,
            )
    return judge(rounds)


def judge(rounds: dict[str, list[Round]]) -> int:
    """Print medians and spreads; return the exit code."""
    middles = {}
    for kind, done in rounds.items():
        for percent in (50, 99):
            values = [each.percentile_ms(percent) for each in done]
            middles[kind, percent] = statistics.median(values)
            print(
                f"{kind:8} p{percent} {statistics.median(values):6.2f} ms "
                f"({min(values):.2f} to {max(values):.2f})"
            )
    lost = sum(each.lost for done in rounds.values() for each in done)
    ratio = middles["hostile", 99] / middles["calm", 99]
    print(f"lost {lost}; p99 hostile / calm {ratio:.2f} (allowed: below {ALLOWED:.0f})")
    return int(lost > 0 or ratio >= ALLOWED)


def play(kind: str, honest: int, seconds: float, rate: float) -> Round:
    """Play one round."""
    seed = os.urandom(32)
    link = Link(SigningKey(seed))
    with serving(*FLAGS) as relay:
        members = [Visitor(relay.port, link).join() for _ in range(honest)]
        command = [sys.executable, "-m", "bench.hostile_room", "--crowd", kind]
        others = subprocess.Popen(
            [*command, str(relay.port), seed.hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            assert others.stdout is not None
            assert others.stdout.readline() == b"here\n"
            done = measure(relay, members, seconds, rate, len(members) + HALF_OPEN + 2)
            assert others.poll() is None, "the others went away by themselves"
            return done
        finally:
            others.kill()
            others.communicate()
            for member in members:
                member.sock.close()


def measure(relay: Target, members: list[Member], seconds: float, rate: float, fence: int) -> Round:
    """Let honest members post in turn; note when each of the others has it."""
    done = Round()
    sent_at: dict[bytes, float] = {}
    # By speaker, what it has said; by listener, all that it has heard, in that order.
    said: list[list[bytes]] = [[] for _ in members]
    heard: list[list[bytes]] = [[] for _ in members]
    with selectors.DefaultSelector() as selector:
        for number, member in enumerate(members):
            selector.register(member.sock, selectors.EVENT_READ, number)

        def listen(until: float) -> None:
            while (left := until - time.perf_counter()) > 0:
                for key, _ in selector.select(left):
                    take(key.data)

        def take(number: int) -> None:
            for message in ready(members[number]):
                sealed = message[-SEALED:]
                if message[:2] == b"\x11\x01" and sealed in sent_at:
                    done.latencies_s.append(time.perf_counter() - sent_at[sealed])
                    heard[number].append(sealed)
                done.away += number == 0 and message.startswith(b'{"type":"away"')
                assert not message.startswith(b'{"type":"refused"'), message

        listen(time.perf_counter() + 0.5)
        began = time.perf_counter()
        turn = 0
        while time.perf_counter() - began < seconds:
            speaker = turn % len(members)
            sealed = os.urandom(SEALED)
            frame = quick_frame(FIN | BINARY, post_bytes(fence, sealed, new_reference()))
            said[speaker].append(sealed)
            sent_at[sealed] = time.perf_counter()
            members[speaker].raw(frame)
            turn += 1
            listen(began + turn / rate)
        until = time.perf_counter() + PATIENCE_S
        while len(done.latencies_s) < turn * (len(members) - 1) and time.perf_counter() < until:
            listen(time.perf_counter() + 0.1)
    assert relay.is_alive
    whose = {sealed: speaker for speaker, texts in enumerate(said) for sealed in texts}
    done.lost = sum(
        count_lost(said[speaker], [each for each in heard[listener] if whose[each] == speaker])
        for speaker in range(len(members))
        for listener in range(len(members))
        if speaker != listener
    )
    return done


def count_lost(said: list[bytes], heard: list[bytes]) -> int:
    """Return how many were lost, doubled or out of order, of one speaker to one listener."""
    return sum(1 for one, other in zip_longest(said, heard) if one != other)


def ready(member: Member) -> list[bytes]:
    """Read once, answer pings, and return the messages that are there; raises Closed."""
    member._more()
    messages = []
    while (found := member._parse()) is not None:
        opcode, payload = found
        if opcode == PING:
            member.pings += 1
            member.raw(client_frame(PONG, payload))
        elif opcode in (TEXT, BINARY):
            messages.append(payload)
    return messages


def crowd(kind: str, port: int, link: Link) -> None:
    """Be the others: join, say so, and behave well or badly until the end."""
    os.nice(10)
    # What the other process has used is ordered already.
    raw._references = itertools.count(1 << 32)
    slow = Visitor(port, link, receive_buffer=4096).join()
    flooder: Member = Visitor(port, link).join()
    others = [Visitor(port, link).join() for _ in range(HALF_OPEN)]
    for each in (slow, flooder):
        each.fence = others[-1].fence
    print("here", flush=True)
    if kind == "calm":
        listen_all([slow, flooder, *others])
    for other in others:
        go_deaf(other.sock)
    misbehave(slow, flooder)


def listen_all(members: list[Member]) -> None:
    """Read whatever comes, and answer pings."""
    with selectors.DefaultSelector() as selector:
        for member in members:
            selector.register(member.sock, selectors.EVENT_READ, member)
        while True:
            for key, _ in selector.select():
                ready(key.data)


def misbehave(slow: Member, flooder: Member) -> None:
    """Read a little of what comes, and send more than anybody may; come back when it is over."""
    fence = flooder.fence
    while True:
        for _ in range(20):
            if not flooder.try_raw(
                b"".join(
                    quick_frame(FIN | BINARY, post_bytes(fence, b"f" * SEALED, new_reference()))
                    for _ in range(50)
                )
            ):
                flooder = comes_back(flooder)
            time.sleep(0.01)
        if not reads_a_little(slow):
            slow = comes_back(slow)
            slow.fence = fence


def reads_a_little(slow: Member) -> bool:
    """Take a few bytes if there are any; return whether the connection stands."""
    slow.sock.setblocking(False)
    try:
        return bool(slow.sock.recv(200))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        slow.sock.settimeout(PATIENCE_S)


def comes_back(member: Member) -> Member:
    """Resume, as often as it takes."""
    while True:
        with suppress(Closed, ConnectionError, AssertionError):
            back = member.resumed()
            # It does not read so far as to have a new one.
            back.mark = back.mark or member.mark
            return back
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
