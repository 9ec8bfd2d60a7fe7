"""nginx and Caddy with the very files of deploy/, in front of relays on this machine.

Only what must differ is put in the place of what stands there: addresses and ports, names, the
certificate, where a process may write. Whatever is not found to be replaced fails the test.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.attack.certificate import write_certificate
from tests.relay.process import ROOT

DEPLOY = ROOT / "deploy"
NAMES = ("nginx", "caddy")
# A port that nothing listens on: discard.
DEAD_PORT = 9
_START_S = 20.0
Pair = tuple[int, int]
Files = tuple[Path, Path]
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass
class Front:
    """A running proxy; ``folder`` is where it was told to be, and all that it may write to."""

    name: str
    folder: Path
    port: int
    plain_port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    @property
    def log(self) -> str:
        """All that it has written to its standard output and error."""
        return (self.folder / "log").read_text()

    def pids(self) -> list[int]:
        """Return its processes: nginx has workers."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, path.read_text().split())]

    def open_files(self) -> set[str]:
        """Return the regular files that its processes have open for writing, but for the log."""
        found = set()
        for pid in self.pids():
            for link in Path(f"/proc/{pid}/fd").iterdir():
                target = Path(os.readlink(link))
                flags = int(Path(f"/proc/{pid}/fdinfo/{link.name}").read_text().split()[3], 8)
                if target.is_file() and flags & (os.O_WRONLY | os.O_RDWR):
                    found.add(str(target))
        return found - {str(self.folder / "log")}

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_START_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def missing(name: str) -> str:
    """Return why that proxy cannot be run here, nothing if it can."""
    return "" if _program(name) else f"no {name} here (Debian: apt-get install {name})"


def _program(name: str) -> str | None:
    # Where only root looks for programs.
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")


def free_ports(count: int) -> list[int]:
    """Return ports that are free now."""
    socks = [socket.socket() for _ in range(count)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
    ports = [int(sock.getsockname()[1]) for sock in socks]
    for sock in socks:
        sock.close()
    return ports


@contextmanager
def front(
    name: str,
    folder: Path,
    relays: Sequence[int],
    changed: Mapping[str, str] | None = None,
    ports: Sequence[int] = (),
) -> Iterator[Front]:
    """Run a proxy in front of two relays on these ports; ``changed`` is replaced in its file too.

    The certificate is in ``folder`` as certificate.pem and trusted by whoever trusts that file.
    """
    folder.mkdir(exist_ok=True)
    port, plain = ports or free_ports(2)
    certfile, keyfile, _ = write_certificate(folder)
    write = {"nginx": _write_nginx, "caddy": _write_caddy}[name]
    first, second = relays
    with open(folder / "log", "ab") as log:
        words, env = write(
            folder, (port, plain), (first, second), (certfile, keyfile), changed or {}
        )
        process = subprocess.Popen(
            [_program(name) or name, *words],
            cwd=folder,
            env=os.environ | env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    running = Front(name, folder, port, plain, process)
    try:
        _wait(running)
        yield running
        assert process.poll() is None, running.log
    finally:
        running.stop()


def _wait(running: Front) -> None:
    until = time.monotonic() + _START_S
    while True:
        assert running.process.poll() is None, running.log
        assert time.monotonic() < until, running.log
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", running.port)) == 0:
                return
        time.sleep(0.02)


def _write_nginx(
    folder: Path, ports: Pair, relays: Pair, files: Files, changed: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    temporary = "".join(f"    {name}_temp_path {folder}/{name};\n" for name in _TEMPORARY)
    text = _replaced(
        "nginx.conf",
        {
            "listen [::]:443 ssl": "# ",
            "listen [::]:80 ": "# ",
            "listen 443 ": f"listen 127.0.0.1:{ports[0]} ",
            "listen 80 ": f"listen 127.0.0.1:{ports[1]} ",
            "relay.example": "localhost",
            "/etc/ssl/beacon/fullchain.pem": str(files[0]),
            "/etc/ssl/beacon/key.pem": str(files[1]),
            "/run/nginx.pid": f"{folder}/pid",
            "127.0.0.1:8000": f"127.0.0.1:{relays[0]}",
            "127.0.0.1:8001": f"127.0.0.1:{relays[1]}",
            "http {\n": "http {\n" + temporary,
            **changed,
        },
    )
    if os.geteuid() == 0:
        # Its workers give up root, and have to come at what is root's folder.
        for parent in (folder, *folder.parents):
            if parent.stat().st_uid == 0 and "pytest" in parent.name:
                parent.chmod(0o711)
    else:
        text = text.replace("user www-data;", "")
    path = folder / "nginx.conf"
    path.write_text(text)
    return ["-p", str(folder), "-c", str(path), "-g", "daemon off;"], {}


def _write_caddy(
    folder: Path, ports: Pair, relays: Pair, files: Files, changed: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    own = "# tls /etc/ssl/beacon/fullchain.pem /etc/ssl/beacon/key.pem"
    text = _replaced(
        "Caddyfile",
        {
            "https_port 443": f"https_port {ports[0]}",
            "http_port 80": f"http_port {ports[1]}",
            own: f"tls {files[0]} {files[1]}\n\tbind 127.0.0.1",
            **changed,
        },
    )
    path = folder / "Caddyfile"
    path.write_text(text)
    env = {
        "BEACON_SITE": f"localhost:{ports[0]}",
        "BEACON_RELAYS": " ".join(f"127.0.0.1:{port}" for port in relays),
        "HOME": str(folder / "home"),
        "XDG_CONFIG_HOME": str(folder / "home"),
        "XDG_DATA_HOME": str(folder / "home"),
    }
    return ["run", "--config", str(path), "--adapter", "caddyfile"], env


def _replaced(name: str, changes: Mapping[str, str]) -> str:
    text = (DEPLOY / name).read_text()
    for old, new in changes.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text
