"""What completeness costs: frames and bytes of pulses, requests and repairs beside those of texts.

    python -m bench.upkeep [--sizes 2,16,128] [--minutes 3] [--seed 1]

Rooms of real clients on the tests' model relay, in virtual time, so that the figures depend on the
rules alone and not on the machine. Idle: nobody says anything. Calm: the room says something every
10 s. Busy: everybody says something every 10 s, with more than 32 members every 40 s. Broken: calm,
and every 20 s somebody comes back past a gap of 5 s in which something was said. A frame is what
one member posts; each is delivered to all others. Bytes are those of the sealed frame with its
header.
"""

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from client import content
from client.stay import Stay
from tests import model
from tests.pair import Client, Stage

KINDS = ("text", "pulse", "ask", "repair")
CROWD = 32
SCENES = ("idle", "calm", "busy", "broken")


@dataclass
class Meter:
    """What was posted, by kind."""

    frames: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)


@contextmanager
def metered() -> Iterator[Meter]:
    """Count every content that goes out, by the size of the frame that carries it."""
    meter, post = Meter(), Stay.post

    def counted(stay: Stay, reference: bytes, data: bytes) -> None:
        before = len(stay.effects)
        post(stay, reference, data)
        kind = type(content.parse(data)).__name__.lower()
        meter.frames[kind] += 1
        meter.bytes[kind] += sum(len(getattr(e, "data", b"")) for e in stay.effects[before:])

    Stay.post = counted  # type: ignore[method-assign]
    try:
        yield meter
    finally:
        Stay.post = post  # type: ignore[method-assign]


def speak(stage: Stage, scene: str, chance: random.Random, second: int) -> None:
    """Say what is said in this second."""
    size = len(stage.clients)
    if scene in ("calm", "broken") and second % 10 == 0:
        stage.say(chance.choice(stage.clients), f"text {second}")
    elif scene == "busy":
        every = 10 if size <= CROWD else 40
        for index, client in enumerate(stage.clients):
            if (second + index) % every == 0:
                stage.say(client, f"text {second}")


def interrupt(stage: Stage, chance: random.Random) -> None:
    """Let somebody miss a text, and come back past a gap."""
    stage.relay.ring = 0
    missing: Client = chance.choice(stage.clients)
    missing.wants_connection = False
    stage.cut(missing)
    stage.say(chance.choice([c for c in stage.clients if c is not missing]), "unheard")
    stage.wait(5)
    missing.wants_connection = True


def play(size: int, scene: str, minutes: int, seed: int) -> tuple[Meter, float]:
    """Return what a room posts, settled before, and in how many minutes."""
    chance = random.Random(seed)
    stage = Stage(seed=seed.to_bytes(8, "big"))
    stage.join(size)
    stage.wait(120)
    start = stage.now
    with metered() as meter:
        for second in range(60 * minutes):
            speak(stage, scene, chance, second)
            if scene == "broken" and second % 20 == 5:
                interrupt(stage, chance)
            stage.wait(1)
    return meter, (stage.now - start) / 60


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="2,16,128")
    parser.add_argument("--minutes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    model.LIMITS["message_rate_milli"] = 1000
    print(f"frames (kB) a minute, by all members together; seed {options.seed}")
    print(f"{'room':>12}" + "".join(f"{kind:>16}" for kind in KINDS) + f"{'kB a member':>16}")
    for size in map(int, options.sizes.split(",")):
        for scene in SCENES:
            meter, minutes = play(size, scene, options.minutes, options.seed)
            cells = [
                f"{meter.frames[kind] / minutes:.1f} ({meter.bytes[kind] / minutes / 1000:.1f})"
                for kind in KINDS
            ]
            # What each member gets: everything but its own.
            received = sum(meter.bytes.values()) / minutes / 1000 * (size - 1) / size
            print(
                f"{size:>6} {scene:<5}" + "".join(f"{c:>16}" for c in cells) + f"{received:>16.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
