"""One harness in a process of its own: `python -m tests.fuzz.worker NAME SECONDS EXECUTIONS DIR`.

Under atheris the product is instrumented, and libFuzzer decides what to try; without it the own
mutator does. An input that breaks the invariant is written down once per place, and the run goes
on. What is told on standard error is read by __main__.
"""

import hashlib
import importlib
import os
import random
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.fuzz.harness import Run, load
from tests.fuzz.mutator import mutated

HERE = Path(__file__).parent
MAX_SECONDS_A_RUN = 20
MAX_MEGABYTES = 1024
MAX_LENGTH = 8192


def corpus(name: str) -> list[bytes]:
    """Return the seeds of a harness and what it once failed on."""
    places = (HERE / "corpus" / name, HERE / "found" / name)
    return [path.read_bytes() for place in places for path in sorted(place.glob("*"))] or [b""]


class Watched:
    """A harness whose failures are written down instead of ending the run."""

    def __init__(self, name: str, run: Run) -> None:
        self._name = name
        self._run = run
        self._known: set[tuple[object, ...]] = set()

    def __call__(self, data: bytes) -> None:
        try:
            self._run(data)
        except Exception as exc:
            frames = traceback.extract_tb(exc.__traceback__)[-3:]
            place = (type(exc), *((frame.filename, frame.lineno) for frame in frames))
            if place not in self._known:
                self._known.add(place)
                self._write(data, exc)

    def _write(self, data: bytes, exc: Exception) -> None:
        path = HERE / "found" / self._name / hashlib.sha256(data).hexdigest()[:16]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        traceback.print_exception(exc)
        print(f"FOUND {os.path.relpath(path)}", file=sys.stderr, flush=True)


def fuzz(atheris: Any, name: str, seconds: int, executions: int, grown: str) -> None:
    """Let libFuzzer try; what is new to it goes to the directory ``grown``."""
    with atheris.instrument_imports(include=["relay", "client"], enable_loader_override=False):
        run = load(name)
    places = [str(place) for place in (HERE / "corpus" / name, HERE / "found" / name)]
    arguments = [
        sys.argv[0],
        grown,
        *(place for place in places if Path(place).is_dir()),
        f"-artifact_prefix={HERE / 'found' / name}/",
        f"-max_total_time={seconds}",
        f"-runs={executions or -1}",
        f"-timeout={MAX_SECONDS_A_RUN}",
        f"-rss_limit_mb={MAX_MEGABYTES}",
        f"-max_len={MAX_LENGTH}",
        # Scripts say little in few bytes: let inputs grow soon.
        "-len_control=20",
        "-print_final_stats=1",
    ]
    (HERE / "found" / name).mkdir(parents=True, exist_ok=True)
    atheris.Setup(arguments, Watched(name, run))
    atheris.Fuzz()


def mutate(name: str, seconds: int, executions: int) -> None:
    """Try mutations of the seeds, without knowing what they reach."""
    run, seeds, draw = Watched(name, load(name)), corpus(name), random.Random(name)
    done, until = 0, time.monotonic() + seconds
    while time.monotonic() < until and (not executions or done < executions):
        run(mutated(seeds, draw))
        done += 1
    print(f"stat::number_of_executed_units: {done}", file=sys.stderr)


def main() -> None:
    name, seconds, executions, grown = sys.argv[1:]
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        mutate(name, int(seconds), int(executions))
    else:
        fuzz(atheris, name, int(seconds), int(executions), grown)


if __name__ == "__main__":
    main()
