"""A relay behind a proxy, and how its visitors ask through it."""

from dataclasses import dataclass

from tests.attack.attacker import Attacker
from tests.attack.target import Target
from tests.deploy.front import Front
from tests.relay.raw import Peer

SEATS = 3
BEHIND = (
    "--trusted-proxy=127.0.0.1/32",
    f"--source-connections={SEATS}",
    "--source-connection-rate=0",
    "--message-rate=0",
)
AGENT = "secret-agent-5512"
STRANGER = "127.0.77.1"


@dataclass
class Place:
    """A relay, and a proxy in front of it and of another relay that is not there."""

    relay: Target
    front: Front


def assert_silent(running: Front) -> None:
    """Nothing of anybody is in the log, and nothing was written anywhere else."""
    log = running.log
    for word in ("127.0.66.", STRANGER, AGENT, "GET", "/v1/", "remote", "client"):
        assert word not in log, log
    assert running.open_files() - {str(running.folder / "pid")} == set()
    kept = {"log", "pid", "nginx.conf", "Caddyfile", "certificate.pem", "key.pem"}
    left = {
        str(path.relative_to(running.folder))
        for path in running.folder.rglob("*")
        if path.is_file() and path.name not in kept
    }
    # Caddy's own affairs: its configuration, and a name for this installation.
    assert left <= {
        "home/caddy/autosave.json", "home/caddy/instance.uuid", "home/caddy/last_clean.json",
    }, left  # fmt: skip


def peer_of(running: Front, source: str | None = None) -> Attacker:
    peer = Attacker(running.port, source=source, tls=True)
    peer.host = running.host
    return peer


def ask(peer: Peer, *fields: str, target: str = "/v1/connect", method: str = "GET") -> int:
    """Ask for the upgrade with these fields; return the status."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {peer.host}", f"User-Agent: {AGENT}", *fields]
    if target == "/v1/connect":
        lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    peer.raw(("\r\n".join(lines) + "\r\n\r\n").encode())
    return peer.response()[0]
