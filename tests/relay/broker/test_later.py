"""An outcome comes once, whether somebody waits for it already or not."""

import pytest

from relay.broker.later import Later
from relay.errors import Reason, RefusedError


def test_who_waits_is_told_when_the_outcome_comes() -> None:
    later, came = Later[int](), list[object]()
    later.then(came.append)
    assert came == []
    later.settle(7)
    assert came == [7]


def test_who_comes_after_the_outcome_is_told_at_once() -> None:
    later, came = Later[int](), list[object]()
    later.settle(7)
    later.then(came.append)
    assert came == [7]


def test_refusal_is_an_outcome() -> None:
    later, came = Later[int](), list[object]()
    later.then(came.append)
    refusal = RefusedError(Reason.BUSY)
    later.settle(refusal)
    assert came == [refusal]


def test_nothing_may_be_the_outcome() -> None:
    later, came = Later[None](), list[object]()
    later.settle(None)
    later.then(came.append)
    assert came == [None]


def test_there_is_no_second_outcome() -> None:
    later = Later[int]()
    later.settle(7)
    with pytest.raises(AssertionError):
        later.settle(8)
