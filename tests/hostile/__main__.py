"""`python -m tests.hostile --deliveries 100000 --seed N`: a relay that lies for long."""

import argparse
import random
import sys
import time
from collections import Counter

from tests import rooms
from tests.hostile.run import Outcome, play


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--deliveries", type=int, default=100_000, help="mutated ones, in all")
    parser.add_argument("--seed", type=int, default=None, help="the first seed; default: by chance")
    parser.add_argument("--per-seed", type=int, default=150, help="mutated deliveries of one seed")
    parser.add_argument("--only", default="", help="lies to be told, by name, with commas between")
    parser.add_argument("--rooms", choices=rooms.KINDS, default="python", help="of whose code")
    options = parser.parse_args()
    with rooms.using(options.rooms):
        return search(options)


def search(options: argparse.Namespace) -> int:
    """Play seed after seed until enough has been mutated; tell of what failed, and of all."""
    seed = random.randrange(10**9) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    counts: Counter[str] = Counter()
    known: Counter[str] = Counter()
    failed: list[Outcome] = []
    healed: list[float] = []
    played = said = largest = 0
    began = told = time.monotonic()
    only = tuple(filter(None, options.only.split(",")))
    while counts.total() < options.deliveries:
        outcome = play(str(seed + played), options.per_seed, only)
        played, said = played + 1, said + outcome.said
        counts += outcome.counts
        known += outcome.known
        largest = max(largest, outcome.largest)
        if outcome.failure is not None:
            failed.append(outcome)
            print(outcome, flush=True)
        elif outcome.healed_s is not None:
            healed.append(outcome.healed_s)
        if time.monotonic() > told + 30:
            told = time.monotonic()
            print(f"... {counts.total()} deliveries mutated, {played} seeds", flush=True)
    forged = sum("nobody said it" in str(outcome.failure) for outcome in failed)
    for name, count in sorted(counts.items()):
        print(f"{name:>16} {count}")
    print(f"deliveries mutated: {counts.total()}")
    print(f"forgeries accepted: {forged}")
    print(f"texts said: {said}, largest room: {largest} bytes")
    if healed:
        middle = sorted(healed)[len(healed) // 2]
        print(f"whole again after {middle:.0f} s in the middle, {max(healed):.0f} s at most")
    for name, count in sorted(known.items()):
        print(f"known: {name}: {count}")
    print(f"{played} seeds, {len(failed)} failed, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
