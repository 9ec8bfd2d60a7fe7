"""Rooms before the real relay's core and a liar between them, short version.

Whatever it does: no exception, no text that nobody said, none twice, none out of order, none to
somebody who was not there; and when it turns honest, one group. For longer: `make hostile`.
"""

import os
from collections.abc import Iterator

import pytest

from tests import node, rooms
from tests.hostile.run import play

SEEDS = range(int(os.environ.get("BEACON_HOSTILE_SEEDS", "12")))
LIES = 90
# JavaScript's rooms are as many processes' messages slower: fewer seeds.
NODE_SEEDS = {"javascript": range(100, 102), "mixed": range(200, 202)}
NODE_LIES = 75


@pytest.mark.parametrize("seed", SEEDS)
def test_lies_of_a_relay_deceive_nobody_and_heal(seed: int) -> None:
    outcome = play(str(seed), LIES)
    assert outcome.failure is None, str(outcome)


@pytest.fixture(scope="module")
def process() -> Iterator[None]:
    yield
    node.stop()


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize(
    ("kind", "seed"), [(kind, seed) for kind, seeds in NODE_SEEDS.items() for seed in seeds]
)
def test_lies_deceive_no_rooms_of_javascript_either(kind: str, seed: int) -> None:
    with rooms.using(kind):
        outcome = play(str(seed), NODE_LIES)
    assert outcome.failure is None, str(outcome)
