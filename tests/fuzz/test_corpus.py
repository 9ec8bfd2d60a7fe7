"""The gate's part of fuzzing: seeds, what once failed, mutations; and that every harness bites."""

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from client.mls.codec import opaque
from tests.fuzz import __main__ as command
from tests.fuzz import harness, mutator, worker
from tests.fuzz.harness import NAMES, load
from tests.fuzz.sabotage import SABOTAGES
from tests.fuzz.work import count_calls

HERE = Path(__file__).parent
MAX_CORPUS_BYTES = 300_000
MUTATIONS = 3000
# Those whose runs have many steps, or signatures to make, have fewer.
SLOW = {
    "client_room": 1000, "mls_follow": 1000, "mls_inspect": 1000, "mls_open": 1500,
    "relay_proof": 1500, "relay_room": 500, "relay_socket": 500, "relay_ticket": 2000,
}  # fmt: skip
# A sabotage is found long before, or hardly ever.
MOST_TRIES = 60_000
# Calls that a byte may cost, and those of a run without any. Measured: 25 (trees) and 400.
CALLS_A_BYTE, CALLS_A_RUN = 50, 1200
# Scripts: a step is bounded, whatever it says, and so is their number. Measured: 56,000.
MACHINES = ("client_room", "relay_room", "relay_socket", "mls_open")
CALLS_A_SCRIPT = 200_000
# As much of what is cheap to write and costs to read as there is room for.
PUBLIC = bytes((0, 1, 0, 1, 0)) + bytes(8) + b"\4\0\3"
LONG = {
    "relay_frame": [bytes(5) + b"\x02\x80" * 4000, bytes(5) + b"\x89\x80\0\0\0\0" * 1300],
    "relay_text": [b'{"type":"x","a":[' + b"[]," * 1300 + b"0]}", b'"\\' * 2048, b'{"":' * 1000],
    "relay_binary": [b"\2" + bytes(20) + b"x" * 8000],
    "relay_head": [
        b"GET / HTTP/1.1\r\nhost: a\r\n" + b"a: b\r\n" * 1300 + b"\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: " + b"," * 8000 + b"\r\n\r\n",
    ],
    "relay_forwarded": [b"\0" + b"," * 8000, b"\1" + b"for=1;" * 1300, b"\0" + b"10.0.0.1," * 900],
    "client_text": [b'{"type":"x","a":[' + b"[]," * 1300 + b"0]}", b'{"type":' * 500],
    "client_binary": [b"\x12" + bytes(8) + b"\xff" + bytes(8000)],
    "client_content": [
        (7990).to_bytes(2, "big")
        + b'{"type":"pulse","counter":1,"base":0,"received":['
        + b"[0,1,1]," * 990
        + b"[9,1,1]]}",
        (8).to_bytes(2, "big") + b"[" * 8000,
    ],
    "mls_codec": [b"\x0f" + b"\6" * 15 + opaque(b"\0" * 8000), b"\x0f" + b"\0" * 8000],
    "mls_tree": [
        opaque(b"\0" * 8000),
        opaque(b"\0" * 2046 + b"\1\2\0\0\0"),
        opaque(b"\0\1\2\0\0\0" * 900),
    ],
    "mls_path": [opaque(b"") * 20 + b"\3" + opaque(b"") * 3 + opaque(b"\0\0" * 4000)],
    "mls_commit": [
        PUBLIC + opaque(b"\2\0" * 3000) + b"\0\0\0",
        PUBLIC + opaque(b"\1\0\3\0\0\0\0" * 1100) + b"\0\0\0",
    ],
    "mls_group_info": [
        bytes((0, 1, 0, 4, 0, 1, 0, 1, 0)) + bytes(11) + opaque(b"\0\0\0" * 2000) + bytes(6)
    ],
}


def inputs(name: str, mutations: int) -> Iterator[bytes]:
    """What one harness is given: the same in every run."""
    seeds = worker.corpus(name)
    yield from seeds
    yield from LONG.get(name, [])
    draw = random.Random(name)
    for _ in range(mutations):
        yield mutator.mutated(seeds, draw)


@pytest.mark.parametrize("name", NAMES)
def test_invariant_holds_for_seeds_and_mutations(name: str) -> None:
    run = load(name)
    for data in inputs(name, SLOW.get(name, MUTATIONS)):
        try:
            run(data)
        except Exception as exc:
            exc.add_note(f"the input: {data.hex()}")
            raise


@pytest.mark.parametrize(
    ("name", "fault"), [(name, fault) for name in NAMES for fault in SABOTAGES.get(name, {})]
)
def test_harness_bites(name: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = load(name)
    run(worker.corpus(name)[0])
    SABOTAGES[name][fault](lambda *of: monkeypatch.setattr(*of, raising=False))
    for data in inputs(name, MOST_TRIES):
        try:
            run(data)
        except Exception:
            return
    pytest.fail("it noticed nothing")


@pytest.mark.parametrize("name", NAMES)
def test_work_is_bounded_by_length(name: str) -> None:
    run = load(name)
    run(b"")
    for data in inputs(name, 20):
        calls = count_calls(run, data)
        if name in MACHINES:
            assert calls <= CALLS_A_SCRIPT
        else:
            assert calls <= CALLS_A_RUN + CALLS_A_BYTE * len(data), data.hex()[:200]


def test_each_harness_says_its_invariant_and_has_seeds_and_faults() -> None:
    for name in NAMES:
        said = import_module(f"{harness.__name__}.{name}").__doc__
        assert re.match(r"Any .+", said or ""), f"{name} says no invariant"
        assert len(worker.corpus(name)) > 1, f"{name} has no seeds"
        assert len(SABOTAGES[name]) > 1, f"{name} was never seen to bite"
    files = [path for path in (HERE / "corpus").rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == set(NAMES)
    assert sum(path.stat().st_size for path in files) < MAX_CORPUS_BYTES


def test_failure_is_written_down_once_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(data: bytes) -> None:
        if data[0] > 1:
            raise KeyError
        assert data[0]

    monkeypatch.setattr(worker, "HERE", tmp_path)
    watched = worker.Watched("name", run)
    for data in (b"\1", b"\0", b"\0\0", b"\2", b"\3"):
        watched(data)
    kept = {path.read_bytes() for path in (tmp_path / "found" / "name").iterdir()}
    assert kept == {b"\0", b"\2"}
    assert capsys.readouterr().err.count("\nFOUND ") == 2


def test_command_counts_and_replays() -> None:
    python = [sys.executable, "-m", "tests.fuzz"]
    arguments = ["--only", "relay_binary", "--seconds", "5", "--executions", "300"]
    done = subprocess.run([*python, *arguments], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^in all +30\d$", done.stdout, re.MULTILINE), done.stdout
    seed = next((HERE / "corpus" / "relay_binary").iterdir())
    again = subprocess.run(
        [*python, "--replay", str(seed)], capture_output=True, text=True, timeout=100
    )
    assert again.stdout == f"{seed} passes\n"


def test_report_tells_of_what_was_found() -> None:
    report = command.Report("name", 1500, 3.0, 7, ("tests/fuzz/found/name/0",), is_broken=True)
    assert report.line().split() == ["name", "1,500", "500/s", "+7", "1", "found"]
