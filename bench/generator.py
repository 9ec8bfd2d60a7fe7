"""Build and run the load generator in load/; make the keys that its members need for the relay."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from bench.server import RELAY, LoadError, Server, cores, running

LOAD = Path(__file__).parent / "load"
PATIENCE_S = 400
# Nobody's message: what must be zero for a figure to count.
FAULTS = ("lost", "damaged", "wrong_room", "out_of_order", "refused")


def compiler() -> str | None:
    """Return the C compiler, if there is one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build(folder: Path) -> Path:
    """Compile the generator."""
    cc = compiler()
    if cc is None:
        raise LoadError("there is no C compiler")
    program = folder / "load"
    sources = sorted(map(str, LOAD.glob("*.c")))
    subprocess.run([cc, "-O2", "-Wall", "-o", str(program), *sources, "-lm"], check=True)
    return program


def write_keys(file: Path, rooms: int) -> None:
    """Write a nonce's point and scalar, then per room its id, access key and scalar."""
    parts = []
    for number in range(rooms + 1):
        seed = os.urandom(32)
        key = bytes(SigningKey(seed).verify_key)
        scalar = bytearray(hashlib.sha512(seed).digest()[:32])
        scalar[0] &= 248
        scalar[31] = scalar[31] & 127 | 64
        room_id = hashlib.sha256(b"beacon room id v1" + key).digest()[:16]
        parts += [room_id, key, bytes(scalar)] if number else [key, bytes(scalar)]
    file.write_bytes(b"".join(parts))


def run(
    program: Path, keys: Path, server: Server, load: tuple[str, ...], flags: tuple[str, ...]
) -> dict[str, Any]:
    """Start a server, put the load on it, and return what the generator printed."""
    is_relay = server.name == RELAY
    with running(server, flags if is_relay else ()) as (port, pids):
        command = [str(program), "-P", RELAY if is_relay else "plain", "-p", str(port)]
        command += ["-K", str(keys), "-S", ",".join(map(str, pids)), *load]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, cores()[1]),
        )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise LoadError(f"the generator ended with {done.returncode}: {' '.join(last)}")
    found: dict[str, Any] = json.loads(done.stdout)
    found["complaints"] = done.stderr.strip()
    return found
