"""`python -m tests.attack [--long] [words for pytest]`: the attacks, with their figures."""

import argparse
import os
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run them; return pytest's exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--long", action="store_true", help="also what takes minutes and hours")
    options, more = parser.parse_known_args()
    env = os.environ | {"BEACON_FIGURES": "1"} | ({"BEACON_LONG": "1"} if options.long else {})
    command = [sys.executable, "-m", "pytest", "-q", str(Path(__file__).parent), *more]
    return subprocess.run(command, env=env).returncode


if __name__ == "__main__":
    sys.exit(main())
