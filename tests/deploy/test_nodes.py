"""Two relays and a broker behind one proxy: any node will do for anybody, at any time."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from client import Message, RoomSession, StateChanged, Status, create_link, open_room
from tests.attack.target import serving, start
from tests.deploy import plain
from tests.deploy.front import DEPLOY, NAMES, free_ports, front, missing
from tests.relay.raw import PATIENCE_S

pytestmark = pytest.mark.timeout(120)


@contextmanager
def broker() -> Iterator[str]:
    """Run what the compose file runs, by Redis's name for it; yield its address."""
    redis = shutil.which("redis-server")
    if redis is None:
        pytest.skip("no redis-server here (Debian: apt-get install redis-server)")
    (port,) = free_ports(1)
    words = plain.read((DEPLOY / "compose.yaml").read_text())["services"]["valkey"]["command"][1:]
    process = subprocess.Popen(
        [redis, *words, "--port", str(port), "--bind", "127.0.0.1", "--requirepass", "p-w_d"],
        stdout=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + PATIENCE_S
        while not listens(port):
            assert time.monotonic() < until
            time.sleep(0.02)
        yield f"redis://default:p-w_d@127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


async def test_node_that_dies_costs_nobody_a_seat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two people each is on another node; both go on, on the one that is left."""
    name = next((name for name in reversed(NAMES) if not missing(name)), None)
    if name is None:
        pytest.skip(missing(NAMES[0]))
    (tmp_path / "ticket.key").write_bytes(bytes(range(32)))
    with broker() as url:
        flags = (
            f"--broker={url}",
            f"--ticket-key-file={tmp_path}/ticket.key",
            "--trusted-proxy=127.0.0.1/32",
        )
        doomed = start(*flags)
        with (
            serving(*flags, is_warm=False) as left,
            front(name, tmp_path / "front", (doomed.port, left.port)) as running,
        ):
            monkeypatch.setenv("SSL_CERT_FILE", str(running.folder / "certificate.pem"))
            link = create_link(running.url)
            async with open_room(link) as one, open_room(link) as two:
                tags = one.tag, two.tag
                doomed.stop(signal.SIGKILL)
                sent = await one.send("still here"), await two.send("me too")
                assert {place.life for place in sent} == {one.life}
                assert await heard(one) + await heard(two) == 1
                assert (one.tag, two.tag) == tags


async def heard(room: RoomSession) -> int:
    """Wait for what the other one says; return how often the connection was lost before that."""
    lost = 0
    async for event in room:
        if isinstance(event, Message):
            return lost
        if isinstance(event, StateChanged):
            lost += event.state.status is Status.RECONNECTING and event.state.attempt == 1
    raise AssertionError("the room ended")
