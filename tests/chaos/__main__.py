"""`make chaos`: python -m tests.chaos [--minutes 30] [--members 12] [--seed N] [--cluster]

Runs of five minutes, each with a seed of its own, counted up from the first; one with an even seed
keeps its ticket key over restarts. A failing seed replays its faults with --seed N --minutes 5.
With --cluster the relay is three nodes on one Redis, which breaks as well.
"""

import argparse
import asyncio
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from tests.chaos.run import KINDS, Report, run, spread

RUN_S = 300.0


def main() -> int:
    """Run, print, and return 0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--members", type=int, default=12)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--cluster", action="store_true")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    left, reports = options.minutes * 60, []
    while left > 0:
        folder = Path(tempfile.mkdtemp(prefix=f"beacon-chaos-{seed}-"))
        print(f"seed {seed}, journals in {folder}", flush=True)
        seconds, is_cluster = min(RUN_S, left), options.cluster
        report = asyncio.run(run(seed, seconds, options.members, folder, is_cluster=is_cluster))
        print("\n".join(report.lines()), flush=True)
        if report.is_good and not report.verdict.told:
            shutil.rmtree(folder)
        else:
            print(f"journals kept in {folder}", flush=True)
        reports.append(report)
        seed, left = seed + 1, left - RUN_S
    print("\n".join(_sum_up(reports)))
    return 0 if all(report.is_good for report in reports) else 1


def _sum_up(reports: list[Report]) -> list[str]:
    done: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for report in reports:
        done.update(report.done)
        found.update(report.verdict.found)
    verdicts = [report.verdict for report in reports]
    failed = [str(report.seed) for report in reports if not report.is_good]
    names = (*KINDS, *(kind for kind in found if kind not in KINDS))
    return [
        f"all {len(reports)} runs",
        f"  messages {sum(v.texts for v in verdicts)}, "
        f"deliveries {sum(v.deliveries for v in verdicts)}, "
        + ", ".join(f"{kind} {count}" for kind, count in sorted(done.items())),
        f"  whole again: {spread([m for report in reports for m in report.mendings])}",
        f"  told missing {sum(v.told for v in verdicts)}, "
        + ", ".join(f"{kind} {found[kind]}" for kind in names),
        f"  FAILED: seeds {', '.join(failed)}" if failed else "  none failed",
    ]


if __name__ == "__main__":
    raise SystemExit(main())
