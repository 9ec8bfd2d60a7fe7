"""Work, counted: how many calls a run makes, whatever the clock says."""

import sys
from types import FrameType

from tests.fuzz.harness import Run


def count_calls(run: Run, data: bytes) -> int:
    """Return how many functions were called, Python's own and others."""
    calls = 0

    def note(_: FrameType, event: str, __: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        run(data)
    finally:
        sys.setprofile(None)
    return calls
