"""The process as the system sees it: what it may leave behind, and how much memory it has.

Knows Linux; where something is not to be had it is left out, for a relay runs without it as well.
"""

import ctypes
import gc
import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PR_SET_DUMPABLE = 4
# Present and future pages, each once it is touched: a relay does not grow by being locked.
_LOCK_CURRENT, _LOCK_FUTURE, _LOCK_ON_FAULT = 1, 2, 4
_CAP_IPC_LOCK = 14
_M_MMAP_THRESHOLD = -3
# Above what asyncio takes for each read, 256 KiB, which is better kept.
_LARGE_BYTES = 294_912
_GROUPS, _OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# Of what the machine, or the group of processes, may have: others want to live too.
_SHARE = 0.75
_COLLECT_AFTER = 3000
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def forbid_dumps() -> None:
    """Let no core be dumped and no other process of this user look into memory."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = _libc()
    if libc is not None:
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def lock_memory() -> bool:
    """Keep memory out of swap where the system allows that without bound; say whether it does."""
    libc = _libc()
    if libc is None or not _may_lock():
        return False
    return int(libc.mlockall(_LOCK_CURRENT | _LOCK_FUTURE | _LOCK_ON_FAULT)) == 0


def return_memory() -> None:
    """Let large blocks go back to the system as soon as they are free.

    Else the C library keeps what has once been taken for many large messages at the same time, and
    a relay that was attacked for a second stays as large as it was then.
    """
    libc = _libc()
    if libc is not None and hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def settle() -> None:
    """Let the collector of cycles pass over what there is at the start, and look less often.

    There are few cycles here, of connections that have ended, and much else to look at: looking
    after every 700 new objects cost a busy relay a tenth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)


def trim() -> None:
    """Give memory that is free inside the process back to the system."""
    libc = _libc()
    if libc is None or not hasattr(libc, "malloc_trim"):
        return
    # Of what is locked the system takes nothing back: it is for this moment only.
    was_locked = _is_locked()
    if was_locked:
        libc.munlockall()
    libc.malloc_trim(0)
    if was_locked:
        libc.mlockall(_LOCK_CURRENT | _LOCK_FUTURE | _LOCK_ON_FAULT)


def resident_bytes() -> int:
    """Return how much memory this process holds, 0 where that cannot be known."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def derive_ceiling() -> int:
    """Return how much memory this process should keep below, from what there is; 0: unknown."""
    limits = [*_group_limits()]
    space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if space != resource.RLIM_INFINITY:
        limits.append(space)
    with suppress(OSError, ValueError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES)
    return int(min(limits) * _SHARE) if limits else 0


def _group_limits() -> Iterator[int]:
    """Yield the limits of the groups of processes that this one is in, as MemoryMax of systemd."""
    own = ""
    with suppress(OSError):
        for line in _OWN_GROUP.read_text().splitlines():
            own = line.removeprefix("0::/") if line.startswith("0::/") else own
    for folder in (Path(own), *Path(own).parents):
        with suppress(OSError, ValueError):
            yield int((_GROUPS / folder / "memory.max").read_text())


def _may_lock() -> bool:
    # A limit that is met later would make allocations fail: then it is better not to begin.
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        return True
    return bool(int(_status("CapEff"), 16) >> _CAP_IPC_LOCK & 1)


def _is_locked() -> bool:
    return int(_status("VmLck")) > 0


def _status(name: str) -> str:
    """Return what the system says of this process, "0" where it says nothing."""
    with suppress(OSError, StopIteration), open("/proc/self/status") as file:
        return next(line for line in file if line.startswith(name + ":")).split()[1]
    return "0"


def _libc() -> ctypes.CDLL | None:
    with suppress(OSError):
        return ctypes.CDLL(None, use_errno=True)
    return None
