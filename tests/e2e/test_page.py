"""`beacon-relay page` as a process, and the wheel that people install."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from relay.page import digest, headers, read_page
from tests.e2e.process import ROOT, relay_process
from tests.relay.raw import Peer

PATIENCE_S = 120.0


def page(*arguments: str, cwd: Path = ROOT) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "relay", "page", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(cwd)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it: the folder that an installation is."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    command += ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, timeout=PATIENCE_S)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_wheel_carries_the_page_made_smaller_and_prints_its_digest(wheel: Path) -> None:
    written, carried = read_page(), read_page([wheel / "relay/static"])
    assert written.keys() == carried.keys()
    for name, file in written.items():
        if name.endswith((".js", ".css")):
            assert len(carried[name].data) < len(file.data), name
        else:
            assert carried[name] == file
    assert page("--print-digest", cwd=wheel) == (0, digest(carried) + "\n", "")
    assert page("--print-digest") == (0, digest(written) + "\n", "")
    words = (wheel / "client/words.txt").read_bytes()
    assert words == (ROOT / "static/words.txt").read_bytes()


def test_digest_is_that_of_what_is_served() -> None:
    state = hashlib.sha256()
    with relay_process() as relay, Peer(relay.port) as peer:
        for name in sorted(read_page()):
            peer.raw(f"GET /{name} HTTP/1.1\r\nHost: {peer.host}\r\n\r\n".encode())
            status, _, data = peer.response()
            assert status == 200
            state.update(f"{name}\n{len(data)}\n".encode() + data)
    assert page("--print-digest")[1] == state.hexdigest() + "\n"


def test_digest_can_be_had_with_the_shell_lines_of_the_help(tmp_path: Path) -> None:
    help_text = page("--help")[1]
    start = help_text.index("    find . ")
    script = help_text[start : help_text.index("sha256sum", start)] + "sha256sum"
    assert page("--copy", str(tmp_path / "copy"))[0] == 0
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path / "copy", capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] == digest(read_page())


def test_copy_says_what_its_host_must_send(tmp_path: Path) -> None:
    relay = "https://relay.example"
    for number, order in enumerate(
        (("--copy", "{}", "--relay", relay), ("--relay", relay, "--copy", "{}"))
    ):
        folder = str(tmp_path / str(number))
        code, out, err = page(*(word.format(folder) for word in order))
        assert (code, err) == (0, "")
        assert dict(line.split(": ", 1) for line in out.splitlines()) == headers(relay)
        assert relay in Path(folder, "index.html").read_text()
    code, out, err = page("--copy", folder)
    assert (code, out) == (2, "")
    assert err.startswith("beacon-relay: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [(), ("--copy",), ("--relay", "https://a"), ("--print-digest", "x"), ("--copy", "a", "b")],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    code, out, err = page(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: ")
