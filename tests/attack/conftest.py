"""The long rows are left out of the gate, which says so; figures are printed on demand."""

import os
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.attack import figures, patience

IS_LONG = os.environ.get("BEACON_LONG") == "1"
PATIENT = Path(__file__).parent / "test_patience.py"
_WHY = "counted in hours or in 10^5 and more: python -m tests.attack --long"


def pytest_configure(config: pytest.Config) -> None:
    """Know the marker of the long rows."""
    config.addinivalue_line("markers", "long: takes minutes or more; not a part of the gate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless it was asked for."""
    for item in items:
        if item.get_closest_marker("long") is None:
            continue
        item.add_marker(pytest.mark.timeout(0) if IS_LONG else pytest.mark.skip(reason=_WHY))


@pytest.fixture(scope="session", autouse=True)
def late_peers(request: pytest.FixtureRequest) -> Iterator[dict[str, "Future[float]"]]:
    """Have the late peers wait while other tests run."""
    if any(item.path == PATIENT for item in request.session.items):
        with patience.waiting() as waiting:
            yield waiting
    else:
        yield {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables of figures."""
    for line in figures.lines():
        terminalreporter.write_line(line)
