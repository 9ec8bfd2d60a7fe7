"""A Redis and two nodes for the tests of each file; every test has a room of its own."""

from collections.abc import Iterator

import pytest

from tests.cluster.place import Node, new_secret, nodes
from tests.relay.redis_process import RedisProcess, redis_running

# So long a seat is kept here. Nodes share rooms only if they agree on that.
AWAY_S = 20


@pytest.fixture(scope="module")
def store() -> Iterator[RedisProcess]:
    with redis_running() as process:
        yield process


@pytest.fixture(scope="module")
def pair(store: RedisProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    folder = tmp_path_factory.mktemp("pair")
    with nodes(2, store.url, folder, f"--away-for={AWAY_S}") as running:
        yield running


@pytest.fixture
def secret() -> str:
    return new_secret()
