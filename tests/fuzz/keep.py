"""Keep what fuzzing has found to reach more: `python -m tests.fuzz.keep DIR [NAME ...]`.

DIR is where `--grown` put it. Of each harness those inputs become seeds that reach a line of the
product, or leave it for another, where no seed does; the small ones first.
"""

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.harness import NAMES, Run, load
from tests.fuzz.worker import HERE, corpus

ROOT = HERE.parents[1]
PRODUCT = tuple(f"{ROOT / package}/" for package in ("relay", "client"))
MAX_BYTES = 1500
MAX_KEPT = 16
Edges = set[tuple[str, int, int]]


def edges(run: Run, data: bytes) -> Edges:
    """Return every step from line to line of the product that a run takes."""
    found: Edges = set()

    def enter(frame: FrameType, _: str, __: object) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(PRODUCT):
            return None
        last = 0

        def step(frame: FrameType, _: str, __: object) -> Any:
            nonlocal last
            found.add((name, last, frame.f_lineno))
            last = frame.f_lineno
            return step

        return step

    sys.settrace(enter)
    try:
        run(data)
    finally:
        sys.settrace(None)
    return found


def keep(name: str, grown: Path) -> int:
    """Make seeds of what reaches more than the seeds do; return how many there are."""
    run = load(name)
    reached: Edges = set().union(*(edges(run, data) for data in corpus(name)))
    inputs = sorted((path.read_bytes() for path in grown.glob("*")), key=lambda data: len(data))
    kept = 0
    for data in inputs:
        if kept == MAX_KEPT or len(data) > MAX_BYTES:
            break
        fresh = edges(run, data) - reached
        if fresh:
            reached |= fresh
            kept += 1
            place = HERE / "corpus" / name / hashlib.sha256(data).hexdigest()[:16]
            place.write_bytes(data)
    return kept


def main(arguments: Sequence[str]) -> None:
    grown, *names = arguments
    for name in names or NAMES:
        print(name, keep(name, Path(grown) / name))


if __name__ == "__main__":
    main(sys.argv[1:])
