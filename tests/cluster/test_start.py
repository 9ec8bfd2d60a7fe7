"""A node that cannot serve says in one line why, and what to do."""

import subprocess
from pathlib import Path

import pytest

from tests.cluster.place import SERVE
from tests.relay.process import ROOT
from tests.relay.redis_process import RedisProcess, free_port, redis_running

PERSISTS = (
    "beacon-relay: the broker writes what it holds to a disk; start it with --save '' "
    "--appendonly no (or serve with --broker-may-persist 1)\n"
)
UNREACHABLE = "beacon-relay: the broker cannot be reached, or does not let this node in\n"


def refused(*flags: str) -> tuple[int, str]:
    """Start a relay that cannot serve; return its exit code and what it said."""
    ended = subprocess.run(
        [*SERVE, "--port=0", *flags], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "ticket.key"
    path.write_bytes(bytes(32))
    return f"--ticket-key-file={path}"


@pytest.mark.parametrize("flags", [("--save", "3600 1"), ("--appendonly", "yes")])
def test_broker_that_writes_to_a_disk_is_refused(
    flags: tuple[str, str], key: str, tmp_path: Path
) -> None:
    with redis_running("--dir", str(tmp_path), *flags) as store:
        assert refused(f"--broker={store.url}", key) == (1, PERSISTS)
        assert refused(f"--broker={store.url}", key, "--workers=2") == (1, PERSISTS), "once"


def test_broker_that_does_not_say_is_refused(key: str) -> None:
    with redis_running("--rename-command", "CONFIG", "") as store:
        code, said = refused(f"--broker={store.url}", key)
        assert code == 1
        assert "CONFIG GET is not allowed" in said
        assert said.count("\n") == 1


def test_wrong_password_and_no_broker_are_said_alike(key: str) -> None:
    with redis_running("--requirepass", "right") as store:
        for password in ("", ":wrong@", "someone:right@"):
            url = store.url.replace("//", f"//{password}")
            assert refused(f"--broker={url}", key) == (1, UNREACHABLE), password
    assert refused(f"--broker=redis://127.0.0.1:{free_port()}/0", key) == (1, UNREACHABLE)


def test_workers_without_a_broker_explain_themselves() -> None:
    code, said = refused("--workers=2")
    assert code == 2
    assert "--broker" in said
    assert said.count("\n") == 1


def test_settings_that_make_no_sense(key: str) -> None:
    code, said = refused("--broker=redis://127.0.0.1:1/0")
    assert code == 2
    assert "--ticket-key-file" in said
    code, said = refused("--broker=http://127.0.0.1:1/0", key)
    assert (code, said) == (1, "beacon-relay: the broker's address is not that of a Redis\n")


def test_nothing_of_an_address_is_said(store: RedisProcess, key: str) -> None:
    code, said = refused(f"--broker=redis://user:secret@127.0.0.1:{store.port}/99", key)
    assert code == 1
    assert "secret" not in said
    assert str(store.port) not in said
