"""Rooms before the real relay's core and a liar between them, short version.

Whatever it does: no exception, no text that nobody said, none twice, none out of order, none to
somebody who was not there; and when it turns honest, one group. For longer: `make hostile`.
"""

import os

import pytest

from tests.hostile.run import play

SEEDS = range(int(os.environ.get("BEACON_HOSTILE_SEEDS", "12")))
LIES = 90


@pytest.mark.parametrize("seed", SEEDS)
def test_lies_of_a_relay_deceive_nobody_and_heal(seed: int) -> None:
    outcome = play(str(seed), LIES)
    assert outcome.failure is None, str(outcome)
