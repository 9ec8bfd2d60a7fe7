"""Fuzz every harness in turn: `python -m tests.fuzz [--seconds 60] [--only NAME] [--executions N]`.

Each runs in a process of its own. A failure is kept under found/ and named with how to replay it;
found or not, `--grown DIR` keeps what reached something new, to go on from there another time.
"""

import argparse
import contextlib
import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.harness import NAMES, load

MISSING = (
    "atheris is missing (`make fuzz` installs it, or: pip install atheris==3.0.0);"
    " going on with random mutations, blind to coverage"
)
HERE = Path(__file__).parent
# How long a worker may take to load and to finish its last input.
GRACE_S = 120
_COVERAGE = re.compile(r"cov: (\d+)")
_EXECUTED = re.compile(r"stat::number_of_executed_units: *(\d+)")
_PROGRESS = re.compile(r"^#(\d+)\s", re.MULTILINE)
_FOUND = re.compile(r"^FOUND (.+)$", re.MULTILINE)
# What libFuzzer tells of its progress.
_CHATTER = re.compile(r"#\d+\s|INFO: |WARNING: Failed to find|stat::|Done |###|\"")
_ARTIFACT = re.compile(r"Test unit written to (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Report:
    """What one harness did; ``coverage`` are the edges that its seeds did not reach."""

    name: str
    executions: int
    seconds: float
    coverage: int
    found: tuple[str, ...]
    is_broken: bool

    def line(self) -> str:
        rate = self.executions / self.seconds if self.seconds else 0.0
        return (
            f"{self.name:16} {self.executions:>10,} {rate:>9,.0f}/s"
            f" {self.coverage:>+6} {len(self.found):>3} found"
        )


def fuzz(name: str, seconds: int, executions: int, grown: Path) -> Report:
    """Run one harness in a process of its own."""
    (grown / name).mkdir(parents=True, exist_ok=True)
    arguments = [name, str(seconds), str(executions), str(grown / name)]
    began = time.monotonic()
    # What libFuzzer itself gives up on (a time-out, memory) ends the process with another code.
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.worker", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=seconds + GRACE_S,
        check=False,
    )
    with contextlib.suppress(OSError):
        # Nothing was found.
        (HERE / "found" / name).rmdir()
    text = done.stderr.decode("utf-8", "replace")
    counted = _EXECUTED.findall(text) or _PROGRESS.findall(text) or ["0"]
    coverage = [int(reached) for reached in _COVERAGE.findall(text)]
    found = (*_FOUND.findall(text), *_ARTIFACT.findall(text))
    if found or done.returncode:
        lines = [line for line in text.splitlines() if not _CHATTER.match(line)]
        print("\n".join(lines[-200:]), file=sys.stderr)
    return Report(
        name,
        int(counted[-1]),
        time.monotonic() - began,
        coverage[-1] - coverage[0] if coverage else 0,
        found,
        bool(done.returncode),
    )


def replay(path: Path) -> None:
    """Run what was found through its harness once more."""
    load(path.parent.name)(path.read_bytes())
    print(f"{path} passes")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each harness")
    parser.add_argument("--executions", type=int, default=0, help="at most, for each harness")
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once")
    parser.add_argument("--grown", type=Path, help="where inputs that reached more are kept")
    parser.add_argument(
        "--replay", type=Path, help="run one input that was found, and nothing else"
    )
    chosen = parser.parse_args(arguments)
    if chosen.replay is not None:
        replay(chosen.replay)
        return 0
    if importlib.util.find_spec("atheris") is None:
        print(MISSING, flush=True)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(chosen.jobs) as pool:
        grown = chosen.grown or Path(scratch)
        futures = [
            pool.submit(fuzz, name, chosen.seconds, chosen.executions, grown)
            for name in chosen.only or NAMES
        ]
        reports = []
        for future in futures:
            reports.append(future.result())
            print(reports[-1].line(), flush=True)
    print(f"{'in all':16} {sum(report.executions for report in reports):>10,}")
    for path in (path for report in reports for path in report.found):
        print(f"replay: {sys.executable} -m tests.fuzz --replay {path}")
    return int(any(report.found or report.is_broken for report in reports))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
