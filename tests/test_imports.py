"""Dependencies: each was looked at, and importing them, and us, does nothing yet."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Prints what touches the world; reading is what importing is.
_WATCH = """
import importlib, os, sys, threading
found = []
def hook(event, arguments):
    if event == "open":
        _, mode, flags = arguments
        if set(str(mode)) & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            found.append(f"{event} {arguments}")
    elif event.startswith(("socket.", "subprocess.", "os.", "shutil.", "urllib.", "ctypes.dlopen")):
        # The last is what ctypes itself begins with.
        if event not in ("os.listdir", "os.scandir") and arguments != (None,):
            found.append(f"{event} {arguments}")
sys.addaudithook(hook)
for name in sys.argv[1:]:
    importlib.import_module(name)
print("\\n".join(found), end="")
sys.exit(threading.active_count() - 1)
"""
OURS = ["relay.__main__", "client", "client.cli.main", "client.cli.interactive"]
# Of each dependency what nobody of ours may need today, too.
THEIRS = ["nacl.bindings", "cryptography.x509", "hypercorn.asyncio", "quart", "segno"]
THEIRS += ["prompt_toolkit", "websockets.sync.client", "websockets.asyncio.server"]


def watch(*names: str) -> tuple[int, str]:
    """Import modules in a new process; return how many threads they began, and what they did."""
    done = subprocess.run(
        # Without -B it would write what it compiles.
        [sys.executable, "-B", "-c", _WATCH, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", [*OURS, *THEIRS])
def test_import_opens_no_socket_writes_no_file_and_starts_nothing(name: str) -> None:
    assert watch(name) == (0, "")


def test_what_an_import_did_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "greedy.py").write_text(
        "import socket, threading, os\nsocket.socket().close()\nopen(os.devnull, 'w').close()\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", _WATCH, "greedy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["socket.__new__", "open"]


def test_every_locked_dependency_was_reviewed_in_its_version() -> None:
    """Whoever renews a lock looks at what is new, and says so."""
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("### Reviewed")[2].lower()
    lock = (ROOT / "requirements/run.txt").read_text()
    locked = re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE)
    assert len(locked) > 20
    rows = table.splitlines()
    missing = [
        (name, version)
        for name, version in locked
        if not any(
            re.search(rf"\b{name} [^,|]*\b{re.escape(version)}(?![\d.]*\d)", row) for row in rows
        )
    ]
    assert missing == []
