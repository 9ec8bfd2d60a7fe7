"""What is installed is whole: the wheel holds all that the commands read."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.client.cli.beacon import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = target.glob("*.whl")
    return built


def test_wheel_holds_every_module_the_words_and_the_page(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        words = archive.read("client/words.txt")
    assert words == (ROOT / "static/words.txt").read_bytes()
    for package in ("client", "relay"):
        for path in (ROOT / package).rglob("*.py"):
            assert str(path.relative_to(ROOT)) in names
    for path in (ROOT / "static").rglob("*"):
        if path.is_file():
            assert f"relay/{path.relative_to(ROOT)}" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith("tests/") or name.endswith(".pyc")]


def test_command_runs_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = (
        "import sys; sys.path.insert(0, sys.argv.pop(1));"
        "import client.words; from client.cli.main import main;"
        "print(client.words.__file__, len(client.words.WORDS)); raise SystemExit(main(['new']))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, str(tmp_path)], cwd="/", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    where, link = done.stdout.splitlines()
    assert where == f"{tmp_path}/client/words.py 1024"
    assert link.startswith("http://127.0.0.1:8000/#")


def test_wheel_is_the_same_whenever_it_is_built(wheel: Path, tmp_path: Path) -> None:
    """Whoever builds it from the sources can compare it with the one that is handed out."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (again,) = tmp_path.glob("*.whl")
    assert (again.name, again.read_bytes()) == (wheel.name, wheel.read_bytes())
