"""The same conversations with rooms of JavaScript, and with both kinds in one room.

Every scenario of tests/client that is played on a stage is played again. Those that replace parts
of the Python code itself say nothing of the page's, and are skipped, each with its reason.
"""

import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType

import pytest

from tests import node, rooms
from tests.client import (
    test_completeness,
    test_holes,
    test_lines,
    test_membership,
    test_repair,
    test_resume,
    test_room,
    test_silence,
    test_talk,
    test_upkeep,
)
from tests.node_thing import Group
from tests.pair import Client, Stage

SCENARIOS = (
    test_completeness,
    test_holes,
    test_lines,
    test_membership,
    test_repair,
    test_resume,
    test_room,
    test_silence,
    test_talk,
    test_upkeep,
)
PYTHON_ONLY = {
    "test_errands_that_nobody_answers_are_bounded": "writes into a dict",
    "test_group_without_a_place_is_asked_for_another_way_in": "replaces stage_join",
    "test_r04_tag_that_is_taken_on_the_line_to_rejoin_is_given_back": "replaces stage_join",
    "test_r12_spoiled_path_strands_and_the_stranded_come_back": "replaces mls.path",
    "test_r13_rejoin_that_cannot_be_made_leaves_us_in_our_own_epoch": "replaces stage_join",
    "test_reprs_hold_no_secret": "is of Python's repr",
    "test_tags_of_senders_are_bounded_and_those_that_may_be_shown_stay": "writes into a dict",
    "test_words_are_made_once_an_epoch": "replaces client.room",
}


# Keys and hashes, which nobody can foresee, decide who goes over to whom.
BY_CHANCE = {
    "test_r13_halves_that_refuse_each_other_find_together",
    "test_r13_another_line_is_joined_where_nobody_is_heard_on_ours",
}
TRACES: dict[str, list[str]] = {}


def _played_again(module: ModuleType) -> type:
    """Return a class with every scenario of a module, and the fixtures that they ask for."""
    things: dict[str, object] = {}
    for name, thing in vars(module).items():
        if type(thing).__name__ == "FixtureFunctionDefinition":
            things[name] = pytest.fixture(staticmethod(thing.__wrapped__))
        elif name.startswith("test_"):
            things[name] = staticmethod(thing)
    return type("".join(map(str.capitalize, module.__name__.split(".")[-1].split("_"))), (), things)


globals().update({cls.__name__: cls for cls in map(_played_again, SCENARIOS)})


@contextmanager
def spoiled(clients: list[Client]) -> Iterator[None]:
    """As in test_lines, whoever's rooms these are."""
    with ExitStack() as stack:
        for client in clients:
            if isinstance(client.room.group, Group):
                stack.enter_context(client.room.group.stranded())
        stack.enter_context(_spoiled(clients))
        yield


_spoiled = test_lines.spoiled


def strand(stage: Stage, client: Client) -> None:
    """As in test_room, by a commit that is sound for all but this one."""
    other = next(one for one in stage.clients if one is not client)
    group = other.room.group
    assert group is not None
    with spoiled([client]):
        staged = group.commit([], stage.relay.fence)
        test_room.hostile_commit(stage, other, staged, own=False)
        stage.settle()


@pytest.fixture(scope="module", autouse=True)
def process() -> Iterator[None]:
    """One process of node for all of them."""
    yield
    node.stop()


@pytest.fixture(autouse=True, params=rooms.KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    name = request.function.__name__
    if name in PYTHON_ONLY:
        pytest.skip(f"of Python alone: {PYTHON_ONLY[name]}")
    if name in BY_CHANCE and request.param == "python":
        pytest.skip("nothing to compare with: chance decides")
    monkeypatch.setattr(test_room, "Room", rooms.make)
    monkeypatch.setattr(test_room, "strand", strand)
    monkeypatch.setattr(test_lines, "spoiled", spoiled)
    # Whose room is the first of the mixed ones differs from scenario to scenario, not from run to
    # run.
    trace: list[str] = []
    with rooms.using(request.param, zlib.crc32(name.encode()) & 1, trace):
        yield
    scenario = request.node.nodeid.replace(request.param, "")
    if request.param == "python":
        TRACES[scenario] = trace
    elif scenario in TRACES and name not in BY_CHANCE:
        for ours, pythons in zip(trace, TRACES[scenario], strict=False):
            assert ours == pythons
        assert len(trace) == len(TRACES[scenario])
