"""Each proxy once, for all tests."""

import itertools
from collections.abc import Iterator

import pytest

from tests.attack.target import serving
from tests.deploy.front import DEAD_PORT, NAMES, front, missing
from tests.deploy.place import BEHIND, Place, assert_silent

_clients = itertools.count(2)


@pytest.fixture(scope="session", params=NAMES)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    if why := missing(request.param):
        pytest.skip(why)
    folder = tmp_path_factory.mktemp(request.param)
    with (
        serving(*BEHIND, is_warm=False) as relay,
        front(request.param, folder, (DEAD_PORT, relay.port)) as running,
    ):
        yield Place(relay, running)
        assert_silent(running)


@pytest.fixture
def trusted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client library take the proxy's certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(place.front.folder / "certificate.pem"))


@pytest.fixture
def client() -> str:
    """Return an address that nobody has had."""
    return f"127.0.66.{next(_clients)}"
