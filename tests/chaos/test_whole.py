"""A room is whole again when everybody has seen something new; not before."""

from typing import Any

import pytest

from tests.chaos.whole import Episode, Mending, mendings

NAMES = ("ada", "bob")


def journals(*seen: tuple[str, float, float]) -> dict[str, list[dict[str, Any]]]:
    """Return journals of who saw what was said when: name, said, seen."""
    found: dict[str, list[dict[str, Any]]] = {"ada": [], "bob": [], "eve": []}
    for number, (name, said, t) in enumerate(seen):
        found["eve"].append({"t": said, "what": "saying", "text": f"eve {number} "})
        found[name].append({"t": t, "what": "seen", "text": f"eve {number} "})
    return found


def test_the_last_one_counts() -> None:
    written = journals(("ada", 11.0, 11.5), ("ada", 15.0, 15.5), ("bob", 13.0, 14.0))
    assert mendings(written, [Episode(5.0, 10.0)], NAMES) == [Mending(4.0, False)]


def test_what_was_said_before_and_came_after_proves_nothing() -> None:
    written = journals(("ada", 11.0, 11.5), ("bob", 9.0, 12.0), ("bob", 16.0, 17.0))
    assert mendings(written, [Episode(5.0, 10.0)], NAMES) == [Mending(7.0, False)]


def test_never_is_infinite() -> None:
    written = journals(("ada", 11.0, 11.5))
    assert mendings(written, [Episode(5.0, 10.0)], NAMES)[0].seconds == float("inf")


@pytest.mark.parametrize(("following", "run_into"), [(13.0, True), (15.0, False)])
def test_who_was_run_into_by_the_next_is_told(following: float, run_into: bool) -> None:
    written = journals(("ada", 11.0, 11.5), ("bob", 13.0, 14.0))
    episodes = [Episode(5.0, 10.0), Episode(following, following)]
    assert mendings(written, episodes, NAMES)[0] == Mending(4.0, run_into)
