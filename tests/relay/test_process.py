"""What the process tells the system, tried in processes of their own: it cannot be taken back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from relay import process


def run(code: str) -> str:
    command = [sys.executable, "-c", f"from relay import process\n{code}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_no_core_is_dumped_and_nobody_may_look_in() -> None:
    found = run(
        "import ctypes, resource\nprocess.forbid_dumps()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    assert found == "(0, 0) 0"


def test_memory_is_locked_if_that_is_allowed() -> None:
    found = run(
        "done = process.lock_memory()\n"
        "locked = next(l for l in open('/proc/self/status') if l.startswith('VmLck')).split()[1]\n"
        "print(done, locked != '0')"
    )
    assert found in ("True True", "False False")


def test_resident_memory_grows_with_what_is_held() -> None:
    before = process.resident_bytes()
    held = os.urandom(32 * 2**20)
    assert process.resident_bytes() - before > 16 * 2**20
    del held
    process.trim()


def test_large_blocks_go_back_to_the_system_when_they_are_free() -> None:
    found = run(
        "process.return_memory()\n"
        # From the first that is freed on the library would keep blocks of this size.
        "bytearray(2**20)\n"
        "before = process.resident_bytes()\n"
        "held = [[bytearray(2**19), bytearray(1000)] for _ in range(100)]\n"
        "small = [pair[1] for pair in held]\n"
        "held.clear()\n"
        "print(process.resident_bytes() - before < 2**20)"
    )
    assert found == "True"


def test_trim_gives_back_what_is_free_between_what_is_not_and_locked_as_well() -> None:
    found = run(
        "done = process.lock_memory()\n"
        "held = [bytes(5000) for _ in range(8000)]\n"
        "full = process.resident_bytes()\n"
        "held = held[::500]\n"
        "process.trim()\n"
        "print(full - process.resident_bytes() > 25 * 2**20, process.lock_memory() == done)"
    )
    assert found == "True True"


def test_ceiling_is_below_what_the_machine_has() -> None:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < process.derive_ceiling() < total


def test_ceiling_follows_the_tightest_group_that_the_process_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a service, its slice and the root, which has no limit."""
    service = tmp_path / "system.slice" / "beacon.service"
    service.mkdir(parents=True)
    own = tmp_path / "cgroup"
    own.write_text("4:memory:/elsewhere\n0::/system.slice/beacon.service\n")
    monkeypatch.setattr(process, "_GROUPS", tmp_path)
    monkeypatch.setattr(process, "_OWN_GROUP", own)
    (service / "memory.max").write_text("max\n")
    assert process.derive_ceiling() > 2**26
    (service.parent / "memory.max").write_text(f"{2**26}\n")
    assert process.derive_ceiling() == 2**26 * 3 // 4
    (service / "memory.max").write_text(f"{2**25}\n")
    assert process.derive_ceiling() == 2**25 * 3 // 4


def test_ceiling_follows_the_limit_of_address_space() -> None:
    found = run(
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
        "print(process.derive_ceiling() <= 2**30 * 3 // 4)"
    )
    assert found == "True"
