"""The harnesses: one module each, whose first line is the invariant that its `run` asserts.

Modules are named, not imported here: a worker has to instrument the product before it is loaded.
"""

import importlib
from collections.abc import Callable
from pathlib import Path

NAMES = tuple(
    sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")
)
Run = Callable[[bytes], None]


def load(name: str) -> Run:
    """Return the `run` of a harness: it returns for any bytes, or the invariant is broken."""
    run: Run = importlib.import_module(f"{__name__}.{name}").run
    return run
