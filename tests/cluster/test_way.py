"""The way to the broker: by TLS, as a user who may do what a node does and nothing more."""

from pathlib import Path

import pytest

from tests.attack.certificate import write_certificate
from tests.cluster.place import assert_one_order, guest, nodes, until_whole
from tests.cluster.test_start import UNREACHABLE, refused
from tests.relay.process import ROOT
from tests.relay.redis_process import free_port, redis_running

pytestmark = pytest.mark.timeout(300)


def rights() -> list[str]:
    """Return what docs/operating.md tells an operator to allow."""
    text = (ROOT / "docs/operating.md").read_text()
    (line,) = [line for line in text.splitlines() if "ACL SETUSER beacon" in line]
    return line.split("ACL SETUSER beacon", 1)[1].replace(">...", ">secret").split()


async def test_tls_and_a_user_with_few_rights(tmp_path: Path, secret: str) -> None:
    certfile, keyfile, _ = write_certificate(tmp_path)
    port = free_port()
    files = ["--tls-cert-file", str(certfile), "--tls-key-file", str(keyfile)]
    files += ["--tls-ca-cert-file", str(certfile), "--tls-auth-clients", "no"]
    with redis_running("--tls-port", str(port), *files) as store:
        store.ask("ACL", "SETUSER", "beacon", *rights())
        store.ask("ACL", "SETUSER", "default", "off")
        url = f"rediss://beacon:secret@127.0.0.1:{port}/0?ssl_ca_certs={certfile}"
        with nodes(2, url, tmp_path) as (one, two):
            async with guest(one, secret) as ada, guest(two, secret) as bob:
                await ada.say("hello")
                await bob.say("hello too")
                await until_whole([ada, bob])
                assert_one_order([ada, bob])
        key = f"--ticket-key-file={tmp_path / 'ticket.key'}"
        for wrong in (
            url.partition("?")[0],
            url.replace("127.0.0.1", "127.0.0.2"),
            url.replace("rediss", "redis").partition("?")[0],
            url.replace("secret", "guessed"),
        ):
            assert refused(f"--broker={wrong}", key) == (1, UNREACHABLE), wrong
