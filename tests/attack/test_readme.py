"""The table of attacks names tests that are there, and every file of tests is in it."""

import re
from pathlib import Path

HERE = Path(__file__).parent
_NAMED = re.compile(r"`((?:\.\./)?[\w/]+\.py)?::(\w+)`")
_OURS = {"test_readme.py"}


def named() -> list[tuple[Path, str]]:
    """Return files and functions; a name without a file is of the file before it."""
    found = []
    file = ""
    for match in _NAMED.finditer((HERE / "README.md").read_text()):
        file = match[1] or file
        found.append(((HERE / file).resolve(), match[2]))
    return found


def test_table_names_what_is_there() -> None:
    missing = [
        f"{path.name}::{name}"
        for path, name in named()
        if not re.search(rf"^(?:async )?def {name}\(", path.read_text(), re.MULTILINE)
    ]
    assert len(named()) > 100
    assert missing == []


def test_every_file_is_in_the_table() -> None:
    files = {path.name for path in HERE.glob("test_*.py")} - _OURS
    assert files <= {path.name for path, _ in named()}
