"""A seed is a script, and no script breaks more than the rules promise to survive."""

from itertools import pairwise

import pytest

from tests.chaos.script import (
    CLUSTER_KINDS,
    RELAY,
    RELAY_KINDS,
    RELAY_REST_S,
    REST_S,
    STORE,
    STORE_REST_S,
    write,
)

MEMBERS = 12
SEEDS = range(60)
# A seat is kept for so long (PROTOCOL 4.3).
SEAT_S = 60.0
DOWN_S = 10.0
NODES = 3
CLUSTER_DOWN_S = 12.0


def test_same_seed_writes_the_same_script() -> None:
    assert write(7, 300, MEMBERS) == write(7, 300, MEMBERS)
    assert write(7, 300, MEMBERS) != write(8, 300, MEMBERS)


@pytest.mark.parametrize("seed", SEEDS)
def test_script_stays_within_what_is_promised(seed: int) -> None:
    script = write(seed, 300, MEMBERS)
    for target in range(RELAY, MEMBERS):
        faults = [fault for fault in script.faults if fault.target == target]
        longest, rest = (DOWN_S, RELAY_REST_S) if target == RELAY else (SEAT_S - 10, REST_S)
        assert all((fault.kind in RELAY_KINDS) == (target == RELAY) for fault in faults)
        assert all(fault.until - fault.at <= longest for fault in faults)
        assert all(b.at >= a.until + rest for a, b in pairwise(faults))
    assert all(0 <= fault.at <= fault.until < 300 for fault in script.faults)
    assert all(visit.come < visit.go < 300 for visit in script.visits)
    assert {fault.episode for fault in script.faults} == set(range(script.episodes))


@pytest.mark.parametrize("seed", SEEDS)
def test_script_of_several_nodes_stays_within_what_is_promised(seed: int) -> None:
    faults = write(seed, 300, MEMBERS, NODES).faults
    targets = {STORE: STORE_REST_S} | dict.fromkeys(range(-NODES, 0), RELAY_REST_S)
    assert {fault.target for fault in faults if fault.target < 0} <= set(targets)
    for target, rest in targets.items():
        mine = [fault for fault in faults if fault.target == target]
        assert all((fault.kind.startswith("store")) == (target == STORE) for fault in mine)
        assert all(fault.kind in RELAY_KINDS.union(CLUSTER_KINDS) for fault in mine)
        assert all(fault.until - fault.at <= CLUSTER_DOWN_S for fault in mine)
        assert all(b.at >= a.until + rest for a, b in pairwise(mine))


def test_long_run_of_several_nodes_has_everything_more() -> None:
    faults = write(1, 1800, MEMBERS, NODES).faults
    assert set(CLUSTER_KINDS) | RELAY_KINDS <= {fault.kind for fault in faults}
    assert {-1, -2, -3, STORE} == {fault.target for fault in faults if fault.target < 0}


def test_long_run_has_everything() -> None:
    kinds = [fault.kind for seed in SEEDS for fault in write(seed, 300, MEMBERS).faults]
    details = {fault.detail for fault in write(1, 1800, MEMBERS).faults}
    expected = {"kill", "term", "cut", "refuse", "stall", "half_open", "delay", "sleep"}
    assert set(kinds) == expected
    assert details == {"client", "relay"}


def test_faults_coincide() -> None:
    faults = write(1, 1800, MEMBERS).faults
    assert any(b.at < a.until and a.target != b.target for a, b in pairwise(faults))


def test_minute_breaks_several_things() -> None:
    for seed in SEEDS:
        assert len(write(seed, 60, MEMBERS).faults) >= 2, seed
