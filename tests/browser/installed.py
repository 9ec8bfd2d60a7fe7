"""What people get: the relay that the wheel brings, and the page in it."""

import importlib.util
import sys
import sysconfig
from functools import partial
from pathlib import Path

from relay.page import File, read_page
from tests.e2e import process

PAGE = Path(sysconfig.get_paths()["purelib"], "relay/static")
relay_process = partial(process.relay_process, installed=True)


def installed_page() -> dict[str, File]:
    """Return the files of the page that is installed."""
    return read_page([PAGE])


def page_of_the_sources() -> dict[str, bytes]:
    """Return what the page in a wheel built now would be."""
    path = process.ROOT / "scripts/smaller_page.py"
    spec = importlib.util.spec_from_file_location("smaller_page", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["smaller_page"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page: dict[str, bytes] = module.smaller_page()
    return page
